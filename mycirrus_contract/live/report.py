"""Shows a run: on the terminal, in Markdown, in HTML, and as JUnit XML.

The bytes depend on the run alone: nothing here reads a clock. Text from a server or from a file
is never markup.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cirrus_ext.ranges import wire_time
from mycirrus_contract import text
from mycirrus_contract.html import environment
from mycirrus_contract.text import brief

from .arguments import CONTROLS, THOROUGH
from .exchange import Exchange
from .judging import count
from .run import Run, in_words
from .verdicts import Finding, Verdict

THINNEST = 0.6  # per cent of the time line: a shorter request is drawn this long

STYLES = {
    Verdict.HOLDS: "green",
    Verdict.DRIFT: "yellow",
    Verdict.BROKEN: "bold red",
    Verdict.UNDECIDED: "cyan",
    Verdict.NOT_ASKED: "dim",
    Verdict.ACCEPTED: "magenta",
}
# Without the words of the verdicts, so that a search for those finds only verdicts and counts.
MEANINGS = {
    Verdict.BROKEN: "against what the vendor's page documents",
    Verdict.DRIFT: "not as the project infers or assumes",
    Verdict.UNDECIDED: "the run looked for evidence and found none",
    Verdict.ACCEPTED: "not as assumed, and accepted until a date, with a reason",
    Verdict.HOLDS: "as documented or assumed, in all answers of this run",
    Verdict.NOT_ASKED: "not part of this run",
}


def _bar(exchange: Exchange, whole: float) -> tuple[float, float]:
    """Where a request begins on the time line of the run, and how long it is, in per cent."""
    scale = 100 / whole if whole else 0.0
    width = max(THINNEST, exchange.seconds * scale)
    return min(exchange.began * scale, 100 - width), width


def _answer(exchange: Exchange) -> str:
    """The status, or why there was no answer."""
    return exchange.failure if exchange.status is None else str(exchange.status)


def _time_of_day(run: Run, exchange: Exchange) -> str:
    """When a request was sent, in UTC: ``03:17:05.250Z``."""
    return f"{run.at(exchange):%H:%M:%S.%f}"[:-3] + "Z"


def _to_do(run: Run) -> dict[str, list[str]]:
    """Each advice once, with the names of its findings."""
    names: dict[str, list[str]] = defaultdict(list)
    for finding in run.findings:
        if finding.judgement.advice:
            names[finding.judgement.advice].append(finding.name)
    return names


def _marks(run: Run) -> dict[str, str]:
    """For each finding that can be accepted: the marks that a file of ``--accept`` must name."""
    return {
        one.name: json.dumps([brief(mark) for mark in one.judgement.marks], ensure_ascii=False)
        for one in run.findings
        if one.verdict == Verdict.DRIFT and one.judgement.marks
    }


def _context(run: Run) -> dict[str, Any]:
    """The variables of the templates."""
    return {
        "run": run,
        "result": in_words(run.findings),
        "meanings": MEANINGS,
        "to_do": _to_do(run),
        "marks": _marks(run),
        "unanswered": [one.name for one in run.questions if one.observed is None],
        "thorough": THOROUGH,
        "requests": [
            (one, _time_of_day(run, one), _answer(one), *_bar(one, run.seconds))
            for one in run.exchanges
        ],
        "day": run.began.date(),
        "facts": {
            "Server": run.base_url,
            "Range": f"{wire_time(run.start)} to {wire_time(run.end)}",
            "Instruments": len(run.instruments),
            "Time": wire_time(run.began),
            "Requests": f"{len(run.exchanges)} in {run.seconds:.2f} s",
            "Budget": f"{count(run.budget, 'request')}, {CONTROLS} controls, 2 through the SDK",
            "Version": run.version,
            "Exit code": run.exit_code,
        },
    }


# --- the terminal


def print_run(console: Console, run: Run, *, questions: bool = True) -> None:
    """Print a row per finding, what to do, what was observed, the requests, and the result.

    Args:
        console: Where to print.
        run: What to print.
        questions: Whether to print what was observed of open questions.
    """
    console.print(_table(run.findings))
    for advice in run.advice:
        _print(console, f"What to do: {brief(advice)}.")
    for name, marks in _marks(run).items():
        _print(console, f"To accept {brief(name)} in a file of --accept: marks: {marks}")
    for notice in run.notices:
        _print(console, f"Note: {brief(notice)}.")
    for question in run.answered if questions else ():
        observed = "" if question.observed is None else question.observed.answer
        _print(
            console,
            f"{brief(question.name)}: assumed {brief(question.assumed)}, "
            f"observed {brief(observed)} on {run.began.date()}",
        )
    for line in _request_lines(run):
        _print(console, line, "dim")
    _print(console, f"{count(len(run.exchanges), 'request')} in {run.seconds:.2f} s.", "dim")
    _print(console, in_words(run.findings), "bold")


def _request_lines(run: Run) -> Iterator[str]:
    """Number, name, time of day, answer, the vendor's words and trace id of each request."""
    for number, one in enumerate(run.exchanges, 1):
        parts = (_time_of_day(run, one), _answer(one), one.error_text, one.trace)
        shown = "  ".join(brief(part) for part in parts if part)
        yield f"request {number}, {brief(one.request.name)}: {shown}"


def _table(findings: tuple[Finding, ...]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("promise", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    table.add_column("because", overflow="fold")
    for finding in findings:
        table.add_row(
            Text(brief(finding.promise)),
            Text(finding.verdict, STYLES[finding.verdict]),
            Text(brief(finding.judgement.because)),
        )
    return table


def _print(console: Console, line: str, style: str = "") -> None:
    # Not wrapped in a file or in a log of CI, so that a search finds the line.
    console.print(Text(line, style), soft_wrap=not console.is_terminal)


# --- Markdown and HTML

HTML = environment(Path(__file__).parent, show=brief)
HTML.filters["fixed"] = "{:.2f}".format
MARKDOWN = HTML.overlay(autoescape=False, finalize=text.markdown)


def markdown(run: Run) -> str:
    """Return ``report.md``, for the summary of a CI job."""
    return MARKDOWN.get_template("report.md.j2").render(_context(run))


def html(run: Run) -> str:
    """Return ``report.html``: one file without scripts or other files."""
    return HTML.get_template("report.html.j2").render(_context(run))


# --- JUnit

# An outage does not break the contract, and CI shows JUnit's "error" like a failure.
OUTCOMES = {
    Verdict.BROKEN: "failure",
    Verdict.DRIFT: "failure",
    Verdict.UNDECIDED: "skipped",
    Verdict.NOT_ASKED: "skipped",
}


def junit(run: Run) -> str:
    """Return ``junit.xml``, for programs that count tests."""
    outcomes = [OUTCOMES.get(finding.verdict) for finding in run.findings]
    suites = ET.Element("testsuites")
    suite = ET.SubElement(
        suites,
        "testsuite",
        name="contract",
        tests=str(len(outcomes)),
        failures=str(outcomes.count("failure")),
        errors="0",
        skipped=str(outcomes.count("skipped")),
        time=f"{run.seconds:.3f}",
        timestamp=wire_time(run.began).removesuffix("Z"),
    )
    for finding in run.findings:
        _add_case(suite, finding)
    log = ET.SubElement(suite, "system-out")
    log.text = "\n".join([*_request_lines(run), *(f"Note: {brief(one)}." for one in run.notices)])
    ET.indent(suites)
    body = ET.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _add_case(suite: ET.Element, finding: Finding) -> None:
    judgement, because = finding.judgement, brief(finding.judgement.because)
    name = f"{brief(finding.name)}: {brief(finding.promise)}"
    case = ET.SubElement(suite, "testcase", classname="contract", name=name)
    if outcome := OUTCOMES.get(finding.verdict):
        detail = ET.SubElement(case, outcome, type=str(finding.verdict), message=because)
    else:
        detail = ET.SubElement(case, "system-out")
    advice = [f"What to do: {brief(judgement.advice)}."] if judgement.advice else []
    marks = [f"Mark: {brief(mark)}" for mark in judgement.marks]
    detail.text = "\n".join([f"{finding.verdict}: {because}", *advice, *marks])


REPORTS: dict[str, Callable[[Run], str]] = {
    "report.md": markdown,
    "report.html": html,
    "junit.xml": junit,
}
