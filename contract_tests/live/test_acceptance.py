"""Drift can be accepted by name, for a while and for a reason, and nothing else can."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from cirrus_ext import ConfigurationError
from contract_tests.api_mutants.catalogue import by_name
from mycirrus_contract.live.acceptance import Acceptance, apply, load
from mycirrus_contract.live.verdicts import Finding, Judgement, Verdict, exit_code
from mycirrus_contract.standin.adapters import Standin
from tests.support.clock import FakeClock
from tests.support.paths import ROOT

from .runs import WORLD, findings

TODAY = date(2026, 11, 22)
ENTRY: dict[str, Any] = {
    "promise": "in-order",
    "marks": ["newest first"],
    "reason": "The vendor was asked; the SDK sorts histories.",
    "expires": "2026-12-31",
}


def accepted(**change: Any) -> Acceptance:
    entry = ENTRY | change
    return Acceptance(
        entry["promise"],
        frozenset(entry["marks"]),
        entry["reason"],
        date.fromisoformat(entry["expires"]),
    )


def found(mutant: str) -> list[Finding]:
    clock = FakeClock()
    standin = Standin(WORLD, behaviour=by_name(mutant), sleep=clock.sleep)
    return list(findings(standin.transport(), monotonic=lambda: clock.seconds).values())


def after(mutant: str, *acceptances: Acceptance) -> dict[str, Finding]:
    return {finding.name: finding for finding in apply(found(mutant), acceptances, TODAY)[0]}


def notices(mutant: str, *acceptances: Acceptance) -> list[str]:
    return apply(found(mutant), acceptances, TODAY)[1]


def test_accepted_drift_is_in_the_report_and_does_not_fail_the_run() -> None:
    result = after("newest first", accepted())

    assert result["in-order"].verdict == Verdict.ACCEPTED
    assert result["in-order"].judgement.because == (
        "requests 1 to 6: newest first; accepted until 2026-12-31: "
        "The vendor was asked; the SDK sorts histories."
    )
    assert exit_code(result.values()) == 0
    assert exit_code(found("newest first")) == 1


@pytest.mark.parametrize(
    "acceptance",
    [
        accepted(marks=["not by time"]),
        accepted(promise="items-fit"),
    ],
    ids=["another drift of the same promise", "another promise"],
)
def test_another_drift_is_still_drift(acceptance: Acceptance) -> None:
    assert exit_code(after("newest first", acceptance).values()) == 1


def test_a_second_unknown_field_is_not_accepted_with_the_first() -> None:
    mark = "200 $[*] has a field that the contract does not know: 'level'"

    def verdict(marks: list[str]) -> Verdict:
        return after("extra field", accepted(promise="items-fit", marks=marks))["items-fit"].verdict

    assert verdict([mark]) == Verdict.ACCEPTED
    assert verdict([mark.replace("level", "unit")]) == Verdict.DRIFT


def test_a_broken_promise_cannot_be_accepted() -> None:
    everything = accepted(promise="items-fit", marks=["200 $ is not of type array"])
    expired = accepted(promise="items-fit", expires="2020-01-01")

    assert after("list in an object", everything)["items-fit"].verdict == Verdict.BROKEN
    assert after("list in an object", expired)["items-fit"].verdict == Verdict.BROKEN
    assert notices("list in an object", everything) == [
        "the acceptance of items-fit does not apply: this is broken, and only drift can be accepted"
    ]


@pytest.mark.parametrize(
    ("acceptance", "notice"),
    [
        (accepted(marks=["newest first"]), None),
        (accepted(marks=["newest first", "x"]), "names what was not seen in this run: x"),
        (accepted(marks=["not by time"]), "does not name newest first"),
        (accepted(promise="no-doubles"), "matches nothing in this run: holds"),
        (accepted(promise="year"), "matches nothing in this run"),
    ],
)
def test_a_note_says_what_an_acceptance_does_not_match(
    acceptance: Acceptance, notice: str | None
) -> None:
    found_notices = notices("newest first", acceptance)

    assert found_notices == ([f"the acceptance of {acceptance.promise} {notice}"] if notice else [])


@pytest.mark.parametrize("mutant", ["newest first", "no key needed", "last of two starts"])
def test_an_expired_acceptance_fails_whether_the_drift_is_there_or_not(mutant: str) -> None:
    """On its last day it is still valid."""
    expired = after(mutant, accepted(expires="2026-11-21"))
    last_day = after(mutant, accepted(expires="2026-11-22"))

    assert expired["in-order"].verdict == Verdict.DRIFT
    assert "its acceptance ended on 2026-11-21" in expired["in-order"].judgement.because
    assert exit_code(expired.values()) == 1
    assert last_day["in-order"].verdict in {Verdict.ACCEPTED, Verdict.HOLDS}


def test_an_expired_acceptance_of_what_was_not_seen_fails_too() -> None:
    """An open question has a finding only if an answer contradicts the assumption."""
    result = after("last of two starts", accepted(promise="end-inclusive", expires="2020-01-01"))

    assert result["end-inclusive"].verdict == Verdict.DRIFT


def test_all_marks_of_a_finding_have_to_be_accepted() -> None:
    finding = Finding("in-order", "promise", Judgement(Verdict.DRIFT, "because", "", ("a", "b")))

    def verdict(*marks: str) -> Verdict:
        (result,), _ = apply([finding], [accepted(marks=list(marks))], TODAY)
        return result.verdict

    assert verdict("a") == Verdict.DRIFT
    assert verdict("a", "b", "c") == Verdict.ACCEPTED


def test_an_undecided_promise_stays_undecided() -> None:
    result = after("429 from the first request on", accepted())

    assert result["in-order"].verdict == Verdict.UNDECIDED


BAD: dict[str, tuple[Any, str]] = {
    "no list": ({"in-order": ENTRY}, "must be a list of entries"),
    "no entry": (["in-order"], "entry 1 must have the fields expires, marks, promise, reason"),
    "a field is missing": (
        [{name: ENTRY[name] for name in ("promise", "marks", "expires")}],
        "entry 1 must have the fields",
    ),
    "a field too many": ([ENTRY | {"until": "2027-01-01"}], "entry 1 must have the fields"),
    "unknown promise": ([ENTRY | {"promise": "order"}], "there is no promise 'order'; there are"),
    "no marks": ([ENTRY | {"marks": []}], "marks must be a list of texts in quotes"),
    "marks are a text": (
        [ENTRY | {"marks": "newest first"}],
        "marks must be a list of texts in quotes",
    ),
    "marks are no texts": ([ENTRY | {"marks": [False]}], "must be a list of texts in quotes"),
    "no reason": ([ENTRY | {"reason": " "}], "reason must be a text that says why"),
    "a list for a name": ([ENTRY | {"promise": ["in-order"]}], "there is no promise ['in-order']"),
    "another form of a day": ([ENTRY | {"expires": "20261231"}], "expires must be a day such as"),
    "for ever": ([ENTRY | {"expires": "2999-12-31"}], "expires must be within a year from now"),
    "no day": ([ENTRY | {"expires": "next year"}], "expires must be a day such as 2027-03-31"),
    "twice": ([ENTRY, ENTRY], "more than one entry for in-order"),
    "a key twice": (
        '- {promise: "in-order", marks: ["a"], marks: ["b"], reason: "r", expires: "2027-01-01"}',
        "line 1: the key 'marks' is given twice",
    ),
}


@pytest.mark.parametrize(("content", "says"), BAD.values(), ids=list(BAD))
def test_an_invalid_file_is_refused(content: Any, says: str, tmp_path: Path) -> None:
    path = tmp_path / "accepted.yaml"
    text = content if isinstance(content, str) else yaml.safe_dump(content)
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"accepted\.yaml") as caught:
        load(path, TODAY)
    assert says in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    odd = tmp_path / "odd.yaml"
    odd.write_bytes(b"\xff\xfe: [")

    for path, says in ((tmp_path / "none.yaml", "cannot be read"), (odd, "is not YAML in UTF-8")):
        with pytest.raises(ConfigurationError, match=says):
            load(path, TODAY)


def test_the_file_of_this_repository_can_be_read() -> None:
    assert load(ROOT / "contract_tests" / "accepted.yaml", TODAY) == []


def test_a_judgement_without_marks_is_not_accepted_by_mistake() -> None:
    """Every entry would accept drift without marks."""
    for mutant in ("newest first", "extra field", "401 is a 403", "slow", "first item twice"):
        for finding in found(mutant):
            assert finding.verdict != Verdict.DRIFT or finding.judgement.marks
