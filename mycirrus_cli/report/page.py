"""The page of ``mycirrus report``: one HTML file that needs no other, and no script.

The same input gives the same bytes: nothing here looks at a clock. What the API gave is text that
anybody may have written: it is shown as it is, and never taken for markup.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cirrus_ext.calibration_log import CalibrationRecord
from mycirrus_cli.times import written_time
from mycirrus_cli.words import counted
from mycirrus_contract.text import plain

from .drawing import NARROW, WIDE, Scale, draw
from .summary import InstrumentSummary, in_days, is_over

ROWS = 20  # of one drawing, so that it fits on a sheet of paper


@dataclass(frozen=True)
class Asked:
    """What was asked, and how.

    Attributes:
        instruments: The serial numbers.
        start: The first moment of the range; aware.
        end: The first moment that no longer belongs to it; aware.
        at: When it was asked; aware.
        server: The address of the API.
        requests: How many requests it took.
        version: Of mycirrus-sdk.
        max_gap: The longest time without an entry that is not marked; None marks none.
    """

    instruments: tuple[str, ...]
    start: datetime
    end: datetime
    at: datetime
    server: str
    requests: int
    version: str
    max_gap: timedelta | None

    @property
    def limit(self) -> str:
        """``max_gap`` in words; nothing if there is none."""
        return "" if self.max_gap is None else in_days(self.max_gap)


@dataclass(frozen=True)
class Row:
    """An instrument, as the page shows it.

    Attributes:
        summary: Its times and gaps.
        records: Its entries, by time.
        marks: What an auditor has to see, in words.
        where: Where in the range its longest gap is, in words.
    """

    summary: InstrumentSummary
    records: tuple[CalibrationRecord, ...]
    marks: tuple[str, ...]
    where: str


@dataclass(frozen=True)
class Sheet:
    """The time lines of as many instruments as go into one drawing.

    Attributes:
        caption: Which instruments they are.
        drawings: The wide and the narrow one.
    """

    caption: str
    drawings: tuple[Markup, ...]


def render(
    asked: Asked, summaries: Sequence[InstrumentSummary], records: Sequence[CalibrationRecord]
) -> str:
    """The page.

    Args:
        asked: What was asked.
        summaries: The instruments, in the order of the page.
        records: Their entries, exactly those that the summaries count, in any order.

    Returns:
        HTML, to be written in UTF-8.

    Raises:
        ValueError: Summaries and records do not belong together.
    """
    _check(summaries, records)
    entries = defaultdict(list)
    for record in sorted(records, key=lambda record: record.time):
        entries[record.instrument].append(record)
    rows = [_row(asked, summary, entries[summary.instrument]) for summary in summaries]
    return PAGES.get_template("report.html.j2").render(
        asked=asked,
        rows=rows,
        total=len(records),
        silent=[one.instrument for one in summaries if not one.entries],
        over=[one.instrument for one in _over(asked, summaries)],
        sheets=list(_sheets(asked, summaries)),
        is_ahead=asked.end > asked.at,
    )


def _check(summaries: Sequence[InstrumentSummary], records: Sequence[CalibrationRecord]) -> None:
    counted = {one.instrument: one.entries for one in summaries if one.entries}
    given = Counter(record.instrument for record in records)
    if counted != given:
        raise ValueError(
            f"summaries must count the records that are given: they count {counted}, "
            f"and given are {dict(given)}; make both of the same records"
        )


def _row(asked: Asked, summary: InstrumentSummary, records: list[CalibrationRecord]) -> Row:
    return Row(summary, tuple(records), tuple(_marks(asked, summary)), _where(summary))


def _marks(asked: Asked, summary: InstrumentSummary) -> Iterator[str]:
    if not summary.entries:
        yield "no entries"
    if is_over(summary, asked.max_gap):
        yield f"gap over {asked.limit}"


def _over(asked: Asked, summaries: Sequence[InstrumentSummary]) -> list[InstrumentSummary]:
    """Those with entries, and yet a gap that is marked."""
    return [one for one in summaries if one.entries and is_over(one, asked.max_gap)]


def _where(summary: InstrumentSummary) -> str:
    gap = summary.longest_gap
    if not summary.entries:
        return "the whole range"
    if gap.end == summary.first:
        return "before the first entry"
    return "after the last entry" if gap.start == summary.last else "between two entries"


# --- the drawings


def _sheets(asked: Asked, summaries: Sequence[InstrumentSummary]) -> Iterator[Sheet]:
    drawable = [replace(one, instrument=plain(one.instrument)) for one in summaries]
    scale = Scale(asked.start.astimezone(UTC), asked.end.astimezone(UTC), asked.max_gap)
    for first in range(0, len(drawable), ROWS):
        drawn = drawable[first : first + ROWS]
        label = plain(_in_words(asked, drawn))
        yield Sheet(
            caption=f"Instruments {first + 1} to {first + len(drawn)} of {len(drawable)}",
            drawings=tuple(
                # The XML library that wrote it has escaped what is in it.
                Markup(draw(drawn, scale, form, label=label, prefix=f"{form.name}{first}"))  # noqa: S704
                for form in (WIDE, NARROW)
            ),
        )


def _in_words(asked: Asked, drawn: Sequence[InstrumentSummary]) -> str:
    """What a drawing shows, for those who do not see it."""
    silent = [one.instrument for one in drawn if not one.entries]
    over = [f"{one.instrument}, {in_days(one.longest_gap.length)}" for one in _over(asked, drawn)]
    parts = [
        f"Time lines of {counted(len(drawn), 'instrument')} from {day(asked.start)} to "
        f"{day(asked.end)}, with a stroke for each entry: "
        + ", ".join(f"{one.instrument} has {one.entries}" for one in drawn),
        *([f"No entries: {', '.join(silent)}"] if silent else []),
        *([f"Longest gap over {asked.limit}: {'; '.join(over)}"] if over else []),
    ]
    return ". ".join(parts) + "."


# --- words


def day(moment: datetime) -> str:
    """The day in UTC: ``2022-06-07``."""
    return str(moment.astimezone(UTC).date())


def minute(moment: datetime) -> str:
    """The minute in UTC that it is in, for people: ``2022-06-07 11:18``."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "minutes")


def _finished(value: object) -> object:
    """What is put into the template: text that somebody wrote, or a drawing of ours."""
    return value if isinstance(value, Markup) else plain(value)


PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_finished,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
PAGES.filters |= {
    "day": day,
    "minute": minute,
    "instant": written_time,
    "in_days": in_days,
    "number": counted,
}
