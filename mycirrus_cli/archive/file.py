"""Opens an archive, to write for one run or to read for any number of them."""

import os
import sqlite3
import time
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from mycirrus_cli.exits import BAD_USAGE, FAILED, UNREACHABLE, CommandError
from mycirrus_cli.output import resolved

from .schema import APPLICATION_ID, SCHEMA, VERSION

# Each commit is on the disk, and its journal is deleted, before its hash is shown.
SYNCHRONOUS = "EXTRA"
LONGEST_NAME = 255 - len("-journal")  # in bytes; SQLite makes a journal beside the file
PATIENCE = 60.0  # seconds to wait for a program that reads, or that commits
STEP = 0.05  # seconds of a wait in which no signal is noticed


class Connection(sqlite3.Connection):
    """Waits for another program in short steps; SQLite itself would wait through each signal.

    Attributes:
        patience: Seconds to wait. It can be changed during a wait.
    """

    patience = PATIENCE

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """Run a statement, and repeat it while another program locks the file."""
        began = time.monotonic()
        while True:
            try:
                return super().execute(*arguments)
            except sqlite3.OperationalError as error:
                is_locked = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
                if not is_locked or time.monotonic() - began >= self.patience:
                    raise
            time.sleep(STEP)


def path_of(name: str) -> Path:
    """Return the path of an archive; no name has a special meaning.

    Raises:
        CommandError: It cannot be a file.
    """
    target = resolved(name or ".", Path(name))
    if len(os.fsencode(target.name)) > LONGEST_NAME:
        raise CommandError(f"{name}: the name is longer than {LONGEST_NAME} bytes")
    return Path(name)


def is_new(path: Path) -> bool:
    """Whether there is nothing in the file yet."""
    return not path.exists() or path.stat().st_size == 0


@contextmanager
def opened_to_read(path: Path) -> Generator[Connection]:
    """Open an archive; what is read is as it was at the first query.

    Raises:
        CommandError: It is not an archive, or cannot be read.
    """
    if not path.exists():
        raise CommandError(f"{path}: there is no such file")
    with _explained(path), closing(_connect(path, "ro")) as connection:
        _check_header(path, connection)
        connection.execute("BEGIN")
        yield connection


@contextmanager
def opened_to_write(path: Path) -> Generator[Connection]:
    """Open an archive, make it if it is not there, and keep other runs from writing meanwhile.

    A transaction is always open; `commit` ends it and begins another.

    Raises:
        CommandError: It is not an archive, cannot be written, or another run is writing it.
    """
    with _explained(path):
        if not path.exists():
            os.close(os.open(path.resolve(), os.O_CREAT | os.O_RDWR, 0o600))
        with closing(_connect(path, "rw")) as connection:
            connection.patience = 0  # another run takes its time
            connection.execute("BEGIN IMMEDIATE")
            connection.patience = PATIENCE
            try:
                if is_new(path):
                    _make(connection)
                _check_header(path, connection)
                if connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
                    # Another program has set it: an archive is one file.
                    connection.execute("COMMIT")
                    connection.execute("PRAGMA journal_mode = DELETE")
                    connection.execute("BEGIN IMMEDIATE")
                yield connection
            finally:
                _delete_if_new(path, connection)


def _delete_if_new(path: Path, connection: Connection) -> None:
    """Delete the file if nothing was committed, unless another run has locked it."""
    with suppress(OSError, sqlite3.Error):
        connection.patience = 0
        connection.rollback()
        connection.execute("BEGIN IMMEDIATE")
        if is_new(path):
            if os.name == "nt":
                connection.close()  # Windows deletes no open file, so that of another run is safe
            path.resolve().unlink()


def commit(connection: sqlite3.Connection) -> None:
    """Write the transaction to the disk, and begin the next one."""
    connection.execute("COMMIT")
    connection.execute("BEGIN IMMEDIATE")


def _connect(path: Path, mode: str) -> Connection:
    # In a URI, names such as :memory: and a?b have no special meaning. Two threads use the
    # connection, one after the other.
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={mode}",
        uri=True,
        timeout=0,
        isolation_level=None,
        check_same_thread=False,
        factory=Connection,
    )
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
    return connection


def _make(connection: sqlite3.Connection) -> None:
    """Create the tables; the first commit writes them to the disk."""
    for statement in SCHEMA.split(";\n"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _check_header(path: Path, connection: sqlite3.Connection) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise CommandError(f"{path}: is not an archive of mycirrus sync")
    if version != VERSION:
        advice = "install a newer version" if version > VERSION else "begin another archive"
        raise CommandError(
            f"{path}: is an archive of version {version}, and this program knows version "
            f"{VERSION}: {advice}"
        )


@contextmanager
def _explained(path: Path) -> Generator[None]:
    """Report an error of SQLite in one line."""
    try:
        yield
    except UnicodeDecodeError as error:  # in what SQLite says about a damaged schema
        raise CommandError(f"{path}: is damaged", FAILED) from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0)
        general = _PROBLEMS.get(code & 0xFF, (f"cannot be used: {error}", FAILED))
        problem, exit_code = _PROBLEMS.get(code, general)
        raise CommandError(f"{path}: {problem}", exit_code) from error


_BUSY = ("another run is writing it; try again later", UNREACHABLE)
_PROBLEMS = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_IOERR_FSTAT: _BUSY,  # it has just deleted a file without a commit
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened; check who may read it", FAILED),
    sqlite3.SQLITE_FULL: ("the disk is full; what was committed before is kept", FAILED),
    sqlite3.SQLITE_NOTADB: ("is not an archive of mycirrus sync", BAD_USAGE),
    sqlite3.SQLITE_READONLY: ("cannot be written", BAD_USAGE),
    sqlite3.SQLITE_READONLY_DBMOVED: ("was moved or deleted during the run", FAILED),
    sqlite3.SQLITE_READONLY_ROLLBACK: (
        "a run was interrupted while it wrote; run `mycirrus sync` once, with the right to write",
        FAILED,
    ),
}
