"""``make replay CASSETTE=...``: a recorded run once more, offline, through the guarded mocks.

Says which requests differ from the recorded ones, what was found then and what is found now, and
what is off spec in each answer. Nothing leaves this process.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import respx
from rich.console import Console

from cirrus_ext import CirrusError
from cirrus_ext.settings import Secret
from contract_tests.mocks import guard as mocks
from mycirrus_contract.live.cassette import Cassette, Recorded, load, off_spec
from mycirrus_contract.live.command import Target, judged
from mycirrus_contract.live.exchange import WRONG_KEY
from mycirrus_contract.live.probe import Probe
from mycirrus_contract.live.report import print_run
from mycirrus_contract.live.run import Run
from mycirrus_contract.messages import Request
from tests.support.clock import FakeClock

REPLAY_URL = "http://127.0.0.1/v1"
REPLAY_KEY = "replay-has-no-key"


class RecordedFailureError(httpx.ConnectError):
    """No answer was recorded."""

    def __init__(self, failure: str, extensions: dict[str, str]) -> None:
        super().__init__(failure)
        self.extensions = extensions


@dataclass
class Player:
    """Answers the requests of a probe as recorded, and keeps the differences."""

    cassette: Cassette
    clock: FakeClock = field(default_factory=FakeClock)
    differences: list[str] = field(default_factory=list)
    played: int = 0

    def play(self, request: httpx.Request) -> httpx.Response:
        """Answer the next request.

        Raises:
            RecordedFailureError: No answer was recorded.
        """
        number, self.played = self.played, self.played + 1
        if number >= len(self.cassette.exchanges):
            self.differences.append(f"request {number + 1} was not recorded")
            return httpx.Response(429, extensions={"off_spec": "nothing was recorded for it"})
        recorded = self.cassette.exchanges[number]
        self.differences += [
            f"request {number + 1}, {recorded.name}: {difference}"
            for difference in differences_of(recorded, Request.of(request))
        ]
        self.clock.sleep(recorded.seconds)
        extensions = {name: "; ".join(problems) for name, problems in recorded.off_spec.items()}
        if recorded.reply is None:
            raise RecordedFailureError(recorded.failure, extensions)
        return httpx.Response(
            recorded.reply.status,
            headers=recorded.reply.headers,
            content=recorded.reply.body,
            extensions=extensions,
        )


def differences_of(recorded: Recorded, now: Request) -> Iterator[str]:
    """Name what differs between a recorded request and one that is sent now."""
    then = recorded.sent
    kinds = {None: "none", WRONG_KEY: "wrong", REPLAY_KEY: "right"}
    pairs: list[tuple[str, object, object]] = [
        ("method", then.method, now.method),
        ("path", then.path, now.path.removeprefix("/v1")),
        ("key", then.headers["x-api-key"], kinds.get(now.headers.get("x-api-key"), "other")),
        *(
            (name, then.parameters.get(name), now.parameters.get(name))
            for name in {**then.parameters, **now.parameters}
        ),
    ]
    for name, was, is_now in pairs:
        if was != is_now:
            yield f"{name} is {is_now or 'missing'}, recorded is {was or 'nothing'}"


def replay(cassette: Cassette) -> tuple[Run, list[str]]:
    """Send the requests again, and judge the recorded answers.

    Returns:
        The run, and how its requests and verdicts differ from the recorded ones.
    """
    player = Player(cassette)
    router = respx.Router()
    router.route().mock(side_effect=player.play)
    probe = Probe(
        REPLAY_URL,
        REPLAY_KEY,
        budget=cassette.budget,
        sleep=lambda seconds: None,
        monotonic=lambda: player.clock.seconds,
        transport=httpx.MockTransport(router.handler),
    )
    exchanges = probe.run(list(cassette.instruments), cassette.start, cassette.end)
    target = Target(
        cassette.server,
        Secret(REPLAY_KEY),
        list(cassette.instruments),
        cassette.start,
        cassette.end,
        budget=cassette.budget,
    )
    run = judged(target, exchanges, cassette.recorded)
    missing = [
        f"request {number}, {recorded.name}: recorded, and not sent"
        for number, recorded in enumerate(cassette.exchanges, 1)
        if number > player.played
    ]
    return run, [*player.differences, *missing, *_changes(cassette, run)]


def _changes(cassette: Cassette, run: Run) -> Iterator[str]:
    """Verdicts and violations that differ from the recorded ones."""
    then, now = cassette.verdicts, {one.name: str(one.verdict) for one in run.findings}
    for name in {**then, **now}:
        if then.get(name) != now.get(name):
            yield f"{name}: recorded {then.get(name, 'nothing')}, now {now.get(name, 'nothing')}"
    for recorded in cassette.exchanges:
        found = off_spec(recorded.sent, recorded.reply)
        if found != recorded.off_spec:
            named = recorded.off_spec or "nothing"
            yield f"{recorded.name}: off spec is {found or 'nothing'}, and named {named}"


def main(arguments: list[str] | None = None) -> int:
    """Replay a cassette.

    Returns:
        The exit code: 0 requests and verdicts are the recorded ones, and nothing is off spec
        without being named; 1 not so; 2 bad usage.
    """
    command = argparse.ArgumentParser(
        prog="python -m contract_tests.live.replay",
        description="Play a recorded run of the contract check again, offline.",
        allow_abbrev=False,
    )
    command.add_argument("cassette", type=Path, help="cassette.json of a --report-dir")
    options = command.parse_args(arguments)
    mocks.watch()
    try:
        cassette = load(options.cassette)
    except CirrusError as error:
        print(f"replay: {error}", file=sys.stderr)
        return 2
    with mocks.collected() as violations:
        run, differences = replay(cassette)
    print_run(Console(), run)
    for recorded in cassette.exchanges:
        for problems in recorded.off_spec.values():
            print(f"off spec, and named: {recorded.name}: {'; '.join(problems)}")
    for violation in violations:
        print(f"off spec, and not named: {violation}", file=sys.stderr)
    for difference in differences:
        print(difference, file=sys.stderr)
    return 1 if violations or differences else 0


if __name__ == "__main__":
    sys.exit(main())
