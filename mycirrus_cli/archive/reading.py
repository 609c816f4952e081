"""Reads an archive, offline, for ``mycirrus log`` and ``mycirrus report``."""

import sqlite3
from argparse import Namespace
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cirrus_ext.calibration_log import CalibrationRecord
from cirrus_ext.ranges import wire_time
from mycirrus_cli.echo import echo
from mycirrus_cli.exits import CommandError
from mycirrus_cli.fetch import Source
from mycirrus_cli.query import Query, query
from mycirrus_cli.text import first_few

from .checking import fitting
from .entries import record_of
from .file import opened_to_read, path_of
from .ranges import Range, Ranges, text_of, time_of
from .state import State

# The options for requests.
_ONLINE = {
    "dry_run": "--dry-run",
    "api_key_file": "--api-key-file",
    "base_url": "--base-url",
    "concurrency": "--concurrency",
}


@dataclass(frozen=True)
class Gone:
    """An entry that the API no longer returns.

    Attributes:
        record: The entry.
        since: The start of the run that no longer found it, in UTC.
        is_changed: Whether another entry at the same time replaced it.
    """

    record: CalibrationRecord
    since: datetime
    is_changed: bool


@dataclass(frozen=True)
class Unread:
    """A range of time that was not read."""

    instrument: str
    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"{self.instrument} from {wire_time(self.start)} to {wire_time(self.end)}"


@dataclass(frozen=True)
class Facts:
    """What a report says about an archive; all times are in UTC.

    Attributes:
        name: The file.
        server: The address of the API.
        head: The hash of the last commit, in hexadecimal.
        runs: The number of runs.
        first: The start of the first run.
        last: The start of the last one.
        gone: Entries in the range that were changed or are missing.
        unread: Parts of the range that were not read.
        unseen: Instruments that are no longer seen, each with the start of the run that found it.
    """

    name: str
    server: str
    head: str
    runs: int
    first: datetime
    last: datetime
    gone: list[Gone]
    unread: list[Unread]
    unseen: list[tuple[str, datetime]]


@dataclass(kw_only=True)
class Reading(Source):
    """An archive, and a query of it.

    Attributes:
        path: The file.
        query: Instruments and range.
        state: What was read so far.
        is_from_start: Whether the range has no start of its own, but that of each instrument.
        is_to_end: Whether the range has no end of its own, but that of each instrument.
        connection: From `file.opened_to_read`.
    """

    path: Path
    query: Query
    state: State
    is_from_start: bool
    is_to_end: bool
    connection: sqlite3.Connection

    def answers(self) -> Iterator[tuple[str, list[CalibrationRecord]]]:
        """Yield each instrument with its current entries, by time."""
        for serial in self.instruments:
            rows = self.connection.execute(
                "SELECT instrument, time, user, message, extra FROM entry WHERE instrument = ? "
                "AND time >= ? AND time < ? AND missing_since IS NULL ORDER BY time, id",
                (serial, *self._range),
            )
            records = list(map(record_of, rows))
            self.entries[serial] += len(records)
            yield serial, records

    def gone(self) -> list[Gone]:
        """Return the entries that were changed or are missing, by time."""
        rows = self.connection.execute(
            "SELECT entry.instrument, entry.time, entry.user, entry.message, extra, "
            "history.missing_since, changed FROM entry JOIN history USING (id) "
            "WHERE entry.time >= ? AND entry.time < ? AND entry.missing_since IS NOT NULL "
            "ORDER BY entry.time, id",
            self._range,
        )
        wanted = set(self.instruments)
        return [
            Gone(record_of(tuple(columns)), time_of(since), bool(is_changed))
            for *columns, since, is_changed in rows
            if columns[0] in wanted
        ]

    def facts(self) -> Facts:
        """Return what a report says about the archive."""
        runs = self.state.runs
        return Facts(
            name=str(self.path),
            server=runs[-1].server,
            head=self.state.head.hex(),
            runs=len(runs),
            first=time_of(runs[0].started),
            last=time_of(runs[-1].started),
            gone=self.gone(),
            unread=self.unread(),
            unseen=[
                (serial, time_of(max(run.started for run in runs if run.begun <= since)))
                for serial in self.instruments
                if (since := self.state.instruments[serial].unseen_since)
            ],
        )

    def unread(self) -> list[Unread]:
        """Return the parts of the query that were not read."""
        unread: list[Unread] = []
        for serial in self.instruments:
            one = self.state.instruments[serial]
            known = Ranges((*one.read, *one.empty))
            start, end = self._range
            if self.is_from_start:
                start = max(start, one.start)
            if self.is_to_end and one.is_retired:
                end = max((last for _, last in known), default=start)
            unread += [Unread(serial, time_of(a), time_of(b)) for a, b in known.gaps(start, end)]
        return unread

    @property
    def _range(self) -> Range:
        return text_of(self.query.start), text_of(self.query.end)


def _end_of(state: State, connection: sqlite3.Connection) -> datetime:
    """Return the end of the last run, or, if the clock was set back, that of the entries."""
    until = time_of(state.runs[-1].until)
    (last,) = connection.execute("SELECT max(time) FROM entry").fetchone()
    if last is None or time_of(last) < until:
        return until
    return time_of(last).replace(microsecond=0) + timedelta(seconds=1)


@contextmanager
def opened(options: Namespace) -> Generator[Reading]:
    """Open the archive of ``--from``, and verify its chain.

    Raises:
        CommandError: It is not an archive, does not fit its chain, or lacks an instrument.
    """
    for name, option in _ONLINE.items():
        if getattr(options, name, None):
            raise CommandError(f"--from sends no request: leave out {option}")
    path = path_of(options.archive)
    with opened_to_read(path) as connection:
        state = State(fitting(path, connection))
        starts = {serial: time_of(one.start) for serial, one in state.instruments.items()}
        whole = Query(tuple(starts), min(starts.values()), _end_of(state, connection))
        wanted = query(options, now=whole.end, otherwise=whole)
        if unknown := [serial for serial in wanted.instruments if serial not in starts]:
            raise CommandError(f"{path}: has no {first_few(unknown)}")
        reading = Reading(
            instruments=wanted.instruments,
            quiet=options.quiet,
            path=path,
            query=wanted,
            state=state,
            is_from_start=options.start is None and options.last is None,
            is_to_end=options.end is None,
            connection=connection,
        )
        if (unread := reading.unread()) and not options.quiet:
            echo(f"warning: not read: {first_few([str(one) for one in unread])}")
        yield reading
