"""Shows a run: on the terminal, in Markdown, as a page, and to programs that read JUnit.

The same run gives the same text: nothing here looks at a clock. A text that came from a server, or
from a file, is never taken for markup.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cirrus_ext.ranges import wire_time
from mycirrus_contract.text import brief
from mycirrus_contract.text import markdown as in_markdown

from .exchange import Exchange
from .probe import THOROUGH
from .questions import OpenQuestion
from .run import Run, in_words
from .verdicts import Finding, Verdict

NOTHING = "\N{EN DASH}"
THINNEST = 0.6  # per cent of the time line, so that the quickest answer is seen too

STYLES = {
    Verdict.HOLDS: "green",
    Verdict.DRIFT: "yellow",
    Verdict.BROKEN: "bold red",
    Verdict.UNDECIDED: "cyan",
    Verdict.NOT_ASKED: "dim",
    Verdict.ACCEPTED: "magenta",
}
# Without the words of the verdicts: those are for verdicts and counts.
MEANINGS = {
    Verdict.HOLDS: "as promised or assumed, in all that was seen",
    Verdict.DRIFT: "within the spec, but not as assumed",
    Verdict.BROKEN: "against the spec",
    Verdict.UNDECIDED: "evidence was sought and not had",
    Verdict.NOT_ASKED: "no part of this run",
    Verdict.ACCEPTED: "not as assumed, and accepted for a while, with a reason",
}


# --- what all of them show


@dataclass(frozen=True)
class Bar:
    """One request, as a row with a bar on a time line.

    Attributes:
        name: What was asked.
        answer: The status, or why there is none.
        items: How many there were; a dash where there can be none.
        began: Seconds from the first request to this one.
        seconds: How long it took.
        left: Where the bar begins, in per cent of the whole run.
        width: How long the bar is, in per cent of the whole run.
        is_answered: Whether a whole answer came.
    """

    name: str
    answer: str
    items: str
    began: str
    seconds: str
    left: str
    width: str
    is_answered: bool


def _bar(exchange: Exchange, whole: float) -> Bar:
    width = max(THINNEST, 100 * exchange.seconds / whole) if whole else THINNEST
    left = 100 * exchange.began / whole if whole else 0.0
    return Bar(
        name=exchange.question.name,
        answer=exchange.failure if exchange.status is None else str(exchange.status),
        items=str(len(exchange.items)) if exchange.is_answered else NOTHING,
        began=f"{exchange.began:.2f}",
        seconds=f"{exchange.seconds:.2f}",
        left=f"{min(left, 100 - width):.2f}",
        width=f"{width:.2f}",
        is_answered=exchange.reply is not None,
    )


def _day(run: Run) -> str:
    return str(run.began.astimezone(UTC).date())


def _instant(moment: datetime) -> str:
    return wire_time(moment.astimezone(UTC))


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _unanswered(run: Run) -> list[OpenQuestion]:
    return [question for question in run.questions if question.observed is None]


def _to_do(run: Run) -> dict[str, list[str]]:
    """Each advice once, and the findings that it is for."""
    return {
        advice: [one.name for one in run.findings if one.judgement.advice == advice]
        for advice in run.advice
    }


def _marks(run: Run) -> dict[str, str]:
    """What a file of accepted drift has to name, by finding."""
    return {
        one.name: json.dumps([brief(mark) for mark in one.judgement.marks], ensure_ascii=False)
        for one in run.findings
        if one.verdict == Verdict.DRIFT and one.judgement.marks
    }


def _facts(run: Run) -> dict[str, str]:
    """What was asked."""
    return {
        "Server": run.base_url,
        "Range": f"{_instant(run.start)} to {_instant(run.end)}",
        "Instruments": str(len(run.instruments)),
        "When": _time(run.began),
        "Requests": f"{len(run.exchanges)} in {run.seconds:.2f} s",
        "Budget": f"{_number(run.budget, 'request')}, without those through the SDK",
        "Version": run.version,
        "Exit code": str(run.exit_code),
    }


def _shown_run(run: Run) -> dict[str, Any]:
    """What the templates know."""
    return {
        "run": run,
        "result": in_words(run.findings),
        "counts": {verdict: count for verdict, count in run.counts.items() if count},
        "meanings": [(verdict, run.counts[verdict], MEANINGS[verdict]) for verdict in Verdict],
        "to_do": _to_do(run),
        "marks": _marks(run),
        "unanswered": [question.name for question in _unanswered(run)],
        "thorough": THOROUGH,
        "bars": [_bar(exchange, run.seconds) for exchange in run.exchanges],
        "facts": _facts(run),
        "began": _time(run.began),
        "instant": _instant(run.began),
        "day": _day(run),
        "seconds": f"{run.seconds:.2f}",
    }


# --- the terminal


def print_run(console: Console, run: Run, *, questions: bool = True) -> None:
    """Print a row per finding, what to do, what was learnt, what it cost, and the result.

    Args:
        console: Where to.
        run: What to print.
        questions: Whether what was seen of open questions is printed too.
    """
    console.print(_table(run.findings))
    for advice in run.advice:
        _print(console, f"What to do: {brief(advice)}.")
    for name, marks in _marks(run).items():
        _print(console, f"To accept {brief(name)} in a file of --accept: marks: {marks}")
    for question in run.answered if questions else ():
        _print(console, _answered(question, _day(run)))
    _print(console, f"{_number(len(run.exchanges), 'request')} in {run.seconds:.2f} s.", "dim")
    _print(console, in_words(run.findings), "bold")


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


def _answered(question: OpenQuestion, day: str) -> str:
    assert question.observed is not None
    return (
        f"{brief(question.name)}: assumed {brief(question.assumed)}, "
        f"observed {brief(question.observed.answer)} on {day}"
    )


def _print(console: Console, line: str, style: str = "") -> None:
    # In a file or a log a line stays one line, so that it can be searched for.
    console.print(Text(line, style), soft_wrap=not console.is_terminal)


# --- Markdown and HTML

HERE = FileSystemLoader(Path(__file__).parent)
PAGES = Environment(
    loader=HERE,
    autoescape=True,
    undefined=StrictUndefined,
    finalize=brief,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
TEXTS = PAGES.overlay(autoescape=False, finalize=in_markdown)


def markdown(run: Run) -> str:
    """``report.md``, for the summary of a CI job."""
    return TEXTS.get_template("report.md.j2").render(_shown_run(run))


def html(run: Run) -> str:
    """``report.html``: one file that needs no other, and no script."""
    return PAGES.get_template("report.html.j2").render(_shown_run(run))


# --- JUnit


def junit(run: Run) -> str:
    """``junit.xml``, for programs that count tests."""
    counts = run.counts
    suite = ET.Element(
        "testsuite",
        name="contract",
        tests=str(len(run.findings)),
        failures=str(counts[Verdict.BROKEN] + counts[Verdict.DRIFT]),
        errors="0",
        skipped=str(counts[Verdict.UNDECIDED] + counts[Verdict.NOT_ASKED]),
        time=f"{run.seconds:.3f}",
        timestamp=f"{run.began.astimezone(UTC):%Y-%m-%dT%H:%M:%S}",
    )
    suite.extend([_case(finding) for finding in run.findings])
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    text = ET.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


OUTCOMES = {
    Verdict.BROKEN: "failure",
    Verdict.DRIFT: "failure",
    Verdict.UNDECIDED: "skipped",  # an error would be as red as a failure, and an outage is none
    Verdict.NOT_ASKED: "skipped",
}


def _case(finding: Finding) -> ET.Element:
    judgement = finding.judgement
    name = f"{brief(finding.name)}: {brief(finding.promise)}"
    case = ET.Element("testcase", classname="contract", name=name)
    because = brief(judgement.because)
    outcome = OUTCOMES.get(finding.verdict)
    if outcome is None:
        detail = ET.SubElement(case, "system-out")
    else:
        detail = ET.SubElement(case, outcome, type=str(finding.verdict), message=because)
    advice = [f"What to do: {brief(judgement.advice)}."] if judgement.advice else []
    marks = [f"Mark: {brief(mark)}" for mark in judgement.marks]
    detail.text = "\n".join([f"{finding.verdict}: {because}", *advice, *marks])
    return case


REPORTS: dict[str, Callable[[Run], str]] = {
    "report.md": markdown,
    "report.html": html,
    "junit.xml": junit,
}
