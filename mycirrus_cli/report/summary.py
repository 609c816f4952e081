"""What a calibration log says about an instrument over a range of time. Pure.

A gap is a stretch of the range without an entry. The ends of the range count as its ends: from the
start to the first entry, from entry to entry, and from the last entry to the end of the range.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from mycirrus_cli.words import counted

if TYPE_CHECKING:  # records.py imports httpx, and what counts entries can do without
    from cirrus_ext.calibration_log import CalibrationRecord

HOUR = timedelta(hours=1)
SHORTEST_IN_DAYS = timedelta(days=2)


@dataclass(frozen=True)
class Gap:
    """A stretch of time without an entry.

    Attributes:
        start: The entry before it, or the start of the range; in UTC.
        end: The entry after it, or the end of the range; in UTC.
    """

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start


@dataclass(frozen=True)
class InstrumentSummary:
    """One instrument over a range of time.

    Attributes:
        instrument: The serial number.
        times: When its entries were made, sorted, in UTC.
        by_user: Users, and how many entries each made: most first, then by name. None is for
            entries whose user the API did not give.
        longest_gap: The longest stretch of the range without an entry, the earliest of equals;
            the whole range if there is no entry.
        since_last: From the last entry to the end of the range; None if there is no entry.
    """

    instrument: str
    times: tuple[datetime, ...]
    by_user: tuple[tuple[str | None, int], ...]
    longest_gap: Gap
    since_last: timedelta | None

    @property
    def entries(self) -> int:
        """How many entries there are."""
        return len(self.times)

    @property
    def first(self) -> datetime | None:
        """When the first entry was made; None if there is none."""
        return self.times[0] if self.times else None

    @property
    def last(self) -> datetime | None:
        """When the last entry was made; None if there is none."""
        return self.times[-1] if self.times else None


def summarise(
    instrument: str, records: Iterable["CalibrationRecord"], *, start: datetime, end: datetime
) -> InstrumentSummary:
    """Count the entries of one instrument and find its longest gap.

    Args:
        instrument: The serial number.
        records: Entries in any order. Those of other instruments, or outside the range, are not
            counted.
        start: The first moment of the range; aware.
        end: The first moment that no longer belongs to it; aware, and after ``start``.
    """
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    counted = [
        record
        for record in records
        if record.instrument == instrument and start <= record.time < end
    ]
    times = tuple(sorted(record.time.astimezone(UTC) for record in counted))
    return InstrumentSummary(
        instrument=instrument,
        times=times,
        by_user=_by_user(record.user for record in counted),
        longest_gap=_longest_gap([start, *times, end]),
        since_last=end - times[-1] if times else None,
    )


def _by_user(users: Iterable[str | None]) -> tuple[tuple[str | None, int], ...]:
    """Most entries first, then by name, None before all names."""
    counts = Counter(users).items()
    return tuple(sorted(counts, key=lambda item: (-item[1], item[0] is not None, item[0] or "")))


def _longest_gap(edges: list[datetime]) -> Gap:
    return max((Gap(*pair) for pair in pairwise(edges)), key=lambda gap: gap.length)


def is_over(summary: InstrumentSummary, max_gap: timedelta | None) -> bool:
    """Whether the longest gap is longer than is allowed; one of exactly that length is not.

    Args:
        summary: An instrument.
        max_gap: The longest gap that is allowed; None allows any.
    """
    return max_gap is not None and summary.longest_gap.length > max_gap


def in_days(length: timedelta) -> str:
    """A length in words: ``412 days``, below two days ``47 hours``, both rounded down.

    Rounded down, so that what is said to be 400 days long lasted at least that long.
    """
    if length < HOUR:
        return "less than 1 hour"
    if length < SHORTEST_IN_DAYS:
        return counted(length // HOUR, "hour")
    return counted(length.days, "day")
