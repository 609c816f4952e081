"""``make fuzz``: schemathesis against the stand-in, in process, in the strict reading.

All its phases and all its checks, and the oracles of ``oracles.py`` as checks of ours. Without
steering nearly every generated range would be empty or refused, so a positive case gets another
range and other instruments, drawn from what was generated for it. Nothing here reaches a network:
the stand-in is called as an ASGI application.
"""

import argparse
import copy
import random
import secrets
import sys
import zlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, CheckContext, GenerationMode, HookContext, Response, engine
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events
from schemathesis.generation.meta import TestPhase

from mycirrus_contract.messages import Reply, Request
from mycirrus_contract.model import PATH, strict
from mycirrus_contract.oracles import ORACLES, SLOWEST, Oracle
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.fleet import POSTINGS, fleet
from mycirrus_contract.standin.rules import DEMO_KEY, World
from tests.support.clock import FakeClock

EXAMPLES = 250
ENOUGH = 60  # distinct answers that are not empty, in a run
UNTIL = datetime(2026, 1, 1, tzinfo=UTC)
WORLD = World(entries=fleet(UNTIL))
WIDEST = timedelta(days=364)  # less than a year, however the SDK rounds the ends
SERIALS = [posting.serial for posting in POSTINGS]


@dataclass(frozen=True)
class Complaint:
    """What is wrong with the stand-in.

    Attributes:
        check: Who found it.
        text: What it is, in words.
        request: What was asked, without the key.
    """

    check: str
    text: str
    request: str = ""

    def __str__(self) -> str:
        return f"{self.check}: {self.text}" + (f"\n    {self.request}" if self.request else "")


@dataclass(frozen=True)
class Asked:
    """One case that was generated, and what became of it."""

    mode: Literal["positive", "negative"]
    phase: str
    query: dict[str, Any]
    request: Request
    reply: Reply


@dataclass
class Run:
    """What a run of schemathesis has shown.

    Attributes:
        asked: Every case, in order.
        complaints: What is wrong.
        checked: How often each check has looked at an answer.
    """

    asked: list[Asked] = field(default_factory=list)
    complaints: list[Complaint] = field(default_factory=list)
    checked: Counter[str] = field(default_factory=Counter)

    @property
    def answers(self) -> set[tuple[str, bytes]]:
        """The distinct answers with items in them, each with its question."""
        return {
            (one.request.query, one.reply.body)
            for one in self.asked
            if one.reply.status == 200 and one.reply.body != b"[]"
        }


def fuzz(
    standin: Standin,
    *,
    examples: int = EXAMPLES,
    seed: int | None = None,
    base_url: str | None = None,
) -> Run:
    """Let schemathesis ask the stand-in.

    Args:
        standin: Its `sleep` is replaced by a clock that does not wait.
        examples: How many cases the fuzzing phase generates.
        seed: Of what is generated; None is the same every time.
        base_url: Where the stand-in is served; None calls it in process.
    """
    clock = FakeClock()
    standin.sleep = clock.sleep
    config = _config(examples, seed)
    schema = schemathesis.openapi.from_dict(copy.deepcopy(dict(strict().document)), config=config)
    if base_url is None:
        schema.app = standin
    else:
        schema.config.base_url = base_url
    for hook in (flatmap_case, map_case):
        schema.hook(hook)
    _current.update(truth=standin.world, clock=clock)
    run = Run()
    for event in engine.from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            _take(event, run)
        elif isinstance(event, events.NonFatalError | events.FatalError):
            run.complaints.append(Complaint("schemathesis", str(event)))
    return run


def _config(examples: int, seed: int | None) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": 0 if seed is None else seed,
            "continue-on-failure": True,
            "cache": {"enabled": False},
            "generation": {
                "deterministic": seed is None,
                "database": "none",
                "no-shrink": True,
                "max-examples": examples,
            },
            # Else times of answers come back as start and end, and most ranges are empty.
            "phases": {"fuzzing": {"extra-data-sources": {"responses": False}}},
            "auth": {"openapi": {"apikey": {"api_key": DEMO_KEY}}},
        }
    )


def flatmap_case(context: HookContext, case: Case[Any]) -> st.SearchStrategy[Case[Any]]:
    """Steer what the fuzzing phase generates; Hypothesis draws where to."""
    del context
    if not _is_positive(case):
        return st.just(case)
    return st.integers(0, 2**32 - 1).map(lambda number: _steered(case, number))


def map_case(context: HookContext, case: Case[Any]) -> Case[Any]:
    """Steer what the other phases generate: the hook above does not see it."""
    del context
    is_fuzzing = case.meta is not None and case.meta.phase.name == TestPhase.FUZZING
    if is_fuzzing or not _is_positive(case):
        return case
    return _steered(case, zlib.crc32(repr(sorted(case.query.items())).encode()))


def _is_positive(case: Case[Any]) -> bool:
    return case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE


def _steered(case: Case[Any], number: int) -> Case[Any]:
    """Give a case instruments and a range that can have items."""
    drawn = random.Random(number)  # noqa: S311 - drawn by Hypothesis
    case.query["start"], case.query["end"] = _range(drawn)
    case.query["instruments"] = drawn.sample(SERIALS, drawn.choice([1, 1, 2, 3]))
    return case


def _range(drawn: random.Random) -> tuple[str, str]:
    """A range of a second to a year, most of them long, with any number of digits."""
    width = drawn.choice([1.0, 1.0, 1.0, drawn.random()]) * WIDEST
    start = UNTIL - timedelta(days=drawn.uniform(366, 366 * 5))
    digits = drawn.choice([0, 0, 3, 6])
    end = start + max(width, timedelta(seconds=1))
    return _written(start, digits), _written(end, digits)


def _written(moment: datetime, digits: int) -> str:
    text = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06}"
    return text[: 20 + digits].rstrip(".") + "Z"


_current: dict[str, Any] = {}  # what the checks and hooks of a run need to know


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Look at the clock of the stand-in."""
    del context, case, kwargs
    _current["began"] = _current["clock"].seconds


@schemathesis.hook
def after_call(context: HookContext, case: Case[Any], response: Response) -> None:
    """Say how long the answer took by that clock."""
    del context, case
    response.elapsed = _current["clock"].seconds - _current["began"]


def _check_of(oracle: Oracle) -> Any:
    def check(context: CheckContext, response: Response, case: Case[Any]) -> None:
        del context, case
        complaint = oracle(request_of(response.request), reply_of(response), _current["truth"])
        if complaint is not None:
            raise AssertionError(complaint)

    check.__name__ = oracle.__name__
    check.__doc__ = oracle.__doc__
    return schemathesis.check(check)


for _oracle in ORACLES:
    _check_of(_oracle)


@schemathesis.check
def answers_in_time(context: CheckContext, response: Response, case: Case[Any]) -> None:
    """An answer takes no longer than is assumed (question ``answer-time``)."""
    del context, case
    if response.elapsed > SLOWEST:
        raise AssertionError(f"the answer took {response.elapsed:.0f} s, not {SLOWEST:.0f} at most")


OWN = (*(oracle.__name__ for oracle in ORACLES), "answers_in_time")


def request_of(request: Any) -> Request:
    """What schemathesis sent."""
    parts = urlsplit(request.url)
    headers = {
        name.lower(): value.decode("latin-1") if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
    }
    return Request(str(request.method), parts.path, parts.query, headers)


def reply_of(response: Response) -> Reply:
    """What schemathesis received."""
    headers = {name.lower(): ", ".join(values) for name, values in response.headers.items()}
    return Reply(response.status_code, headers, response.content)


def _take(event: events.ScenarioFinished, run: Run) -> None:
    recorder = event.recorder
    for identity, node in recorder.cases.items():
        interaction = recorder.interactions.get(identity)
        if interaction is None or interaction.response is None:
            continue
        meta = node.value.meta
        is_positive = meta is not None and meta.generation.mode == GenerationMode.POSITIVE
        run.asked.append(
            Asked(
                "positive" if is_positive else "negative",
                event.phase.value,
                dict(node.value.query or {}),
                request_of(interaction.response.request),
                reply_of(interaction.response),
            )
        )
    for identity, checks in recorder.checks.items():
        for check in checks:
            run.checked[check.name] += 1
            if check.failure_info is not None:
                run.complaints.append(
                    Complaint(
                        check.name,
                        str(check.failure_info.failure.message).partition("\n")[0],
                        _shown(recorder.interactions.get(identity)),
                    )
                )


def _shown(interaction: Any) -> str:
    if interaction is None:
        return ""
    query = urlsplit(interaction.request.uri).query
    return f"{interaction.request.method} {PATH}?{query}"[:300]


def main(arguments: list[str] | None = None) -> int:
    """Fuzz with a fresh seed, and print what was found.

    Returns:
        The exit code: 0 nothing is wrong, 1 something is.
    """
    command = argparse.ArgumentParser(
        prog="python -m contract_tests.suite.fuzzing",
        description="Let schemathesis ask the stand-in what it likes.",
        allow_abbrev=False,
    )
    command.add_argument("--seed", type=int, help="of an earlier run; default: a fresh one")
    command.add_argument("--examples", type=int, default=1_000, help="default 1000")
    options = command.parse_args(arguments)
    seed = secrets.randbits(32) if options.seed is None else options.seed
    print(f"Seed {seed}; the same again: make fuzz ARGS='--seed {seed}'", flush=True)
    run = fuzz(Standin(WORLD), examples=options.examples, seed=seed)
    statuses = Counter(one.reply.status for one in run.asked)
    said = ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))
    print(f"{len(run.asked)} requests: {said}; {len(run.answers)} distinct answers with items.")
    for complaint in run.complaints:
        print(complaint, file=sys.stderr)
    if len(run.answers) < ENOUGH:
        print(f"These are too few answers to mean anything: {ENOUGH} are needed.", file=sys.stderr)
        return 1
    return 1 if run.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
