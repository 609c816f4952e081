"""The probe's verdict on each promise is the right one, and an outage is never a broken promise."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import httpx
import pytest

from contract_tests.api_mutants.catalogue import by_name
from contract_tests.spec.page import PAGE
from mycirrus_contract.live import checks
from mycirrus_contract.live import probe as asked
from mycirrus_contract.live.arguments import BUDGET, THOROUGH
from mycirrus_contract.live.checks import PROMISES, Evidence, judge
from mycirrus_contract.live.exchange import WRONG_KEY, Exchange, middle_of
from mycirrus_contract.live.probe import Probe
from mycirrus_contract.live.questions import LOOKS, Observed, contradictions, open_questions
from mycirrus_contract.live.served import difference_of
from mycirrus_contract.live.verdicts import Finding, Judgement, Verdict, exit_code
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.faults import FAULTS
from mycirrus_contract.standin.fleet import Entry, fleet
from mycirrus_contract.standin.rules import DEMO_KEY, KEY_WITHOUT_SCOPE, World
from mycirrus_contract.standin.switches import Switches
from tests.support.clock import FakeClock

END = datetime(2026, 1, 1, tzinfo=UTC)
START = END - timedelta(days=365)
WORLD = World(entries=fleet(END))
SERIALS = ["QT123456", "QT234567"]


def exchanges_of(transport: httpx.BaseTransport, **options: Any) -> list[Exchange]:
    """What a probe that does not wait has seen."""
    serials = options.pop("instruments", SERIALS)
    start, end = options.pop("start", START), options.pop("end", END)
    prober = Probe(
        "http://127.0.0.1/v1",
        options.pop("api_key", DEMO_KEY),
        transport=transport,
        sleep=options.pop("sleep", lambda seconds: None),
        **options,
    )
    return prober.ask(serials, start, end)


def judged(exchanges: list[Exchange]) -> dict[str, Finding]:
    """The findings, by name, contradicted assumptions included."""
    found = [*judge(exchanges), *contradictions(open_questions(Evidence(exchanges)))]
    return {finding.name: finding for finding in found}


def findings(transport: httpx.BaseTransport, **options: Any) -> dict[str, Finding]:
    """The findings of a run, by name."""
    return judged(exchanges_of(transport, **options))


def verdicts(transport: httpx.BaseTransport, **options: Any) -> dict[str, str]:
    """The verdicts of a run, by name."""
    return {name: str(one.verdict) for name, one in findings(transport, **options).items()}


def observed(transport: httpx.BaseTransport, **options: Any) -> dict[str, Observed]:
    """What a run says to open questions."""
    questions = open_questions(Evidence(exchanges_of(transport, **options)))
    return {one.name: one.observed for one in questions if one.observed is not None}


Change = Callable[[httpx.Request, httpx.Response], httpx.Response]


def changed(change: Change, world: World = WORLD) -> httpx.MockTransport:
    """The stand-in with its answers changed on the way."""
    inner = Standin(world).transport()
    return httpx.MockTransport(lambda request: change(request, inner.handle_request(request)))


def test_every_promise_holds_for_the_stand_in() -> None:
    """Exit code 0, in nine requests and two through the SDK."""
    standin = Standin(WORLD)
    exchanges = exchanges_of(standin.transport())
    result = judged(exchanges)

    assert {finding.verdict for finding in result.values()} == {Verdict.HOLDS}
    assert list(result) == [promise.name for promise in PROMISES]
    assert exit_code(result.values()) == 0
    assert sum(not exchange.question.sdk for exchange in exchanges) == BUDGET == 9
    assert len(standin.requests) == 11


def with_items(body: Callable[[list[Any]], Any]) -> Change:
    """Change the body of each 200."""

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        del request
        if response.status_code != 200:
            return response
        return httpx.Response(200, json=body(response.json()))

    return change


def kind_of(request: httpx.Request) -> str:
    """Which question a request is."""
    parameters = request.url.params
    if parameters["start"] < "2024-12-31":
        return "over-long"
    if parameters["start"] == "2026-01-01T00:00:00Z":
        return "reversed"
    if not parameters["start"].endswith("Z"):
        return "naive"
    if request.headers.get("X-Api-Key") != DEMO_KEY:
        return "key"
    if parameters["end"] != "2026-01-01T00:00:00Z":
        return "first half"
    return "good"


def with_status(name: str, status: int, **options: Any) -> Change:
    """Change the answer to one kind of question, or to all."""

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if name in {kind_of(request), "all"}:
            return httpx.Response(status, **options)
        return response

    return change


ITEM = {"time": "2025-06-01T12:00:00Z", "user": "U", "message": "M"}
REFUSED = {"error": "Any", "description": "Any."}
WRONG: dict[str, tuple[Change, dict[str, str]]] = {
    "a wrapped list": (with_items(lambda items: {"items": items}), {"items-fit": "broken"}),
    "no time": (
        with_items(lambda items: [{"user": "U", "message": "M"}]),
        {"items-fit": "broken", "sdk-agrees": "undecided"},
    ),
    "a naive time": (
        with_items(lambda items: [item | {"time": item["time"].rstrip("Z")} for item in items]),
        {"items-fit": "broken", "items-inside": "undecided"},
    ),
    "a null user": (
        with_items(lambda items: [item | {"user": None} for item in items]),
        {"items-fit": "drift", "items-inside": "holds", "sdk-agrees": "holds"},
    ),
    "a new field": (
        with_items(lambda items: [item | {"level": 93.7} for item in items]),
        {"items-fit": "drift", "sdk-agrees": "holds"},
    ),
    "an item outside": (
        with_items(lambda items: [*items, items[0] | {"time": "2020-01-01T00:00:00Z"}]),
        {"items-fit": "holds", "items-inside": "broken"},
    ),
    "html for a 200": (
        with_status("good", 200, html="<p>Hello</p>"),
        {"items-fit": "broken", "same-twice": "undecided"},
    ),
    "an undocumented status": (
        with_status("good", 204),
        {"items-fit": "broken", "items-inside": "undecided"},
    ),
    "a redirect": (
        with_status("good", 302),
        {"items-fit": "broken", "over-long-refused": "undecided"},
    ),
    "an item after the end": (
        with_items(lambda items: [*items, items[0] | {"time": "2026-01-01T00:00:00.001Z"}]),
        {"items-fit": "holds", "items-inside": "broken"},
    ),
    "an item just after the end of the whole range": (
        lambda request, response: (
            httpx.Response(
                200, json=[*response.json(), ITEM | {"time": "2026-01-01T00:00:00.001Z"}]
            )
            if kind_of(request) == "good"
            else response
        ),
        {"items-inside": "broken"},
    ),
    "an item in both halves that is not at the cut": (
        lambda request, response: (
            httpx.Response(200, json=[response.json()[0], *response.json()[:-1]])
            if kind_of(request) == "first half"
            else response
        ),
        {"halves-add-up": "broken"},
    ),
    "items without times": (
        with_items(lambda items: [item | {"time": 5} for item in items]),
        {"items-fit": "broken", "items-inside": "undecided", "in-order": "undecided"},
    ),
    "half a range is not there": (
        with_status("first half", 404, json=REFUSED),
        {"items-fit": "broken", "halves-add-up": "undecided"},
    ),
    "half a range may not be seen": (
        with_status("first half", 403, json={"error": "AccessDenied", "description": "No."}),
        {"items-fit": "undecided", "halves-add-up": "undecided"},
    ),
    "half a range has one item more": (
        lambda request, response: (
            httpx.Response(200, json=[*response.json(), *response.json()[:1]])
            if kind_of(request) == "first half"
            else response
        ),
        {"halves-add-up": "broken", "instruments-add-up": "holds", "no-doubles": "drift"},
    ),
    "half a range is empty": (
        with_status("first half", 200, json=[]),
        {"halves-add-up": "broken", "instruments-add-up": "holds", "same-twice": "holds"},
    ),
    "reversed is answered": (
        with_status("reversed", 200, json=[]),
        {"reversed-refused": "broken"},
    ),
    "reversed is a 404": (
        with_status("reversed", 404, json=REFUSED),
        {"reversed-refused": "drift"},
    ),
    "naive is answered": (with_status("naive", 200, json=[]), {"naive-refused": "broken"}),
    "over-long is text": (
        with_status("over-long", 400, text="no"),
        {"over-long-refused": "broken"},
    ),
    "over-long is a 403": (
        with_status("over-long", 403, json=REFUSED),
        {"over-long-refused": "drift"},
    ),
    "the key expires in mid-run": (
        with_status("over-long", 401, json=PAGE["responses"]["401"]["example"]),
        {"over-long-refused": "undecided", "no-key-refused": "holds"},
    ),
    "the server falls over after the first answer": (
        lambda request, response: (
            httpx.Response(500, html="no")
            if kind_of(request) != "good" or len(request.url.params.get_list("instruments")) < 2
            else response
        ),
        {"over-long-refused": "undecided", "reversed-refused": "undecided"},
    ),
    "an item that is none": (
        with_items(lambda items: [*items, None]),
        {"items-fit": "broken", "over-long-refused": "holds"},
    ),
    "a number without end": (
        lambda request, response: (
            httpx.Response(
                200,
                content=b'[{"time":"2025-06-01T12:00:00Z","user":"U","message":"M","n":1e400}]',
                headers={"content-type": "application/json"},
            )
            if response.status_code == 200
            else response
        ),
        {"items-fit": "drift"},
    ),
    "over-long is a 408": (
        with_status("over-long", 408, text="slow"),
        {"over-long-refused": "undecided"},
    ),
    "over-long is a redirect": (with_status("over-long", 302), {"over-long-refused": "broken"}),
    "all is a 400": (
        with_status("all", 400, json=REFUSED),
        {"items-fit": "undecided", "over-long-refused": "undecided", "no-key-refused": "undecided"},
    ),
    "all is a 404": (
        with_status("all", 404, html="no"),
        {"items-fit": "undecided", "over-long-refused": "undecided", "no-key-refused": "undecided"},
    ),
    "no key is a 429": (with_status("key", 429, html="no"), {"no-key-refused": "broken"}),
    "no key is a 504": (with_status("key", 504, html="no"), {"no-key-refused": "undecided"}),
    "over-long is answered": (
        with_status("over-long", 200, json=[]),
        {"over-long-refused": "broken"},
    ),
    "over-long is a 422": (
        with_status("over-long", 422, json=REFUSED),
        {"over-long-refused": "drift"},
    ),
    "over-long is a 500": (
        with_status("over-long", 500, json=REFUSED),
        {"over-long-refused": "broken"},
    ),
    "over-long is a 503": (
        with_status("over-long", 503, html="no"),
        {"over-long-refused": "undecided"},
    ),
    "no key is let in": (
        with_status("key", 200, json=[]),
        {"no-key-refused": "broken", "wrong-key-refused": "broken"},
    ),
    "no key is a 403": (with_status("key", 403, json=REFUSED), {"no-key-refused": "drift"}),
    "no key is another code": (with_status("key", 401, json=REFUSED), {"no-key-refused": "drift"}),
    "no key is text": (with_status("key", 401, text="no"), {"no-key-refused": "broken"}),
    "no key is a 500": (with_status("key", 500, html="no"), {"no-key-refused": "undecided"}),
}


@pytest.mark.parametrize(("change", "expected"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_answer_gets_its_verdict(change: Change, expected: dict[str, str]) -> None:
    """Broken against the spec, drift against what we assume."""
    result = verdicts(changed(change))

    assert {name: result[name] for name in expected} == expected


MUTANTS: dict[str, dict[str, str]] = {
    "ten items at most": {"instruments-add-up": "broken"},
    "first instrument only": {"instruments-add-up": "broken", "halves-add-up": "holds"},
    "one less every second time": {"same-twice": "broken"},
    "other order every second time": {"same-twice": "drift", "in-order": "drift"},
    "all items twice": {"no-doubles": "drift", "halves-add-up": "holds"},
    "slow": {"in-good-time": "drift"},
    "at most a month": {"items-fit": "broken", "halves-add-up": "undecided"},
    "always empty": {"items-fit": "undecided", "halves-add-up": "undecided"},
    "Retry-After in words": {"items-fit": "broken"},
}


@pytest.mark.parametrize(("name", "expected"), MUTANTS.items())
def test_a_wrong_behaviour_gets_its_verdict(name: str, expected: dict[str, str]) -> None:
    """What several answers show together: two that disagree are broken, order is drift at most."""
    clock = FakeClock()
    standin = Standin(WORLD, behaviour=by_name(name), sleep=clock.sleep)
    result = verdicts(standin.transport(), monotonic=lambda: clock.seconds)

    assert {name: result[name] for name in expected} == expected


def test_an_sdk_that_returns_something_else_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the one promise that is ours."""
    monkeypatch.setattr(asked, "difference_of", lambda items, body: difference_of(items[1:], body))
    result = findings(Standin(WORLD).transport())

    assert result["sdk-agrees"].verdict == Verdict.BROKEN
    assert "fault of the SDK" in result["sdk-agrees"].judgement.advice


ALTERNATIVES: list[tuple[dict[str, Any], str, str, dict[str, str]]] = [
    ({"start_inclusive": False}, "start-inclusive", "no", {"start-inclusive": "drift"}),
    (
        {"end_inclusive": False},
        "end-inclusive",
        "no, or times have more digits than are shown",
        {"end-inclusive": "drift"},
    ),
    (
        {"end_inclusive": False, "fraction_digits": 7},
        "end-inclusive",
        "no",
        {"end-inclusive": "drift"},
    ),
    ({"year": "365 days"}, "year", "365 days", {"year": "drift"}),
    ({"year": "366 days"}, "year", "366 days, or more", {"year": "drift"}),
    (
        {"over_long_status": 422},
        "over-long-status",
        "422, error code RangeTooLong",
        {"over-long-refused": "drift"},
    ),
    (
        {"reversed_status": 404},
        "reversed-status",
        "404, error code InvalidRange",
        {"reversed-refused": "drift"},
    ),
    (
        {"invalid_status": 422},
        "invalid-status",
        "422, error code MissingParam",
        {"invalid-status": "drift", "naive-refused": "drift"},
    ),
    ({"naive": "utc"}, "naive-times", "taken", {"naive-refused": "broken"}),
    (
        {"offsets": "none"},
        "offsets",
        "+00:00 is refused with 400, error code InvalidParam",
        {"offsets": "drift"},
    ),
    ({"offsets": "any"}, "offsets", "+00:00 is", {}),
    ({"comma_arrays": True}, "comma-arrays", "yes", {"comma-arrays": "drift"}),
    (
        {"unknown_instrument": "403"},
        "unknown-instrument",
        "403, error code AccessDenied",
        {"unknown-instrument": "drift"},
    ),
    (
        {"unknown_instrument": "404"},
        "unknown-instrument",
        "404, error code NotFound",
        {"unknown-instrument": "drift"},
    ),
    (
        {"order": "newest first"},
        "order",
        "newest first, over all instruments",
        {"in-order": "drift"},
    ),
    (
        {"order": "by instrument"},
        "order",
        "by instrument, then by time",
        {"in-order": "drift"},
    ),
    (
        {"names_instrument": True},
        "instrument-named",
        "yes, in instrument",
        {"items-fit": "drift"},
    ),
    ({"fraction_digits": 0}, "fraction-digits", "0", {}),
    ({"fraction_digits": 7}, "fraction-digits", "7", {}),
]


@pytest.mark.parametrize(
    ("switch", "name", "answer", "expected"), ALTERNATIVES, ids=lambda value: str(value)[:40]
)
def test_under_every_switch_the_question_is_answered_and_no_more_is_wrong(
    switch: dict[str, Any], name: str, answer: str, expected: dict[str, str]
) -> None:
    """What is not as assumed is drift, and every other promise holds."""
    world = replace(WORLD, switches=Switches(**switch))
    transport = Standin(world).transport()
    says = observed(transport, budget=THOROUGH)
    result = verdicts(transport, budget=THOROUGH)

    assert says[name].answer == answer
    assert {other: verdict for other, verdict in result.items() if verdict != "holds"} == expected


def test_every_alternative_of_every_switch_is_tried() -> None:
    """The list above is whole; of the numbers one other is enough."""
    tried = {(name, value) for switch, *_ in ALTERNATIVES for name, value in switch.items()}
    for field in dataclasses.fields(Switches):
        others: set[Any] = set(get_args(field.type)) - {field.default, int, type(None)}
        if field.type is bool:
            others = {not field.default}
        assert {(field.name, other) for other in others} <= tried, field.name
        assert any(name == field.name for name, _ in tried)


def test_ends_that_are_both_exclusive_lose_nothing_but_what_is_at_the_cut() -> None:
    """The sums hold, and both answers are drift."""
    switches = Switches(start_inclusive=False, end_inclusive=False, fraction_digits=7)
    transport = Standin(replace(WORLD, switches=switches)).transport()
    result = verdicts(transport)

    assert result["halves-add-up"] == "holds"
    assert {name for name, verdict in result.items() if verdict == "drift"} == {
        *("start-inclusive", "end-inclusive")
    }


def test_an_order_of_no_kind_is_said_to_be_none() -> None:
    """Neither by time nor by instrument."""
    says = observed(Standin(WORLD, behaviour=by_name("shuffled")).transport())

    assert says["order"] == Observed("neither by time nor by instrument", agrees=False)


def test_the_marks_of_all_answers_are_in_the_finding() -> None:
    """A field of one answer and a null of another: to accept the first is not enough."""

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        odd = {"level": 1} if kind_of(request) == "good" else {"user": None}
        if response.status_code != 200:
            return response
        return httpx.Response(200, json=[item | odd for item in response.json()])

    marks = findings(changed(change))["items-fit"].judgement.marks
    assert [mark.rpartition(" ")[2] for mark in marks] == ["'level'", "string"]


@pytest.mark.parametrize("status", [400, 404, 413, 414, 422])
def test_a_year_that_is_refused_and_a_month_that_is_not_is_broken(status: int) -> None:
    """The page allows a year; were it the serial numbers, the month would be refused too."""

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        long = kind_of(request) == "good" and request.url.params["start"] < "2025-12"
        return httpx.Response(status, json=REFUSED) if long else response

    result = findings(changed(change))
    assert result["items-fit"].verdict == Verdict.BROKEN
    assert f"answered {status}, its last month 200" in result["items-fit"].judgement.because


def test_it_looks_no_further_back_than_1900() -> None:
    """There is no range before the first."""
    start = datetime(1900, 6, 1, tzinfo=UTC)
    exchanges = exchanges_of(
        Standin(WORLD).transport(), start=start, end=start + timedelta(days=365)
    )

    assert not [one for one in exchanges if "earlier" in one.question.name]


def test_with_budget_15_every_question_that_can_be_asked_is_answered() -> None:
    """A 429 is not provoked; by default six questions stay open."""
    transport = Standin(WORLD).transport()
    thorough, usual = observed(transport, budget=THOROUGH), observed(transport)

    assert set(LOOKS) - set(thorough) == {"retry-after"}
    assert set(thorough) - set(usual) == {
        *("year", "offsets", "comma-arrays", "unknown-instrument", "invalid-status"),
    }
    assert all(answer.agrees for answer in thorough.values())
    assert thorough["year"].answer == "the same day of the next year"
    assert exit_code(findings(transport, budget=THOROUGH).values()) == 0


def failing(error: Exception) -> httpx.MockTransport:
    """A network that is away."""

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
    """Exit code 3, never 1; how fast it fails says nothing."""
    result = findings(transport)
    result.pop("in-good-time")

    assert {finding.verdict for finding in result.values()} == {Verdict.UNDECIDED}
    assert all(finding.judgement.advice for finding in result.values())
    assert exit_code(result.values()) == 3


@pytest.mark.parametrize("position", range(12, 17))
def test_an_outage_answers_no_open_question(position: int) -> None:
    """A 503 says nothing of offsets, commas, unknown serials or years; nor does a 401."""
    for fault in ("503-html", "500-html", "401"):
        standin = Standin(WORLD, script={position: fault})
        exchanges = exchanges_of(standin.transport(), budget=THOROUGH)
        answered = {
            question.name
            for question in open_questions(Evidence(exchanges))
            if question.observed is not None and not question.observed.agrees
        }

        assert not answered, fault


@pytest.mark.parametrize("position", range(7, 12))
@pytest.mark.parametrize("status", [500, 501, 511])
def test_a_server_that_falls_over_and_stays_down_breaks_no_promise(
    position: int, status: int
) -> None:
    """Only if it is there again afterwards was it the question."""
    inner = Standin(WORLD)
    transport = inner.transport()

    def respond(request: httpx.Request) -> httpx.Response:
        response = transport.handle_request(request)
        return response if len(inner.requests) < position else httpx.Response(status, html="no")

    result = findings(httpx.MockTransport(respond))
    assert exit_code(result.values()) == 3


@pytest.mark.parametrize("position", range(12, 18))
def test_what_breaks_the_page_is_broken_at_the_questions_of_a_larger_budget_too(
    position: int,
) -> None:
    """They belong to no promise of their own, and are looked at all the same."""
    for fault in ("429-html", "200-html", "200-truncated"):
        standin = Standin(WORLD, script={position: fault})
        result = findings(standin.transport(), budget=THOROUGH)
        assert result["items-fit"].verdict == Verdict.BROKEN, fault


def test_other_items_for_another_spelling_are_drift() -> None:
    """+00:00 that is passed over, or taken for a local time."""

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        is_offset = request.url.params["start"].endswith("+00:00")
        return httpx.Response(200, json=response.json()[1:]) if is_offset else response

    result = findings(changed(change), budget=THOROUGH)
    assert result["offsets"].judgement.because == "observed: +00:00 is, with other items"


@pytest.mark.parametrize("milliseconds", [1, 2, 3])
def test_a_range_with_no_room_for_halves_is_not_cut(milliseconds: int) -> None:
    """A half of no length would be refused, and rightly."""
    start = datetime(2025, 6, 1, 12, tzinfo=UTC)
    world = world_of("2025-06-01T12:00:00.0001Z", "2025-06-01T12:00:00.0009Z")
    end = start + timedelta(milliseconds=milliseconds)
    result = verdicts(Standin(world).transport(), start=start, end=end)

    assert "broken" not in result.values()


def test_an_item_whose_digits_are_cut_off_may_be_at_the_cut() -> None:
    """12:00:00 may be 12:00:00.5, and be in both halves."""
    entries = ("2025-06-01T12:00:00.500Z", "2025-06-01T12:00:01.200Z")
    world = replace(world_of(*entries), switches=Switches(fraction_digits=0))
    result = verdicts(Standin(world).transport(), instruments=["QT123456"])

    assert result["halves-add-up"] == "holds"


def test_a_time_with_its_digits_cut_off_says_nothing_of_ends() -> None:
    """It is shown in the middle of the range, where it is cut, and is half a second later."""
    world = replace(world_of("2025-07-02T12:00:00.500Z"), switches=Switches(fraction_digits=0))
    says = observed(Standin(world).transport())

    assert not {"start-inclusive", "end-inclusive"} & set(says)


def test_how_long_an_outage_takes_is_no_drift() -> None:
    """A gateway gives up after half a minute or so."""
    clock = FakeClock()

    def gateway(request: httpx.Request) -> httpx.Response:
        del request
        clock.sleep(29)
        return httpx.Response(504, html="<p>no</p>")

    result = findings(httpx.MockTransport(gateway), monotonic=lambda: clock.seconds)
    assert exit_code(result.values()) == 3


def test_a_check_that_fails_leaves_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One promise is undecided then, and says that it is no fault of the API."""
    broken = [replace(promise, check=lambda evidence: 1 / 0) for promise in PROMISES[:1]]  # type: ignore[arg-type,return-value]
    monkeypatch.setattr(checks, "PROMISES", (*broken, *PROMISES[1:]))
    result = findings(Standin(WORLD).transport())

    assert result["items-fit"].judgement.because == "the check itself failed: ZeroDivisionError"
    assert result["items-inside"].verdict == Verdict.HOLDS


def test_a_contradicted_assumption_says_which() -> None:
    """The question, and what was assumed."""
    world = replace(WORLD, switches=Switches(end_inclusive=False, fraction_digits=7))
    finding = findings(Standin(world).transport())["end-inclusive"]

    assert finding.promise == "Is an item exactly at end in the answer? (assumed: yes)"
    assert finding.judgement.because == "observed: no"


def test_nobody_is_asked_for_long_who_does_not_answer() -> None:
    """Each silence costs half a minute: two in a row are enough."""
    assert len(exchanges_of(OUTAGES["silent"])) == 2


def test_a_body_that_never_ends_is_given_up() -> None:
    """A byte now and then keeps every other timeout quiet."""
    clock = FakeClock()

    def dripping() -> Iterator[bytes]:
        while True:
            clock.sleep(10)
            yield b" "

    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=dripping()))
    exchanges = exchanges_of(transport, monotonic=lambda: clock.seconds)

    assert [exchange.failure for exchange in exchanges] == ["no answer in time"] * 2
    assert clock.seconds == 2 * (asked.LONGEST + 10)


PASSING = ["429", "429-wait-1", "429-wait-1h", "502-html", "503-html", "520-html"]


@pytest.mark.parametrize("position", range(1, 12))
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_at_any_question_is_judged_for_what_it_is(fault: str, position: int) -> None:
    """What may pass is undecided; what breaks the page itself is broken, and wins."""
    standin = Standin(WORLD, script={position: fault})
    exchanges = exchanges_of(standin.transport())
    result = judged(exchanges)
    name = exchanges[position - 1].question.name
    bad = {finding.name for finding in result.values() if finding.verdict == Verdict.BROKEN}

    if fault in PASSING:
        assert exit_code(result.values()) == 3
    elif fault in {"401", "403"}:
        assert not bad
    elif fault == "500-html":
        assert bool(bad) == (name in {asked.OVER_LONG_RANGE, asked.REVERSED, asked.NAIVE})
    else:
        assert bad
    if fault.startswith("429"):
        assert len(exchanges) == position


@pytest.mark.parametrize(
    ("key", "advice"), [("wrong", "MYCIRRUS_API_KEY"), (KEY_WITHOUT_SCOPE, "data.system:read")]
)
def test_a_key_that_will_not_do_is_undecided_and_says_what_to_do(key: str, advice: str) -> None:
    """What needs no good key is decided all the same."""
    result = findings(Standin(WORLD).transport(), api_key=key)

    assert result["items-fit"].verdict == Verdict.UNDECIDED
    assert advice in result["items-fit"].judgement.advice
    assert result["no-key-refused"].verdict == Verdict.HOLDS
    assert exit_code(result.values()) == 3


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, {"json": REFUSED}, "drift"),
        (401, {"text": "no"}, "broken"),
        (403, {"json": {"error": 5}}, "broken"),
        (429, {"html": "<p>slow down</p>"}, "broken"),
    ],
)
def test_a_refusal_that_breaks_the_page_itself_wins_over_undecided(
    status: int, body: dict[str, Any], expected: str
) -> None:
    """An outage is excused, a 401 in plain text is not."""
    result = findings(changed(with_status("good", status, **body)))

    assert result["items-fit"].verdict == expected
    assert exit_code(result.values()) == 1


def world_of(*times: str) -> World:
    """The first instrument with entries at some times, the second with one beside each."""
    entries = [
        Entry(serial, time, "Site operator", f"Checked, {serial[-1]}.{number}")
        for number, time in enumerate(times)
        for serial in SERIALS
    ]
    return replace(WORLD, entries=tuple(entries))


def test_an_empty_range_is_left_for_an_earlier_one_within_the_budget() -> None:
    """It looks at up to three ranges before, and what is then not asked does not count."""
    standin = Standin(world_of("2023-03-01T12:00:00Z", "2023-06-01T12:00:00Z"))
    exchanges = exchanges_of(standin.transport())
    result = judged(exchanges)
    names = [exchange.question.name for exchange in exchanges]

    assert names[:3] == [asked.WHOLE, asked.earlier(1), asked.earlier(2)]
    assert sum(not exchange.question.sdk for exchange in exchanges) == 9
    assert result["items-fit"].verdict == result["halves-add-up"].verdict == Verdict.HOLDS
    assert result["wrong-key-refused"].verdict == Verdict.NOT_ASKED
    assert exit_code(result.values()) == 0


def test_an_answer_that_is_always_empty_is_never_a_kept_promise() -> None:
    """Nothing to look at is undecided, and the refusals are judged all the same."""
    result = verdicts(Standin(WORLD).transport(), instruments=["QT000000", "QT000001"])

    assert {result[name] for name in ("items-fit", "items-inside", "same-twice")} == {"undecided"}
    assert {result[name] for name in ("halves-add-up", "instruments-add-up")} == {"undecided"}
    assert result["over-long-refused"] == "holds"


def test_a_sum_of_nothing_is_undecided() -> None:
    """The second instrument has no entries: that it adds up shows nothing."""
    result = findings(Standin(WORLD).transport(), instruments=["QT123456", "QT000000"])

    assert result["instruments-add-up"].verdict == Verdict.UNDECIDED
    assert "have entries" in result["instruments-add-up"].judgement.advice
    assert result["halves-add-up"].verdict == Verdict.HOLDS


def test_one_instrument_is_enough_for_all_but_one_promise() -> None:
    """There is nothing to add it to: that is not asked, and does not count."""
    standin = Standin(WORLD)
    result = findings(standin.transport(), instruments=["QT123456"])
    others = {finding.verdict for name, finding in result.items() if name != "instruments-add-up"}

    assert result["instruments-add-up"].verdict == Verdict.NOT_ASKED
    assert others == {Verdict.HOLDS}
    assert len(standin.requests) == 10  # one through the SDK


def test_three_instruments_add_up_too() -> None:
    """The first beside the others."""
    result = verdicts(Standin(WORLD).transport(), instruments=[*SERIALS, "QT567890"])

    assert set(result.values()) == {"holds"}


def test_the_first_429_is_the_last_request() -> None:
    """And what could not be asked is undecided."""
    standin = Standin(WORLD, script={7: "429"})
    result = findings(standin.transport())

    assert len(standin.requests) == 7
    assert result["items-fit"].verdict == Verdict.HOLDS
    assert result["wrong-key-refused"].verdict == Verdict.UNDECIDED
    assert exit_code(result.values()) == 3


@pytest.mark.parametrize("position", [1, 2, 3, 6])
def test_after_a_429_nothing_more_is_sent(position: int) -> None:
    """Neither by the probe nor through the SDK, which retries nothing here."""
    standin = Standin(WORLD, script={position: "429-wait-1"})
    exchanges_of(standin.transport())

    assert len(standin.requests) == position


def test_what_the_budget_does_not_reach_is_not_asked_and_does_not_count() -> None:
    """Exit code 3 is for evidence that was sought and not had."""
    standin = Standin(WORLD)
    exchanges = exchanges_of(standin.transport(), budget=2)
    result = judged(exchanges)

    assert [exchange.question.sdk for exchange in exchanges] == [False, True, True, False]
    assert result["no-key-refused"].verdict == Verdict.NOT_ASKED
    assert result["halves-add-up"].verdict == Verdict.NOT_ASKED
    assert exit_code(result.values()) == 0


def test_the_probe_waits_between_requests_follows_no_redirect_and_only_gets() -> None:
    """A guest in somebody else's house."""
    waits: list[float] = []
    seen: list[str] = []

    def redirect(request: httpx.Request) -> httpx.Response:
        seen.append(f"{request.method} {request.url.path}")
        return httpx.Response(302, headers={"location": "http://127.0.0.1/elsewhere"})

    exchanges_of(httpx.MockTransport(redirect), sleep=waits.append, interval=1.5)
    standin = Standin(WORLD)
    exchanges_of(standin.transport(), sleep=waits.append, interval=1.5)

    assert waits == [1.5] * (len(seen) - 1 + len(standin.requests) - 1)
    assert set(seen) == {"GET /v1/data/calibrations/log"}
    assert {request.method for request in standin.requests} == {"GET"}


def test_a_deep_or_broken_body_does_not_stop_the_probe() -> None:
    """It is one more wrong answer."""
    for content in (b"[" * 100_000, b"\xff", json.dumps([5, None]).encode(), b"[1e999]", b"[NaN]"):
        transport = changed(
            with_status("good", 200, content=content, headers={"content-type": "application/json"})
        )
        assert verdicts(transport)["items-fit"] == "broken"


def test_exit_codes_add_up() -> None:
    """Broken or drift first, then undecided, then all is well."""

    def code(*words: str) -> int:
        return exit_code(
            Finding("name", "promise", Judgement(Verdict(word), "because")) for word in words
        )

    assert code("holds", "not asked", "accepted") == 0
    assert code("holds", "drift") == code("undecided", "broken") == 1
    assert code("holds", "undecided", "not asked") == 3


def test_an_exchange_that_failed_says_how_without_an_address() -> None:
    """The kind of the error is enough."""
    (exchange, *_) = exchanges_of(OUTAGES["unreachable"])

    assert exchange.failure == "ConnectError"
    assert DEMO_KEY not in repr(exchange)


def test_each_question_goes_with_its_key_and_with_no_session_of_another() -> None:
    """The right one, none, or a wrong one; a cookie of a good answer would be a key too."""
    keys: list[str | None] = []
    cookies: list[str | None] = []

    def respond(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers.get("X-Api-Key"))
        cookies.append(request.headers.get("Cookie"))
        return httpx.Response(200, json=[], headers={"set-cookie": "session=1; Path=/"})

    exchanges = exchanges_of(httpx.MockTransport(respond))

    expected = {"right": DEMO_KEY, "none": None, "wrong": WRONG_KEY}
    assert keys == [expected[exchange.question.key] for exchange in exchanges]
    assert set(keys) == set(expected.values())
    assert set(cookies) == {None}


def items_at(*times: str) -> list[dict[str, Any]]:
    """Items with these times of 2025."""
    return [{"time": f"2025-{time}Z"} for time in times]


@pytest.mark.parametrize(
    ("items", "cut"),
    [
        (
            items_at("01-05T00:00:00.000", "06-01T08:00:00.250", "06-03T00:00:00.000"),
            "2025-06-01T08:00:00.250000+00:00",
        ),
        (
            items_at("02-01T00:00:00", "06-01T00:00:00", "08-01T00:00:00", "10-01T00:00:00"),
            "2025-07-01T12:00:00+00:00",
        ),
        (items_at("06-01T08:00:00.250"), "2025-07-02T12:00:00+00:00"),
        ([{"time": "yesterday"}, {}], "2025-07-02T12:00:00+00:00"),
        ([], "2025-07-02T12:00:00+00:00"),
    ],
    ids=["at an item", "between two whose digits may be cut off", "one item", "unreadable", "none"],
)
def test_a_range_is_cut_where_most_is_to_be_seen(items: list[dict[str, Any]], cut: str) -> None:
    """At an item with neighbours if its time can be asked for, else between items."""
    assert middle_of(items, START, END).isoformat() == cut


def test_digits_that_were_cut_off_make_no_item_stand_outside() -> None:
    """12:00:00 may be 12:00:00.9, and is not before 12:00:00.5."""
    world = replace(WORLD, switches=Switches(fraction_digits=0))
    start = datetime(2025, 1, 13, 8, 36, 11, 500_000, tzinfo=UTC)
    result = verdicts(Standin(world).transport(), start=start)

    assert result["items-inside"] == "holds"
