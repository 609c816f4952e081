"""The stand-in passes the requests that schemathesis does not come to, and each check can fail."""

import re
from dataclasses import replace

import pytest
import schemathesis.checks

from contract_tests.api_mutants.mutant import Mutant, items
from mycirrus_contract.oracles import ORACLES
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.switches import Switches

from . import hooks
from .checks import CHECKS, ONE_GET, SEQUENCES, WORLD, run_all_checks


def test_the_stand_in_passes() -> None:
    assert [str(complaint) for complaint in run_all_checks(Standin(WORLD))] == []


def test_every_check_is_in_the_list() -> None:
    """So that each new check names a mutant that it kills."""
    names = {check.name for check in CHECKS}

    assert hooks.__name__  # has made checks of the oracles
    assert names >= {check.__name__ for check in schemathesis.checks.CHECKS.get_all()}
    assert names >= {function.__name__ for function in (*ORACLES, *SEQUENCES)}
    assert all(bool(check.kills) != bool(check.kept) for check in CHECKS)
    assert sum(check.kept == ONE_GET for check in CHECKS) == 3


@pytest.mark.parametrize("end", ["start_inclusive", "end_inclusive"])
def test_an_entry_exactly_at_an_end_is_requested(end: str) -> None:
    world = replace(WORLD, switches=Switches(**{end: False}))  # type: ignore[arg-type]

    assert "is_complete" in {one.check for one in run_all_checks(Standin(world))}


def test_an_unforeseen_fault_is_described_with_its_request() -> None:
    odd = Mutant(
        "entries made before nine are lost",
        "completeness",
        items(lambda items: [item for item in items if item["time"][11:13] >= "09"]),
    )
    words = "\n".join(map(str, run_all_checks(Standin(WORLD, behaviour=odd))))

    assert re.search(r"is_complete: \d+ of \d+ items are missing\n +GET /v1/data/cal", words)
    assert "stand-in-demo-key" not in words
