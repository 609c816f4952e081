"""What is written down of the open questions, and that nothing else is."""

import dataclasses
from dataclasses import replace
from typing import Any, get_args

import httpx
import pytest

from contract_tests.api_mutants.catalogue import by_name
from mycirrus_contract.live import plan
from mycirrus_contract.live.arguments import THOROUGH
from mycirrus_contract.live.facts import OBSERVERS, Observed
from mycirrus_contract.live.verdicts import exit_code
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.fleet import Entry
from mycirrus_contract.standin.switches import Switches

from .runs import (
    WORLD,
    Change,
    changed,
    exchanges_of,
    facts,
    findings,
    judged,
    not_holding,
    standin,
    with_items,
    world_of,
)

# A switch; the question that it changes; the answer; the findings that drift.
ALTERNATIVES: list[tuple[dict[str, Any], str, str, str]] = [
    ({"start_inclusive": False}, "start-inclusive", "no", "start-inclusive"),
    ({"end_inclusive": False}, "end-inclusive", "no", "end-inclusive"),
    ({"end_inclusive": False, "fraction_digits": 7}, "end-inclusive", "no", "end-inclusive"),
    ({"year": "365 days"}, "year", "365 days", "year"),
    ({"year": "366 days"}, "year", "366 days", "year"),
    (
        {"over_long_status": 422},
        "over-long-status",
        "422, error code RangeTooLong",
        "over-long-refused",
    ),
    (
        {"reversed_status": 404},
        "reversed-status",
        "404, error code InvalidRange",
        "reversed-refused",
    ),
    (
        {"invalid_status": 422},
        "invalid-status",
        "422, error code MissingParam",
        "invalid-status naive-refused",
    ),
    ({"naive": "utc"}, "naive-times", "taken for UTC", "naive-refused"),
    (
        {"offsets": "none"},
        "offsets",
        "+00:00 is refused with 400, error code InvalidParam",
        "offsets",
    ),
    ({"offsets": "any"}, "offsets", "+00:00 is", ""),
    ({"comma_arrays": True}, "comma-arrays", "yes", "comma-arrays"),
    (
        {"unknown_instrument": "403"},
        "unknown-instrument",
        "403, error code AccessDenied",
        "unknown-instrument",
    ),
    (
        {"unknown_instrument": "404"},
        "unknown-instrument",
        "404, error code NotFound",
        "unknown-instrument",
    ),
    ({"order": "newest first"}, "order", "newest first, over all instruments", "in-order"),
    ({"order": "by instrument"}, "order", "by instrument, then by time", "in-order"),
    ({"names_instrument": True}, "instrument-named", "yes", "items-fit"),
    ({"fraction_digits": 0}, "fraction-digits", "0", ""),
    ({"fraction_digits": 7}, "fraction-digits", "7", ""),
]


@pytest.mark.parametrize(
    ("switch", "name", "answer", "expected"), ALTERNATIVES, ids=lambda value: str(value)[:40]
)
def test_under_every_switch_only_its_question_has_another_answer(
    switch: dict[str, Any], name: str, answer: str, expected: str
) -> None:
    exchanges = exchanges_of(standin(**switch), budget=THOROUGH)

    assert facts(exchanges)[name].answer == answer
    assert not_holding(exchanges) == dict.fromkeys(expected.split(), "drift")


def test_every_alternative_of_every_switch_is_tried() -> None:
    tried = {(name, value) for switch, *_ in ALTERNATIVES for name, value in switch.items()}
    for field in dataclasses.fields(Switches):
        others: set[Any] = set(get_args(field.type)) - {field.default, int, type(None)}
        if field.type is bool:
            others = {not field.default}
        assert {(field.name, other) for other in others} <= tried, field.name
        assert any(name == field.name for name, _ in tried)


def test_budget_15_answers_every_question_except_that_of_a_429() -> None:
    exchanges = exchanges_of(standin(), budget=THOROUGH)
    thorough, usual = facts(exchanges), facts(exchanges_of(standin()))

    assert set(OBSERVERS) - set(thorough) == {"retry-after"}
    assert set(thorough) - set(usual) == {
        *("year", "offsets", "comma-arrays", "unknown-instrument", "invalid-status"),
    }
    assert all(answer.agrees for answer in thorough.values())
    assert exit_code(judged(exchanges).values()) == 0


def refuse_before(first: str) -> Change:
    """A limit of age: a request for older data is refused."""

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        is_old = request.url.params["start"] < first and response.status_code == 200
        return httpx.Response(400, json={"error": "TooOld"}) if is_old else response

    return change


def unreadable(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    del request
    if response.status_code != 200:
        return response
    headers = {"content-type": "application/json"}
    return httpx.Response(200, content=b"\xef\xbb\xbf" + response.content, headers=headers)


def unreadable_beyond_the_budget(
    request: httpx.Request, response: httpx.Response
) -> httpx.Response:
    parameters = request.url.params
    plain = (parameters["start"].endswith("Z"), "end" in parameters, "," in str(request.url.query))
    return response if plain == (True, True, False) else unreadable(request, response)


def spelled(serial: str) -> Change:
    """Items that name their instrument in a field of another shape."""
    return with_items(lambda items: [item | {"device": {"sn": serial}} for item in items])


# Where two truths look the same, neither is written down.
SILENT: dict[str, tuple[httpx.BaseTransport, dict[str, Any], set[str]]] = {
    "all unreadable": (changed(unreadable), {}, set(OBSERVERS) - {"error-codes"}),
    "some unreadable": (changed(unreadable_beyond_the_budget), {}, {"offsets"}),
    "data of a year": (changed(refuse_before("2024-12-31T12")), {}, {"over-long-status", "year"}),
    "data of two years": (changed(refuse_before("2024-03")), {}, {"year"}),
    "one instrument": (standin(), {"instruments": ["QT123456"]}, {"order", "comma-arrays"}),
    "another serial in each item": (changed(spelled("4711")), {}, {"instrument-named"}),
    "a serial in a message": (
        changed(with_items(lambda xs: [x | {"message": "of QT-123456"} for x in xs])),
        {},
        {"instrument-named"},
    ),
    "two that do not overlap": (
        Standin(
            replace(
                WORLD,
                entries=tuple(
                    Entry(serial, f"2025-0{month}-1{day}T08:00:00.125Z", "U", f"{day}")
                    for serial, month in (("QT123456", 3), ("QT234567", 8))
                    for day in range(9)
                ),
            )
        ).transport(),
        {},
        {"order"},
    ),
    "times with fewer digits than the entries have": (
        Standin(
            replace(world_of("2025-07-02T12:00:00.500Z"), switches=Switches(fraction_digits=0))
        ).transport(),
        {},
        {"start-inclusive", "end-inclusive"},
    ),
    "empty": (
        standin(),
        {"instruments": ["QT000000"]},
        set(OBSERVERS) - {"over-long-status", "year"},
    ),
    "429 in HTML": (
        httpx.MockTransport(lambda request: httpx.Response(429, html="<p>slow down</p>")),
        {},
        set(OBSERVERS),
    ),
}


@pytest.mark.parametrize(("transport", "options", "silent"), SILENT.values(), ids=list(SILENT))
def test_an_ambiguous_answer_is_not_observed(
    transport: httpx.BaseTransport, options: dict[str, Any], silent: set[str]
) -> None:
    exchanges = exchanges_of(transport, budget=THOROUGH, **options)
    known = {"reversed-status", "invalid-status", "naive-times", "error-codes"}

    assert set(facts(exchanges)) & (silent - known) == set()


@pytest.mark.parametrize("serial", ["QT123456", "qt-123456", "QT 123 456"])
def test_an_instrument_is_recognised_in_any_spelling(serial: str) -> None:
    transport = changed(spelled(serial))
    exchanges = exchanges_of(transport, instruments=["QT123456"])

    assert facts(exchanges)["instrument-named"] == Observed("yes", agrees=False)


def test_if_both_ends_are_exclusive_only_the_item_at_the_cut_is_missing() -> None:
    exchanges = exchanges_of(standin(start_inclusive=False, end_inclusive=False))

    assert not_holding(exchanges) == {"start-inclusive": "drift", "end-inclusive": "drift"}


def test_another_order_is_neither_by_time_nor_by_instrument() -> None:
    exchanges = exchanges_of(Standin(WORLD, behaviour=by_name("shuffled")).transport())

    assert facts(exchanges)["order"] == Observed("neither by time nor by instrument", agrees=False)


def test_other_items_for_another_spelling_of_utc_are_drift() -> None:
    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        is_offset = request.url.params["start"].endswith("+00:00")
        return httpx.Response(200, json=response.json()[1:]) if is_offset else response

    result = findings(changed(change), budget=THOROUGH)
    assert result["offsets"].judgement.because == (
        "request 12, times with +00:00: observed: +00:00 is, with other items"
    )


def test_a_contradicted_assumption_says_which_and_where() -> None:
    finding = findings(standin(end_inclusive=False, fraction_digits=7))["end-inclusive"]

    assert finding.promise == "Is an item exactly at end in the answer? (assumed: yes)"
    assert finding.judgement.because == "requests 5, 6: observed: no"
    assert plan.FIRST_HALF in OBSERVERS["end-inclusive"][0]
