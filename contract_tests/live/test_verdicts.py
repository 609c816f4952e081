"""Which verdict an answer gets: *broken* only against the page, and an outage never."""

import itertools
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from contract_tests.api_mutants.catalogue import by_name
from contract_tests.spec.page import PAGE
from mycirrus_contract.live import checks, plan
from mycirrus_contract.live import probe as probes
from mycirrus_contract.live.arguments import BUDGET, THOROUGH
from mycirrus_contract.live.checks import PROMISES
from mycirrus_contract.live.served import difference_of
from mycirrus_contract.live.verdicts import (
    Finding,
    Judgement,
    Verdict,
    exit_code,
    worst_first,
)
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.rules import KEY_WITHOUT_SCOPE
from tests.support.clock import FakeClock

from .runs import (
    ITEM,
    REFUSED,
    WORLD,
    Change,
    changed,
    exchanges_of,
    facts,
    findings,
    judged,
    kind_of,
    not_holding,
    numbered,
    standin,
    verdicts,
    with_items,
    with_status,
)


def test_every_promise_holds_for_the_stand_in_and_each_names_its_requests() -> None:
    exchanges = exchanges_of(standin())
    result = judged(exchanges)

    assert list(result) == [promise.name for promise in PROMISES]
    assert {finding.verdict for finding in result.values()} == {Verdict.HOLDS}
    assert all("request" in finding.judgement.because for finding in result.values())
    assert exit_code(result.values()) == 0
    assert [one.request.sdk for one in exchanges].count(True) == 2
    assert len(exchanges) == 2 + BUDGET + 1  # with a control of the over-long range


def ten_more(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    late = ITEM | {"time": "2026-01-01T00:00:00.001Z"}
    is_good = kind_of(request) == "good"
    return httpx.Response(200, json=[*response.json(), late]) if is_good else response


def in_the_first_half(body: Callable[[list[Any]], list[Any]]) -> Change:
    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        is_first_half = kind_of(request) == "first half"
        return httpx.Response(200, json=body(response.json())) if is_first_half else response

    return change


def infinite(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    del request
    content = b'[{"time":"2025-06-01T12:00:00Z","user":"U","message":"M","n":1e400}]'
    headers = {"content-type": "application/json"}
    is_good = response.status_code == 200
    return httpx.Response(200, content=content, headers=headers) if is_good else response


def longer_than_a_month(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    is_long = kind_of(request) == "good" and request.url.params["start"] < "2025-12"
    return httpx.Response(404, json=REFUSED) if is_long else response


def older_than_a_month(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    is_old = request.url.params["start"] < "2025-12" and kind_of(request) != "key"
    return httpx.Response(400, json=REFUSED) if is_old else response


PROBLEM = {"json": {"title": "No."}, "headers": {"content-type": "application/problem+json"}}
BODY_401 = PAGE["responses"]["401"]["example"]
# What is wrong; the verdicts that do not hold, among those that say something of it.
WRONG: dict[str, tuple[Change, dict[str, str]]] = {
    # against the page
    "a wrapped list": (with_items(lambda items: {"items": items}), {"items-fit": "broken"}),
    "html for a 200": (
        with_status("good", 200, html="<p>Hello</p>"),
        {"items-fit": "broken", "same-twice": "undecided"},
    ),
    "an item outside": (
        with_items(lambda items: [*items, ITEM | {"time": "2020-01-01T00:00:00Z"}]),
        {"items-fit": "holds", "items-inside": "broken"},
    ),
    "an item after the end": (ten_more, {"items-inside": "broken"}),
    "an item in both halves that is not at the cut": (
        in_the_first_half(lambda items: [items[0], *items[:-1]]),
        {"halves-add-up": "broken"},
    ),
    "half a range has one item more": (
        in_the_first_half(lambda items: [*items, *items[:1]]),
        {"halves-add-up": "broken", "instruments-add-up": "holds", "no-doubles": "drift"},
    ),
    "half a range is empty": (
        in_the_first_half(lambda items: []),
        {"halves-add-up": "broken", "instruments-add-up": "holds", "same-twice": "holds"},
    ),
    "over-long is answered": (
        with_status("over-long", 200, json=[]),
        {"over-long-refused": "broken"},
    ),
    "over-long is a 204": (with_status("over-long", 204), {"over-long-refused": "broken"}),
    "a year is refused, and a month is not": (longer_than_a_month, {"items-fit": "broken"}),
    "no key is let in": (
        with_status("key", 200, json=[]),
        {"no-key-refused": "broken", "wrong-key-refused": "broken"},
    ),
    "no key is text": (with_status("key", 401, text="no"), {"no-key-refused": "broken"}),
    # against what we infer or assume
    "no time": (
        with_items(lambda items: [{"user": "U", "message": "M"}]),
        {"items-fit": "drift", "sdk-agrees": "undecided"},
    ),
    "a naive time": (
        with_items(lambda items: [item | {"time": item["time"].rstrip("Z")} for item in items]),
        {"items-fit": "drift", "items-inside": "undecided"},
    ),
    "a time that is a number": (
        with_items(lambda items: [item | {"time": 5} for item in items]),
        {"items-fit": "drift", "items-inside": "undecided", "in-order": "undecided"},
    ),
    "a null user": (
        with_items(lambda items: [item | {"user": None} for item in items]),
        {"items-fit": "drift", "items-inside": "holds", "sdk-agrees": "holds"},
    ),
    "a new field": (
        with_items(lambda items: [item | {"level": 93.7} for item in items]),
        {"items-fit": "drift", "sdk-agrees": "holds"},
    ),
    "an item that is null": (
        with_items(lambda items: [*items, None]),
        {"items-fit": "drift", "over-long-refused": "holds"},
    ),
    "a number without end": (infinite, {"items-fit": "drift"}),
    "an undocumented status": (
        with_status("good", 204),
        {"items-fit": "drift", "items-inside": "undecided"},
    ),
    "a redirect": (
        with_status("good", 302),
        {"items-fit": "drift", "over-long-refused": "undecided"},
    ),
    "half a range is not there": (
        with_status("first half", 404, json=REFUSED),
        {"items-fit": "drift", "halves-add-up": "undecided"},
    ),
    "reversed is answered": (with_status("reversed", 200, json=[]), {"reversed-refused": "drift"}),
    "reversed is wrapped": (with_status("reversed", 200, json={}), {"reversed-refused": "drift"}),
    "reversed is a 404": (
        with_status("reversed", 404, json=REFUSED),
        {"reversed-refused": "drift"},
    ),
    "naive is answered": (with_status("naive", 200, json=[]), {"naive-refused": "drift"}),
    "over-long is text": (with_status("over-long", 400, text="no"), {"over-long-refused": "drift"}),
    "over-long is a problem": (
        with_status("over-long", 400, **PROBLEM),
        {"over-long-refused": "drift"},
    ),
    "over-long is a redirect": (with_status("over-long", 302), {"over-long-refused": "drift"}),
    "over-long is a 422": (
        with_status("over-long", 422, json=REFUSED),
        {"over-long-refused": "drift"},
    ),
    "over-long is a 500": (
        with_status("over-long", 500, json=REFUSED),
        {"over-long-refused": "drift"},
    ),
    "no key is a 403": (with_status("key", 403, json=REFUSED), {"no-key-refused": "drift"}),
    "no key is another code": (with_status("key", 401, json=REFUSED), {"no-key-refused": "drift"}),
    # nothing can be said
    "old data is refused": (older_than_a_month, {"items-fit": "undecided"}),
    "half a range may not be seen": (
        with_status("first half", 403, json={"error": "AccessDenied", "description": "No."}),
        {"items-fit": "undecided", "halves-add-up": "undecided"},
    ),
    "the key expires in mid-run": (
        with_status("over-long", 401, json=BODY_401),
        {"over-long-refused": "undecided", "no-key-refused": "holds"},
    ),
    "over-long is a 403": (
        with_status("over-long", 403, json=REFUSED),
        {"over-long-refused": "undecided"},
    ),
    "over-long is a 408": (
        with_status("over-long", 408, text="slow"),
        {"over-long-refused": "undecided"},
    ),
    "over-long is a 503": (
        with_status("over-long", 503, html="no"),
        {"over-long-refused": "undecided"},
    ),
    "no key is a 429": (with_status("key", 429, html="no"), {"no-key-refused": "undecided"}),
    "no key is a 504": (with_status("key", 504, html="no"), {"no-key-refused": "undecided"}),
    "the server falls over after the first answer": (
        lambda request, response: (
            httpx.Response(500, html="no")
            if kind_of(request) != "good" or len(request.url.params.get_list("instruments")) < 2
            else response
        ),
        {"over-long-refused": "undecided", "reversed-refused": "undecided"},
    ),
    **{
        f"all is {status}": (
            with_status("all", status, **body),
            dict.fromkeys(("items-fit", "over-long-refused", "no-key-refused"), "undecided"),
        )
        for status, body in ((400, {"json": REFUSED}), (404, {"html": "no"}))
    },
}


@pytest.mark.parametrize(("change", "expected"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_answer_gets_its_verdict(change: Change, expected: dict[str, str]) -> None:
    result = verdicts(changed(change))

    assert {name: result[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    {
        "ten items at most": {"instruments-add-up": "broken"},
        "first instrument only": {"instruments-add-up": "broken", "halves-add-up": "holds"},
        "one less every second time": {"same-twice": "broken"},
        "other order every second time": {"same-twice": "drift", "in-order": "drift"},
        "all items twice": {"no-doubles": "drift", "halves-add-up": "holds"},
        "slow": {"in-good-time": "drift"},
        "at most a month": {"items-fit": "broken", "halves-add-up": "undecided"},
        "always empty": {"items-fit": "undecided", "halves-add-up": "undecided"},
        "Retry-After in words": {"others-fit": "drift", "halves-add-up": "undecided"},
        "other code for 429": {"others-fit": "drift"},
    }.items(),
)
def test_a_wrong_behaviour_gets_its_verdict(name: str, expected: dict[str, str]) -> None:
    clock = FakeClock()
    server = Standin(WORLD, behaviour=by_name(name), sleep=clock.sleep)
    result = verdicts(server.transport(), monotonic=lambda: clock.seconds)

    assert {name: result[name] for name in expected} == expected


@pytest.mark.parametrize("position", [1, 2, 5, 7, 8, 12])
@pytest.mark.parametrize(
    "fault", ["302", "401", "403", "429", "500-html", "502-html", "200-html", "200-truncated"]
)
def test_one_failed_request_makes_promises_undecided_at_most(fault: str, position: int) -> None:
    """For each kind of failure and of request; the other promises are judged."""
    server = Standin(WORLD, script={position: fault})
    exchanges = exchanges_of(server.transport())
    bad = not_holding(exchanges)

    assert set(bad.values()) <= {"undecided"}
    assert bool(bad) or exchanges[position - 1].request.name == plan.BAD_KEY or fault == "401"
    if fault == "429":
        assert len(exchanges) == position
    elif position == 7:
        assert bad == {"over-long-refused": "undecided"}


@pytest.mark.parametrize("position", range(12, 18))
@pytest.mark.parametrize("fault", ["500-html", "401", "200-truncated"])
def test_one_failed_request_answers_no_open_question(fault: str, position: int) -> None:
    server = Standin(WORLD, script={position: fault})
    exchanges = exchanges_of(server.transport(), budget=THOROUGH)

    assert not_holding(exchanges) == {"others-fit": "undecided"}
    assert all(answer.agrees for answer in facts(exchanges).values())


@pytest.mark.parametrize(
    ("number", "body", "verdict"),
    [
        (7, {"html": "no"}, "drift"),  # over-long: the same status again
        (12, {"html": "no"}, "undecided"),  # of the repeat alone
    ],
)
def test_a_request_that_fails_twice_is_drift(
    number: int, body: dict[str, Any], verdict: str
) -> None:
    inner, seen = Standin(WORLD).transport(), itertools.count(1)

    def respond(request: httpx.Request) -> httpx.Response:
        response = inner.handle_request(request)
        is_bad = next(seen) >= number and kind_of(request) == "over-long"
        return httpx.Response(500, **body) if is_bad else response

    result = verdicts(httpx.MockTransport(respond))
    assert result["over-long-refused"] == ("holds" if verdict == "undecided" else verdict)


@pytest.mark.parametrize(
    ("position", "status"), [(7, 500), (7, 511), (8, 501), (9, 500), (10, 500), (11, 500)]
)
def test_a_server_that_fails_and_stays_down_breaks_no_promise(position: int, status: int) -> None:
    """Only if the server is up again afterwards is the request the cause."""
    inner, seen = Standin(WORLD).transport(), itertools.count(1)

    def respond(request: httpx.Request) -> httpx.Response:
        is_down = next(seen) >= position
        return httpx.Response(status, html="no") if is_down else inner.handle_request(request)

    assert exit_code(findings(httpx.MockTransport(respond)).values()) == 3


@pytest.mark.parametrize("number", [4, 6, 7, 8, 9])
@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, json=REFUSED),
        httpx.Response(418, json=REFUSED),
        httpx.Response(200, json={"data": []}),
        httpx.Response(200, json=[], headers={"content-type": "text/html"}),
        httpx.Response(200, json=[]),
    ],
    ids=["404", "418", "wrapped", "another media type", "empty"],
)
def test_one_unexpected_answer_is_undecided(number: int, answer: httpx.Response) -> None:
    exchanges = exchanges_of(numbered(number, lambda request: answer))

    assert set(not_holding(exchanges).values()) == {"undecided"}


def failing(error: Exception) -> httpx.MockTransport:
    def fail(request: httpx.Request) -> httpx.Response:
        del request
        raise error

    return httpx.MockTransport(fail)


OUTAGES = {
    "unreachable": failing(httpx.ConnectError("[Errno -2] Name or service not known")),
    "silent": failing(httpx.ReadTimeout("slow")),
    "down": httpx.MockTransport(lambda request: httpx.Response(503, html="<p>down</p>")),
    "slow": httpx.MockTransport(lambda request: httpx.Response(408, html="<p>slow</p>")),
    "crashed": httpx.MockTransport(lambda request: httpx.Response(500, html="<p>down</p>")),
}


@pytest.mark.parametrize("transport", OUTAGES.values(), ids=list(OUTAGES))
def test_an_outage_is_undecided_and_says_what_to_do(transport: httpx.BaseTransport) -> None:
    result = findings(transport)
    seen = [one for one in result.values() if one.verdict != Verdict.NOT_ASKED]

    assert {finding.verdict for finding in seen} == {Verdict.UNDECIDED}
    assert all(finding.judgement.advice for finding in seen)
    assert exit_code(result.values()) == 3


def test_one_slow_answer_is_undecided() -> None:
    clock = FakeClock()

    def respond(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        del request
        clock.seconds += 11 if clock.seconds == 0 else 0.1
        return response

    result = findings(changed(respond), monotonic=lambda: clock.seconds)
    assert result["in-good-time"].verdict == "undecided"


@pytest.mark.parametrize("status", [301, 400, 404, 405, 410, 501])
@pytest.mark.parametrize("body", [{"json": REFUSED}, {"html": "<p>not here</p>"}, {}])
def test_one_answer_to_every_request_is_undecided(status: int, body: dict[str, Any]) -> None:
    """It is a wrong address; a 401 or 403 is judged by what the page says of it."""
    result = findings(httpx.MockTransport(lambda request: httpx.Response(status, **body)))

    assert {one.verdict for one in result.values()} <= {"undecided", "holds", "not asked"}
    assert exit_code(result.values()) == 3


@pytest.mark.parametrize(
    ("key", "advice"), [("wrong", "MYCIRRUS_API_KEY"), (KEY_WITHOUT_SCOPE, "data.system:read")]
)
def test_a_key_that_is_refused_is_undecided_and_says_what_to_do(key: str, advice: str) -> None:
    """A 401 without a key proves nothing if a valid request gets a 401 as well."""
    exchanges = exchanges_of(standin(), api_key=key)
    result = judged(exchanges)

    assert advice in result["items-fit"].judgement.advice
    assert set(not_holding(exchanges).values()) == {"undecided"}
    assert set(facts(exchanges)) == {"error-codes"}
    assert exit_code(result.values()) == 3


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [(401, {"json": REFUSED}, "undecided"), (401, {"text": "no"}, "broken")],
)
def test_a_refusal_of_all_that_breaks_the_page_is_broken(
    status: int, body: dict[str, Any], expected: str
) -> None:
    result = findings(changed(with_status("good", status, **body)))

    assert result["items-fit"].verdict == expected


def test_a_check_that_crashes_leaves_the_others_alone_and_is_exit_code_4(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crash = checks.Promise("items-fit", "text", (plan.WHOLE,), lambda evidence: 1 / 0)  # type: ignore[arg-type,return-value]
    monkeypatch.setattr(checks, "PROMISES", (crash, *PROMISES[1:]))
    result = findings(standin())

    assert result["items-fit"].judgement.because == "the check itself failed: ZeroDivisionError"
    assert result["items-inside"].verdict == Verdict.HOLDS
    assert exit_code(result.values()) == 4


def test_an_sdk_that_returns_something_else_is_drift_and_a_fault_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probes, "difference_of", lambda items, body: difference_of(items[1:], body))
    result = findings(standin())

    assert result["sdk-agrees"].verdict == Verdict.DRIFT
    assert "fault of the SDK" in result["sdk-agrees"].judgement.advice


def test_the_marks_of_all_answers_are_in_the_finding() -> None:
    """To accept the mark of one answer is not enough."""

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        odd = {"level": 1} if kind_of(request) == "good" else {"user": None}
        if response.status_code != 200:
            return response
        return httpx.Response(200, json=[item | odd for item in response.json()])

    marks = findings(changed(change))["items-fit"].judgement.marks
    assert [mark.rpartition(" ")[2] for mark in marks] == ["'level'", "string"]


@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_an_entry_that_is_added_during_the_run_breaks_no_promise(number: int) -> None:
    """Unequal sums are broken only if a repeat gets the same answer."""
    inner, seen = Standin(WORLD).transport(), itertools.count(1)
    entry = {"time": "2025-01-02T12:00:00.000Z", "user": "Somebody", "message": "Added"}

    def respond(request: httpx.Request) -> httpx.Response:
        response, is_added = inner.handle_request(request), next(seen) >= number
        start, serials = request.url.params["start"], request.url.params.get_list("instruments")
        if response.status_code != 200 or not is_added or start > entry["time"]:
            return response
        is_there = "QT123456" in serials and request.url.params["end"] > entry["time"]
        return httpx.Response(200, json=[entry, *response.json()]) if is_there else response

    bad = not_holding(exchanges_of(httpx.MockTransport(respond)))
    assert set(bad.values()) <= {"undecided"}
    assert bad


def test_a_deep_or_broken_body_does_not_stop_the_run() -> None:
    headers = {"content-type": "application/json"}
    for content, expected in (
        (b"[" * 100_000, "broken"),
        (b"\xff", "broken"),
        (b"[NaN]", "broken"),
        (b"[5, null]", "drift"),
        (b"[1e999]", "drift"),
    ):
        transport = changed(with_status("good", 200, content=content, headers=headers))
        assert verdicts(transport)["items-fit"] == expected


def test_one_unreadable_answer_is_named_with_its_number() -> None:
    transport = numbered(5, lambda request: httpx.Response(200, html="<p>wait</p>"))
    result = findings(transport)

    assert result["items-fit"].judgement.because == (
        "request 5, first half: 200, but content-type is not application/json but text/html; "
        "request 13, first half, again: answered 200"
    )


def found(*words: str) -> list[Finding]:
    return [Finding(word, "promise", Judgement(Verdict(word), "because")) for word in words]


def test_exit_codes_add_up_and_the_worst_comes_first() -> None:
    assert exit_code(found("holds", "not asked", "accepted")) == 0
    assert exit_code(found("holds", "drift")) == exit_code(found("undecided", "broken")) == 1
    assert exit_code(found("holds", "undecided", "not asked")) == 3
    names = [one.name for one in worst_first(found("holds", "drift", "undecided", "broken"))]
    assert names == ["broken", "drift", "undecided", "holds"]
