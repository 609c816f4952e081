"""What a calibration log says about an instrument over a range of time. Pure.

A gap is a part of the range without an entry: from the start of the range to the first entry, from
entry to entry, and from the last entry to the end of the range.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from mycirrus_cli.archive.reading import Gone
from mycirrus_cli.text import quantity

if TYPE_CHECKING:
    from cirrus_ext.calibration_log import CalibrationRecord

HOUR = timedelta(hours=1)
SHORTEST_IN_DAYS = timedelta(days=2)


@dataclass(frozen=True)
class Gap:
    """A time without an entry, between two entries or ends of the range; in UTC."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """Its duration."""
        return self.end - self.start


@dataclass(frozen=True)
class InstrumentSummary:
    """One instrument over a range of time.

    Attributes:
        instrument: The serial number.
        records: Its entries in the range, sorted by time.
        longest_gap: The longest gap, the earliest if several are equally long; the whole range if
            there is no entry.
        since_last: From the last entry to the end of the range; None if there is no entry.
        gone: Entries of an archive that are no longer in the answers, sorted by time. They are in
            no count and close no gap.
    """

    instrument: str
    records: tuple["CalibrationRecord", ...]
    longest_gap: Gap
    since_last: timedelta | None
    gone: tuple[Gone, ...] = ()

    @property
    def rows(self) -> "list[tuple[CalibrationRecord, Gone | None]]":
        """All entries by time, those that are gone before what is there now."""
        rows = [*((one.record, one) for one in self.gone), *((one, None) for one in self.records)]
        return sorted(rows, key=lambda row: row[0].time)

    @property
    def times(self) -> list[datetime]:
        """The times of the entries, in UTC."""
        return [record.time.astimezone(UTC) for record in self.records]

    @property
    def by_user(self) -> list[tuple[str | None, int]]:
        """Users and their numbers of entries: most entries first, then by name, None first."""
        counts = Counter(record.user for record in self.records).items()
        return sorted(counts, key=lambda item: (-item[1], item[0] is not None, item[0] or ""))

    @property
    def place_of_gap(self) -> str:
        """Where in the range the longest gap is."""
        if not self.records:
            return "the whole range"
        if self.longest_gap.end == self.records[0].time:
            return "before the first entry"
        is_last = self.longest_gap.start == self.records[-1].time
        return "after the last entry" if is_last else "between two entries"

    def is_over(self, max_gap: timedelta | None) -> bool:
        """Whether the longest gap is longer than ``max_gap``; None allows any gap."""
        return max_gap is not None and self.longest_gap.length > max_gap


def summarise(
    instrument: str,
    records: Iterable["CalibrationRecord"],
    *,
    start: datetime,
    end: datetime,
    gone: Iterable[Gone] = (),
) -> InstrumentSummary:
    """Sort the entries of one instrument and find its longest gap.

    Args:
        instrument: The serial number.
        records: Entries in any order; those of other instruments or outside the range are ignored.
        start: The first moment of the range; aware.
        end: The first moment after the range; aware, and later than ``start``.
        gone: Entries of an archive that are no longer in the answers.
    """
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    kept = sorted(
        (one for one in records if one.instrument == instrument and start <= one.time < end),
        key=lambda record: record.time,
    )
    edges = [start, *(record.time.astimezone(UTC) for record in kept), end]
    return InstrumentSummary(
        instrument=instrument,
        records=tuple(kept),
        longest_gap=max((Gap(*pair) for pair in pairwise(edges)), key=lambda gap: gap.length),
        since_last=end - edges[-2] if kept else None,
        gone=tuple(gone),
    )


def in_days(length: timedelta) -> str:
    """A length in words, rounded down: ``412 days``, or ``47 hours`` if below two days."""
    if length < HOUR:
        return "less than 1 hour"
    if length < SHORTEST_IN_DAYS:
        return quantity(length // HOUR, "hour")
    return quantity(length.days, "day")
