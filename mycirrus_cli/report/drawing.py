"""Draws the time lines of instruments as SVG, to be put into a page.

Each is drawn twice, for wide and for narrow windows: a drawing made for one and scaled to the other
has letters that nobody can read. Text stays text (and not outlines), so that it can be searched,
selected and read out, and a glyph that matplotlib's font lacks comes from the reader's own.

Colours become variables of the page's style, which knows about dark windows.
"""

import io
import logging
import re
import unicodedata
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from xml.etree import ElementTree as ET

from .summary import InstrumentSummary, in_days, is_over

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells of its caches at import

import matplotlib as mpl  # noqa: E402 - after the line above
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.dates import (  # noqa: E402
    MICROSECONDLY,
    YEARLY,
    AutoDateFormatter,
    AutoDateLocator,
    date2num,
)
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.patches import Rectangle  # noqa: E402

PER_INCH = 72  # units of an SVG by matplotlib, which a page shows as pixels
LETTERS = 13  # height of the text
WIDEST = 8.5  # of a letter, on the average of a text
STROKE = 7  # half the height of what is drawn on a row
ABOVE = STROKE + 5  # from the line of a row to what is written above it
HEAD, FOOT = 28, 26  # room for the dates above and below the rows
AROUND = 18  # room beside the rows, for a date at their very ends
SHORTEST = 1 / 86_400  # days from end to end: there are no dates for less than a second
LATEST = datetime(9999, 12, 31, tzinfo=UTC)  # what is later might be rounded to a year 10000
NOWHERE = float("nan")  # between two strokes

Alignment = Literal["baseline", "center_baseline"]

INK, QUIET, LINE, ENTRY, ALARM = "#1a1c1e", "#565b60", "#cdd1d5", "#1f4e79", "#a81c1c"
VARIABLES = {
    INK: "var(--ink)",
    QUIET: "var(--quiet)",
    LINE: "var(--line)",
    ENTRY: "var(--entry)",
    ALARM: "var(--alarm)",
}

STYLE: dict[Any, Any] = {  # names that only some versions of matplotlib know the type of
    "date.autoformatter.day": "%Y-%m-%d",
    "date.autoformatter.hour": "%m-%d %H:%M",
    "date.autoformatter.minute": "%m-%d %H:%M",
    "font.sans-serif": ["DejaVu Sans"],  # is shipped with matplotlib, so it measures alike anywhere
    "font.size": LETTERS,
    "hatch.linewidth": 1.2,
    "path.simplify": False,  # strokes are not a curve
    "svg.fonttype": "none",
    "svg.hashsalt": "mycirrus",  # the same drawing has the same ids, and the same bytes
    "text.parse_math": False,  # a $ in a serial number is a $
}


@dataclass(frozen=True)
class Form:
    """How wide a drawing is, and where its names are.

    Attributes:
        name: ``wide`` or ``narrow``.
        width: Of the drawing, in pixels.
        left: Where the rows begin.
        pitch: From row to row.
        line: From the top of a row to its line.
        cells: How many characters of a serial number fit.
        years: How many years fit on the axis.
        dates: How many dates do.
        names_above: Whether names stand above their rows, and not at their left.
    """

    name: str
    width: int
    left: int
    pitch: int
    line: int
    cells: int
    years: int
    dates: int
    names_above: bool = False

    @property
    def length(self) -> int:
        """Of a row, in pixels."""
        return self.width - self.left - AROUND


WIDE = Form("wide", 900, left=160, pitch=38, line=26, cells=15, years=11, dates=8)
NARROW = Form(
    "narrow", 360, left=AROUND, pitch=50, line=34, cells=15, years=5, dates=4, names_above=True
)


@dataclass(frozen=True)
class Scale:
    """The x axis, which all drawings of a page share.

    Attributes:
        start: Its first moment, in UTC.
        end: Its last moment, in UTC.
        max_gap: The longest gap that is not marked; None marks none.
    """

    start: datetime
    end: datetime
    max_gap: timedelta | None


def draw(
    summaries: Sequence[InstrumentSummary], scale: Scale, form: Form, *, label: str, prefix: str
) -> str:
    """The time lines of some instruments.

    Args:
        summaries: The rows. What is in a serial number has to be printable.
        scale: The x axis.
        form: Which of the two drawings.
        label: What it shows in words, for those who do not see it.
        prefix: Begins its ids, so that no two drawings of a page share one.

    Returns:
        An ``svg`` element, without what only a file of its own needs.
    """
    with _a_matplotlib_of_its_own():
        height = HEAD + len(summaries) * form.pitch + FOOT
        figure = Figure(figsize=(form.width / PER_INCH, height / PER_INCH), dpi=PER_INCH)
        figure.patch.set_visible(False)
        axes = _axes(figure, scale, form, height)
        for number, summary in enumerate(summaries):
            _row(axes, summary, scale, form, HEAD + number * form.pitch + form.line)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None})
    return _inline(file.getvalue(), prefix, {"class": f"drawing {form.name}", "aria-label": label})


@contextmanager
def _a_matplotlib_of_its_own() -> Generator[None]:
    """Its settings as they are shipped, whatever the reader's file of settings says.

    And no warnings: what matplotlib has to say is about glyphs, which it does not draw here, and
    about dates that are too close together for it.
    """
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def _axes(figure: Figure, scale: Scale, form: Form, height: int) -> Axes:
    """The x axis with its dates, and y in pixels from the top."""
    inside = height - HEAD - FOOT
    axes = figure.add_axes(
        (form.left / form.width, FOOT / height, form.length / form.width, inside / height)
    )
    axes.patch.set_visible(False)
    axes.set_xlim(_x(scale.start), max(_x(scale.end), _x(scale.start) + SHORTEST))
    axes.set_ylim(HEAD + inside, HEAD)
    axes.yaxis.set_visible(False)
    most = dict.fromkeys(range(YEARLY, MICROSECONDLY + 1), form.dates) | {YEARLY: form.years}
    locator = AutoDateLocator(tz=UTC, minticks=2, maxticks=most)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(AutoDateFormatter(locator, tz=UTC))
    axes.tick_params(length=0, labeltop=True, labelcolor=QUIET)
    axes.grid(axis="x", color=LINE, linewidth=1)
    for spine in axes.spines.values():
        spine.set_color(LINE)
    return axes


def _x(moment: datetime) -> float:
    """Days, as matplotlib counts them."""
    return float(date2num(min(moment, LATEST)))


def _row(axes: Axes, summary: InstrumentSummary, scale: Scale, form: Form, y: int) -> None:
    _name(axes, summary.instrument, form, y)
    if not summary.entries:
        _nothing(axes, scale, y)
        return
    axes.hlines(y, _x(scale.start), _x(scale.end), color=LINE, linewidth=1)
    _strokes(axes, summary.times, scale, form, y)
    if is_over(summary, scale.max_gap):
        _gap(axes, summary, form, y)


def _name(axes: Axes, serial: str, form: Form, y: int) -> None:
    """Above the row, or at its left."""
    axes.text(
        0 if form.names_above else -form.left / form.length,
        y - ABOVE if form.names_above else y,
        shortened(serial, form.cells),
        transform=axes.get_yaxis_transform(),
        verticalalignment="baseline" if form.names_above else "center_baseline",
        color=INK,
    )


def _nothing(axes: Axes, scale: Scale, y: int) -> None:
    """A dashed frame from end to end, with the words in it."""
    start, end = _x(scale.start), _x(scale.end)
    _frame(axes, start, end, y, linestyle="dashed")
    _alarm(axes, (start + end) / 2, y, "no entries", "center_baseline")


def _strokes(axes: Axes, times: Sequence[datetime], scale: Scale, form: Form, y: int) -> None:
    """One for each entry; entries on the same pixel share it."""
    pixel = max((scale.end - scale.start) / form.length, timedelta.resolution)
    kept = {(moment - scale.start) // pixel: _x(moment) for moment in reversed(times)}
    xs = [x for stroke in sorted(kept.values()) for x in (stroke, stroke, NOWHERE)]
    ys = [y - STROKE, y + STROKE, NOWHERE] * len(kept)
    axes.plot(xs, ys, color=ENTRY, linewidth=1.4, clip_on=False, zorder=3)


def _gap(axes: Axes, summary: InstrumentSummary, form: Form, y: int) -> None:
    """A hatched bar, and above it how long it is."""
    gap = summary.longest_gap
    start, end = _x(gap.start), _x(gap.end)
    _frame(axes, start, end, y, hatch="////")
    words = in_days(gap.length)
    taken = _cells(shortened(summary.instrument, form.cells)) + 1 if form.names_above else 0
    x = _within(axes, (start + end) / 2, len(words), taken, form)
    _alarm(axes, x, y - ABOVE, words, "baseline")


def _within(axes: Axes, x: float, letters: int, taken: int, form: Form) -> float:
    """Where the middle of a text has to be so that it stays on its row and off a name.

    Args:
        axes: Where it is drawn.
        x: Where it would best be.
        letters: How many it has.
        taken: How many letters at the beginning of the row are the name's.
        form: How long a row is.
    """
    first, last = axes.get_xlim()
    per_letter = (last - first) / form.length * WIDEST
    half = letters / 2 * per_letter
    return min(max(x, first + taken * per_letter + half), last - half)


def _frame(axes: Axes, start: float, end: float, y: int, **look: str) -> None:
    axes.add_patch(
        Rectangle(
            (start, y - STROKE),
            end - start,
            2 * STROKE,
            facecolor="none",
            edgecolor=ALARM,
            linewidth=1.4,
            clip_on=False,
            **look,  # type: ignore[arg-type]  # they are patch properties
        )
    )


def _alarm(axes: Axes, x: float, y: float, words: str, alignment: Alignment) -> None:
    axes.text(
        x,
        y,
        words,
        horizontalalignment="center",
        verticalalignment=alignment,
        color=ALARM,
        weight="bold",
    )


def shortened(serial: str, cells: int) -> str:
    """A serial number that fits, without its middle if need be: most differ at their ends.

    Args:
        serial: The serial number.
        cells: How many letters fit; those of East Asia are two wide.
    """
    if _cells(serial) <= cells:
        return serial
    head, tail = serial, serial
    while _cells(head) > cells // 2:
        head = head[:-1]
    while _cells(tail) > cells - 1 - cells // 2:
        tail = tail[1:]
    return f"{head}…{tail}"


def _cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


# --- from a file to a part of a page


def _inline(file: str, prefix: str, attributes: dict[str, str]) -> str:
    """The ``svg`` element of a file of matplotlib's, as HTML has it: no name spaces, own ids."""
    root = ET.fromstring(file)  # noqa: S314 - matplotlib's, in which texts are escaped
    for unneeded in ("metadata", "defs/style"):
        _remove(root, unneeded)
    used = set(re.findall(r"(?:url\(|href=\")#([^\")]+)", file))
    for element in root.iter():
        element.tag = _local(element.tag)
        element.attrib = {
            _local(name): _adapted(_local(name), value, prefix)
            for name, value in element.attrib.items()
            if name != "id" or value in used
        }
        element.text, element.tail = (element.text or "").strip(), None
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", **attributes}
    return ET.tostring(root, encoding="unicode")


def _remove(root: ET.Element, path: str) -> None:
    parents, _, name = f"./{path}".rpartition("/")
    steps = "/".join(f"{{*}}{step}" if step != "." else step for step in parents.split("/"))
    for parent in root.findall(steps):
        for child in parent.findall(f"{{*}}{name}"):
            parent.remove(child)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _adapted(name: str, value: str, prefix: str) -> str:
    """An attribute with ids that the other drawings do not have, and colours of the page."""
    if name == "id":
        return f"{prefix}-{value}"
    if name == "href":
        return f"#{prefix}-{value[1:]}"
    value = value.replace("url(#", f"url(#{prefix}-")
    return "".join(VARIABLES.get(part, part) for part in re.split(r"(#[0-9a-f]{6})", value))
