"""A client sends no faster than the server accepts, and no slower than necessary."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cirrus_ext import AsyncCirrusClient, CirrusClient, plan_history
from cirrus_ext.clock import Clock
from cirrus_ext.rate_limit import (
    FIRST_MARGIN,
    GROWTH,
    MAX_GROWTH_SECONDS,
    MAX_PAUSE,
    MIN_SAMPLES,
    AdaptiveRateLimiter,
)
from mycirrus_contract.standin.adapters import Standin, serve
from mycirrus_contract.standin.fleet import fleet
from mycirrus_contract.standin.limit import Limit
from mycirrus_contract.standin.rules import DEMO_KEY, World
from tests.support import fast_clock
from tests.support.clients import KEY

# The same jitter in each run.
SEED = 1
WORLD = World(fleet(datetime(2026, 1, 1, tzinfo=UTC)))


def measured(
    limiter: AdaptiveRateLimiter, *, accepted: int, seconds: float, asked: float = 1.0
) -> float:
    """Let a limiter measure a rate.

    Returns:
        The time when the pause is over.
    """
    for _ in range(accepted):
        limiter.on_accepted(0.0)
    over = seconds + asked + 0.5
    limiter.on_throttled(seconds, retry_after=asked, wait=asked + 0.5)
    limiter.acquire(over)
    return over


def test_there_is_no_limit_until_a_429_comes() -> None:
    limiter = AdaptiveRateLimiter()

    assert [limiter.acquire(0.0) for _ in range(1000)] == [0.0] * 1000
    assert limiter.rate(0.0) is None


def test_a_429_with_retry_after_delays_all_requests() -> None:
    limiter = AdaptiveRateLimiter()
    limiter.on_throttled(10.0, retry_after=5.0, wait=6.0)

    assert limiter.acquire(10.0) == 6.0
    assert limiter.acquire(15.0) == 1.0
    assert limiter.acquire(16.0) == 0.0


def test_the_rate_is_accepted_requests_divided_by_their_time_and_the_wait() -> None:
    """20 requests in 0.05 s and a wait of 1 s are 19 a second, not 400."""
    limiter = AdaptiveRateLimiter()
    over = measured(limiter, accepted=20, seconds=0.05)

    assert limiter.rate(over) == pytest.approx(FIRST_MARGIN * 20 / 1.05)


def test_the_time_of_the_first_connection_does_not_count() -> None:
    limiter = AdaptiveRateLimiter()
    limiter.acquire(0.0)
    limiter.on_accepted(5.0)
    limiter.on_accepted(5.1)
    limiter.on_throttled(6.0, retry_after=1.0, wait=1.0)
    limiter.acquire(7.0)

    assert limiter.rate(7.0) == pytest.approx(FIRST_MARGIN * 2 / 2)


def test_several_429s_delay_as_long_as_the_first_and_never_less_than_retry_after() -> None:
    limiter = AdaptiveRateLimiter()
    limiter.on_throttled(10.0, retry_after=1.0, wait=1.2)
    limiter.on_throttled(10.1, retry_after=1.0, wait=1.9)
    assert limiter.cooldown_left(10.1) == pytest.approx(1.1)

    limiter.on_throttled(10.3, retry_after=1.0, wait=1.5)
    assert limiter.cooldown_left(10.3) == pytest.approx(1.5)


def test_requests_are_sent_at_the_rate_and_a_late_one_delays_no_other() -> None:
    """Ten a second; a request that is sent 50 ms late leaves the next one where it was due."""
    limiter = AdaptiveRateLimiter()
    now = measured(limiter, accepted=20, seconds=2 * FIRST_MARGIN - 1)
    while limiter.acquire(now) == 0.0:
        pass

    assert limiter.acquire(now) == pytest.approx(0.1, rel=1e-3)
    assert limiter.acquire(now + 0.15) == 0.0
    assert limiter.acquire(now + 0.15) == pytest.approx(0.05, rel=1e-2)


def test_an_idle_client_saves_up_no_requests() -> None:
    limiter = AdaptiveRateLimiter()
    now = measured(limiter, accepted=20, seconds=1.0) + 60
    taken = sum(limiter.acquire(now) == 0.0 for _ in range(100))

    assert taken <= 2


@pytest.mark.parametrize("pause", [MAX_PAUSE + 0.1, 20.0, 6 * 3600.0])
def test_a_rate_is_not_measured_over_a_pause(pause: float) -> None:
    """A request now and then, one `Retry-After: 1`, and no reason to send more slowly."""
    limiter, now = AdaptiveRateLimiter(), 0.0
    for _ in range(5):
        assert limiter.acquire(now) == 0.0
        limiter.on_accepted(now + 0.1)
        now += 0.1 + pause
    limiter.acquire(now)
    limiter.on_throttled(now, retry_after=1.0, wait=1.5)

    assert limiter.acquire(now + 1.5) == 0.0
    assert limiter.rate(now + 1.5) is None


@pytest.mark.parametrize("retry_after", [20.0, None])
def test_a_wait_after_a_429_is_no_pause(retry_after: float | None) -> None:
    """A request in 20 s, and a 429 for each that comes sooner."""
    limiter, now = AdaptiveRateLimiter(), 0.0
    for _ in range(2):
        limiter.acquire(now)
        limiter.on_accepted(now)
        limiter.on_throttled(now, retry_after=retry_after, wait=20.0)
        now += 20.0
    limiter.acquire(now)

    assert limiter.rate(now) == pytest.approx(FIRST_MARGIN * 2 / 40)


@pytest.mark.parametrize(("accepted", "seconds", "asked"), [(2, 5_000.0, 1.0), (2, 0.1, 1e6)])
def test_the_rate_makes_no_request_wait_longer_than_a_minute(
    accepted: int, seconds: float, asked: float
) -> None:
    limiter = AdaptiveRateLimiter()
    now = measured(limiter, accepted=accepted, seconds=seconds, asked=asked)
    while (wait := limiter.acquire(now)) == 0.0:
        pass

    assert wait == pytest.approx(60.0)


def test_the_rate_grows_slowly_until_there_is_no_limit() -> None:
    limiter = AdaptiveRateLimiter()
    now = measured(limiter, accepted=20, seconds=1.0)

    assert limiter.rate(now + 10) == pytest.approx(FIRST_MARGIN * 10 * (1 + GROWTH) ** 10)
    assert limiter.rate(now + MAX_GROWTH_SECONDS) is None


def test_the_429s_of_concurrent_requests_are_measured_once() -> None:
    limiter = AdaptiveRateLimiter()
    for _ in range(10):
        limiter.on_accepted(0.0)
        limiter.on_throttled(1.0, retry_after=1.0, wait=1.0)
    limiter.acquire(2.0)
    measured_once = limiter.rate(2.0)
    for _ in range(MIN_SAMPLES - 1):
        limiter.on_accepted(2.1)
    limiter.on_throttled(2.1, retry_after=1.0, wait=1.0)
    limiter.acquire(3.1)

    assert measured_once == pytest.approx(FIRST_MARGIN * 10 / 2)
    assert limiter.rate(2.0) == measured_once


def test_a_429_after_a_single_request_sets_no_rate() -> None:
    limiter = AdaptiveRateLimiter()
    over = measured(limiter, accepted=1, seconds=0.1)

    assert limiter.rate(over) is None


@example([(0.0, False, 0.0), (0.0, False, 0.0), (0.0, True, 0.0)])  # all in no time at all
@given(st.lists(st.tuples(st.floats(0, 5), st.booleans(), st.floats(0, 10)), max_size=50))
def test_waiting_as_long_as_the_limiter_says_leads_to_a_permit(
    steps: list[tuple[float, bool, float]],
) -> None:
    limiter, now = AdaptiveRateLimiter(), 0.0
    for pause, is_429, asked in steps:
        now += pause
        limiter.acquire(now)
        if is_429:
            limiter.on_throttled(now, retry_after=asked, wait=asked)
        else:
            limiter.on_accepted(now)
    for _ in range(5):
        wait = limiter.acquire(now)
        assert wait >= 0
        if wait == 0:
            return
        now += wait + 1e-6
    raise AssertionError("five waits, and no permit")


class Slow(httpx.AsyncBaseTransport):
    """Takes 50 ms for an answer, and at the beginning ``connecting`` seconds for a connection."""

    def __init__(self, standin: Standin, connecting: float) -> None:
        self._inner = standin.transport()
        self._connecting = connecting

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(self._connecting - asyncio.get_running_loop().time())
        response = await self._inner.handle_async_request(request)
        await asyncio.sleep(0.05)
        return response


async def fetch(
    rate: float, workers: int, instruments: int, connecting: float = 0.0
) -> tuple[float, Limit, Standin]:
    """Fetch five years of instruments from a server that takes so many requests a second.

    Returns:
        The seconds it took, by a clock that does not wait, and the server.
    """
    clock = replace(fast_clock.clock(), random=Random(SEED).random)  # noqa: S311 - a jitter
    limit = Limit(rate, clock.monotonic)
    standin = Standin(World(WORLD.entries, keys=frozenset({KEY})), limit=limit)
    serials = [f"QT{number:06}" for number in range(instruments)]
    client = AsyncCirrusClient(
        KEY, transport=Slow(standin, connecting), max_concurrency=workers, _clock=clock
    )
    windows = plan_history(serials, start="2015-01-01T00:00:00Z", end="2020-01-01T00:00:00Z")
    began = clock.monotonic()
    given = [window async for window, _ in client.history_windows(windows)]
    assert given == windows
    return clock.monotonic() - began, limit, standin


@pytest.mark.parametrize(
    ("rate", "workers", "instruments", "connecting"),
    [
        (20, 8, 60, 1),
        (5, 4, 30, 0),
        (2, 4, 20, 1),
        (50, 8, 100, 0),
        (10, 16, 60, 0.5),
    ],
)
def test_a_client_reaches_nine_tenths_of_a_rate_limit_with_few_429s(
    rate: float, workers: int, instruments: int, connecting: float
) -> None:
    seconds, limit, standin = fast_clock.run(fetch(rate, workers, instruments, connecting))
    answered = len(standin.requests) - limit.refused

    assert answered == 6 * instruments
    assert answered / seconds >= 0.9 * rate
    assert limit.refused < 0.05 * len(standin.requests)


def test_a_client_is_not_slowed_down_where_there_is_no_limit() -> None:
    """Eight at a time, 50 ms each: 160 a second."""
    seconds, _, standin = fast_clock.run(fetch(1e9, 8, 50))

    assert len(standin.requests) / seconds >= 0.98 * 160


def test_threads_that_share_a_client_keep_the_rate_together() -> None:
    limit = Limit(12)
    standin = Standin(WORLD, limit=limit)
    records: dict[str, int] = {}

    def work(serial: str) -> None:
        history = client.calibration_history(
            [serial], start="2022-01-01T00:00:00Z", end="2026-01-01T00:00:00Z"
        )
        records[serial] = len([record for record in history if record.instrument == serial])

    serials = sorted({entry.instrument for entry in WORLD.entries})
    no_jitter = Clock(random=lambda: 0.0)
    with (
        serve(standin) as base_url,
        CirrusClient(DEMO_KEY, base_url=base_url, max_concurrency=8, _clock=no_jitter) as client,
        ThreadPoolExecutor(len(serials)) as pool,
    ):
        assert list(pool.map(work, serials)) == [None] * len(serials)

    assert records == {
        serial: sum(
            entry.instrument == serial and "2022" <= entry.time < "2026" for entry in WORLD.entries
        )
        for serial in serials
    }
    assert 0 < limit.refused <= 2 * 8  # the first burst's, and those of one more try at most
