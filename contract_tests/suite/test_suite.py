"""The stand-in passes the offline suite, and a pass means something."""

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import schemathesis.checks

from contract_tests.api_mutants.catalogue import Mutant, items
from mycirrus_contract.standin.adapters import Standin, serve
from mycirrus_contract.standin.switches import Switches
from tests.support.paths import ROOT

from .checks import CHECKS, ONE_GET, QUESTIONS, Examination, ask_everything, examine
from .fuzzing import ENOUGH, OWN, WORLD, Complaint, fuzz, main

STOCK = {check.__name__ for check in schemathesis.checks.CHECKS.get_all()} - set(OWN)
_connections: list[str] = []
_is_counting = False


def _count(event: str, arguments: tuple[Any, ...]) -> None:
    if _is_counting and event in {"socket.connect", "socket.getaddrinfo", "socket.sendto"}:
        _connections.append(f"{event} {arguments[-1]}")


sys.addaudithook(_count)


@pytest.fixture(scope="module")
def examination() -> Iterator[Examination]:
    """The whole suite, once; connections are counted."""
    global _is_counting  # noqa: PLW0603 - an audit hook cannot be taken away
    _connections.clear()
    _is_counting = True
    try:
        yield examine(lambda: Standin(WORLD))
    finally:
        _is_counting = False


NAMES = [check.name for check in CHECKS]


def report(complaints: list[Complaint]) -> None:
    """Fail with what is wrong, in words, and a request or two that show it."""
    if complaints:
        first = "\n".join(str(one) for one in complaints[:3])
        text = f"{len(complaints)} complaints about the stand-in; the first:\n{first}"
        pytest.fail(text, pytrace=False)


@pytest.mark.parametrize("name", NAMES)
def test_the_stand_in_passes(name: str, examination: Examination) -> None:
    """Every check, and no check that has looked at nothing."""
    report([one for one in examination.complaints if one.check == name])
    if name in STOCK or name in OWN:
        assert examination.run.checked[name] > 0


def test_no_other_check_complains(examination: Examination) -> None:
    """Nor the engine of schemathesis itself."""
    report([one for one in examination.complaints if one.check not in NAMES])


def test_all_phases_and_both_modes_were_run(examination: Examination) -> None:
    """Examples, coverage and fuzzing; right cases and wrong ones. One GET has no states."""
    seen = {(one.phase, one.mode) for one in examination.run.asked}

    assert {phase for phase, _ in seen} == {"examples", "coverage", "fuzzing"}
    assert {mode for phase, mode in seen if phase == "fuzzing"} == {"positive", "negative"}


def test_enough_distinct_answers_have_items_in_them(examination: Examination) -> None:
    """A run in which all is refused or empty passes every check and means nothing."""
    assert len(examination.run.answers) >= ENOUGH == 60


def test_nothing_left_this_process(examination: Examination) -> None:
    """The spec's server is the vendor's: a check that asks again by itself would go there."""
    assert examination.run.checked["ignored_auth"] > 0
    assert _connections == []
    calls = re.compile(r"\.validate_response\(|\.call_and_validate\(")
    for path in (ROOT / "contract_tests").rglob("*.py"):
        if path.name != "test_suite.py":
            assert not calls.search(path.read_text(encoding="utf-8")), path


def test_every_check_of_schemathesis_is_in_the_list() -> None:
    """So that a new one is looked at: which mutant does it catch?"""
    names = {check.name for check in CHECKS}

    assert names >= STOCK
    assert names >= set(OWN) | {question.__name__ for question in QUESTIONS}
    assert all(bool(check.kills) != bool(check.kept) for check in CHECKS)
    assert sum(check.kept == ONE_GET for check in CHECKS) == 3


def test_a_run_is_the_same_every_time_and_another_with_a_seed() -> None:
    """CI asks the same; ``make fuzz`` asks something new, and the same again with its seed."""

    def asked(seed: int | None) -> list[str]:
        return [one.request.query for one in fuzz(Standin(WORLD), examples=20, seed=seed).asked]

    usual = asked(None)
    assert usual == asked(None)
    assert usual != asked(1)
    assert asked(1) == asked(1)


def test_the_stand_in_passes_over_a_real_socket_too() -> None:
    """The same checks, through requests and uvicorn."""
    standin = Standin(WORLD)
    with serve(standin) as base_url:
        run = fuzz(standin, examples=30, base_url=base_url)

    report(run.complaints)
    assert len(run.answers) > 5
    assert len(standin.requests) >= len(run.asked)


def test_make_fuzz_prints_its_seed_and_what_it_reached(capsys: pytest.CaptureFixture[str]) -> None:
    """And fails if that is too little to mean anything."""
    assert main(["--seed", "7", "--examples", "8"]) == 1
    printed = capsys.readouterr()

    assert printed.out.startswith("Seed 7; the same again: make fuzz ARGS='--seed 7'\n")
    assert re.search(r"\d+ requests: \d+ x 200, .*; \d+ distinct answers with items", printed.out)
    assert "too few answers to mean anything: 60 are needed" in printed.err


@pytest.mark.parametrize("end", ["start_inclusive", "end_inclusive"])
def test_an_entry_at_an_end_is_asked_for(end: str) -> None:
    """The suite holds the stand-in to what is assumed, to the millisecond."""
    world = replace(WORLD, switches=Switches(**{end: False}))  # type: ignore[arg-type]

    assert "leaves_nothing_out" in {one.check for one in ask_everything(Standin(world))}


def test_a_fault_that_nobody_thought_of_is_told_in_words() -> None:
    """What is wrong, how often, and the request that shows it; never the key."""
    odd = Mutant(
        "entries made before nine are lost",
        "completeness",
        items(lambda items: [item for item in items if item["time"][11:13] >= "09"]),
    )
    with pytest.raises(pytest.fail.Exception) as caught:
        report(examine(lambda: Standin(WORLD, behaviour=odd), examples=20).complaints)
    words = str(caught.value)

    assert re.match(r"\d+ complaints about the stand-in; the first:\n", words)
    assert re.search(r"leaves_nothing_out: \d+ of \d+ items are missing\n +GET /data/cal", words)
    assert "stand-in-demo-key" not in words
