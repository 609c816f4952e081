"""The stand-in passes schemathesis, in the strict reading, and a pass means something."""

import copy
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
import schemathesis
from schemathesis import Case, GenerationMode, Response

from mycirrus_contract.model import strict
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.rules import ROUTES
from tests.support.paths import ROOT

from .checks import SERIALS, WORLD

# One worker runs this module, so that the tests below see what the first one has done.
pytestmark = pytest.mark.xdist_group("schemathesis")

ENOUGH = 8  # distinct answers that are not empty


def config() -> schemathesis.Config:
    """The project's settings, with the same cases in every run."""
    content = tomllib.loads((ROOT / "schemathesis.toml").read_text(encoding="utf-8"))
    (project,) = content["project"]
    project["generation"]["deterministic"] = True
    return schemathesis.Config.from_dict(content)


schema = schemathesis.openapi.from_dict(
    copy.deepcopy(dict(strict().document)), config=config()
).include(path=list(ROUTES))
schema.app = Standin(WORLD, sleep=lambda seconds: None)


@dataclass
class Run:
    """What schemathesis has requested, and what it got."""

    answered: list[tuple[Case[Any], Response]] = field(default_factory=list)


@pytest.fixture(scope="module")
def run() -> Run:
    return Run()


@schema.parametrize()
def test_the_stand_in_keeps_the_contract(case: Case[Any], run: Run) -> None:
    response = case.call()
    run.answered.append((case, response))
    case.validate_response(response)


@pytest.fixture
def answered(run: Run) -> list[tuple[Case[Any], Response]]:
    assert run.answered, "nothing was requested: run this whole module, in one process"
    return run.answered


def test_all_phases_and_both_modes_were_run(answered: list[tuple[Case[Any], Response]]) -> None:
    """One operation, GET, has no states."""
    phases: dict[str, set[GenerationMode]] = {}
    for case, _ in answered:
        assert case.meta is not None
        phases.setdefault(case.meta.phase.name.value, set()).add(case.meta.generation.mode)

    both = {GenerationMode.POSITIVE, GenerationMode.NEGATIVE}
    assert phases == {"examples": {GenerationMode.POSITIVE}, "coverage": both, "fuzzing": both}


def test_enough_distinct_answers_have_items(answered: list[tuple[Case[Any], Response]]) -> None:
    """A run in which all is refused or empty passes every check and means nothing."""
    with_items = {
        (response.request.url, response.content)
        for _, response in answered
        if response.status_code == 200 and response.content != b"[]"
    }
    statuses = Counter(response.status_code for _, response in answered)

    assert len(with_items) >= ENOUGH
    assert all(statuses[status] >= ENOUGH for status in (200, 400, 401)), statuses


def test_valid_cases_have_known_serials_and_others(
    answered: list[tuple[Case[Any], Response]],
) -> None:
    """No hook rewrites one: else `positive_data_acceptance` would look at our own values only."""
    shares = Counter(
        set(case.query["instruments"]) <= set(SERIALS)
        for case, response in answered
        if response.status_code == 200
    )

    assert min(shares[True], shares[False]) >= ENOUGH
