"""``mycirrus contract``: send the API a few requests, and say which promises it keeps.

The key comes only from ``MYCIRRUS_API_KEY``, so that no process list shows it.
"""

import argparse
import os
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile

from rich.console import Console

from cirrus_ext import CirrusError, ConfigurationError, InvalidRequestError, __version__
from cirrus_ext.ranges import LONGEST_WINDOW, as_utc, check_instruments, floor_ms, wire_time
from cirrus_ext.retry import check_seconds
from cirrus_ext.settings import API_KEY_VARIABLE, Secret, find_api_key, find_base_url
from mycirrus_contract.standin.adapters import Standin, serve, stay_on_loopback
from mycirrus_contract.standin.rules import DEMO_KEY

from .acceptance import Acceptance, apply, load
from .arguments import BUDGET, parser
from .cassette import dumps
from .checks import judge
from .evidence import Evidence
from .exchange import Exchange
from .github import annotation, annotations, is_job, write_outputs
from .leaks import LeakError
from .patch import OUR_QUESTIONS, QuestionsFile, patch
from .probe import Probe
from .questions import contradictions, open_questions
from .redaction import Redactor
from .report import REPORTS, print_run
from .run import Run
from .verdicts import worst_first

INSTRUMENTS_VARIABLE = "MYCIRRUS_INSTRUMENTS"
BAD_USAGE, UNDECIDED, OWN_FAILURE = 2, 3, 4
FILES = (*REPORTS, "questions.patch", "cassette.json")
# So that a range of more than a year fits before it.
EARLIEST_END = datetime(1900, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Target:
    """Which API is checked, and with which requests."""

    base_url: str
    api_key: Secret
    instruments: list[str]
    start: datetime
    end: datetime
    interval: float = 1.0
    budget: int = BUDGET
    report_dir: Path | None = None
    accepted: tuple[Acceptance, ...] = ()
    questions: QuestionsFile = OUR_QUESTIONS
    shows_questions: bool = True


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let the check fail; rich would exit with 1, as if a promise were broken."""
        raise BrokenPipeError


def main(arguments: list[str] | None = None) -> int:
    """Check the contract.

    Returns:
        The exit code, see `arguments.EXIT_CODES`.
    """
    command = parser()
    options = command.parse_args(arguments)
    console = _Console()
    try:
        if not options.standin:
            target = _target(options, _key(), find_base_url(options.base_url))
            code = run(console, target)
            return 0 if code == UNDECIDED and options.allow_undecided else code
        options.instruments = options.instruments or "QT123456,QT234567"
        options.interval = 0.0
        stay_on_loopback()
        with serve(Standin()) as base_url:
            return run(console, _target(options, Secret(DEMO_KEY), base_url))
    except CirrusError as error:
        return _failed(BAD_USAGE, str(error))
    except LeakError as error:
        return _failed(OWN_FAILURE, str(error))
    except Exception as error:  # noqa: BLE001 - 1 would say that the vendor broke a promise
        traceback.print_tb(error.__traceback__)  # without its message, which may quote an answer
        return _failed(OWN_FAILURE, f"the check itself failed: {type(error).__name__}")


def _failed(code: int, text: str) -> int:
    print(f"mycirrus contract: {text}", file=sys.stderr)
    if is_job():
        with suppress(OSError):  # standard output cannot be written
            print(annotation("error", "Contract check", text), flush=True)
    return code


def _key() -> Secret:
    """The key of the environment.

    Raises:
        ConfigurationError: It is missing or invalid.
    """
    if not os.environ.get(API_KEY_VARIABLE):
        raise ConfigurationError(
            f"set {API_KEY_VARIABLE} to a key with the scope data.system:read, "
            f"and {INSTRUMENTS_VARIABLE} to serial numbers with commas between"
        )
    return find_api_key()


def _target(options: argparse.Namespace, api_key: Secret, base_url: str) -> Target:
    """Check the options.

    Raises:
        CirrusError: One is invalid.
    """
    given = options.instruments or os.environ.get(INSTRUMENTS_VARIABLE, "")
    if not given:
        raise ConfigurationError(
            f"serial numbers are missing: pass --instruments A,B, or set {INSTRUMENTS_VARIABLE}"
        )
    try:
        instruments = check_instruments([serial.strip() for serial in given.split(",")])
    except InvalidRequestError as error:  # its text has a serial number, and CI keeps what it reads
        raise ConfigurationError(
            f"--instruments or {INSTRUMENTS_VARIABLE} must be serial numbers with commas between, "
            "each of them once and of characters that can be printed"
        ) from error
    end = floor_ms(as_utc("--end", options.end or datetime.now(UTC)))
    start = floor_ms(as_utc("--start", options.start or end - LONGEST_WINDOW))
    if not timedelta() < end - start <= LONGEST_WINDOW:
        raise ConfigurationError(
            f"--start must be before --end, by at most {LONGEST_WINDOW.days} days: "
            f"{wire_time(start)} to {wire_time(end)}"
        )
    if end < EARLIEST_END:
        raise ConfigurationError(f"--end must be in 1900 or later: {wire_time(end)}")
    check_seconds("--interval", options.interval)
    if options.budget < 1:
        raise ConfigurationError(f"--budget must be 1 or more: {options.budget}")
    return Target(
        base_url=base_url,
        api_key=api_key,
        instruments=instruments,
        start=start,
        end=end,
        interval=options.interval,
        budget=options.budget,
        report_dir=options.report_dir,
        accepted=_accepted(options.accept),
        questions=QuestionsFile.at(options.questions) if options.questions else OUR_QUESTIONS,
    )


def _accepted(path: Path | None) -> tuple[Acceptance, ...]:
    return tuple(load(path, datetime.now(UTC).date())) if path else ()


def run(console: Console, target: Target) -> int:
    """Send the requests, judge the answers, print, and write the reports.

    Returns:
        The exit code.

    Raises:
        LeakError: A secret is left in a report; none was written.
        ConfigurationError: The reports cannot be written there.
    """
    count = len(target.instruments)
    console.print(
        f"Checking {target.base_url} with {count} instrument{'s' if count > 1 else ''}, "
        f"{wire_time(target.start)} to {wire_time(target.end)}:",
        highlight=False,
        markup=False,
    )
    if target.report_dir is not None:
        _make_empty(target.report_dir)
    began = floor_ms(datetime.now(UTC))
    probe = Probe(
        target.base_url,
        target.api_key.reveal(),
        interval=target.interval,
        budget=target.budget,
    )
    exchanges = probe.run(target.instruments, target.start, target.end)
    redactor = Redactor(target.api_key.reveal(), exchanges)
    # From here on nothing holds a secret.
    result = judged(target, [redactor.exchange(exchange) for exchange in exchanges], began)
    findings, notices = apply(result.findings, target.accepted, began.date())
    shown = replace(result, findings=tuple(worst_first(findings)), notices=tuple(notices))
    texts = reports(shown, result, redactor, target.questions)
    print_run(console, shown, questions=target.shows_questions)
    where = "--report-dir DIR writes it"
    if target.report_dir is not None:
        write(target.report_dir, texts)
        where = str(target.report_dir / "questions.patch")
        console.print(
            f"Reports: {target.report_dir}", soft_wrap=True, highlight=False, markup=False
        )
    if texts["questions.patch"] and target.shows_questions:
        text = f"What was observed, as a patch for {target.questions.title}: {where}"
        console.print(text, soft_wrap=True, highlight=False, markup=False)
    if is_job():
        for line in annotations(shown):
            console.print(line, soft_wrap=True, highlight=False, markup=False, emoji=False)
    try:
        write_outputs(shown)
    except OSError as error:
        return _failed(shown.exit_code or OWN_FAILURE, f"GITHUB_OUTPUT: {error.strerror}")
    return shown.exit_code


def judged(target: Target, exchanges: list[Exchange], began: datetime) -> Run:
    """Judge redacted exchanges."""
    questions = open_questions(Evidence(exchanges))
    return Run(
        base_url=target.base_url,
        instruments=exchanges[0].request.instruments,
        start=target.start,
        end=target.end,
        began=began,
        version=__version__,
        budget=target.budget,
        exchanges=tuple(exchanges),
        findings=tuple(worst_first([*judge(exchanges), *contradictions(questions)])),
        questions=tuple(questions),
    )


def reports(
    shown: Run, result: Run, redactor: Redactor, questions: QuestionsFile = OUR_QUESTIONS
) -> dict[str, str]:
    """All reports, by the names of the files, after a last search for secrets.

    Args:
        shown: The run with acceptances applied.
        result: The run without them.
        redactor: Searches for what it has replaced.
        questions: The file that ``questions.patch`` is for.

    Raises:
        LeakError: A secret is left in one.
    """
    verdicts = {finding.name: str(finding.verdict) for finding in result.findings}
    texts = {name: render(shown) for name, render in REPORTS.items()}
    texts["questions.patch"] = patch(shown.questions, shown.began.date(), shown.base_url, questions)
    blank = "".join(render(_nothing_of(shown)) for render in REPORTS.values())
    blank += questions.text
    judgements = " ".join(
        f"{one.judgement.because} {one.judgement.advice}" for one in shown.findings
    )
    judgements += " ".join(f"{one.request.name} {one.error_text}" for one in shown.exchanges)
    for text in texts.values():
        redactor.secrets.check(text, blank, judgements)
    cassette = dumps(result, verdicts)
    replies = [one.reply for one in result.exchanges if one.reply is not None]
    redactor.secrets.check_replies(cassette, replies)
    return texts | {"cassette.json": cassette}


def _make_empty(folder: Path) -> None:
    """Make a folder for the reports, and delete those of an earlier run.

    Raises:
        ConfigurationError: They cannot be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigurationError(f"--report-dir {folder}: {error.strerror}") from error


def write(folder: Path, texts: dict[str, str]) -> None:
    """Write all reports, each of them whole.

    Raises:
        ConfigurationError: They cannot be written there.
    """
    try:
        for name, text in texts.items():
            beside = folder / f".{name}.part"
            beside.write_text(text, encoding="utf-8", newline="\n")
            beside.replace(folder / name)
    except OSError as error:
        raise ConfigurationError(f"--report-dir {folder}: {error.strerror}") from error


def _nothing_of(run: Run) -> Run:
    """The same run without any part of an answer."""
    return replace(
        run,
        exchanges=(),
        findings=tuple(judge([])),
        questions=tuple(open_questions(Evidence([]))),
    )
