"""Positions on the time lines of a report: entries, gaps, and the ticks of the axis. Pure.

A position is a number from 0 to 1,000, per mille of the axis: one drawing fits every window.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from mycirrus_cli.times import local_time

from .summary import Gap, in_days

WHOLE = 1000
WIDE, NARROW = 540, 320  # pixels that an axis has at least, in wide windows and in narrow ones
LETTER, SPACE = 7, 12  # pixels of a letter in a label, and between two labels
EARLIEST = datetime.min.replace(tzinfo=UTC)
DAY = 86_400  # seconds
MONTH = 365.2425 * DAY / 12


@dataclass(frozen=True)
class Step:
    """The distance between two ticks.

    Attributes:
        count: How many units.
        unit: The length of a unit in seconds; `MONTH` stands for calendar months.
        first: Where in an ISO 8601 time the label of a tick begins.
        last: Where it ends.
    """

    count: int
    unit: float
    first: int
    last: int

    @property
    def width(self) -> int:
        """The width of a label, with the space after it."""
        return LETTER * (self.last - self.first) + SPACE

    def label(self, moment: datetime) -> str:
        """The label of a tick."""
        return moment.isoformat()[self.first : self.last].replace("T", " ")

    def moments(self, start: datetime, end: datetime) -> Iterator[tuple[int, datetime]]:
        """The round times from start to end, numbered: an even number is the rounder one."""
        for number in range(max(self._number(start), 1), self._number(end) + 1):
            moment = self._moment(number)
            if moment >= start:
                yield number, moment

    def _number(self, moment: datetime) -> int:
        if self.unit == MONTH:
            return (moment.year * 12 + moment.month - 1) // self.count
        return (moment - EARLIEST) // timedelta(seconds=self.count * self.unit)

    def _moment(self, number: int) -> datetime:
        if self.unit == MONTH:
            year, month = divmod(number * self.count, 12)
            return datetime(year, month + 1, 1, tzinfo=UTC)
        return EARLIEST + number * timedelta(seconds=self.count * self.unit)


STEPS = [
    *(Step(count, 1, 11, 19) for count in (1, 2, 5, 10, 15, 30)),
    *(Step(count, 60, 5, 16) for count in (1, 2, 5, 10, 15, 30)),
    *(Step(count, 3600, 5, 16) for count in (1, 2, 3, 6, 12)),
    *(Step(count, DAY, 0, 10) for count in (1, 2, 4, 7, 14)),
    *(Step(count, MONTH, 0, 7) for count in (1, 2, 3, 6)),
    *(Step(12 * count, MONTH, 0, 4) for count in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)),
]


@dataclass(frozen=True)
class Tick:
    """A time on the axis; only wide windows have room for the label of a fine one."""

    x: int
    label: str
    is_fine: bool


@dataclass(frozen=True)
class Label:
    """A text whose ``start``, ``middle`` or ``end`` is at `x`."""

    text: str
    x: int
    anchor: str


@dataclass(frozen=True)
class Axis:
    """The time axis that all instruments of a report share.

    Attributes:
        start: The first moment, in UTC.
        end: The last moment, in UTC.
        zone: The time zone of the ticks.
    """

    start: datetime
    end: datetime
    zone: tzinfo = UTC

    def x(self, moment: datetime) -> int:
        """The position of a time."""
        return int((moment - self.start) / (self.end - self.start) * WHOLE)

    def strokes(self, moments: Iterable[datetime]) -> list[int]:
        """The positions of entries; entries at one position share a stroke."""
        return sorted(set(map(self.x, moments)))

    def gap_label(self, gap: Gap) -> Label:
        """The length of a gap, where it does not leave the axis."""
        text, first, last = in_days(gap.length), self.x(gap.start), self.x(gap.end)
        middle = (first + last) // 2
        if 0.15 * WHOLE < middle < 0.85 * WHOLE:
            return Label(text, middle, "middle")
        return Label(text, first, "start") if middle < WHOLE / 2 else Label(text, last, "end")

    def ticks(self) -> list[Tick]:
        """Round times, as many as have room for labels in a wide window."""
        seconds = (self.end - self.start).total_seconds()
        for step in STEPS:
            distance = step.count * step.unit / seconds
            if distance * WIDE >= step.width:
                is_crowded = distance * NARROW < step.width
                # The clock of the zone, as if it were UTC.
                start, end = (
                    local_time(moment, self.zone).replace(tzinfo=UTC)
                    for moment in (self.start, self.end)
                )
                return [
                    self._tick(moment, step, is_fine=is_crowded and number % 2 == 1)
                    for number, moment in step.moments(start, end)
                ]
        return []

    def _tick(self, moment: datetime, step: Step, *, is_fine: bool) -> Tick:
        x = self.x(moment.replace(tzinfo=self.zone))
        room = (WHOLE - x) / WHOLE
        label = step.label(moment) if room * WIDE > step.width else ""
        return Tick(x, label, is_fine=is_fine or room * NARROW < step.width)
