"""Both HTML reports: each is one file, is accessible, and shows markup as text."""

import hashlib
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from contract_tests.live.test_report import EVERY
from contract_tests.live.test_report import worded as run_of
from mycirrus_contract.live.report import html as contract_report
from mycirrus_contract.text import brief, plain
from tests.cli.test_report_rendering import (
    FLEET_HTML,
    REQUEST,
    SERIALS,
    START,
    entry,
    html_of,
    worded,
)
from tests.support.browser import measured
from tests.support.html_reader import read
from tests.support.paths import ROOT

# Markup of HTML, SVG, CSS and Jinja, and characters that change how others are shown.
NASTY = (
    "<script>alert(1)</script> </text></svg><b> a\nb & c &amp; {{ l }} {% m %} url(#x) --> ]]> "
    "\" ' \x00\x07\x1b[31m\x7f\x85\u2028\u202e\u2066\ud800\ufffe 中文 א"
)
LONG = "W" * 300
# With dates as labels, one of them near the end, and a longest gap at each end.
DAYS = html_of(
    *(entry(1 + number / 3, "first") for number in range(54)),
    *(entry(number / 3, "last") for number in range(54)),
    serials=("first", "last"),
    request=replace(REQUEST, end=START + timedelta(days=19.3)),
)
REPORTS = {
    "audit": FLEET_HTML,
    "audit, days": DAYS,
    "audit, nasty": worded(NASTY),
    "audit, long": worded(LONG),
    "contract": contract_report(EVERY),
    "contract, nasty": contract_report(run_of(NASTY)),
    "contract, long": contract_report(run_of(LONG)),
}
each_report = pytest.mark.parametrize("html", REPORTS.values(), ids=list(REPORTS))


@each_report
def test_a_report_needs_no_other_file_and_no_script(html: str) -> None:
    root = read(html)
    (style,) = root.all("style")

    assert not {one.tag for one in root.all()} & {"script", "link", "img", "iframe", "object"}
    assert not re.search(r"url\((?!#)|@import|https?:", style.text)
    for element in root.all():
        for name, value in element.attributes.items():
            assert name not in {"src", "srcset", "action", "style"}
            assert name != "href" or value.startswith("#")
            assert not name.startswith("on")
    assert "default-src 'none'; style-src 'unsafe-inline'" in html
    assert '<meta charset="utf-8">' in html[:200]


@each_report
def test_a_screen_reader_can_read_a_report(html: str) -> None:
    root = read(html)
    (document,), (title,) = root.all("html"), root.all("title")
    levels = [int(one.tag[1]) for one in root.all() if re.fullmatch("h[1-6]", one.tag)]

    assert document.attributes["lang"] == "en"
    assert title.text
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for table in root.all("table"):
        assert [bool(one.text) for one in table.all("caption")] == [True]
        assert {one.attributes["scope"] for one in table.all("th")} <= {"col", "row"}
        for row in table.all("tr"):
            assert next(one for one in row.all() if one.tag in {"th", "td"}).tag == "th"
    for cell in root.all("td"):
        for drawing in [one for one in cell.children if not isinstance(one, str)]:
            attributes = drawing.attributes
            assert drawing.tag != "svg" or attributes.keys() & {"aria-hidden", "aria-label"}


@each_report
def test_what_becomes_cards_is_still_a_table(html: str) -> None:
    """To a browser, a table whose parts are blocks is no table, unless roles say it is."""
    roles = {"table": "table", "thead": "rowgroup", "tbody": "rowgroup", "tr": "row", "td": "cell"}
    for table in read(html).all(kind="cards"):
        for element in table.all():
            scope = element.attributes.get("scope", "").replace("col", "column")
            role = f"{scope}header" if element.tag == "th" else roles.get(element.tag)
            assert element.attributes.get("role") == role


@pytest.mark.parametrize("kind", ["audit", "contract"])
def test_a_report_shows_markup_as_it_is(kind: str) -> None:
    """It has the same elements and attributes as with a harmless text."""
    tame, show = (
        (worded("tame"), plain) if kind == "audit" else (contract_report(run_of("tame")), brief)
    )
    harmless, nasty = read(tame), read(REPORTS[f"{kind}, nasty"])
    elements, expected = (
        [(one.tag, list(one.attributes)) for one in root.all()] for root in (nasty, harmless)
    )

    assert elements == expected
    assert nasty.text.count(" ".join(show(NASTY).split())) == harmless.text.count("tame")
    REPORTS[f"{kind}, nasty"].encode()


def digest() -> str:
    return hashlib.sha256("".join(REPORTS.values()).encode()).hexdigest()


def test_the_same_input_gives_the_same_bytes_in_another_zone_and_another_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import digest; print(digest())"],
        env=os.environ | {"TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "7"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout.strip() == digest()


# Widths of windows, and whether they are dark.
WINDOWS = [(1280, False), (360, True), (1280, True), (810, False), (400, False)]


def test_each_report_fits_and_can_be_read_in_a_browser(chromium: str, tmp_path: Path) -> None:
    """In wide and narrow windows, light and dark; with odd texts only in the first two of them."""
    shown = [
        (name, *window)
        for name in REPORTS
        for window in (WINDOWS if name in {"audit", "contract"} else WINDOWS[:2])
    ]
    frames = [(REPORTS[name], width, is_dark) for name, width, is_dark in shown]
    results = measured(chromium, tmp_path, frames)

    assert len(results) == len(shown)
    for (name, width, is_dark), one in zip(shown, results, strict=True):
        at = f"{name} at {width} px"
        assert (one["width"], one["paper"] < 0.5, one["scripts"]) == (width, is_dark, 0), at
        assert one["needed"] <= width, at
        assert one["contrast"] >= 4.5, at
        assert one["stroke"] >= 3, at
        assert one["smallest"] >= 9, at
        assert one["overlaps"] == 0, at
        assert one["left"] is None or 0 <= one["left"] < one["right"] <= width, at
        assert (one["heads"] == 0) == (width < 700), at  # cards have labels instead
        drawings = REPORTS[name].count("<svg role") + REPORTS[name].count("<svg aria-hidden")
        assert one["drawings"] == drawings, at
        for text in (*SERIALS, "744 days", "no entries") if name == "audit" else ():
            assert text in one["text"], at
