"""The stand-in passes schemathesis, in the strict reading, and a pass means something."""

import copy
import itertools
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from hypothesis import given, settings
from schemathesis import Case, GenerationMode, Response

from mycirrus_contract.model import PATH, strict
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.rules import ROUTES
from tests.support.paths import ROOT

from .checks import SERIALS, WORLD

ENOUGH = 8  # of each kind of answer
# One operation, GET, has no states.
PHASES = {
    ("examples", GenerationMode.POSITIVE),
    *itertools.product(["coverage", "fuzzing"], [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]),
}


def config() -> schemathesis.Config:
    """The project's settings, with the same cases in every run."""
    content = tomllib.loads((ROOT / "schemathesis.toml").read_text(encoding="utf-8"))
    (project,) = content["project"]
    project["generation"] |= {"deterministic": True, "max-examples": 100}
    return schemathesis.Config.from_dict(content)


schema = schemathesis.openapi.from_dict(
    copy.deepcopy(dict(strict().document)), config=config()
).include(path=list(ROUTES))
schema.app = Standin(WORLD, sleep=lambda seconds: None)


Answered = list[tuple[Case[Any], Response]]


@pytest.fixture(scope="module")
def answered() -> Iterator[Answered]:
    """What was requested and answered. In the end it has to mean something.

    That is no test of its own, because another worker might run it.
    """
    pairs: Answered = []
    yield pairs
    assert vacuities(pairs) == []


@schema.parametrize()
def test_the_stand_in_keeps_the_contract(case: Case[Any], answered: Answered) -> None:
    response = case.call()
    answered.append((case, response))
    case.validate_response(response)


def vacuities(answered: Answered) -> list[str]:
    """Why a run that passes every check would prove nothing."""
    metas = [case.meta for case, _ in answered if case.meta is not None]
    seen = {(meta.phase.name.value, meta.generation.mode) for meta in metas}
    statuses = Counter(response.status_code for _, response in answered)
    good = [
        (set(case.query["instruments"]) <= set(SERIALS), response)
        for case, response in answered
        if case.path == PATH and response.status_code == 200
    ]
    with_items = {(one.request.url, one.content) for _, one in good if one.content != b"[]"}
    counts = {
        "distinct answers with items": len(with_items),
        "answers with 400": statuses[400],
        "answers with 401": statuses[401],
        "good answers for known serials": sum(known for known, _ in good),
        "good answers for other serials": sum(not known for known, _ in good),
    }
    few = [f"{count} {what}, not {ENOUGH}" for what, count in counts.items() if count < ENOUGH]
    return [*few, *(f"no {mode.value} cases of the phase {phase}" for phase, mode in PHASES - seen)]


def test_a_run_in_which_all_is_refused_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    operation = schema[PATH]["GET"]
    monkeypatch.setattr(operation, "app", Standin(replace(WORLD, keys=frozenset())))
    answered: Answered = []

    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    @settings(max_examples=5, database=None)
    def run(case: Case[Any]) -> None:
        answered.append((case, case.call()))

    run()
    found = vacuities(answered)
    assert f"0 distinct answers with items, not {ENOUGH}" in found
    assert "no negative cases of the phase fuzzing" in found
