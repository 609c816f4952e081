"""A call ends on time, and at once when nobody wants it any more; nothing is left behind."""

import asyncio
import threading
import time
from typing import Any

import httpx
import pytest

from cirrus_ext import (
    APIConnectionError,
    APITimeoutError,
    AsyncCirrusClient,
    CirrusClient,
    CirrusError,
    RetryPolicy,
    plan_history,
)
from cirrus_ext.clock import Clock
from cirrus_ext.deadline import BoundedBackend
from tests.support.clients import KEY, ask, seconds_to_cancel, use
from tests.support.faulty_server import (
    LIFETIME,
    Act,
    Wire,
    answer,
    drip_the_body,
    drip_the_head,
    faulty,
    say_nothing,
)

PLAN = plan_history(["QT1"], start="2000-01-01T00:00:00Z", end="2020-01-01T00:00:00Z")
# Each of these ends within half a second. A busy machine needs more; without it, it takes 20 s.
LIMIT = LIFETIME / 4


def drip_an_error(wire: Wire) -> None:
    wire.drip(b"HTTP/1.1 503 A" + b"w" * 999, 0.05)


SLOW: dict[str, list[Act]] = {
    "silence": [say_nothing],
    "a dripping head": [drip_the_head],
    "a dripping body": [drip_the_body],
    "a dripping error": [drip_an_error],
    "503, then a dripping head": [answer(b"", "503 Away"), drip_the_head],
}


@pytest.mark.parametrize("acts", SLOW.values(), ids=list(SLOW))
def test_no_call_outlasts_its_total_timeout(client_kind: str, acts: list[Act]) -> None:
    policy = RetryPolicy(total_timeout=0.4, max_attempts=1000, backoff_base=0)
    with faulty(*acts) as server:
        began = time.monotonic()
        with pytest.raises(APITimeoutError) as caught:
            use(client_kind, ask, base_url=server.base_url, retry=policy, timeout=LIFETIME)
        took = time.monotonic() - began

    assert took < LIMIT
    assert caught.value.stop_reason == "total_timeout"


def test_one_attempt_may_be_shorter_than_the_call(client_kind: str) -> None:
    """``timeout`` of a call bounds each attempt's waiting, not the call."""
    with faulty(say_nothing, say_nothing, answer()) as server:
        result = use(
            client_kind,
            lambda client: client.calibration_log(
                ["QT1"], start="2023-01-01T00:00:00Z", end="2023-01-02T00:00:00Z", timeout=0.5
            ),
            base_url=server.base_url,
            retry=RetryPolicy(backoff_base=0.01),
        )

    assert result == []
    assert len(server.heads) == 3


def test_a_users_own_transport_is_left_as_it_is() -> None:
    transport: Any = httpx.HTTPTransport()
    CirrusClient(KEY, transport=transport)

    assert not isinstance(transport._pool._network_backend, BoundedBackend)


WAITING: dict[str, Act] = {
    "in a read of the head": say_nothing,
    "in a read of the body": drip_the_body,
    "in a wait": answer(b"", "429 Slow", "Retry-After: 20"),
}


@pytest.mark.parametrize("name", WAITING)
def test_a_cancelled_call_is_over_and_the_client_can_be_used_again(name: str) -> None:
    """The pause that a 429 asked for outlives its call, so nothing is asked in it."""

    async def main() -> float:
        async with AsyncCirrusClient(KEY, base_url=server.base_url) as client:
            took = await seconds_to_cancel(client)
            assert name == "in a wait" or await ask(client) == []
            return took

    with faulty(WAITING[name], answer()) as server:
        assert asyncio.run(main()) < LIMIT


def test_closing_an_async_client_ends_its_calls_with_an_error_of_ours() -> None:
    clients: list[AsyncCirrusClient] = []

    async def close_instead(seconds: float) -> None:
        del seconds
        await clients[0].aclose()

    async def main() -> None:
        transport = httpx.MockTransport(lambda request: httpx.Response(503))
        clock = Clock(async_sleep=close_instead)
        clients.append(AsyncCirrusClient(KEY, transport=transport, _clock=clock))
        with pytest.raises(APIConnectionError, match="closed before there was an answer"):
            await ask(clients[0])

    asyncio.run(main())


def after_the_first_window(act: Act) -> Act:
    """Answer the first window of the plan, and do something else to the others."""
    return lambda wire: (answer() if b"start=1999-12-31" in wire.request else act)(wire)


@pytest.mark.parametrize("act", WAITING.values(), ids=list(WAITING))
def test_leaving_a_history_early_stops_what_is_under_way(act: Act) -> None:
    before = threading.active_count()
    with faulty(after_the_first_window(act)) as server:
        client = CirrusClient(KEY, base_url=server.base_url, max_concurrency=2)
        history = client.history_windows(PLAN)
        next(history)
        time.sleep(0.1)
        began = time.monotonic()
        history.close()
        took = time.monotonic() - began
        client.close()

    assert took < LIMIT
    assert threading.active_count() <= before


def test_closing_the_client_ends_a_history_that_nobody_closed() -> None:
    before = threading.active_count()
    with faulty(after_the_first_window(say_nothing)) as server:
        with CirrusClient(KEY, base_url=server.base_url, max_concurrency=2) as client:
            history = client.history_windows(PLAN)
            next(history)
        with pytest.raises(CirrusError):
            next(history)

    assert threading.active_count() <= before


def test_an_async_history_that_is_left_early_leaves_no_socket() -> None:
    """Nor a task: a ResourceWarning would be an error here."""

    async def main() -> None:
        async with AsyncCirrusClient(KEY, base_url=server.base_url, max_concurrency=2) as client:
            history = client.history_windows(PLAN)
            await anext(history)
            await history.aclose()
        assert len(asyncio.all_tasks()) == 1

    with faulty(after_the_first_window(say_nothing)) as server:
        began = time.monotonic()
        asyncio.run(main())

    assert time.monotonic() - began < LIMIT
