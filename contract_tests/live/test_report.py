"""Every format shows the same run, and takes no text for markup.

What both HTML reports of the project promise is in tests/cli/test_report_html.py.
"""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console

from mycirrus_contract.live.arguments import THOROUGH
from mycirrus_contract.live.exchange import Exchange, ProbeRequest
from mycirrus_contract.live.facts import Observed
from mycirrus_contract.live.questions import OpenQuestion
from mycirrus_contract.live.report import REPORTS, html, junit, markdown, print_run
from mycirrus_contract.live.run import Run, in_words
from mycirrus_contract.live.verdicts import Finding, Judgement, Verdict
from mycirrus_contract.messages import Reply, json_reply
from mycirrus_contract.text import brief
from tests.support.html_reader import Element, read

END = datetime(2026, 1, 1, tzinfo=UTC)
START = END - timedelta(days=365)
BEGAN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ITEM = {"time": "2025-06-07T11:18:42Z", "user": "Somebody", "message": "Something"}
ADVICE = {
    Verdict.BROKEN: "tell the vendor",
    Verdict.DRIFT: "look at it",
    Verdict.UNDECIDED: "run it again",
}

# Markup of every format, and characters that act on a terminal or are not allowed in XML.
NASTY = (
    "<script>alert(1)</script> | a\nb\r\n& c &amp; [red]d[/red] `e` _f_ *g* :bug: $h$ \\# \\| "
    "![i](http://127.0.0.1/j) https://127.0.0.1/k \x00\x07\x1b[31m\x7f\x85\u2028\u202e\ud800\ufffe"
    "\"' ]]> --> {{ l }} {% m %} # n"
)
BARE = brief(NASTY)


def finding(verdict: Verdict, number: int = 1, **texts: str) -> Finding:
    judgement = Judgement(
        verdict,
        texts.pop("because", f"reason {number}"),
        texts.pop("advice", ADVICE.get(verdict, "")),
    )
    name, promise = texts.pop("name", f"name-{number}"), texts.pop("promise", f"Promise {number}")
    return Finding(name, promise, judgement)


def exchange(name: str = "whole range", reply: Reply | None = None, **changes: Any) -> Exchange:
    return Exchange(ProbeRequest(name, ("QT123456",), START, END), reply, **changes)


TRACED = json_reply(200, [ITEM, ITEM]).with_headers(x_request_id="17")
SAID = {"error": "NoKey", "description": "A key is missing."}
ANSWERED = exchange(reply=TRACED, seconds=0.5)
REFUSED = exchange("no key", json_reply(401, SAID), began=1.5, seconds=0.25)
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
    notices=("the acceptance of x matches nothing",),
)


def run_of(*verdicts: Verdict) -> Run:
    findings = [finding(verdict, number) for number, verdict in enumerate(verdicts, 1)]
    return replace(EVERY, findings=tuple(findings))


def worded(text: str) -> Run:
    """A run that has a text in every place of a text."""
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
    """What `print_run` prints; to a file unless the options say otherwise."""
    file = io.StringIO()
    print_run(Console(file=file, width=width, **options), run)
    return file.getvalue()


FORMATS: dict[str, Callable[[Run], str]] = {"terminal": terminal, **REPORTS}


# --- readers


def report(run: Run) -> Element:
    return read(html(run))


def blocks(text: str) -> list[Token]:
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return reader.parse(text)


def kinds(text: str) -> list[str]:
    """The elements of Markdown, without its words."""
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
    (found,) = ET.fromstring(junit(run).encode())  # noqa: S314 - our own
    return found


# --- what is shown

OUTCOMES = {
    Verdict.HOLDS: ("system-out", {}),
    Verdict.DRIFT: ("failure", {"type": "drift", "message": "reason 2"}),
    Verdict.BROKEN: ("failure", {"type": "broken", "message": "reason 2"}),
    Verdict.UNDECIDED: ("skipped", {"type": "undecided", "message": "reason 2"}),
    Verdict.NOT_ASKED: ("skipped", {"type": "not asked", "message": "reason 2"}),
    Verdict.ACCEPTED: ("system-out", {}),
}


@pytest.mark.parametrize("verdict", Verdict)
def test_a_finding_has_its_promise_verdict_and_reason_in_every_format(verdict: Verdict) -> None:
    run = run_of(Verdict.HOLDS, verdict)
    (_, case) = suite(run).iter("testcase")
    (outcome,) = case

    assert re.search(rf"^Promise 2  +{verdict}  +reason 2 *$", terminal(run), re.MULTILINE)
    assert ["Promise 2", str(verdict), "reason 2"] in rows(markdown(run))
    assert report(run).rows("promises")[1] == ["Promise 2 name-2", str(verdict), "reason 2"]
    assert case.attrib == {"classname": "contract", "name": "name-2: Promise 2"}
    assert (outcome.tag, outcome.attrib) == OUTCOMES[verdict]
    assert f"{verdict}: reason 2" in (outcome.text or "")
    assert ADVICE.get(verdict, "") in (outcome.text or "")


def test_junit_counts_what_it_holds() -> None:
    assert suite(EVERY).attrib == {
        "name": "contract",
        "tests": "6",
        "failures": "2",
        "errors": "0",
        "skipped": "2",
        "time": "4.000",
        "timestamp": "2026-03-04T05:06:07",
    }


def test_the_summaries_count_every_verdict() -> None:
    run = run_of(Verdict.HOLDS, Verdict.HOLDS, Verdict.BROKEN)

    assert {row[0]: row[1] for row in report(run).rows("counts")} == {
        verdict: str(count) for verdict, count in run.counts.items()
    }
    assert "Counted: 1 broken, 2 holds." in markdown(run)


def test_the_terminal_ends_with_what_to_do_what_was_observed_and_the_result() -> None:
    run = replace(EVERY, findings=(*EVERY.findings, finding(Verdict.BROKEN, 7)))
    lines = [line.rstrip() for line in terminal(run).splitlines()]

    assert lines[1 + len(run.findings) :] == [
        "What to do: tell the vendor.",
        "What to do: look at it.",
        "What to do: run it again.",
        "Note: the acceptance of x matches nothing.",
        "order: assumed by time, observed by time on 2026-03-04",
        "null-fields: assumed no, observed yes on 2026-03-04",
        "request 1, whole range: 05:06:07.000Z  200  x-request-id: 17",
        "request 2, no key: 05:06:08.500Z  401  NoKey; A key is missing",
        "request 3, first half: 05:06:09.750Z  no answer in time",
        "3 requests in 4.00 s.",
        in_words(run.findings),
    ]


def test_a_line_is_whole_in_a_file_and_fits_the_terminal() -> None:
    long = finding(Verdict.DRIFT, advice="look " * 30, because="words " * 30, promise="kept " * 20)
    run = replace(run_of(*Verdict), findings=(*EVERY.findings, long))
    shown = terminal(run, 80, force_terminal=True, no_color=True)
    bare = re.sub(r"\x1b\[\d*m", "", shown)

    assert f"What to do: {brief(long.judgement.advice)}.\n" in terminal(run, 80)
    assert max(map(len, bare.splitlines())) <= 80
    assert set(re.findall(r"\w+", bare)) == set(re.findall(r"\w+", terminal(run)))


def test_only_a_terminal_has_colours_and_no_color_is_honoured() -> None:
    color = re.compile(r"\x1b\[(\d;)*3\dm")

    assert color.search(terminal(EVERY, force_terminal=True, color_system="standard"))
    assert not color.search(terminal(EVERY, force_terminal=True, _environ={"NO_COLOR": "1"}))
    assert "\x1b" not in terminal(EVERY)


@pytest.mark.parametrize("render", [markdown, html], ids=["markdown", "html"])
def test_a_report_says_what_was_checked_and_what_came_of_it(render: Callable[[Run], str]) -> None:
    words = read(render(EVERY)).text.replace("\\", "")

    for part in (
        *("127.0.0.1/v1", "2025-01-01T00:00:00Z to 2026-01-01T00:00:00Z", "2026-03-04T05:06:07Z"),
        *("1.2.3", "no answer in time", "tell the vendor", "name-3", "Not answered: year."),
        *("not as assumed", "4.00 s"),
    ):
        assert part in words
    assert "QT" not in words


def test_the_requests_are_listed_with_what_the_vendor_needs_to_find_them() -> None:
    dash = "\N{EN DASH}"
    assert rows(markdown(EVERY))[-3:] == [
        ["1", "whole range", "05:06:07.000Z", "200", "2", "0.50", dash, "x-request-id: 17"],
        ["2", "no key", "05:06:08.500Z", "401", dash, "0.25", "NoKey; A key is missing", dash],
        ["3", "first half", "05:06:09.750Z", "no answer in time", dash, "1.25", dash, dash],
    ]
    assert [row[:5] for row in report(EVERY).rows("requests")] == [
        ["1. whole range", "05:06:07.000Z", "200 x-request-id: 17", "2", "0.50"],
        ["2. no key", "05:06:08.500Z", "401 NoKey; A key is missing", dash, "0.25"],
        ["3. first half", "05:06:09.750Z", "no answer in time", dash, "1.25"],
    ]
    log = suite(EVERY).findtext("system-out") or ""
    assert "request 2, no key: 05:06:08.500Z  401  NoKey; A key is missing" in log
    assert [bool(list(one.all(kind="open"))) for one in report(EVERY).all("tr", "request")] == [
        *(False, False, True)
    ]


@pytest.mark.parametrize("show", FORMATS.values(), ids=list(FORMATS))
def test_notes_about_acceptances_are_in_every_format(show: Callable[[Run], str]) -> None:
    assert "Note: the acceptance of x matches nothing." in show(EVERY)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([(0.0, 1.0), (2.0, 2.0)], [("0.00%", "25.00%"), ("50.00%", "50.00%")]),
        ([(0.0, 0.0), (10.0, 0.0)], [("0.00%", "0.60%"), ("99.40%", "0.60%")]),
        ([(0.0, 0.0)], [("0.00%", "0.60%")]),
        ([(0.0, 5.0)], [("0.00%", "100.00%")]),
    ],
)
def test_a_bar_is_where_its_request_was_and_the_shortest_is_visible(
    times: list[tuple[float, float]], expected: list[tuple[str, str]]
) -> None:
    exchanges = tuple(exchange(began=began, seconds=seconds) for began, seconds in times)
    bars = report(replace(EVERY, exchanges=exchanges)).all(kind="bar")

    assert [(bar.attributes["x"], bar.attributes["width"]) for bar in bars] == expected


def test_an_open_question_is_shown_with_what_was_assumed_and_observed() -> None:
    assert report(EVERY).rows("questions") == [
        ["In which order? order", "by time", "by time"],
        ["Null? null-fields", "no", "yes (not as assumed)"],
    ]
    assert ["order", "by time", "by time on 2026-03-04"] in rows(markdown(EVERY))
    assert ["null-fields", "no", "yes on 2026-03-04 (not as assumed)"] in rows(markdown(EVERY))


@pytest.mark.parametrize(("budget", "expected"), [(9, True), (THOROUGH, False)])
@pytest.mark.parametrize("render", [markdown, html], ids=["markdown", "html"])
def test_a_larger_budget_is_proposed_where_it_answers_more(
    render: Callable[[Run], str], budget: int, *, expected: bool
) -> None:
    text = read(render(replace(EVERY, budget=budget))).text

    assert "Not answered: year." in text
    assert ("--budget 15" in text) == expected


@pytest.mark.parametrize("show", FORMATS.values(), ids=list(FORMATS))
def test_a_run_with_nothing_in_it_is_shown(show: Callable[[Run], str]) -> None:
    assert show(replace(EVERY, findings=(), exchanges=(), questions=()))


# --- no text is markup; of HTML, see the module's docstring


def test_a_terminal_shows_markup_as_it_is() -> None:
    shown = terminal(worded(NASTY), 4000)

    assert shown.count(BARE) == 2 * len(Verdict) + 1 + 3 + 2
    assert shown.count("\n") == terminal(worded("tame"), 4000).count("\n")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", shown)


def test_markdown_shows_markup_as_it_is() -> None:
    assert kinds(markdown(worded("tame"))) == kinds(markdown(worded(NASTY)))
    assert rows(markdown(worded(NASTY)))[1] == [BARE, "broken", BARE]


def test_junit_shows_markup_as_it_is_in_characters_that_xml_allows() -> None:
    tame, nasty = suite(worded("tame")), suite(worded(NASTY))
    allowed = r"[\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*"

    assert [one.tag for one in tame.iter()] == [one.tag for one in nasty.iter()]
    assert nasty[0].attrib["name"] == f"{BARE}: {BARE}"
    assert nasty[0][0].attrib["message"] == BARE
    assert re.fullmatch(allowed, junit(worded(NASTY)))


@pytest.mark.parametrize("name", FORMATS)
def test_a_search_for_broken_or_drift_finds_only_verdicts_and_counts(name: str) -> None:
    run = run_of(*(set(Verdict) - {Verdict.BROKEN, Verdict.DRIFT}))
    text = FORMATS[name](run)
    if name == "report.html":
        text = " ".join(one.text for one in report(run).all() if one.tag in {"p", "td", "caption"})

    assert not re.search("broken|drift", text, re.IGNORECASE)
