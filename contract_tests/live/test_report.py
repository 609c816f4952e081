"""Every format shows the same run, takes no text for markup, and is what it says it is."""

import io
import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from html import escape, unescape
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console

from contract_tests.suite.fuzzing import WORLD
from mycirrus_contract.live.checks import PROMISES, Evidence, judge
from mycirrus_contract.live.exchange import Exchange, Question
from mycirrus_contract.live.probe import THOROUGH, Probe
from mycirrus_contract.live.questions import Observed, OpenQuestion, contradictions, open_questions
from mycirrus_contract.live.report import (
    NOTHING,
    REPORTS,
    html,
    junit,
    markdown,
    print_run,
)
from mycirrus_contract.live.run import Run, in_words
from mycirrus_contract.live.verdicts import Finding, Judgement, Verdict
from mycirrus_contract.messages import Reply, json_reply
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.rules import DEMO_KEY
from mycirrus_contract.text import brief
from tests.support.browser import dom_of
from tests.support.clock import FakeClock
from tests.support.html_reader import Element, Page

END = datetime(2026, 1, 1, tzinfo=UTC)
START = END - timedelta(days=365)
BEGAN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ITEM = {"time": "2025-06-07T11:18:42Z", "user": "Somebody", "message": "Something"}
ADVICE = {
    Verdict.BROKEN: "tell the vendor",
    Verdict.DRIFT: "look at it",
    Verdict.UNDECIDED: "run it again",
}

# Markup of every format, and characters that do things to a terminal or may not be in XML.
NASTY = (
    "<script>alert(1)</script> | a\nb\r\n& c &amp; [red]d[/red] `e` _f_ *g* :bug: $h$ \\# \\| "
    "![i](http://127.0.0.1/j) https://127.0.0.1/k \x00\x07\x1b[31m\x7f\x85\u2028\u202e\ud800\ufffe"
    "\"' ]]> --> {{ l }} {% m %} # n"
)
BARE = brief(NASTY)


def finding(verdict: Verdict, number: int = 1, **texts: str) -> Finding:
    """A finding with texts of its own."""
    judgement = Judgement(
        verdict,
        texts.pop("because", f"reason {number}"),
        texts.pop("advice", ADVICE.get(verdict, "")),
    )
    name, promise = texts.pop("name", f"name-{number}"), texts.pop("promise", f"Promise {number}")
    return Finding(name, promise, judgement)


def exchange(name: str = "whole range", reply: Reply | None = None, **changes: Any) -> Exchange:
    """A question, and what came back."""
    return Exchange(Question(name, ("QT123456",), START, END), reply, **changes)


ANSWERED = exchange(reply=json_reply(200, [ITEM, ITEM]), seconds=0.5)
REFUSED = exchange("no key", json_reply(401, {}), began=1.5, seconds=0.25)
FAILED = exchange("first half", failure="no answer in time", began=2.75, seconds=1.25)
AS_ASSUMED = OpenQuestion("order", "In which order?", "by time", Observed("by time"))
OTHERWISE = OpenQuestion("null-fields", "Null?", "no", Observed("yes", agrees=False))
UNSEEN = OpenQuestion("year", "What is a year?", "366 days", None)
EVERY = Run(
    base_url="https://127.0.0.1/v1",
    instruments=("QT000001", "QT000002"),
    start=START,
    end=END,
    began=BEGAN,
    version="1.2.3",
    budget=9,
    exchanges=(ANSWERED, REFUSED, FAILED),
    findings=tuple(finding(verdict, number) for number, verdict in enumerate(Verdict, 1)),
    questions=(AS_ASSUMED, OTHERWISE, UNSEEN),
)


def run_of(*verdicts: Verdict) -> Run:
    """A run with these verdicts."""
    findings = [finding(verdict, number) for number, verdict in enumerate(verdicts, 1)]
    return replace(EVERY, findings=tuple(findings))


def worded(text: str) -> Run:
    """A run that has a text wherever there can be one."""
    return replace(
        EVERY,
        base_url=text,
        version=text,
        exchanges=(exchange(text, failure=text),),
        findings=tuple(
            finding(verdict, name=text, promise=text, because=text, advice=text)
            for verdict in Verdict
        ),
        questions=(
            OpenQuestion(text, text, text, Observed(text, agrees=False)),
            OpenQuestion(text, text, text, None),
        ),
    )


def terminal(run: Run, width: int = 200, **options: Any) -> str:
    """What `print_run` prints, to a file if nothing else is said."""
    file = io.StringIO()
    print_run(Console(file=file, width=width, **options), run)
    return file.getvalue()


FORMATS: dict[str, Callable[[Run], str]] = {"terminal": terminal, **REPORTS}
every_format = pytest.mark.parametrize("show", FORMATS.values(), ids=list(FORMATS))


# --- readers


def page(run: Run) -> Element:
    """``report.html``, read."""
    return Page(html(run)).root


def blocks(text: str) -> list[Token]:
    """Markdown, read."""
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return reader.parse(text)


def kinds(text: str) -> list[str]:
    """What Markdown is made of, but for the words."""
    parts = [part for block in blocks(text) for part in [block, *(block.children or [])]]
    return [part.type for part in parts if part.type not in {"text", "text_special"}]


def rows(text: str) -> list[list[str]]:
    """The rows of all tables in Markdown, as they are shown."""
    found: list[list[str]] = []
    for before, block in pairwise(blocks(text)):
        if before.type == "tr_open":
            found.append([])
        if before.type in {"th_open", "td_open"}:
            found[-1].append("".join(part.content for part in block.children or []))
    return found


def suite(run: Run) -> ET.Element:
    """``junit.xml``, read."""
    (found,) = ET.fromstring(junit(run).encode())  # noqa: S314 - our own
    return found


# --- what is shown


@pytest.mark.parametrize("verdict", Verdict)
def test_a_finding_is_a_row_with_its_verdict(verdict: Verdict) -> None:
    """Promise, verdict, because: on the terminal, in Markdown, and on the page."""
    run = run_of(Verdict.HOLDS, verdict)

    assert re.search(rf"^Promise 2  +{verdict}  +reason 2 *$", terminal(run), re.MULTILINE)
    assert ["Promise 2", str(verdict), "reason 2"] in rows(markdown(run))
    cells = [[part.text for part in row.children] for row in page(run).all(kind="finding")]  # type: ignore[union-attr]  # rows have cells alone
    assert cells[1] == ["Promise 2 name-2", str(verdict), "reason 2"]


OUTCOMES = {
    Verdict.HOLDS: ("system-out", {}),
    Verdict.DRIFT: ("failure", {"type": "drift", "message": "reason 1"}),
    Verdict.BROKEN: ("failure", {"type": "broken", "message": "reason 1"}),
    Verdict.UNDECIDED: ("skipped", {"type": "undecided", "message": "reason 1"}),
    Verdict.NOT_ASKED: ("skipped", {"type": "not asked", "message": "reason 1"}),
    Verdict.ACCEPTED: ("system-out", {}),
}


@pytest.mark.parametrize("verdict", Verdict)
def test_a_finding_is_a_testcase_with_its_outcome(verdict: Verdict) -> None:
    """Broken and drift fail, undecided and not asked are skipped, the rest passes."""
    (case,) = suite(run_of(verdict))
    (detail,) = case

    assert (case.tag, case.attrib) == (
        "testcase",
        {"classname": "contract", "name": "name-1: Promise 1"},
    )
    assert (detail.tag, detail.attrib) == OUTCOMES[verdict]
    assert "reason 1" in (detail.text or "")
    assert ADVICE.get(verdict, "") in (detail.text or "")


def test_junit_counts_what_it_holds() -> None:
    """One of each verdict, and the time of the whole run."""
    found = suite(EVERY)

    assert found.tag == "testsuite"
    assert found.attrib == {
        "name": "contract",
        "tests": "6",
        "failures": "2",
        "errors": "0",
        "skipped": "2",
        "time": "4.000",
        "timestamp": "2026-03-04T05:06:07",
    }
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert found.attrib[attribute] == str(len(list(found.iter(tag))))


def test_the_summaries_count_every_verdict() -> None:
    """The page those with none too, Markdown only what there is."""
    run = run_of(Verdict.HOLDS, Verdict.HOLDS, Verdict.BROKEN)
    (table,) = page(run).all(kind="counts")
    counted = [
        [part.text for part in row.all() if part.tag in {"th", "td"}] for row in table.all("tr")
    ]

    assert {row[0]: row[1] for row in counted[1:]} == {
        verdict: str(count) for verdict, count in run.counts.items()
    }
    assert "Counted: 2 holds, 1 broken." in markdown(run)


def test_the_terminal_ends_with_what_to_do_what_was_learnt_and_the_result() -> None:
    """In this order, each advice once."""
    run = replace(EVERY, findings=(*EVERY.findings, finding(Verdict.BROKEN, 7)))
    lines = [line.rstrip() for line in terminal(run).splitlines()]

    assert lines[1 + len(run.findings) :] == [
        "What to do: look at it.",
        "What to do: tell the vendor.",
        "What to do: run it again.",
        "order: assumed by time, observed by time on 2026-03-04",
        "null-fields: assumed no, observed yes on 2026-03-04",
        "3 requests in 4.00 s.",
        in_words(run.findings),
    ]


def test_a_line_is_whole_in_a_file_and_fits_the_terminal() -> None:
    """One can search a log; at 80 columns words stay words."""
    run = run_of(*Verdict)
    long = finding(Verdict.DRIFT, advice="look " * 30, because="words " * 30, promise="kept " * 20)
    run = replace(run, findings=(*run.findings, long))
    shown = terminal(run, 80, force_terminal=True, no_color=True)
    bare = re.sub(r"\x1b\[\d*m", "", shown)

    assert f"What to do: {brief(long.judgement.advice)}.\n" in terminal(run, 80)
    assert max(map(len, bare.splitlines())) <= 80
    assert set(re.findall(r"\w+", bare)) == set(re.findall(r"\w+", terminal(run)))


def test_only_a_terminal_has_colours_and_no_color_is_honoured() -> None:
    """A file has no escape at all."""
    colour = re.compile(r"\x1b\[(\d;)*3\dm")

    assert colour.search(terminal(EVERY, force_terminal=True, color_system="standard"))
    assert not colour.search(terminal(EVERY, force_terminal=True, _environ={"NO_COLOR": "1"}))
    assert "\x1b" not in terminal(EVERY)


@pytest.mark.parametrize("render", [markdown, html], ids=["markdown", "html"])
def test_a_report_says_what_was_asked_and_what_came_of_it(render: Callable[[Run], str]) -> None:
    """Server, range, how many instruments, when, version, budget; requests and questions."""
    words = Page(render(EVERY)).root.text.replace("\\", "")
    expected = (
        "127.0.0.1/v1 2025-01-01T00:00:00Z 2026-01-01T00:00:00Z 2026-03-04 05:06:07 UTC|1.2.3|"
        "no answer in time|tell the vendor|name-3|Not answered: year.|not as assumed|4.00 s"
    )
    for part in expected.replace(" 20", "|20").split("|"):
        assert part in words
    assert "QT" not in words


def test_the_requests_are_listed_with_answer_items_and_seconds() -> None:
    """Failures as well; only an answer with a list has items."""
    expected = [
        ["whole range", "200", "2", "0.50"],
        ["no key", "401", NOTHING, "0.25"],
        ["first half", "no answer in time", NOTHING, "1.25"],
    ]
    listed = [
        [part.text for part in row.all() if part.tag in {"th", "td"}]
        for row in page(EVERY).all(kind="request")
    ]

    assert rows(markdown(EVERY))[-3:] == expected
    assert [[*row[:3], row[4]] for row in listed] == expected
    assert [row[3] for row in listed] == ["0.00", "1.50", "2.75"]
    assert [len(list(row.all(kind="open"))) for row in page(EVERY).all(kind="request")] == [0, 0, 1]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([(0.0, 1.0), (2.0, 2.0)], [(0.0, 25.0), (50.0, 50.0)]),
        ([(0.0, 0.0), (10.0, 0.0)], [(0.0, 0.6), (99.4, 0.6)]),
        ([(0.0, 0.0)], [(0.0, 0.6)]),
        ([(0.0, 5.0)], [(0.0, 100.0)]),
    ],
)
def test_a_bar_lies_where_its_request_was(
    times: list[tuple[float, float]], expected: list[tuple[float, float]]
) -> None:
    """In per cent of the whole run; the quickest is seen too, and none leaves the line."""
    run = replace(
        EVERY, exchanges=tuple(exchange(began=began, seconds=long) for began, long in times)
    )
    bars = [
        (float(bar.attributes["x"] or ""), float(bar.attributes["width"] or ""))
        for bar in page(run).all(kind="bar")
    ]

    assert bars == expected


def test_an_open_question_is_shown_with_what_was_assumed_and_observed() -> None:
    """And it is said where the two differ."""
    listed = [
        [part.text for part in row.all() if part.tag in {"th", "td"}]
        for row in page(EVERY).all(kind="question")
    ]

    assert listed == [
        ["In which order? order", "by time", "by time"],
        ["Null? null-fields", "no", "yes (not as assumed)"],
    ]
    assert ["order", "by time", "by time on 2026-03-04"] in rows(markdown(EVERY))
    assert ["null-fields", "no", "yes on 2026-03-04 (not as assumed)"] in rows(markdown(EVERY))


@pytest.mark.parametrize(("budget", "told"), [(9, True), (THOROUGH, False)])
def test_what_was_not_answered_is_named_and_a_larger_budget_where_it_helps(
    budget: int, *, told: bool
) -> None:
    """The largest budget asks all that can be asked."""
    for render in (markdown, html):
        text = Page(render(replace(EVERY, budget=budget))).root.text
        assert "Not answered: year." in text
        assert ("--budget 15" in text) == told


@every_format
def test_a_run_with_nothing_in_it_is_shown(show: Callable[[Run], str]) -> None:
    """No findings, no requests, no questions."""
    assert show(replace(EVERY, findings=(), exchanges=(), questions=()))


@every_format
def test_the_same_run_is_shown_the_same_wherever_it_is_shown(
    show: Callable[[Run], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Times are in UTC, whatever the zone of the machine and of the run's own times."""
    expected = show(EVERY)
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        assert show(EVERY) == expected
        zone = timezone(timedelta(hours=-11))
        began, start, end = (moment.astimezone(zone) for moment in (BEGAN, START, END))
        assert show(replace(EVERY, began=began, start=start, end=end)) == expected
    finally:
        monkeypatch.undo()
        time.tzset()


# --- what no text can do


def test_a_terminal_shows_markup_as_it_is() -> None:
    """The lines are as many as for tame words, and nothing reaches the terminal but text."""
    shown = terminal(worded(NASTY), 4000)

    assert shown.count(BARE) == 3 * len(Verdict) - len(Verdict) + 1 + 3
    assert shown.count("\n") == terminal(worded("tame"), 4000).count("\n")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", shown)


def test_markdown_shows_markup_as_it_is() -> None:
    """Parsed, it is the same but for the words."""
    assert kinds(markdown(worded("tame"))) == kinds(markdown(worded(NASTY)))
    assert rows(markdown(worded(NASTY)))[1] == [BARE, "holds", BARE]


def test_a_page_shows_markup_as_it_is() -> None:
    """Parsed, it is the same but for the words."""
    tame, nasty = (page(worded(text)) for text in ("tame", NASTY))
    (row, *_) = nasty.all(kind="finding")

    assert [one.tag for one in tame.all()] == [one.tag for one in nasty.all()]
    assert [list(one.attributes) for one in tame.all()] == [
        list(one.attributes) for one in nasty.all()
    ]
    assert row.text == f"{BARE} {BARE}holds{BARE}"
    html(worded(NASTY)).encode()


def test_junit_shows_markup_as_it_is() -> None:
    """Only characters that XML 1.0 allows, and the same elements."""
    tame, nasty = (suite(worded(text)) for text in ("tame", NASTY))
    allowed = r"[\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*"

    assert [one.tag for one in tame.iter()] == [one.tag for one in nasty.iter()]
    assert nasty[0].attrib["name"] == f"{BARE}: {BARE}"
    assert nasty[1][0].attrib["message"] == BARE
    assert re.fullmatch(allowed, junit(worded(NASTY)))


# --- the words


# How often a verdict that one finding has is named: in its row, and where it is counted.
NAMED = {"terminal": 2, "report.md": 3, "report.html": 4, "junit.xml": 2}
UNNAMED = {"report.html": 1}


def occurrences(name: str, run: Run) -> dict[str, int]:
    """How often the words are in what a person reads."""
    text = FORMATS[name](run)
    if name == "report.html":
        text = " ".join(
            child
            for element in page(run).all()
            if element.tag != "style"
            for child in element.children
            if isinstance(child, str)
        )
    return {word: len(re.findall(word, text, re.IGNORECASE)) for word in ("broken", "drift")}


@pytest.mark.parametrize("name", FORMATS)
def test_broken_and_drift_are_said_of_verdicts_and_counts_alone(name: str) -> None:
    """Whoever searches a report for the words finds verdicts."""
    fine = run_of(*(set(Verdict) - {Verdict.BROKEN, Verdict.DRIFT}))

    assert occurrences(name, fine) == dict.fromkeys(("broken", "drift"), UNNAMED.get(name, 0))
    assert occurrences(name, EVERY) == dict.fromkeys(("broken", "drift"), NAMED[name])


def real_run() -> Run:
    """The stand-in, asked all that can be asked."""
    clock, standin = FakeClock(), Standin(WORLD)
    standin.sleep = clock.sleep
    probe = Probe(
        "http://127.0.0.1/v1",
        DEMO_KEY,
        budget=THOROUGH,
        transport=standin.transport(),
        sleep=clock.sleep,
        monotonic=lambda: clock.seconds,
    )
    exchanges = probe.ask(["QT123456", "QT234567"], START, END)
    questions = open_questions(Evidence(exchanges))
    findings = [*judge(exchanges), *contradictions(questions)]
    return replace(
        EVERY,
        exchanges=tuple(exchanges),
        findings=tuple(findings),
        questions=tuple(questions),
    )


def test_a_run_against_the_stand_in_is_shown_whole() -> None:
    """All promises and all questions, and no serial number, user or message."""
    run = real_run()
    private = {entry.user for entry in WORLD.entries} | {entry.message for entry in WORLD.entries}

    for name, show in FORMATS.items():
        shown = unescape(show(run))
        assert all(promise.text in shown for promise in PROMISES)
        assert not any(word in shown for word in {DEMO_KEY, "QT123456", "QT234567", *private})
        assert set(occurrences(name, run).values()) == {UNNAMED.get(name, 0)}
    assert len(re.findall(r"  holds  ", terminal(run, 80))) == len(PROMISES)
    assert len(list(page(run).all(kind="question"))) == len(run.answered) > 10


# --- the page


def test_the_page_needs_nothing_but_itself() -> None:
    """No script, no link, no picture, no font, and a policy that says so."""
    text, root = html(worded(NASTY)), page(worded(NASTY))
    (style,) = root.all("style")

    assert not {one.tag for one in root.all()} & {"script", "link", "img", "iframe", "object", "a"}
    assert not re.search(r"url\(|@import|https?:", style.text)
    for element in root.all():
        for name in element.attributes:
            assert name not in {"src", "href", "srcset", "style", "action"}
            assert not name.startswith("on")
    assert "default-src 'none'; style-src 'unsafe-inline'" in text


def test_the_page_can_be_read_without_seeing_it() -> None:
    """Language, title, headings in order, captions and scopes; bars are not read out."""
    root = page(EVERY)
    (document,) = root.all("html")
    (title,) = root.all("title")
    headings = [one.tag for one in root.all() if re.fullmatch("h[1-6]", one.tag)]

    assert document.attributes["lang"] == "en"
    assert title.text == f"Contract report, 2026-03-04: {in_words(EVERY.findings)}"
    assert headings == ["h1"] + ["h2"] * 6
    for table in root.all("table"):
        assert [one.tag for one in table.all("caption")] == ["caption"]
        assert next(table.all("caption")).text
        assert {one.attributes["scope"] for one in table.all("th")} <= {"col", "row"}
        for row in table.all("tr"):
            assert next(one for one in row.all() if one.tag in {"th", "td"}).tag == "th"
    assert all(one.attributes["aria-hidden"] == "true" for one in root.all("svg"))


def test_what_becomes_cards_is_still_a_table() -> None:
    """A browser forgets what a table is when its parts are shown as blocks, unless told."""
    roles = {
        "table": "table",
        "thead": "rowgroup",
        "tbody": "rowgroup",
        "tr": "row",
        "td": "cell",
    }
    for table in page(EVERY).all(kind="cards"):
        for element in table.all():
            role = element.attributes.get("role")
            if element.tag == "th":
                assert (
                    role == f"{(element.attributes['scope'] or '').replace('col', 'column')}header"
                )
            else:
                assert role == roles.get(element.tag)


# For each frame: does the page fit, what is seen, and how well.
MEASURE = """
const channel = value => {
  const part = value / 255;
  return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
};
const light = colour => {
  const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(channel);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, other) => {
  const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b);
  return (bright + 0.05) / (dark + 0.05);
};
const measure = frame => {
  const page = frame.contentDocument, view = frame.contentWindow, root = page.documentElement;
  const paper = view.getComputedStyle(page.body).backgroundColor;
  const isSeen = one => {
    const box = one.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && box.left >= 0 && box.right <= root.clientWidth + 1;
  };
  const seen = what => [...page.querySelectorAll(what)].filter(isSeen).length;
  const worded = [...page.body.querySelectorAll("*")].filter(one =>
    [...one.childNodes].some(part => part.nodeType === 3 && part.data.trim()));
  const of = one => contrast(view.getComputedStyle(one).color, paper);
  return {
    width: root.clientWidth, needed: root.scrollWidth, paper: light(paper),
    seen: Object.fromEntries(
      ["h1", "h2", ".finding", ".question", ".request", ".finding .verdict", ".bar"]
        .map(what => [what, seen(what)])),
    texts: [...page.querySelectorAll(".finding")].map(one => one.innerText),
    contrast: Math.min(...worded.map(of)),
    heads: [...page.querySelectorAll(".cards thead")].map(one => one.getBoundingClientRect())
      .filter(box => box.width > 1).length,
    line: page.querySelector("svg").getBoundingClientRect().width,
    bar: contrast(view.getComputedStyle(page.querySelector(".bar")).fill, paper),
    scripts: page.scripts.length,
  };
};
addEventListener("load", () => {
  const measured = [...document.querySelectorAll("iframe")].map(measure);
  document.getElementById("measured").textContent = JSON.stringify(measured);
});
"""


def frames(text: str) -> str:
    """The page at two widths, each light and dark: a test's own copies, measured by a script."""
    dark = "(prefers-color-scheme: dark)"
    assert text.count(dark) == 1
    copies = [
        f'<iframe width="{width}" height="900" style="border:0" '
        f'srcdoc="{escape(text.replace(dark, scheme))}"></iframe>'
        for width in (1280, 400)
        for scheme in ("(max-width: 0)", "(min-width: 0)")
    ]
    return (
        "<!DOCTYPE html><meta charset='utf-8'><body>"
        + "".join(copies)
        + f'<pre id="measured"></pre><script>{MEASURE}</script></body>'
    )


def test_the_page_fits_and_can_be_read_in_a_browser(chromium: str, tmp_path: Path) -> None:
    """At 1280 and 400 pixels, light and dark, with the longest and the worst words."""
    long = finding(Verdict.BROKEN, 8, because="x" * 400, promise="y" * 200)
    nasty = finding(Verdict.ACCEPTED, 9, because=NASTY, promise=NASTY, name=NASTY)
    run = replace(EVERY, findings=(*EVERY.findings, long, nasty), base_url="https://" + "z" * 300)
    file = tmp_path / "frames.html"
    file.write_text(frames(html(run)), encoding="utf-8")
    shown = re.search(r'<pre id="measured">(.*?)</pre>', dom_of(chromium, file), re.DOTALL)

    assert shown is not None
    measured = json.loads(unescape(shown[1]))
    assert [(one["width"], one["paper"] > 0.5) for one in measured] == [
        *((1280, True), (1280, False)),
        *((400, True), (400, False)),
    ]
    for one in measured:
        assert one["needed"] <= one["width"]
        assert one["seen"] == {
            "h1": 1,
            "h2": 6,
            ".finding": 8,
            ".question": 2,
            ".request": 3,
            ".finding .verdict": 8,
            ".bar": 3,
        }
        for text, expected in zip(one["texts"], run.findings, strict=True):
            assert expected.verdict in text
            assert brief(expected.judgement.because) in text
        assert one["heads"] == (3 if one["width"] == 1280 else 0)  # cards have labels instead
        assert one["line"] > (300 if one["width"] == 1280 else 360)
        assert one["contrast"] >= 4.5
        assert one["bar"] >= 3
        assert one["scripts"] == 0
