"""What is tried again, how long is waited first, and when it ends."""

import logging
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from cirrus_ext import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    CirrusClient,
    CirrusError,
    ConfigurationError,
    RateLimitError,
    RetryEvent,
    RetryPolicy,
    ServerError,
)
from cirrus_ext.retry import Outcome, Stop, Wait, decide, parse_retry_after

from .clock import FakeClock
from .colours import ask, copy_of, use

GOOD = httpx.Response(200, json=[])
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
Script = list[httpx.Response | Exception]


def playing(script: Script) -> httpx.MockTransport:
    """A server that answers by a script, and fails the test when it is asked more often."""
    remaining = iter(script)

    def answer(request: httpx.Request) -> httpx.Response:
        del request
        result = next(remaining)
        if isinstance(result, Exception):
            raise result
        return copy_of(result)

    return httpx.MockTransport(answer)


def play(colour: str, script: Script, clock: FakeClock, **options: Any) -> Any:
    """Ask a server that answers by a script."""
    return use(colour, ask, transport=playing(script), _clock=clock.clock(), **options)


def failure(colour: str, script: Script, clock: FakeClock, **options: Any) -> Any:
    """The error that a script leads to."""
    with pytest.raises(CirrusError) as caught:
        play(colour, script, clock, **options)
    return caught.value


RETRIED = [408, 429, 500, 502, 503, 504, 520, 599]
NOT_RETRIED = [300, 302, 400, 401, 403, 404, 409, 422, 501, 505, 511]


@pytest.mark.parametrize("status", RETRIED)
def test_a_status_that_may_pass_is_tried_again(colour: str, clock: FakeClock, status: int) -> None:
    """And the good answer that follows is the answer."""
    assert play(colour, [httpx.Response(status), GOOD], clock) == []
    assert len(clock.waits) == 1


@pytest.mark.parametrize("status", NOT_RETRIED)
def test_a_status_that_will_not_pass_is_not_tried_again(
    colour: str, clock: FakeClock, status: int
) -> None:
    """One attempt, no wait."""
    error = failure(colour, [httpx.Response(status)], clock)

    assert (error.status_code, error.attempts, error.stop_reason) == (status, 1, "not_retryable")
    assert clock.waits == []


@pytest.mark.parametrize(
    "cause",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("closed without an answer"),
        httpx.ProxyError("away"),
    ],
    ids=lambda cause: type(cause).__name__,
)
def test_a_broken_connection_is_tried_again(
    colour: str, clock: FakeClock, cause: Exception
) -> None:
    """Whatever broke it."""
    assert play(colour, [cause, GOOD], clock) == []


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (httpx.ReadTimeout("slow"), APITimeoutError),
        (httpx.ConnectError("refused"), APIConnectionError),
    ],
)
def test_a_connection_that_stays_broken_is_a_typed_error(
    colour: str, clock: FakeClock, cause: Exception, kind: type[CirrusError]
) -> None:
    """After four attempts, with the cause kept."""
    error = failure(colour, [cause] * 4, clock)

    assert type(error) is kind
    assert isinstance(error, TimeoutError) == (kind is APITimeoutError)
    assert (error.attempts, error.stop_reason) == (4, "attempts")
    assert error.__cause__ is cause


def test_a_bug_in_a_users_transport_is_not_tried_again(colour: str, clock: FakeClock) -> None:
    """It is the user's to see, as it is."""
    with pytest.raises(ZeroDivisionError):
        play(colour, [ZeroDivisionError()], clock)
    assert clock.waits == []


@pytest.mark.parametrize(
    ("response", "waits"),
    [
        (httpx.Response(503), [0.25, 0.5, 1.0]),
        (httpx.Response(429), [1.5, 3.0, 6.0]),
    ],
    ids=["transient", "throttled"],
)
def test_four_attempts_are_made_with_waits_that_double(
    colour: str, clock: FakeClock, response: httpx.Response, waits: list[float]
) -> None:
    """In the middle of the jitter: half of 0.5, 1, 2 s; the middle of 1-2, 2-4, 4-8 s."""
    error = failure(colour, [response] * 4, clock)

    assert isinstance(error, APIStatusError)
    assert (error.attempts, error.stop_reason) == (4, "attempts")
    assert clock.waits == waits
    assert error.elapsed == sum(waits)


@pytest.mark.parametrize("jitter", [0.0, 0.999])
@pytest.mark.parametrize(
    ("status", "ladder"),
    [
        (503, [(0, 0.5), (0, 1), (0, 2), (0, 4), (0, 8), (0, 8)]),
        (429, [(1, 2), (2, 4), (4, 8), (8, 16), (15, 30), (15, 30)]),
    ],
)
def test_each_wait_has_its_bounds(
    status: int, ladder: list[tuple[float, float]], jitter: float
) -> None:
    """The caps hold, however often it is tried."""
    policy = RetryPolicy(max_attempts=10)
    for attempt, (least, most) in enumerate(ladder, start=1):
        decision = decide(policy, Outcome(status), attempt=attempt, elapsed=0, jitter=jitter)
        assert isinstance(decision, Wait)
        assert decision.seconds == pytest.approx(least + jitter * (most - least))


def test_a_wait_that_the_server_asks_for_is_never_cut_short(colour: str, clock: FakeClock) -> None:
    """It is spread by up to a second, or a tenth."""
    script: Script = [
        httpx.Response(429, headers={"retry-after": "5"}),
        httpx.Response(503, headers={"retry-after": "40"}),
        GOOD,
    ]
    play(colour, script, clock)

    assert clock.waits == [5.5, 42.0]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "policy"),
    [("121", RetryPolicy()), ("11", RetryPolicy(total_timeout=10))],
    ids=["longer than we wait", "longer than is left"],
)
def test_a_wait_that_is_too_long_ends_the_call_at_once(
    colour: str, clock: FakeClock, status: int, retry_after: str, policy: RetryPolicy
) -> None:
    """With the time that was asked for on the error."""
    response = httpx.Response(status, headers={"retry-after": retry_after})
    error = failure(colour, [response], clock, retry=policy)

    assert (error.stop_reason, error.attempts) == ("retry_after_too_long", 1)
    assert error.retry_after == float(retry_after)
    assert clock.waits == []


def test_a_budget_that_ends_while_waiting_gives_the_last_answers_error(
    colour: str, clock: FakeClock
) -> None:
    """No wait is begun that cannot be finished."""
    error = failure(colour, [httpx.Response(503)] * 2, clock, retry=RetryPolicy(total_timeout=0.5))

    assert isinstance(error, ServerError)
    assert error.stop_reason == "total_timeout"
    assert clock.waits == [0.25]


def test_a_budget_that_ends_in_the_body_is_a_timeout(colour: str, clock: FakeClock) -> None:
    """A body that drips for ever does not hold the call for ever."""

    class Dripping(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Any:
            while True:
                clock.sleep(1)
                yield b" "

        async def __aiter__(self) -> Any:
            while True:
                clock.sleep(1)
                yield b" "

    transport = httpx.MockTransport(lambda request: httpx.Response(200, stream=Dripping()))
    with pytest.raises(APITimeoutError) as caught:
        use(
            colour,
            ask,
            transport=transport,
            _clock=clock.clock(),
            retry=RetryPolicy(total_timeout=30),
        )

    assert caught.value.stop_reason == "total_timeout"
    assert clock.seconds == 30


def test_no_attempt_may_wait_longer_than_what_is_left(colour: str, clock: FakeClock) -> None:
    """Its timeouts shrink with the budget."""
    timeouts: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        timeouts.append(request.extensions["timeout"]["read"])
        return httpx.Response(503, headers={"retry-after": "9"})

    with pytest.raises(ServerError):
        use(
            colour,
            ask,
            transport=httpx.MockTransport(answer),
            _clock=clock.clock(),
            retry=RetryPolicy(total_timeout=20),
            timeout=15,
        )

    assert timeouts == [15, 10.5, 1.0]


RETRY_AFTER: list[tuple[str | None, str | None, float | None]] = [
    ("1", None, 1),
    (" 7\t", None, 7),
    ("1.5", None, 1.5),
    ("0", None, None),
    ("-1", None, None),
    ("inf", None, None),
    ("nan", None, None),
    ("1e3", None, None),
    ("1_000", None, None),
    ("\N{ARABIC-INDIC DIGIT FIVE}", None, None),
    ("soon", None, None),
    ("", None, None),
    (None, None, None),
    ("Thu, 01 Jan 2026 12:00:30 GMT", None, 30),
    ("Thu, 01 Jan 2026 11:59:00 GMT", None, None),
    ("Thu, 01 Jan 2026 12:00:30 GMT", "Thu, 01 Jan 2026 12:00:20 GMT", 10),
    ("Thu, 01 Jan 2026 15:00:30 GMT", "Thu, 01 Jan 2026 15:00:00 GMT", 30),
    ("Thu, 01 Jan 2026 12:00:30 GMT", "today", 30),
    ("Thu, 99 Jan 2026 12:00:30 GMT", None, None),
]


@pytest.mark.parametrize(("value", "date", "seconds"), RETRY_AFTER)
def test_retry_after_is_read_as_rfc_9110_says(
    value: str | None, date: str | None, seconds: float | None
) -> None:
    """Seconds, or a date measured against the answer's own; anything else is no wish at all."""
    assert parse_retry_after(value, date=date, now=NOON) == seconds


def test_each_retry_is_told_before_it_happens(colour: str, clock: FakeClock) -> None:
    """With its reason, its wait and no query."""
    events: list[RetryEvent] = []
    script: Script = [
        httpx.Response(429, headers={"retry-after": "1"}),
        httpx.ReadTimeout("slow"),
        GOOD,
    ]
    play(colour, script, clock, on_event=events.append)

    path = "/v1/data/calibrations/log"
    assert events == [
        RetryEvent(1, "429 Too Many Requests, Retry-After 1 s", 1.5, "GET", path, None),
        RetryEvent(2, "ReadTimeout: slow", 0.5, "GET", path, None),
    ]


def test_each_retry_is_one_line_of_the_log_without_serials(
    colour: str, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Method, path, attempt, reason, wait."""
    caplog.set_level(logging.INFO, "cirrus_ext")
    play(colour, [httpx.Response(503), GOOD], clock)

    (record,) = [record for record in caplog.records if record.name == "cirrus_ext"]
    assert record.getMessage() == (
        "GET /v1/data/calibrations/log: attempt 1: 503 Service Unavailable; next in 0.2 s"
    )


def test_a_429_with_a_wait_pauses_the_whole_client(clock: FakeClock) -> None:
    """A call that comes while another waits as it was asked to waits as long."""
    script: Script = [httpx.Response(429, headers={"retry-after": "60"}), GOOD, GOOD]
    clients: list[CirrusClient] = []

    def ask_meanwhile(event: RetryEvent) -> None:
        del event
        ask(clients[0])

    with CirrusClient(
        "k", transport=playing(script), _clock=clock.clock(), on_event=ask_meanwhile
    ) as client:
        clients.append(client)
        ask(client)

    assert clock.waits == [63.0, 63.0]


@pytest.mark.parametrize("headers", [{}, {"retry-after": "600"}], ids=["no wait", "too long"])
def test_a_429_whose_wait_is_not_honoured_pauses_nobody_else(
    clock: FakeClock, headers: dict[str, str]
) -> None:
    """The next call is sent at once."""
    script: Script = [httpx.Response(429, headers=headers), GOOD]
    once = RetryPolicy(max_attempts=1)
    with CirrusClient("k", transport=playing(script), _clock=clock.clock(), retry=once) as client:
        with pytest.raises(RateLimitError):
            ask(client)
        ask(client)

    assert clock.waits == []


def test_a_pause_costs_a_call_nothing_of_its_budget(clock: FakeClock) -> None:
    """After 40 s of it there is still time for a wait of 30 s, in a budget of 50 s."""
    script: Script = [httpx.Response(503, headers={"retry-after": "30"}), GOOD]
    policy = RetryPolicy(total_timeout=50)
    with CirrusClient("k", transport=playing(script), _clock=clock.clock(), retry=policy) as client:
        client._http._desk.pause.extend(40.0)
        ask(client)

    assert clock.waits == [40.0, 31.5]


def test_a_pause_longer_than_the_budget_ends_the_call_at_once(clock: FakeClock) -> None:
    """Nothing is sent, and the error says how long the pause still is."""
    policy = RetryPolicy(total_timeout=5)
    with CirrusClient("k", transport=playing([]), _clock=clock.clock(), retry=policy) as client:
        client._http._desk.pause.extend(40.0)
        with pytest.raises(RateLimitError) as caught:
            ask(client)

    error = caught.value
    assert (error.attempts, error.retry_after, error.stop_reason) == (
        0,
        40.0,
        "retry_after_too_long",
    )


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({"max_attempts": 0}, "max_attempts must be at least 1: 0"),
        ({"max_attempts": True}, "max_attempts must be a whole number: True"),
        ({"max_attempts": 2.5}, "max_attempts must be a whole number: 2.5"),
        ({"total_timeout": 0}, "total_timeout must be more than 0 seconds: 0"),
        ({"total_timeout": None}, "total_timeout must be a finite number of seconds: None"),
        ({"max_retry_after": -1}, "max_retry_after must be 0 or more seconds: -1"),
        ({"backoff_cap": float("inf")}, "backoff_cap must be a finite number of seconds: inf"),
        ({"throttle_base": "2"}, "throttle_base must be a finite number of seconds: '2'"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(numbers: dict[str, Any], says: str) -> None:
    """Name, bound and value; before any I/O."""
    with pytest.raises(ConfigurationError) as caught:
        RetryPolicy(**numbers)

    assert says in str(caught.value)


def test_one_attempt_turns_retries_off(colour: str, clock: FakeClock) -> None:
    """The first failure is the error."""
    error = failure(colour, [httpx.Response(503)], clock, retry=RetryPolicy(max_attempts=1))

    assert (error.attempts, error.stop_reason) == (1, "attempts")


def test_a_decision_to_stop_comes_before_one_to_wait() -> None:
    """When the budget is gone, that is the reason, also at the last attempt."""
    decision = decide(RetryPolicy(), Outcome(503), attempt=4, elapsed=180, jitter=0)

    assert decision == Stop("total_timeout")
