"""The page of ``mycirrus report`` shows what the log says, and takes no text for markup."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import escape, unescape
from itertools import pairwise
from pathlib import Path

import pytest

from cirrus_ext import CalibrationRecord
from mycirrus_cli.report.drawing import NARROW, WIDE, shortened
from mycirrus_cli.report.page import ROWS, Asked, minute, render
from mycirrus_cli.report.summary import in_days, summarise
from mycirrus_cli.times import written_time
from mycirrus_cli.words import counted
from mycirrus_contract.standin.fleet import fleet
from mycirrus_contract.text import REPLACEMENT, plain
from tests.support.browser import dom_of
from tests.support.html_reader import Element, Page
from tests.support.paths import ROOT

START = datetime(2020, 1, 1, tzinfo=UTC)
END = datetime(2026, 1, 1, tzinfo=UTC)
SILENT = "QT999999"
NOTHING = "\N{EN DASH}"
FLEET = tuple(
    CalibrationRecord(entry.instrument, moment, entry.user, entry.message)
    for entry in fleet(END - timedelta.resolution)
    if (moment := datetime.fromisoformat(entry.time)) >= START
)
SERIALS = (*dict.fromkeys(record.instrument for record in FLEET), SILENT)
ASKED = Asked(
    instruments=SERIALS,
    start=START,
    end=END,
    at=datetime(2026, 1, 5, 9, 30, 12, tzinfo=UTC),
    server="https://127.0.0.1/v1",
    requests=49,
    version="1.2.3",
    max_gap=timedelta(days=365),
)

# Markup of HTML, SVG and matplotlib, and characters that do things to a page.
NASTY = (
    "<script>alert(1)</script> </text></svg><b> a\nb & c &amp; $\\frac{1}{2}$ {{ l }} {% m %} "
    "\x00\x07\x1b[31m\x7f\x85\u2028\u202e\u2066\ud800\ufffe \"' ]]> --> #a81c1c url(#x) 中文 א"
)


def page_of(*records: CalibrationRecord, asked: Asked = ASKED) -> str:
    """The page about these records."""
    summaries = [
        summarise(serial, records, start=asked.start, end=asked.end) for serial in asked.instruments
    ]
    return render(asked, summaries, records)


def entry(
    days: float, instrument: str = "QT1", user: str | None = "U", message: str | None = "M"
) -> CalibrationRecord:
    """An entry so many days after the start."""
    return CalibrationRecord(instrument, START + timedelta(days=days), user, message)


def asked_for(*serials: str) -> Asked:
    """What was asked, of these instruments."""
    return replace(ASKED, instruments=serials)


def worded(text: str) -> str:
    """A page that has a text wherever there can be one."""
    asked = replace(ASKED, instruments=(text, f"{text}2"), server=text, version=text)
    return page_of(entry(1, text, text, text), entry(500, text, None, None), asked=asked)


def rows_of(page: Element, kind: str) -> list[list[str]]:
    """The cells of the bodies of all tables of a class."""
    return [
        [cell.text for cell in row.all() if cell.tag in {"th", "td"}]
        for table in page.all(kind=kind)
        for body in table.all("tbody")
        for row in body.all("tr")
    ]


def words_drawn(page: Element, kind: str) -> list[str]:
    """The texts in the drawings of a form."""
    return [text.text for drawing in page.all(kind=kind) for text in drawing.all("text")]


FLEET_TEXT = page_of(*FLEET)
FLEET_PAGE = Page(FLEET_TEXT).root


# --- what is shown


def test_the_page_says_first_what_was_asked_when_from_whom_and_with_what() -> None:
    """The range in words, as half-open; no clock is looked at."""
    facts = dict(rows_of(FLEET_PAGE, "facts"))

    assert facts == {
        "Instruments": f"7: {', '.join(SERIALS)}",
        "Range": "from 2020-01-01T00:00:00Z (included) to 2026-01-01T00:00:00Z (not included): "
        "2,192 days",
        "Gaps marked": "those over 365 days",
        "Made": "2026-01-05T09:30:12Z",
        "Server": "https://127.0.0.1/v1, in 49 requests",
        "Made with": "mycirrus-sdk 1.2.3",
    }


def test_the_parts_come_in_the_order_in_which_they_are_asked_for() -> None:
    """What was asked, overview, time lines, instruments."""
    headings = [one.text for one in FLEET_PAGE.all() if one.tag in {"h1", "h2"}]

    assert headings == ["Calibration log report", "Overview", "Time lines", "Instruments"]


def test_the_overview_has_a_row_for_each_instrument_in_the_order_asked() -> None:
    """Entries, first, last, longest gap with its ends, since the last, and the mark in words."""
    rows = {row[0]: row[1:] for row in rows_of(FLEET_PAGE, "overview")}

    assert tuple(rows) == SERIALS
    for serial, (entries, first, last, gap, since, mark) in rows.items():
        one = summarise(serial, FLEET, start=START, end=END)
        ends = f"{minute(one.longest_gap.start)} to {minute(one.longest_gap.end)}"
        assert entries == str(one.entries)
        assert (first, last) == tuple(
            minute(moment) if moment else NOTHING for moment in (one.first, one.last)
        )
        assert gap.startswith(f"{in_days(one.longest_gap.length)} {ends}, ")
        assert since == (NOTHING if one.since_last is None else in_days(one.since_last))
        assert ("gap over 365 days" in mark) == (one.longest_gap.length > timedelta(days=365))
        assert ("no entries" in mark) == (serial == SILENT)


@pytest.mark.parametrize(
    ("days", "where"),
    [
        ((1500,), "before the first entry"),
        ((500,), "after the last entry"),
        ((1, 2000), "between two entries"),
        ((), "the whole range"),
    ],
)
def test_the_page_says_where_in_the_range_the_longest_gap_is(
    days: tuple[int, ...], where: str
) -> None:
    """An instrument that was not there yet is not one that was forgotten."""
    (row,) = rows_of(Page(page_of(*map(entry, days), asked=asked_for("QT1"))).root, "overview")

    assert row[4].endswith(f", {where}")


def test_an_instrument_without_entries_catches_the_eye() -> None:
    """Above the table, in it, in its own section, and in both drawings; it is not proven to be."""
    alarms = [one.text for one in FLEET_PAGE.all(kind="alarm")]

    assert alarms[0].startswith(f"1 instrument without any entry: {SILENT}. This does not prove")
    assert alarms[-1].startswith("No entries from 2020-01-01 00:00 to 2026-01-01 00:00.")
    assert all("not prove that" in alarms[one] for one in (0, -1))
    assert words_drawn(FLEET_PAGE, "wide").count("no entries") == 1
    assert words_drawn(FLEET_PAGE, "narrow").count("no entries") == 1
    assert "No entries: QT999999" in next(FLEET_PAGE.all(kind="wide")).attributes["aria-label"]  # type: ignore[operator]  # it has one


def test_what_counts_as_an_entry_and_as_a_gap_is_said() -> None:
    """So that nobody takes the page for more than it is."""
    said = FLEET_PAGE.text

    assert "is what somebody noted, and not necessarily a calibration" in said
    assert "the time from its start to the first entry is one, and so is" in said
    assert "An instrument without entries is not proven to exist" in said


def test_without_a_limit_no_gap_is_marked() -> None:
    """But an instrument without entries is."""
    root = Page(page_of(*FLEET, asked=replace(ASKED, max_gap=None))).root

    assert "gap over" not in root.text
    assert dict(rows_of(root, "facts"))["Gaps marked"] == "none: no length was given"
    assert {one.text for one in root.all(kind="mark")} == {"no entries"}
    assert not [word for word in words_drawn(root, "wide") if word.endswith("days")]


@pytest.mark.parametrize(("late", "told"), [(timedelta(), False), (timedelta.resolution, True)])
def test_a_range_that_ends_in_the_future_is_told(late: timedelta, *, told: bool) -> None:
    """The time still to come is no time in which somebody forgot something."""
    text = page_of(*FLEET, asked=replace(ASKED, end=ASKED.at + late))

    assert ("The range ends after this page was made." in text) == told


def test_every_entry_is_in_the_table_of_its_instrument_with_all_digits() -> None:
    """Time in UTC, user, message; sorted by time, whatever order they are given in."""
    sections = {
        next(section.all("h3")).text: rows_of(section, "log")
        for section in Page(page_of(*reversed(FLEET))).root.all("section")
    }

    assert tuple(sections) == SERIALS
    for serial, rows in sections.items():
        assert rows == [
            [written_time(one.time), one.user, one.message]
            for one in FLEET
            if one.instrument == serial
        ]


def test_users_are_counted_and_one_who_is_not_given_is_not_one_without_a_name() -> None:
    """And neither is one whose name says so."""
    users = [None, None, None, "", "", "not given"]
    root = Page(
        page_of(*[entry(day, user=user) for day, user in enumerate(users)], asked=asked_for("QT1"))
    ).root
    emphasised = [one.text for table in root.all(kind="users") for one in table.all("em")]

    assert rows_of(root, "users") == [["not given", "3"], ["blank", "2"], ["not given", "1"]]
    assert emphasised == ["not given", "blank"]


def test_a_page_of_summaries_that_count_other_records_is_refused() -> None:
    """Each half of it would be right, and the page wrong."""
    summaries = [summarise("QT1", [entry(1)], start=START, end=END)]
    for records in ([], [entry(1), entry(2)], [entry(1), entry(1, "QT2")]):
        with pytest.raises(ValueError, match="must count the records that are given"):
            render(asked_for("QT1"), summaries, records)


def test_a_number_goes_with_its_noun() -> None:
    """One entry, two entries, a thousand with a comma."""
    assert counted(1, "entry") == "1 entry"
    assert counted(2, "entry") == "2 entries"
    assert counted(0, "instrument") == "0 instruments"
    assert counted(1234, "day") == "1,234 days"


# --- the drawings


def test_a_drawing_has_a_row_for_each_instrument_and_names_gaps_that_are_over() -> None:
    """Wide and narrow alike, with the years on top and at the bottom."""
    over = ["744 days", "880 days", "1,660 days"]
    for form in ("wide", "narrow"):
        words = words_drawn(FLEET_PAGE, form)
        assert [word for word in words if word in SERIALS] == list(SERIALS)
        assert [word for word in words if word.endswith("days")] == over
        assert words.count("2020") == words.count("2024") == 2


def strokes(text: str, form: str) -> list[int]:
    """How many strokes each row of a drawing has."""
    return [
        (path.attributes["d"] or "").count("M")
        for drawing in Page(text).root.all(kind=form)
        for path in drawing.all("path")
        if "stroke: var(--entry)" in (path.attributes.get("style") or "")
    ]


def test_each_entry_is_a_stroke_and_those_on_one_pixel_share_it() -> None:
    """Three thousand entries do not make the drawing any larger than its pixels."""
    few = page_of(entry(0), entry(100), entry(100), entry(2000), asked=asked_for("QT1"))
    many = page_of(*[entry(number * 0.73) for number in range(3_000)], asked=asked_for("QT1"))

    assert strokes(few, "wide") == strokes(few, "narrow") == [3]
    assert WIDE.length * 0.85 < strokes(many, "wide")[0] <= WIDE.length
    assert NARROW.length * 0.85 < strokes(many, "narrow")[0] <= NARROW.length


def test_many_instruments_make_several_drawings_with_the_same_axis() -> None:
    """Twenty rows each, and each instrument in one of them."""
    serials = [f"QT{number:06}" for number in range(2 * ROWS + 1)]
    root = Page(page_of(*[entry(9, one) for one in serials], asked=asked_for(*serials))).root
    wide = list(root.all(kind="wide"))
    rows = [[word.text for word in one.all("text") if word.text in serials] for one in wide]
    dates = {tuple(word.text for word in one.all("text") if len(word.text) == 4) for one in wide}

    assert [len(one) for one in rows] == [ROWS, ROWS, 1]
    assert [serial for row in rows for serial in row] == serials
    assert len(dates) == 1
    assert [one.text for one in root.all("figcaption")] == [
        f"Instruments {part} of 41, 2020-01-01 to 2026-01-01"
        for part in ("1 to 20", "21 to 40", "41 to 41")
    ]


def test_no_two_elements_share_an_id_and_every_reference_leads_somewhere() -> None:
    """The drawings are made by the same hand, and stand on the same page."""
    serials = [f"QT{number:06}" for number in range(ROWS + 1)]
    text = page_of(entry(9, serials[0]), entry(9, serials[-1]), asked=asked_for(*serials))
    ids = [name for element in Page(text).root.all() if (name := element.attributes.get("id"))]
    used = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', text))

    assert len(ids) == len(set(ids))
    assert {one or other for one, other in used} == set(ids)
    assert sum(one.startswith("wide") for one in ids) >= 4


RANGES = {
    "all of time": (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),
    "the last day": (
        datetime(9999, 12, 31, tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ),
    "a month": (START, START + timedelta(days=31)),
    "an hour": (START, START + timedelta(hours=1)),
    "a microsecond": (START, START + timedelta.resolution),
}


@pytest.mark.parametrize(("start", "end"), RANGES.values(), ids=list(RANGES))
def test_any_range_can_be_drawn(start: datetime, end: datetime) -> None:
    """With at least one date on its axis."""
    record = CalibrationRecord("QT1", start, "U", "M")
    asked = replace(asked_for("QT1"), start=start, end=end, max_gap=timedelta())
    root = Page(page_of(record, asked=asked)).root

    for form in ("wide", "narrow"):
        assert len(words_drawn(root, form)) >= 4


@pytest.mark.parametrize(
    ("serial", "expected"),
    [
        ("QT123456", "QT123456"),
        ("123456789012345", "123456789012345"),
        ("QT12345678901234", "QT12345…8901234"),
        ("校准仪器甲乙丙丁", "校准仪…乙丙丁"),
    ],
)
def test_a_long_serial_number_loses_its_middle_in_a_drawing(serial: str, expected: str) -> None:
    """Most differ at their ends; the tables have all of it."""
    assert shortened(serial, 15) == expected


# --- what no text can do


def test_the_page_shows_markup_as_it_is() -> None:
    """Parsed, it is the same but for the words; in the drawings too."""
    tame, nasty = Page(worded("tame")).root, Page(worded(NASTY)).root
    bare = " ".join(plain(NASTY).split())
    (first, _) = rows_of(nasty, "log")

    assert [one.tag for one in tame.all()] == [one.tag for one in nasty.all()]
    assert [list(one.attributes) for one in tame.all()] == [
        list(one.attributes) for one in nasty.all()
    ]
    assert first[1:] == [bare, bare]
    assert words_drawn(nasty, "wide").count(shortened(plain(NASTY), WIDE.cells)) == 1
    worded(NASTY).encode()


def test_a_drawing_has_no_character_that_cannot_be_seen() -> None:
    """XML would not even hold the first."""
    text = page_of(entry(1, "a\x1b\u202eb"), asked=asked_for("a\x1b\u202eb"))

    assert words_drawn(Page(text).root, "wide").count(f"a{REPLACEMENT}{REPLACEMENT}b") == 1


def test_a_serial_number_is_no_formula_and_needs_no_glyph(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Matplotlib has neither words nor warnings for what its font lacks."""
    serials = ("$x_1$", "校准", "\U0001f50a", r"$\frac{")
    root = Page(page_of(*[entry(1, one) for one in serials], asked=asked_for(*serials))).root

    assert [word for word in words_drawn(root, "wide") if word in serials] == list(serials)
    assert capfd.readouterr() == ("", "")


# --- the same everywhere


def test_the_same_input_gives_the_same_bytes_in_any_zone_and_with_any_settings(
    tmp_path: Path,
) -> None:
    """Nothing comes from a clock, a hash seed, a time zone or somebody's matplotlibrc."""
    code = (
        "import hashlib; from tests.cli import test_report_page as test;"
        "print(hashlib.sha256(test.FLEET_TEXT.encode()).hexdigest())"
    )
    settings = tmp_path / "matplotlibrc"
    settings.write_text("svg.fonttype: path\nxtick.labelsize: 30\nlines.linestyle: dotted\n")
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"TZ": zone, "PYTHONHASHSEED": seed} | more,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for zone, seed, more in [
            ("UTC", "1", {}),
            ("Asia/Kathmandu", "2", {"MATPLOTLIBRC": str(settings)}),
        ]
    }

    assert len(told) == 1


def test_drawing_leaves_the_settings_of_matplotlib_alone() -> None:
    """The process may be somebody else's."""
    import matplotlib as mpl  # noqa: PLC0415 - after page.py has told it to be quiet

    with mpl.rc_context({"font.size": 30, "svg.fonttype": "path"}):
        before = dict(mpl.rcParams)
        page_of(*FLEET)

        assert dict(mpl.rcParams) == before


def test_a_first_start_says_nothing_although_its_cache_has_to_be_built(tmp_path: Path) -> None:
    """Neither that it is being built, nor that there is no place for it."""
    nowhere = tmp_path / "file"
    nowhere.write_text("")
    for folder in (tmp_path / "new", nowhere / "below"):
        done = subprocess.run(
            [sys.executable, "-c", "import mycirrus_cli.report.page"],
            env=os.environ | {"MPLCONFIGDIR": str(folder), "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert (done.stdout, done.stderr) == ("", "")


# --- the page


def test_the_page_needs_nothing_but_itself() -> None:
    """No script, no picture, no font, links to itself only, and a policy that says so."""
    for text in (FLEET_TEXT, worded(NASTY)):
        root = Page(text).root
        (style,) = root.all("style")

        assert not {one.tag for one in root.all()} & {"script", "link", "img", "iframe", "object"}
        assert not re.search(r"url\(|@import|https?:", style.text)
        for element in root.all():
            for name, value in element.attributes.items():
                assert name not in {"src", "srcset", "action"}
                assert name != "href" or (value or "").startswith("#")
                assert not name.startswith("on")
        assert "default-src 'none'; style-src 'unsafe-inline'" in text
        assert '<meta charset="utf-8">' in text[:200]


def test_the_page_can_be_read_without_seeing_it() -> None:
    """Language, title, headings in order, captions and scopes; drawings say what they show."""
    (document,) = FLEET_PAGE.all("html")
    (title,) = FLEET_PAGE.all("title")
    levels = [int(one.tag[1]) for one in FLEET_PAGE.all() if re.fullmatch("h[1-6]", one.tag)]

    assert document.attributes["lang"] == "en"
    assert title.text == (
        f"Calibration log, 2020-01-01 to 2026-01-01: 7 instruments, {len(FLEET)} entries"
    )
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for table in FLEET_PAGE.all("table"):
        assert [bool(one.text) for one in table.all("caption")] == [True]
        assert {one.attributes["scope"] for one in table.all("th")} <= {"col", "row"}
        for row in table.all("tr"):
            assert next(one for one in row.all() if one.tag in {"th", "td"}).tag == "th"
    for drawing in FLEET_PAGE.all("svg"):
        label = drawing.attributes["aria-label"] or ""
        assert drawing.attributes["role"] == "img"
        assert label.startswith("Time lines of 7 instruments from 2020-01-01 to 2026-01-01")
        assert "Longest gap over 365 days: QT345678, 744 days; " in label


def test_what_becomes_cards_is_still_a_table() -> None:
    """A browser forgets what a table is when its parts are shown as blocks, unless told."""
    for table in FLEET_PAGE.all(kind="cards"):
        for element in table.all():
            if element.tag in {"table", "thead", "tbody", "tr", "td", "th"}:
                assert element.attributes.get("role")


# For each frame: does the page fit, which drawings are seen, and how high their letters are.
MEASURE = """
const measure = frame => {
  const page = frame.contentDocument, view = frame.contentWindow, root = page.documentElement;
  const isSeen = one => one.getBoundingClientRect().width > 0;
  const drawings = [...page.querySelectorAll("svg")].filter(isSeen);
  const letters = drawings.flatMap(one => [...one.querySelectorAll("text")]);
  const height = one => parseFloat(view.getComputedStyle(one).fontSize) * one.getScreenCTM().a;
  const boxes = letters.map(one => one.getBoundingClientRect());
  return {
    width: root.clientWidth,
    needed: root.scrollWidth,
    seen: [...new Set(drawings.map(one => one.getAttribute("class")))],
    drawings: drawings.length,
    smallest: Math.min(...letters.map(height)),
    largest: Math.max(...letters.map(height)),
    left: Math.min(...boxes.map(one => one.left)),
    right: Math.max(...boxes.map(one => one.right)),
    heads: [...page.querySelectorAll(".cards thead")].filter(
      one => one.getBoundingClientRect().width > 1).length,
    rows: [...page.querySelectorAll(".log tbody tr")].filter(isSeen).length,
    scripts: page.scripts.length,
  };
};
addEventListener("load", () => {
  const measured = [...document.querySelectorAll("iframe")].map(measure);
  document.getElementById("measured").textContent = JSON.stringify(measured);
});
"""


def frames(text: str, widths: tuple[int, ...]) -> str:
    """The page at some widths: a test's own copies, measured by a script."""
    copies = [
        f'<iframe width="{width}" height="900" style="border:0" srcdoc="{escape(text)}"></iframe>'
        for width in widths
    ]
    return (
        "<!DOCTYPE html><meta charset='utf-8'><body>"
        + "".join(copies)
        + f'<pre id="measured"></pre><script>{MEASURE}</script></body>'
    )


LONG = "W" * 300
PAGES = {
    "the fleet": (FLEET_TEXT, len(FLEET)),
    "the longest words": (worded(LONG), 2),
    "the worst words": (worded(NASTY), 2),
}
WIDTHS = {1280: "drawing wide", 820: "drawing wide", 790: "drawing narrow", 400: "drawing narrow"}


@pytest.mark.parametrize(("text", "entries"), PAGES.values(), ids=list(PAGES))
def test_the_page_fits_and_its_drawings_can_be_read_in_a_browser(
    chromium: str, tmp_path: Path, text: str, entries: int
) -> None:
    """From 1280 to 400 pixels, with the longest and the worst words."""
    file = tmp_path / "frames.html"
    file.write_text(frames(text, tuple(WIDTHS)), encoding="utf-8")
    shown = re.search(r'<pre id="measured">(.*?)</pre>', dom_of(chromium, file), re.DOTALL)

    assert shown is not None
    measured = json.loads(unescape(shown[1]))
    assert [one["width"] for one in measured] == list(WIDTHS)
    for one in measured:
        assert one["needed"] <= one["width"]
        assert one["seen"] == [WIDTHS[one["width"]]]
        assert one["drawings"] == 1
        assert 9 <= one["smallest"] <= one["largest"] <= 22
        assert 0 <= one["left"] < one["right"] <= one["width"]
        assert one["heads"] == (1 if one["width"] > 700 else 0)  # cards have labels instead
        assert one["rows"] == entries
        assert one["scripts"] == 0
