"""What an archive has read so far, according to its commits, and what is due next."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cirrus_ext.ranges import HistoryWindow, plan_history

from .chain import FIRST, Change, Commit
from .ranges import Range, Ranges, text_of, time_of
from .schema import ANSWERED, UNSEEN

LAST = "9999-12-31T23:59:59.999999Z"

# Each run reads this span again; with its margins, it is one request.
REREAD = timedelta(days=364)
# An interrupted run can be continued for this long.
CONTINUED = timedelta(hours=12)


@dataclass(frozen=True)
class Run:
    """A run, as its first commit has it."""

    begun: int
    id: int
    started: str
    until: str
    server: str
    version: str
    verify: int


@dataclass
class Instrument:
    """What was read of one instrument.

    Attributes:
        id: The id of its row.
        serial: The serial number.
        start: The first moment to archive.
        is_retired: Whether it is no longer requested.
        read: The ranges that were read in runs in which it had entries.
        empty: The ranges that were read since then, in runs in which it had none, and those of
            which all entries are missing. A key without access gets the same answer, so they
            count only until it has entries again.
        fresh: The ranges that were read in the latest run.
        unseen_since: The commit since which it is no longer seen; None if it is seen.
    """

    id: int
    serial: str
    start: str
    is_retired: bool = False
    read: Ranges = field(default_factory=Ranges)
    empty: Ranges = field(default_factory=Ranges)
    fresh: Ranges = field(default_factory=Ranges)
    unseen_since: int | None = None
    _run: int = 0
    _seen_run: int = 0
    _unseen: list[Range] = field(default_factory=list[Range])
    _emptied: list[Range] = field(default_factory=list[Range])

    def is_seen_in(self, run: int) -> bool:
        """Whether it had entries in this run."""
        return self._seen_run == run

    def unseen_in(self, run: int) -> list[Range]:
        """Return the ranges without an entry in this run in which the archive has some."""
        return self._unseen if self._run == run else []

    def add(
        self, number: int, run: int, window: Range, result: str, found: int, missing: int
    ) -> None:
        """Add a window."""
        if run != self._run:
            self._run, self.fresh, self._unseen, self._emptied = run, Ranges(), [], []
        if result not in {ANSWERED, UNSEEN}:
            return
        self.fresh.add(window)
        if (missing and not found) or result == UNSEEN:
            self._emptied.append(window)
        if result == UNSEEN:
            self._unseen.append(window)
            self.unseen_since = self.unseen_since or number
        if found:
            self._seen_run, self._unseen, self.unseen_since = run, [], None
        if self._seen_run != run:
            self.empty.add(window)
            return
        for one in self.fresh:
            self.read.add(one)
        for one in self._emptied:
            self.read.remove(*one)
        self.empty = Ranges(self._emptied)

    def distrust(self, start: str) -> None:
        """Count nothing after this time as read, because a clock was wrong."""
        for ranges in (self.read, self.empty):
            ranges.remove(start, LAST)

    def due(self, run: Run) -> list[Range]:
        """Return what a run has to read."""
        known = Ranges(self.fresh if run.id == self._run else ())
        latest = text_of(time_of(run.until) - REREAD)
        for start, end in () if run.verify else (*self.read, *self.empty):
            last = min(latest, end)
            if start < last:
                known.add((start, last))
        return list(known.gaps(self.start, run.until))


class State:
    """What an archive has read so far.

    Attributes:
        number: The number of the last commit; 0 if there is none.
        head: The hash of the last commit.
        instruments: By serial number, in the order in which they were added.
        runs: All of them.
        ended: The last commit of the last run that was not interrupted.
        entries: The number of rows of entries, which is the id of the last one.
        instrument_rows: That of rows of instruments, likewise.
    """

    def __init__(self, commits: Iterable[Commit] = ()) -> None:
        self.number = self.ended = self.entries = self.instrument_rows = 0
        self.head = FIRST
        self.instruments: dict[str, Instrument] = {}
        self.runs: list[Run] = []
        self._ends: list[str] = []  # of the runs of which no later one ends earlier
        for commit in commits:
            self.apply(commit)

    def interrupted(self, now: datetime, *, verify: bool) -> Run | None:
        """Return the last run if it was interrupted, requests the same, and is recent."""
        run = self.runs[-1] if self.runs else None
        if run is None or self.ended > run.begun or run.verify != verify:
            return None
        age = now - time_of(run.started)
        return run if timedelta() <= age < CONTINUED else None

    @property
    def active(self) -> list[str]:
        """The serial numbers of the instruments that are not retired."""
        return [serial for serial, one in self.instruments.items() if not one.is_retired]

    def plan(self) -> list[HistoryWindow]:
        """Return the windows that the last run still has to request."""
        run = self.runs[-1]
        return [
            window
            for serial in self.active
            for start, end in self.instruments[serial].due(run)
            for window in plan_history([serial], start=time_of(start), end=time_of(end))
        ]

    def apply(self, commit: Commit) -> None:
        """Add what a commit wrote."""
        self.number, self.head = commit.number, commit.hash
        for change in commit.changes:
            self._apply(change)

    def _begin(self, run: Run) -> None:
        """Add a run; if an earlier one ends later, the clock was wrong then, or is now."""
        self.runs.append(run)
        count = len(self._ends)
        while self._ends and self._ends[-1] > run.until:
            self._ends.pop()
        if len(self._ends) < count:
            for one in self.instruments.values():
                one.distrust(self._ends[-1] if self._ends else "")
        self._ends.append(run.until)

    def _apply(self, change: Change) -> None:
        match change:
            case ("window", number, run, serial, start, until, result, found, _, _, missing):
                self.instruments[serial].add(number, run, (start, until), result, found, missing)
            case ("entry", *_):
                self.entries += 1
            case ("run", *values):
                self._begin(Run(*values))
            case ("end", number, *_):
                self.ended = number
            case ("instrument", _, row, serial, start):
                one = self.instruments.setdefault(serial, Instrument(row, serial, start))
                one.id, one.is_retired = row, False  # it may have been retired
                self.instrument_rows = row
            case ("retired", _, row):
                (one,) = (one for one in self.instruments.values() if one.id == row)
                one.is_retired = True
