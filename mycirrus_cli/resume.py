"""A long run that can be interrupted, and goes on where it was.

Beside OUTPUT there are two files until the run is done. OUTPUT.part has the entries so far, one
JSON object a line, whatever the format will be; OUTPUT.state says what was asked and how much of
OUTPUT.part is whole. A window's entries are on the disk before the state says so, and the state is
replaced as a whole; so whatever happens, and be it that the machine goes off, the state is true.
"""

import hashlib
import json
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from .exits import CommandError
from .fetch import plan_of
from .formats import ndjson_line, records_of
from .query import Query

if TYPE_CHECKING:
    from cirrus_ext.calibration_log import CalibrationRecord

VERSION = 1


@dataclass(frozen=True)
class State:
    """What OUTPUT.state holds.

    Attributes:
        version: Of this list.
        server: Who was asked.
        instruments: As they were given.
        said: The range as it was given.
        start: The range as it was understood: ISO 8601, UTC.
        end: Likewise.
        done: Windows whose entries are in OUTPUT.part.
        of: Windows in all.
        size: Bytes of OUTPUT.part that are whole.
        sha256: Of these bytes.
    """

    version: int
    server: str
    instruments: tuple[str, ...]
    said: dict[str, str | None]
    start: str
    end: str
    done: int
    of: int
    size: int
    sha256: str


class Unfinished:
    """The two files beside an output, and what is in them."""

    def __init__(self, output: Path, query: Query, server: str) -> None:
        target = output.resolve()
        self._part = target.with_name(target.name + ".part")
        self._state_file = target.with_name(target.name + ".state")
        # Of one name, so that a run that is killed leaves no more than one.
        self._next_state_file = target.with_name(f".{target.name}.state.tmp")
        found = self._found()
        if found is None:
            self.query, self._state, self._is_new = query, _fresh(query, server), True
            return
        self._check_same(found, query, server)
        self._state, self._is_new = found, False
        self.query = replace(query, start=_time(found.start), end=_time(found.end))
        if len(plan_of(self.query)) != found.of:
            raise self._refusal("was written by another version of this program")

    @property
    def done(self) -> int:
        """Windows that are done."""
        return self._state.done

    @property
    def in_words(self) -> str:
        """How far it is."""
        return f"{self._state.done:,} of {self._state.of:,} requests are done"

    @contextmanager
    def opened(self) -> Generator["Spool"]:
        """Open OUTPUT.part for more entries, after those that are whole.

        Raises:
            CommandError: It is not what was left, or another run is writing it.
        """
        with self._open_part() as file:
            self._lock(file)
            digest = _digest(file, self._state.size)
            if digest.hexdigest() != self._state.sha256:
                raise self._refusal(f"does not fit {self._part.name}, which was changed")
            file.truncate(self._state.size)
            self._save(self._state)
            yield Spool(self, file, digest)

    def _open_part(self) -> BinaryIO:
        """Open the file, which nobody else's may be, and no link to one."""
        if self._is_new and self._part.exists() and self._part.stat().st_size:
            raise CommandError(
                f"{self._part} is there without {self._state_file.name}: it is of no run that can "
                "go on; move it away"
            )
        try:
            file = open(self._part, "r+b", opener=_straight)  # noqa: SIM115 - Path's has no opener
        except FileNotFoundError:
            if self._state.size:
                raise self._refusal(f"is there, but {self._part.name} is not") from None
            file = self._part.open("x+b")
        except OSError as error:
            raise CommandError(f"{self._part} cannot be used: {error.strerror}") from None
        return cast("BinaryIO", file)

    def remove(self) -> None:
        """The run is done: nothing of it stays but the output."""
        for file in (self._part, self._state_file, self._next_state_file):
            file.unlink(missing_ok=True)

    def advance(self, size: int, sha256: str) -> None:
        """One more window is on the disk."""
        self._state = replace(self._state, done=self._state.done + 1, size=size, sha256=sha256)
        self._save(self._state)

    def _save(self, state: State) -> None:
        with self._next_state_file.open("wb") as file:
            file.write(written(state))
            file.flush()
            os.fsync(file.fileno())
        self._next_state_file.replace(self._state_file)

    def _found(self) -> State | None:
        try:
            state = _read(self._state_file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise self._refusal("cannot be read, or was changed") from None
        # A run that was stopped while it cleaned up is done.
        is_done = state.done == state.of and not self._part.exists()
        return None if is_done else state

    def _check_same(self, found: State, query: Query, server: str) -> None:
        """Refuse the state of another query.

        Raises:
            CommandError: It is one.
        """
        for difference, was, now in (
            ("another version of this program", found.version, VERSION),
            ("other instruments", found.instruments, query.instruments),
            ("another range", found.said, query.said),
            ("another server", found.server, server),
        ):
            if was != now:
                raise self._refusal(f"is of another query ({difference})")

    def _refusal(self, problem: str) -> CommandError:
        return CommandError(
            f"{self._state_file.name} {problem}: repeat the command that was interrupted, or "
            f"delete {self._state_file} and {self._part} to start afresh"
        )

    def _lock(self, file: BinaryIO) -> None:
        """Keep a second run away, where the system can do that."""
        with suppress(ImportError):
            import fcntl  # noqa: PLC0415 - not on Windows

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CommandError(f"{self._part}: another run is writing it") from None


class Spool:
    """The entries so far, in OUTPUT.part."""

    def __init__(self, unfinished: Unfinished, file: BinaryIO, digest: "hashlib._Hash") -> None:
        self._unfinished = unfinished
        self._file = file
        self._digest = digest

    def add(self, records: "list[CalibrationRecord]") -> None:
        """Keep the entries of one more window, on the disk."""
        for record in records:
            line = ndjson_line(record)
            self._digest.update(line)
            self._file.write(line)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._unfinished.advance(self._file.tell(), self._digest.hexdigest())

    def records(self) -> "Iterator[CalibrationRecord]":
        """All entries so far."""
        self._file.seek(0)
        return records_of(self._file)


def _fresh(query: Query, server: str) -> State:
    return State(
        version=VERSION,
        server=server,
        instruments=query.instruments,
        said=query.said,
        start=query.start.isoformat(),
        end=query.end.isoformat(),
        done=0,
        of=len(plan_of(query)),
        size=0,
        sha256=hashlib.sha256().hexdigest(),
    )


def written(state: State) -> bytes:
    """A state as OUTPUT.state holds it, with a seal: the digest of the rest."""
    fields = asdict(state)
    return json.dumps(fields | {"seal": _seal(fields)}, indent=1).encode()


def _seal(fields: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _read(data: bytes) -> State:
    """The state that was written.

    Raises:
        ValueError: It is none, or was changed. Also KeyError, TypeError, RecursionError.
    """
    fields: Any = json.loads(data)
    if fields.pop("seal") != _seal(fields):
        raise ValueError(data)
    return State(**fields | {"instruments": tuple(fields["instruments"])})


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _straight(path: str, flags: int) -> int:
    """Open a file, but not through a link."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))


def _digest(file: BinaryIO, size: int) -> "hashlib._Hash":
    """The digest of the first so many bytes, or of what there is."""
    digest = hashlib.sha256()
    while size > 0 and (chunk := file.read(min(size, 1 << 20))):
        digest.update(chunk)
        size -= len(chunk)
    return digest
