"""``make replay CASSETTE=...``: a recorded run once more, offline, through the honest mocks.

Says what was found then and what is found now, and what is off spec in each answer. Nothing leaves
this process.
"""

import argparse
import sys
from pathlib import Path

import httpx
import respx
from rich.console import Console

from cirrus_ext import CirrusError
from cirrus_ext.settings import Secret
from contract_tests.mocks import guard as mocks
from mycirrus_contract.live.cassette import (
    REPLAY_KEY,
    REPLAY_URL,
    Cassette,
    ReplayError,
    answers,
    excuses,
    load,
)
from mycirrus_contract.live.command import Target, judged
from mycirrus_contract.live.probe import Probe
from mycirrus_contract.live.report import print_run
from mycirrus_contract.live.run import Run
from tests.support.clock import FakeClock


def replay(cassette: Cassette) -> Run:
    """Ask the recorded questions again and judge the recorded answers.

    Raises:
        ReplayError: The probe asks something else than was recorded.
    """
    clock = FakeClock()
    chosen = cassette.chosen
    plays = answers(cassette, clock.sleep)

    def play(request: httpx.Request) -> httpx.Response:
        for answer in plays:
            return answer(request)
        raise ReplayError("more is asked than was recorded")

    router = respx.Router()
    router.route().mock(side_effect=play)
    probe = Probe(
        REPLAY_URL,
        REPLAY_KEY,
        budget=cassette.budget,
        sleep=lambda seconds: None,
        monotonic=lambda: clock.seconds,
        transport=httpx.MockTransport(router.handler),
    )
    asked = probe.ask(list(chosen.instruments), chosen.start, chosen.end)
    if len(asked) != len(cassette.exchanges):
        raise ReplayError(
            f"{len(asked)} questions are asked, and {len(cassette.exchanges)} recorded"
        )
    target = Target(
        cassette.server,
        Secret(REPLAY_KEY),
        list(chosen.instruments),
        chosen.start,
        chosen.end,
        budget=cassette.budget,
    )
    return judged(target, asked, cassette.recorded)


def main(arguments: list[str] | None = None) -> int:
    """Replay a cassette.

    Returns:
        The exit code: 0 what was found then is found now and nothing is off spec without being
        named, 1 not so, 2 bad usage.
    """
    command = argparse.ArgumentParser(
        prog="python -m contract_tests.live.replay",
        description="Play a recorded run of the contract probe again, offline.",
        allow_abbrev=False,
    )
    command.add_argument("cassette", type=Path, help="cassette.json of a --report-dir")
    options = command.parse_args(arguments)
    mocks.watch()
    console = Console()
    try:
        cassette = load(options.cassette)
        with mocks.collected() as lies:
            run = replay(cassette)
    except (CirrusError, ReplayError) as error:
        print(f"replay: {error}", file=sys.stderr)
        return 2
    print_run(console, run)
    for exchange, excused in zip(cassette.exchanges, cassette.excuses, strict=True):
        for problems in excused.values():
            print(f"off spec, and named: {exchange.question.name}: {'; '.join(problems)}")
    for lie in lies:
        print(f"off spec, and not named: {lie}", file=sys.stderr)
    changed = differences(cassette, run)
    for difference in changed:
        print(difference, file=sys.stderr)
    return 1 if lies or changed else 0


def differences(cassette: Cassette, run: Run) -> list[str]:
    """Where what is found now, or off spec, is not what was found and named then."""
    now = {finding.name: str(finding.verdict) for finding in run.findings}
    verdicts = [
        f"{name}: recorded {cassette.verdicts.get(name, 'nothing')}, now {now.get(name, 'nothing')}"
        for name in {**cassette.verdicts, **now}
        if cassette.verdicts.get(name) != now.get(name)
    ]
    named = [
        f"{exchange.question.name}: off spec is {excuses(exchange) or 'nothing'}, "
        f"and named {excused or 'nothing'}"
        for exchange, excused in zip(cassette.exchanges, cassette.excuses, strict=True)
        if excuses(exchange) != excused
    ]
    return verdicts + named


if __name__ == "__main__":
    sys.exit(main())
