"""The probe's verdict on each promise is the right one, and an outage is never a broken promise."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from .harness.checks import judge
from .harness.probe import WRONG_KEY, Exchange, Probe, plan
from .harness.verdicts import Finding, Verdict, exit_code
from .standin.adapters import Standin
from .standin.fleet import fleet
from .standin.rules import DEMO_KEY, KEY_WITHOUT_SCOPE, Switches, World

END = datetime(2026, 1, 1, tzinfo=UTC)
START = END - timedelta(days=365)
WORLD = World(entries=fleet(END))
SERIALS = ["QT123456", "QT234567"]

SCHEMA = "A good question is answered with items that fit the spec"
WINDOW = "Every item lies inside the range asked for"
OVER_LONG = "A range of more than a year is refused"
REVERSED = "A range whose end is before its start is refused"
NAIVE = "A time that does not say its zone is refused"
NO_KEY = "Without a key there is a 401"
BAD_KEY = "With a wrong key there is a 401"


def probe(transport: httpx.BaseTransport, **options: Any) -> Probe:
    """A probe that does not wait."""
    return Probe(
        "http://127.0.0.1/v1",
        options.pop("api_key", DEMO_KEY),
        transport=transport,
        sleep=lambda seconds: None,
        **options,
    )


def findings(transport: httpx.BaseTransport, **options: Any) -> dict[str, Finding]:
    """The findings of a run, by promise."""
    serials = options.pop("instruments", SERIALS)
    exchanges = probe(transport, **options).ask(plan(serials, START, END))
    return {finding.promise: finding for finding in judge(exchanges)}


def verdicts(transport: httpx.BaseTransport, **options: Any) -> dict[str, str]:
    """The verdicts of a run, by promise."""
    return {
        promise: str(finding.verdict) for promise, finding in findings(transport, **options).items()
    }


Change = Callable[[httpx.Request, httpx.Response], httpx.Response]


def changed(change: Change, world: World = WORLD) -> httpx.MockTransport:
    """The stand-in with its answers changed on the way."""
    inner = Standin(world).transport()
    return httpx.MockTransport(lambda request: change(request, inner.handle_request(request)))


def test_every_promise_holds_for_the_stand_in() -> None:
    """Exit code 0, in six requests."""
    standin = Standin(WORLD)
    result = findings(standin.transport())

    assert {finding.verdict for finding in result.values()} == {Verdict.HOLDS}
    assert set(result) == {SCHEMA, WINDOW, OVER_LONG, REVERSED, NAIVE, NO_KEY, BAD_KEY}
    assert exit_code(result.values()) == 0
    assert len(standin.requests) == 6


def with_items(body: Callable[[list[Any]], Any]) -> Change:
    """Change the body of each 200."""

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        del request
        if response.status_code != 200:
            return response
        return httpx.Response(200, json=body(response.json()))

    return change


def with_status(name: str, status: int, **options: Any) -> Change:
    """Change the answer to one question: good, over-long, reversed, naive, or key; or to all."""

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        parameters = request.url.params
        kind = "good"
        if parameters["start"] < "2025":
            kind = "over-long"
        elif parameters["start"] == "2026-01-01T00:00:00Z":
            kind = "reversed"
        elif parameters["start"] == "2025-01-01T00:00:00":
            kind = "naive"
        elif request.headers.get("X-Api-Key") != DEMO_KEY:
            kind = "key"
        return httpx.Response(status, **options) if name in {kind, "all"} else response

    return change


REFUSED = {"error": "Any", "description": "Any."}
WRONG = {
    "a wrapped list": (with_items(lambda items: {"items": items}), {SCHEMA: "broken"}),
    "no time": (with_items(lambda items: [{"user": "U", "message": "M"}]), {SCHEMA: "broken"}),
    "a naive time": (
        with_items(lambda items: [item | {"time": item["time"].rstrip("Z")} for item in items]),
        {SCHEMA: "broken"},
    ),
    "a null user": (
        with_items(lambda items: [item | {"user": None} for item in items]),
        {SCHEMA: "drift", WINDOW: "holds"},
    ),
    "a new field": (
        with_items(lambda items: [item | {"level": 93.7} for item in items]),
        {SCHEMA: "drift"},
    ),
    "an item outside": (
        with_items(lambda items: [*items, items[0] | {"time": "2020-01-01T00:00:00Z"}]),
        {SCHEMA: "holds", WINDOW: "broken"},
    ),
    "html for a 200": (with_status("good", 200, html="<p>Hello</p>"), {SCHEMA: "broken"}),
    "an undocumented status": (with_status("good", 204), {SCHEMA: "broken", WINDOW: "undecided"}),
    "a redirect": (with_status("good", 302), {SCHEMA: "broken", OVER_LONG: "undecided"}),
    "an item after the end": (
        with_items(lambda items: [*items, items[0] | {"time": "2026-01-01T00:00:00.001Z"}]),
        {SCHEMA: "holds", WINDOW: "broken"},
    ),
    "items without times": (
        with_items(lambda items: [item | {"time": 5} for item in items]),
        {SCHEMA: "broken", WINDOW: "undecided"},
    ),
    "reversed is answered": (with_status("reversed", 200, json=[]), {REVERSED: "broken"}),
    "reversed is a 404": (with_status("reversed", 404, json=REFUSED), {REVERSED: "drift"}),
    "naive is answered": (with_status("naive", 200, json=[]), {NAIVE: "broken"}),
    "over-long is text": (with_status("over-long", 400, text="no"), {OVER_LONG: "broken"}),
    "over-long is a 403": (with_status("over-long", 403, json=REFUSED), {OVER_LONG: "drift"}),
    "over-long is a 408": (with_status("over-long", 408, text="slow"), {OVER_LONG: "undecided"}),
    "over-long is a redirect": (with_status("over-long", 302), {OVER_LONG: "broken"}),
    "all is a 400": (
        with_status("all", 400, json=REFUSED),
        {SCHEMA: "undecided", OVER_LONG: "undecided", NO_KEY: "undecided"},
    ),
    "all is a 404": (
        with_status("all", 404, html="no"),
        {SCHEMA: "undecided", OVER_LONG: "undecided", NO_KEY: "undecided"},
    ),
    "no key is a 429": (with_status("key", 429, html="no"), {NO_KEY: "broken"}),
    "no key is a 504": (with_status("key", 504, html="no"), {NO_KEY: "undecided"}),
    "over-long is answered": (with_status("over-long", 200, json=[]), {OVER_LONG: "broken"}),
    "over-long is a 422": (with_status("over-long", 422, json=REFUSED), {OVER_LONG: "drift"}),
    "over-long is a 500": (with_status("over-long", 500, json=REFUSED), {OVER_LONG: "broken"}),
    "over-long is a 503": (with_status("over-long", 503, html="no"), {OVER_LONG: "undecided"}),
    "no key is let in": (
        with_status("key", 200, json=[]),
        {NO_KEY: "broken", BAD_KEY: "broken"},
    ),
    "no key is a 403": (with_status("key", 403, json=REFUSED), {NO_KEY: "drift"}),
    "no key is another code": (with_status("key", 401, json=REFUSED), {NO_KEY: "drift"}),
    "no key is text": (with_status("key", 401, text="no"), {NO_KEY: "broken"}),
    "no key is a 500": (with_status("key", 500, html="no"), {NO_KEY: "undecided"}),
}


@pytest.mark.parametrize(("change", "expected"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_answer_gets_its_verdict(change: Change, expected: dict[str, str]) -> None:
    """Broken against the spec, drift against what we assume."""
    result = verdicts(changed(change))

    assert {promise: result[promise] for promise in expected} == expected


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
    """Exit code 3, never 1."""
    result = findings(transport)

    assert {finding.verdict for finding in result.values()} == {Verdict.UNDECIDED}
    assert all(finding.advice for finding in result.values())
    assert exit_code(result.values()) == 3


@pytest.mark.parametrize(
    ("key", "advice"), [("wrong", "MYCIRRUS_API_KEY"), (KEY_WITHOUT_SCOPE, "data.system:read")]
)
def test_a_key_that_will_not_do_is_undecided_and_says_what_to_do(key: str, advice: str) -> None:
    """What needs no good key is decided all the same."""
    result = findings(Standin(WORLD).transport(), api_key=key)

    assert result[SCHEMA].verdict == Verdict.UNDECIDED
    assert advice in result[SCHEMA].advice
    assert result[NO_KEY].verdict == Verdict.HOLDS
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

    assert result[SCHEMA].verdict == expected
    assert exit_code(result.values()) == 1


def test_an_empty_answer_is_never_a_kept_promise() -> None:
    """Nothing to look at is undecided."""
    result = verdicts(Standin(WORLD).transport(), instruments=["QT000000"])

    assert (result[SCHEMA], result[WINDOW]) == ("undecided", "undecided")


def test_the_first_429_is_the_last_request() -> None:
    """And what could not be asked is undecided."""
    standin = Standin(WORLD, script={2: "429"})
    result = findings(standin.transport())

    assert len(standin.requests) == 2
    assert result[SCHEMA].verdict == Verdict.HOLDS
    assert result[BAD_KEY].verdict == Verdict.UNDECIDED
    assert exit_code(result.values()) == 3


def test_what_the_budget_does_not_reach_is_not_asked_and_does_not_count() -> None:
    """Exit code 3 is for evidence that was sought and not had."""
    standin = Standin(WORLD)
    result = findings(standin.transport(), budget=2)

    assert len(standin.requests) == 2
    assert result[NO_KEY].verdict == result[BAD_KEY].verdict == Verdict.NOT_ASKED
    assert exit_code(result.values()) == 0


def test_the_probe_waits_between_requests_follows_no_redirect_and_only_gets() -> None:
    """A guest in somebody else's house."""
    waits: list[float] = []
    seen: list[str] = []

    def redirect(request: httpx.Request) -> httpx.Response:
        seen.append(f"{request.method} {request.url.path}")
        return httpx.Response(302, headers={"location": "http://127.0.0.1/elsewhere"})

    asker = replace(probe(httpx.MockTransport(redirect)), sleep=waits.append, interval=1.5)
    asker.ask(plan(SERIALS, START, END))

    assert waits == [1.5] * 5
    assert set(seen) == {"GET /v1/data/calibrations/log"}


def test_no_finding_holds_a_serial_a_user_a_message_or_the_key() -> None:
    """Whatever the server says."""
    world = replace(WORLD, switches=Switches(names_instrument=True))
    private = {entry.user for entry in WORLD.entries} | {entry.message for entry in WORLD.entries}
    for change in (
        with_items(lambda items: [item | {"time": item["user"]} for item in items]),
        with_items(lambda items: [item | {"user": [item["user"]]} for item in items]),
        with_status("good", 401, json={"error": DEMO_KEY, "description": "QT123456"}),
        with_status("good", 200, text="[]", headers={"content-type": f"text/{DEMO_KEY}"}),
    ):
        shown = repr(findings(changed(change, world)))
        assert not any(word in shown for word in {DEMO_KEY, *SERIALS, *private})
    assert DEMO_KEY not in repr(probe(Standin().transport()))


def test_a_deep_or_broken_body_does_not_stop_the_probe() -> None:
    """It is one more wrong answer."""
    for content in (b"[" * 100_000, b"\xff", json.dumps([5, None]).encode(), b"[1e999]"):
        transport = changed(
            with_status("good", 200, content=content, headers={"content-type": "application/json"})
        )
        assert verdicts(transport)[SCHEMA] == "broken"


def test_exit_codes_add_up() -> None:
    """Broken or drift first, then undecided, then all is well."""

    def code(*words: str) -> int:
        return exit_code(Finding("promise", Verdict(word), "because") for word in words)

    assert code("holds", "not asked") == 0
    assert code("holds", "drift") == code("undecided", "broken") == 1
    assert code("holds", "undecided", "not asked") == 3


def test_an_exchange_that_failed_says_how_without_an_address() -> None:
    """The kind of the error is enough."""
    (exchange, *_) = probe(OUTAGES["unreachable"]).ask(plan(SERIALS, START, END))

    assert isinstance(exchange, Exchange)
    assert exchange.failure == "ConnectError"


def test_each_question_goes_with_its_key_and_with_no_session_of_another() -> None:
    """The right one, none, or a wrong one; a cookie of a good answer would be a key too."""
    keys: list[str | None] = []
    cookies: list[str | None] = []

    def respond(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers.get("X-Api-Key"))
        cookies.append(request.headers.get("Cookie"))
        return httpx.Response(200, json=[], headers={"set-cookie": "session=1; Path=/"})

    questions = plan(SERIALS, START, END)
    probe(httpx.MockTransport(respond)).ask(questions)

    expected = {"right": DEMO_KEY, "none": None, "wrong": WRONG_KEY}
    assert keys == [expected[question.key] for question in questions]
    assert set(keys) == set(expected.values())
    assert set(cookies) == {None}
