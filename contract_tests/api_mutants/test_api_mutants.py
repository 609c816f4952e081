"""The checks are measured by mutants, and the measure itself is sound."""

import re
from collections import Counter

import pytest

from contract_tests.suite import test_schemathesis
from contract_tests.suite.checks import CHECKS
from mycirrus_contract.live.acceptance import NAMES

from . import __main__ as program
from .__main__ import PROBE_CHECKS, Caught, caught, complaints_of, main
from .catalogue import MUTANTS
from .corpus import Corpus

KINDS = {
    *("shape", "status", "media type", "authentication", "parameters", "range", "window"),
    *("completeness", "duplicates", "order", "repetition", "attribution", "time format"),
    *("throttling", "methods", "speed"),
}


def test_there_are_at_least_fifty_of_all_kinds() -> None:
    kinds = Counter(mutant.kind for mutant in MUTANTS)

    assert len(MUTANTS) >= 50
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert set(kinds) == KINDS
    assert min(kinds.values()) >= 2


@pytest.fixture
def no_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "corpus", lambda: Corpus(test_schemathesis.schema, []))


@pytest.mark.usefixtures("no_corpus")
@pytest.mark.parametrize(
    ("name", "suite", "probe"),
    [
        ("naive times", "fits_the_contract", "items-fit"),
        ("long ranges are thinned", "is_complete", "instruments-add-up"),
        ("messages are cut", "has_only_items_of_the_instruments", None),
    ],
)
def test_a_mutant_is_killed_by_the_checks_for_it(name: str, suite: str, probe: str | None) -> None:
    """Three of them, without schemathesis; ``make api-mutants`` runs all."""
    result = caught(name)

    assert suite in result.suite
    assert (probe in result.probe) if probe else not result.probe


def test_every_promise_and_every_open_question_of_the_probe_is_in_the_list() -> None:
    """So that each new one names a mutant that it kills."""
    assert {check.name for check in PROBE_CHECKS} == NAMES
    assert all(bool(check.kills) != bool(check.kept) for check in PROBE_CHECKS)


def whole() -> list[Caught]:
    """Results in which all is as it has to be."""
    suite = [Caught(check.kills, frozenset({check.name}), frozenset()) for check in CHECKS]
    probe = [
        Caught(check.kills, frozenset({"fits_the_contract"}), frozenset({check.name}))
        for check in PROBE_CHECKS
    ]
    padding = Caught("more", frozenset({"fits_the_contract"}), frozenset({"items-fit"}))
    return [one for one in suite + probe if one.mutant] + [padding] * 200


MISSED = Caught("new", frozenset({"fits_the_contract"}), frozenset())
UNSORTED = [one for one in whole() if "is_sorted_by_time" not in one.suite]
COMPLAINTS: dict[str, tuple[list[Caught], list[str]]] = {
    "all is caught": (whole(), []),
    "the suite misses one": (
        [*whole(), Caught("new", frozenset(), frozenset({"items-fit"}))],
        ["the offline suite catches N; its floor is 100%"],
    ),
    "the probe misses many": (
        [*whole(), *[MISSED] * 100],
        ["the live probe catches N; its floor is 85%"],
    ),
    "a check catches nothing": (
        UNSORTED,
        [
            "is_sorted_by_time does not catch 'last two exchanged'",
            "is_sorted_by_time catches nothing: remove it, or say why it is there",
        ],
    ),
}


@pytest.mark.parametrize(("results", "complaints"), COMPLAINTS.values(), ids=list(COMPLAINTS))
def test_a_score_below_its_floor_and_a_check_that_catches_nothing_are_complaints(
    results: list[Caught], complaints: list[str]
) -> None:
    assert [re.sub(r"\d+/\d+", "N", one) for one in complaints_of(results)] == complaints


@pytest.mark.usefixtures("no_corpus")
def test_only_explains_one_mutant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "first instrument only"]) == 0
    words = capsys.readouterr().out

    assert "adds_up_over_instruments: two instruments together: 0 items more and" in words
    assert "probe, broken: Instruments together have what each has alone: " in words


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--only", "nobody"], "there is no mutant 'nobody'; there are list in an object,"),
        (["--jobs", "0"], "--jobs must be 1 or more: 0"),
    ],
)
def test_bad_usage_is_refused(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught_exit:
        main(words)

    assert caught_exit.value.code == 2
    assert says in capsys.readouterr().err
