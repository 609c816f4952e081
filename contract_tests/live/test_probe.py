"""What the probe sends, how often, and when it stops."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from mycirrus_contract.live import plan
from mycirrus_contract.live import probe as probes
from mycirrus_contract.live.arguments import BUDGET, CONTROLS, THOROUGH
from mycirrus_contract.live.exchange import WRONG_KEY
from mycirrus_contract.live.plan import last_end, middle_of, unknown_like
from mycirrus_contract.live.verdicts import Verdict, exit_code
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.rules import DEMO_KEY
from mycirrus_contract.standin.switches import Switches
from tests.support.clock import FakeClock

from .runs import (
    END,
    SERIALS,
    START,
    WORLD,
    changed,
    exchanges_of,
    findings,
    judged,
    not_holding,
    standin,
    verdicts,
    with_status,
    world_of,
)


def names_of(transport: httpx.BaseTransport, **options: Any) -> list[str]:
    return [exchange.request.name for exchange in exchanges_of(transport, **options)]


def test_the_budget_is_of_the_planned_requests_and_three_more_are_controls_and_repeats() -> None:
    failing = changed(with_status("all", 500, html="no"))

    assert len(names_of(standin(), budget=THOROUGH)) <= THOROUGH + 2 + CONTROLS
    assert names_of(standin(), budget=2) == [plan.WHOLE, plan.SAME, plan.ALONE, plan.OTHERS]
    assert len(names_of(failing)) <= BUDGET + CONTROLS
    assert len(set(names_of(failing))) == len(names_of(failing))


def test_a_control_is_sent_only_where_an_answer_can_be_read_in_two_ways() -> None:
    assert names_of(standin())[-1] == plan.SAME_START
    assert plan.SAME_START not in names_of(changed(with_status("over-long", 200, json=[])))
    assert plan.BESIDE_CUT not in names_of(standin())
    assert plan.BESIDE_CUT in names_of(standin(end_inclusive=False))
    assert plan.again(plan.OVER_LONG_RANGE) in names_of(
        changed(with_status("over-long", 500, html="no"))
    )
    assert plan.again(plan.OVER_LONG_RANGE) not in names_of(
        changed(with_status("over-long", 503, html="no"))
    )


def test_a_promise_beyond_the_budget_is_not_asked_and_does_not_count() -> None:
    result = judged(exchanges_of(standin(), budget=2))

    assert result["no-key-refused"].verdict == Verdict.NOT_ASKED
    assert result["halves-add-up"].verdict == Verdict.NOT_ASKED
    assert exit_code(result.values()) == 0


def test_it_waits_between_requests_follows_no_redirect_and_sends_only_get() -> None:
    waits: list[float] = []
    seen: list[str] = []

    def redirect(request: httpx.Request) -> httpx.Response:
        seen.append(f"{request.method} {request.url.path}")
        return httpx.Response(302, headers={"location": "http://127.0.0.1/elsewhere"})

    exchanges_of(httpx.MockTransport(redirect), sleep=waits.append, interval=1.5)
    server = Standin(WORLD)
    exchanges_of(server.transport(), sleep=waits.append, interval=1.5)

    assert waits == [1.5] * (len(seen) - 1 + len(server.requests) - 1)
    assert set(seen) == {"GET /v1/data/calibrations/log"}
    assert {request.method for request in server.requests} == {"GET"}


@pytest.mark.parametrize("position", [1, 2, 3, 6, 7, 12])
def test_after_a_429_nothing_more_is_sent(position: int) -> None:
    server = Standin(WORLD, script={position: "429-wait-1"})
    result = findings(server.transport())

    assert len(server.requests) == position
    assert exit_code(result.values()) == 3
    assert position < 7 or result["items-fit"].verdict == Verdict.HOLDS


def test_a_body_without_end_is_abandoned() -> None:
    """A byte every ten seconds keeps every other timeout from expiring."""
    clock = FakeClock()

    def dripping() -> Iterator[bytes]:
        while True:
            clock.sleep(10)
            yield b" "

    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=dripping()))
    exchanges = exchanges_of(transport, monotonic=lambda: clock.seconds)

    assert [exchange.failure for exchange in exchanges] == ["no answer in time"] * 2
    assert clock.seconds == 2 * (probes.LONGEST + 10)


def test_each_request_is_sent_with_its_key_and_without_cookies() -> None:
    """The cookie of a valid key may be as good as the key."""
    keys: list[str | None] = []
    cookies: list[str | None] = []

    def respond(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers.get("X-Api-Key"))
        cookies.append(request.headers.get("Cookie"))
        return httpx.Response(200, json=[], headers={"set-cookie": "session=1; Path=/"})

    exchanges = exchanges_of(httpx.MockTransport(respond))

    expected = {"right": DEMO_KEY, "none": None, "wrong": WRONG_KEY}
    assert keys == [expected[exchange.request.key] for exchange in exchanges]
    assert set(keys) == set(expected.values())
    assert set(cookies) == {None}
    sent = [exchange.sent for exchange in exchanges]
    assert [one and one.headers["x-api-key"] for one in sent] == [
        exchange.request.key for exchange in exchanges
    ]


def test_a_failure_says_its_kind_without_an_address() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        del request
        raise httpx.ConnectError("[Errno -2] Name or service not known: example.invalid")

    (exchange, *_) = exchanges_of(httpx.MockTransport(fail))

    assert exchange.failure == "ConnectError"
    assert DEMO_KEY not in repr(exchange)


def test_after_an_empty_range_earlier_ones_are_tried_within_the_budget() -> None:
    server = Standin(world_of("2023-03-01T12:00:00Z", "2023-06-01T12:00:00Z"))
    exchanges = exchanges_of(server.transport())
    result = judged(exchanges)
    names = [exchange.request.name for exchange in exchanges]

    assert names[:3] == [plan.WHOLE, plan.earlier(1), plan.earlier(2)]
    assert result["items-fit"].verdict == result["halves-add-up"].verdict == Verdict.HOLDS
    assert result["wrong-key-refused"].verdict == Verdict.NOT_ASKED
    assert exit_code(result.values()) == 0


def test_it_looks_no_further_back_than_1900() -> None:
    start = datetime(1900, 6, 1, tzinfo=UTC)
    names = names_of(standin(), start=start, end=start + timedelta(days=365))

    assert not [name for name in names if "earlier" in name]


def test_empty_answers_prove_no_promise() -> None:
    result = verdicts(standin(), instruments=["QT000000", "QT000001"])
    empty = ("items-fit", "items-inside", "same-twice", "halves-add-up", "instruments-add-up")

    assert {result[name] for name in empty} == {"undecided"}
    assert result["over-long-refused"] == "holds"


def test_a_sum_of_nothing_is_undecided() -> None:
    result = findings(standin(), instruments=["QT123456", "QT000000"])

    assert result["instruments-add-up"].verdict == Verdict.UNDECIDED
    assert "have entries" in result["instruments-add-up"].judgement.advice
    assert result["halves-add-up"].verdict == Verdict.HOLDS


@pytest.mark.parametrize(
    ("instruments", "not_asked"),
    [(["QT123456"], {"instruments-add-up"}), ([*SERIALS, "QT567890"], set())],
    ids=["one", "three"],
)
def test_one_instrument_or_three_are_enough(instruments: list[str], not_asked: set[str]) -> None:
    exchanges = exchanges_of(standin(), instruments=instruments)
    found = judged(exchanges)

    assert not_holding(exchanges) == {}
    assert {name for name, one in found.items() if one.verdict == Verdict.NOT_ASKED} == not_asked


@pytest.mark.parametrize("milliseconds", [1, 2, 3])
def test_a_range_with_no_room_for_halves_is_not_cut(milliseconds: int) -> None:
    """The API would rightly refuse a half of no length."""
    start = datetime(2025, 6, 1, 12, tzinfo=UTC)
    world = world_of("2025-06-01T12:00:00.0001Z", "2025-06-01T12:00:00.0009Z")
    end = start + timedelta(milliseconds=milliseconds)
    result = verdicts(Standin(world).transport(), start=start, end=end)

    assert "broken" not in result.values()


def test_an_item_whose_digits_are_cut_off_may_be_at_the_cut_and_is_not_outside() -> None:
    """12:00:00 may be 12:00:00.5, and be in both halves."""
    entries = ("2025-06-01T12:00:00.500Z", "2025-06-01T12:00:01.200Z")
    world = replace(world_of(*entries), switches=Switches(fraction_digits=0))
    start = datetime(2025, 6, 1, 12, 0, 0, 500_000, tzinfo=UTC)
    whole = verdicts(Standin(world).transport(), instruments=["QT123456"])
    late = verdicts(Standin(world).transport(), instruments=["QT123456"], start=start)

    assert whole["halves-add-up"] == "holds"
    assert late["items-inside"] == "holds"


def items_at(*times: str) -> list[dict[str, Any]]:
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
def test_a_range_is_cut_at_an_item_if_possible(items: list[dict[str, Any]], cut: str) -> None:
    assert middle_of(items, START, END).isoformat() == cut


@pytest.mark.parametrize(
    ("end", "leap", "other"),
    [
        ("2026-01-01", "2025-02-28", "2026-01-01"),
        ("2024-12-31", "2024-12-31", "2024-02-29"),
        ("2025-03-01", "2025-02-28", "2024-02-29"),
        ("1904-01-01", "1897-02-28", "1904-01-01"),
    ],
)
def test_366_days_are_a_calendar_year_if_it_has_a_29_february(
    end: str, leap: str, other: str
) -> None:
    """No range starts on 29 February: a year after it has two readings."""
    moment = datetime.fromisoformat(end).replace(tzinfo=UTC)
    ends = [last_end(moment, is_leap=is_leap) for is_leap in (True, False)]

    assert [one and f"{one:%Y-%m-%d}" for one in ends] == [leap, other]


@pytest.mark.parametrize(
    ("serial", "unknown"), [("QT123456", "QT000000"), ("ABC", "ABC0"), ("QT0", "QT00")]
)
def test_an_unknown_serial_looks_like_a_known_one(serial: str, unknown: str) -> None:
    assert unknown_like(serial) == unknown


@pytest.mark.parametrize("no_proxy", ["m\u00fcller.example", "host:port", "fd07:b51a::/64"])
def test_no_entry_of_no_proxy_keeps_the_check_from_starting(
    no_proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", no_proxy)
    probe = probes.Probe("http://127.0.0.1:9/v1", "key")

    with probe._clients() as (own, _):
        assert not own.is_closed
