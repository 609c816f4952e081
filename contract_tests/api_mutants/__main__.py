"""``make api-mutants``: break the stand-in in every way that has a name, and see who notices.

Prints who catches which mutant, how many the offline suite and the live probe catch, and which
mutants each check kills. Fails under the floors, and for a check that kills nothing and does not
say why it is there.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, timedelta
from functools import cache, partial

from rich.console import Console
from rich.table import Table

from contract_tests.suite.checks import BOTH, CHECKS, WORLD, Check, run_all_checks
from contract_tests.suite.complaints import Complaint
from contract_tests.suite.hooks import LATEST
from contract_tests.suite.sdk_loop import send_through_the_sdk
from mycirrus_contract.live.checks import judge
from mycirrus_contract.live.evidence import Evidence
from mycirrus_contract.live.probe import Probe
from mycirrus_contract.live.questions import contradictions, open_questions
from mycirrus_contract.live.verdicts import Finding, Verdict
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.rules import DEMO_KEY
from tests.support.clock import FakeClock

from .catalogue import MUTANTS, by_name
from .corpus import Corpus, generate
from .mutant import Mutant

SUITE_FLOOR, PROBE_FLOOR = 1.0, 0.85

# What the probe asks. A mutant names the proof that it can fail.
PROBE_CHECKS: tuple[Check, ...] = (
    Check("items-fit", "no time"),
    Check("items-inside", "a day and a half late"),
    Check("same-twice", "one less every second time"),
    Check("sdk-agrees", kept="its failure is the SDK's and not the API's; see test_probe.py"),
    Check("halves-add-up", "a month before the start"),
    Check("instruments-add-up", "first instrument only"),
    Check("in-order", "shuffled"),
    Check("no-doubles", "first item twice"),
    Check("over-long-refused", "no longest range"),
    Check("reversed-refused", "reversed range is turned round"),
    Check("naive-refused", "naive is UTC"),
    Check("no-key-refused", "no key needed"),
    Check("wrong-key-refused", "any key will do"),
    Check("in-good-time", "slow"),
    Check("others-fit", "other code for 429"),
    Check("start-inclusive", "first item is lost"),
    Check("end-inclusive", "last item is lost"),
    Check("year", kept="sent with --budget 15 only"),
    Check("offsets", kept="sent with --budget 15 only"),
    Check("comma-arrays", kept="sent with --budget 15 only"),
    Check("unknown-instrument", kept="sent with --budget 15 only"),
    Check("invalid-status", kept="sent with --budget 15 only"),
    Check("fraction-digits", kept="any answer agrees with what is assumed"),
    Check("retry-after", kept="any answer agrees with what is assumed"),
    Check("error-codes", kept="any answer agrees with what is assumed"),
    Check("page-limit", kept="a cut answer shows in the sums"),
)


@dataclass(frozen=True)
class Caught:
    """Who has noticed a mutant.

    Attributes:
        mutant: Its name.
        suite: The checks of the offline suite that complain.
        probe: The findings of the probe that are broken or drift.
    """

    mutant: str
    suite: frozenset[str]
    probe: frozenset[str]


def probed(standin: Standin) -> list[Finding]:
    """What the live probe finds of a stand-in with its default budget."""
    clock = FakeClock()
    standin.sleep = clock.sleep
    probe = Probe(
        "http://127.0.0.1/v1",
        DEMO_KEY,
        sleep=clock.sleep,
        monotonic=lambda: clock.seconds,
        transport=standin.transport(),
    )
    latest = LATEST.replace(tzinfo=UTC)
    exchanges = probe.run(BOTH, latest - timedelta(days=365), latest)
    return [*judge(exchanges), *contradictions(open_questions(Evidence(exchanges)))]


@cache
def corpus() -> Corpus:
    """The cases of schemathesis, generated once in each process."""
    return generate()


def examined(mutant: Mutant) -> list[Complaint]:
    """What the offline suite finds wrong with a mutant: a fresh one for each client."""
    patient = partial(Standin, WORLD, behaviour=mutant, sleep=lambda seconds: None)
    return [
        *corpus().complaints(patient()),
        *run_all_checks(patient()),
        *send_through_the_sdk(patient(), corpus().valid_queries),
    ]


def caught(name: str) -> Caught:
    """Run the offline suite and the probe against one mutant."""
    mutant = by_name(name)
    findings = probed(Standin(WORLD, behaviour=mutant))
    bad = {Verdict.BROKEN, Verdict.DRIFT}
    return Caught(
        name,
        frozenset(complaint.check for complaint in examined(mutant)),
        frozenset(finding.name for finding in findings if finding.verdict in bad),
    )


def complaints_of(results: Sequence[Caught]) -> list[str]:
    """The floors that are missed, and the checks that catch nothing."""
    found = []
    for who, floor, hits in (
        ("the offline suite", SUITE_FLOOR, sum(bool(one.suite) for one in results)),
        ("the live probe", PROBE_FLOOR, sum(bool(one.probe) for one in results)),
    ):
        if hits < floor * len(results):
            found.append(f"{who} catches {hits}/{len(results)}; its floor is {floor:.0%}")
    for check in (*CHECKS, *PROBE_CHECKS):
        kills = kills_of(check, results)
        if check.kills and check.kills not in kills:
            found.append(f"{check.name} does not catch {check.kills!r}")
        if not kills and not check.kept:
            found.append(f"{check.name} catches nothing: remove it, or say why it is there")
    return found


def kills_of(check: Check, results: Sequence[Caught]) -> list[str]:
    return [one.mutant for one in results if check.name in one.suite | one.probe]


def print_results(console: Console, results: Sequence[Caught], mutants: Sequence[Mutant]) -> None:
    """Print mutant by check, then check by mutant, then the score."""
    checks = [
        check for check in (*CHECKS, *PROBE_CHECKS) if kills_of(check, results) or check.kills
    ]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("mutant", "wrong about", "suite", "probe"):
        table.add_column(heading, no_wrap=True, justify="left" if heading[0] in "mw" else "right")
    table.add_column("caught by check", no_wrap=True)
    for mutant, result in zip(mutants, results, strict=True):
        marks = "".join(
            "x" if check.name in result.suite | result.probe else "." for check in checks
        )
        table.add_row(
            mutant.name, mutant.kind, str(len(result.suite)), str(len(result.probe)), marks
        )
    console.print(table, markup=False, highlight=False)
    console.print("\nThe checks, in the order of the columns, and what each catches:")
    for check in checks:
        names = kills_of(check, results)
        shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        console.print(f"  {check.name}: {shown or 'nothing'}", highlight=False, markup=False)
    console.print("\nChecks that catch none of them, and why they are there:")
    for check in (*CHECKS, *PROBE_CHECKS):
        if check.kept:
            console.print(f"  {check.name}: {check.kept}", highlight=False, markup=False)
    for who, hits in (
        ("offline suite", [one.suite for one in results]),
        ("live probe   ", [one.probe for one in results]),
    ):
        console.print(f"\n{who}  {sum(map(bool, hits))}/{len(results)}", end="", highlight=False)
    missed = [one.mutant for one in results if not one.probe]
    console.print(f"\nThe live probe misses: {', '.join(missed) or 'none'}.", highlight=False)


def main(arguments: list[str] | None = None) -> int:
    """Try every mutant.

    Returns:
        The exit code: 0 all floors are kept, 1 not so, 2 bad usage.
    """
    command = argparse.ArgumentParser(
        prog="python -m contract_tests.api_mutants",
        description="Break the stand-in in every way that has a name: do the checks notice?",
        allow_abbrev=False,
    )
    command.add_argument("--only", metavar="NAME", help="this mutant; all that is caught is shown")
    command.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    options = command.parse_args(arguments)
    if options.jobs < 1:
        command.error(f"--jobs must be 1 or more: {options.jobs}")
    if options.only is not None:
        return explain(command, options.only)
    began = time.monotonic()
    with ProcessPoolExecutor(options.jobs) as pool:
        results = list(pool.map(caught, [mutant.name for mutant in MUTANTS]))
    print_results(Console(width=max(120, Console().width)), results, MUTANTS)
    print(f"{time.monotonic() - began:.0f} s")
    complaints = complaints_of(results)
    for complaint in complaints:
        print(f"mutants: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


def explain(command: argparse.ArgumentParser, name: str) -> int:
    try:
        mutant = by_name(name)
    except ValueError as error:
        command.error(str(error))
    for complaint in {one.check: one for one in examined(mutant)}.values():
        print(complaint)
    for finding in probed(Standin(WORLD, behaviour=mutant)):
        if finding.verdict in {Verdict.BROKEN, Verdict.DRIFT}:
            print(f"probe, {finding.verdict}: {finding.promise}: {finding.judgement.because}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
