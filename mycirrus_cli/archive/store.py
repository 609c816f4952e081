"""Writes to an archive: each commit goes into the chain together with what it changes."""

import sqlite3
from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import Any

from cirrus_ext.calibration_log import CalibrationRecord
from cirrus_ext.ranges import HistoryWindow

from . import file
from .chain import Commit, next_hash
from .entries import Columns, Difference, columns_of, difference
from .ranges import Range, text_of
from .schema import (
    ANSWERED,
    END,
    ENTRY,
    INSTRUMENT,
    KINDS,
    MISSING,
    RETIRED,
    RUN,
    UNSEEN,
    WINDOW,
    Kind,
)
from .state import Run, State

# A kind, and the values that its statement takes besides the number of the commit.
Write = tuple[Kind, tuple[Any, ...]]


class OvertakenError(sqlite3.OperationalError):
    """Another run has written the archive between two transactions."""

    sqlite_errorcode = sqlite3.SQLITE_BUSY


@dataclass(frozen=True)
class Counts:
    """The results of the windows of a run."""

    answered: int
    failed: int
    new: int
    changed: int
    missing: int


class Store:
    """An archive that one run writes.

    Args:
        connection: From `file.opened_to_write`.
        state: The state after its commits, which fit the chain.
    """

    def __init__(self, connection: file.Connection, state: State) -> None:
        self._connection = connection
        self.state = state
        # All counts begin after the last end, so that what an interrupted run found is reported.
        self._after = state.ended

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Write all commits of the block to the disk together, at its end."""
        yield
        file.commit(self._connection)
        row = self._connection.execute("SELECT max(number) FROM chain").fetchone()
        if row[0] != self.state.number:
            raise OvertakenError

    def stop_waiting(self) -> None:
        """Raise the error of SQLite at once if another program locks the archive."""
        self._connection.patience = 0

    def begin(self, run: Run | None, added: Mapping[str, str], retired: Iterable[str]) -> None:
        """Begin a run: see `beginning`."""
        if writes := beginning(self.state, run, added, retired):
            self._commit(writes)

    def answered(self, window: HistoryWindow, records: Sequence[CalibrationRecord]) -> None:
        """Record the answer for a window."""
        instrument = self.state.instruments[window.instrument]
        before = self._current(window.instrument, _range(window))
        result, changes = ANSWERED, difference(before, map(columns_of, records))
        if before and not records and not instrument.is_seen_in(self._run):
            result, changes = UNSEEN, Difference([], [], 0)
        gone = list(changes.gone)
        if records:  # then the entries of windows that were empty are missing
            for unseen in instrument.unseen_in(self._run):
                gone += [row for row, _ in self._current(window.instrument, unseen)]
        self._keep(window, result, len(records), Difference(changes.added, gone, changes.changed))

    def failed(self, window: HistoryWindow, error: Exception) -> None:
        """Record that there was no answer for a window, and why."""
        self._keep(window, type(error).__name__, 0, Difference([], [], 0))

    def _keep(self, window: HistoryWindow, result: str, found: int, changes: Difference) -> None:
        added, gone, changed = changes.added, changes.gone, changes.changed
        counts = (found, len(added) - changed, changed, len(gone) - changed)
        row = (self._run, window.instrument, *_range(window), result, *counts)
        ids = enumerate(added, self.state.entries + 1)
        self._commit(
            [
                (WINDOW, row),
                *((ENTRY, (number, *columns)) for number, columns in ids),
                *((MISSING, (number,)) for number in gone),
            ]
        )

    def counts(self) -> Counts:
        """Count what happened since the last run that ended."""
        return Counts(
            *self._connection.execute(
                "SELECT coalesce(sum(answered), 0), coalesce(sum(NOT answered), 0), "
                "coalesce(sum(new), 0), coalesce(sum(changed), 0), coalesce(sum(missing), 0) "
                "FROM (SELECT *, result IN (?, ?) AS answered FROM window WHERE number > ?)",
                (ANSWERED, UNSEEN, self._after),
            ).fetchone()
        )

    def end(self) -> None:
        """End the run, with its counts."""
        self._commit([(END, (*astuple(self.counts()), self._run))])

    @property
    def _run(self) -> int:
        return self.state.runs[-1].id

    def _current(self, serial: str, window: Range) -> list[tuple[int, Columns]]:
        rows = self._connection.execute(
            "SELECT id, instrument, time, user, message, extra FROM entry "
            "WHERE instrument = ? AND time >= ? AND time < ? AND missing_since IS NULL "
            "ORDER BY id",
            (serial, *window),
        )
        return [(row, tuple(columns)) for row, *columns in rows]

    def newly_unseen(self) -> list[str]:
        """Return the instruments that are no longer seen since the last run that ended."""
        instruments = self.state.instruments.items()
        return [serial for serial, one in instruments if (one.unseen_since or 0) > self._after]

    def gone(self) -> dict[str, list[str]]:
        """Return the entries that were changed or are missing since the last run that ended."""
        rows = self._connection.execute(
            "SELECT history.instrument, history.time, changed FROM history JOIN entry USING (id) "
            "WHERE entry.missing_since > ? ORDER BY entry.instrument, entry.time",
            (self._after,),
        )
        found: defaultdict[str, list[str]] = defaultdict(list)
        for instrument, time, is_changed in rows:
            found["changed" if is_changed else "missing"].append(f"{instrument} at {time}")
        return found

    def _commit(self, writes: Sequence[Write]) -> None:
        number = self.state.number + 1
        in_order = sorted(writes, key=lambda write: (KINDS.index(write[0]), write[1][0]))
        for kind, values in in_order:
            self._connection.execute(kind.write, (number, *values))
        changes = [(kind.name, number, *values) for kind, values in in_order]
        commit = Commit(number, next_hash(self.state.head, changes), changes)
        self._connection.execute("INSERT INTO chain VALUES (?, ?)", (number, commit.hash))
        self.state.apply(commit)


def beginning(
    state: State, run: Run | None, added: Mapping[str, str], retired: Iterable[str]
) -> list[Write]:
    """Return what the first commit of a run writes.

    Args:
        state: Of the archive.
        run: None if an interrupted run is continued.
        added: The start of each new instrument, or of one that was retired.
        retired: Serial numbers.
    """
    rows = enumerate(added.items(), state.instrument_rows + 1)
    writes: list[Write] = [(INSTRUMENT, (row, *instrument)) for row, instrument in rows]
    writes += [(RETIRED, (state.instruments[serial].id,)) for serial in retired]
    if run is not None:
        writes.append((RUN, astuple(run)[1:]))
    return writes


def _range(window: HistoryWindow) -> Range:
    return text_of(window.start), text_of(window.end)
