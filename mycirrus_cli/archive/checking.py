"""Checks that an archive is as it was written."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from mycirrus_cli.exits import FAILED, CommandError
from mycirrus_cli.text import quantity

from .chain import BrokenChainError, Commit, verified
from .file import opened_to_read


def fitting(path: Path, connection: sqlite3.Connection) -> Iterator[Commit]:
    """Yield the commits of an archive, each after it was verified.

    Raises:
        CommandError: One does not fit, or the file is damaged, its index included.
    """
    try:
        yield from verified(connection)
    except BrokenChainError as error:
        where = _place_of(error.number, connection)
        raise CommandError(f"{path}: does not fit its chain: {where}{error}", FAILED) from None
    # The chain is verified without the index, which queries use.
    problems = [row[0] for row in connection.execute("PRAGMA integrity_check(1)")]
    if problems != ["ok"]:
        raise CommandError(f"{path}: is damaged: {problems[0]}", FAILED)


def _place_of(number: int, connection: sqlite3.Connection) -> str:
    """Return the commit and its run, if there is one."""
    if not number:
        return ""
    rows = connection.execute(
        "SELECT id, started FROM run WHERE begun <= ? ORDER BY begun DESC LIMIT 1", (number,)
    )
    run = next((f" of run {row[0]}, which began at {row[1]}" for row in rows), "")
    return f"commit {number}{run}: "


def check(path: Path, head: bytes | None) -> str:
    """Check an archive, offline.

    Args:
        path: The archive.
        head: A hash that was kept elsewhere and must be in the chain.

    Returns:
        A summary in one line.

    Raises:
        CommandError: It is not as it was written, or the hash is not in it.
    """
    runs, entries, last, is_in = 0, 0, b"", head is None
    with opened_to_read(path) as connection:
        for commit in fitting(path, connection):
            kinds = [change[0] for change in commit.changes]
            runs += kinds.count("run")
            entries += kinds.count("entry")
            last = commit.hash
            is_in = is_in or last == head
    if not is_in:
        raise CommandError(
            f"{path}: the head is not in the chain: the file was cut back to an earlier state or "
            "computed anew, or it is another archive",
            FAILED,
        )
    counts = f"{quantity(runs, 'run')}, {quantity(entries, 'entry')}"
    return f"{path} fits its chain: {counts}, head {last.hex()}"
