"""What is tried again, how long is waited first, and when it ends."""

import logging
import math
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from tests.support.clients import ask, copy_of, use
from tests.support.clock import FakeClock
from tests.support.faulty_server import answer, faulty

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


def play(client_kind: str, script: Script, clock: FakeClock, **options: Any) -> Any:
    return use(client_kind, ask, transport=playing(script), _clock=clock.clock(), **options)


def failure(client_kind: str, script: Script, clock: FakeClock, **options: Any) -> Any:
    with pytest.raises(CirrusError) as caught:
        play(client_kind, script, clock, **options)
    return caught.value


RETRIED = [408, 429, 500, 502, 503, 504, 520, 599]
NOT_RETRIED = [300, 302, 400, 401, 403, 404, 409, 422, 501, 505, 511]


@pytest.mark.parametrize("status", RETRIED)
def test_a_status_that_may_pass_is_tried_again(
    client_kind: str, clock: FakeClock, status: int
) -> None:
    assert play(client_kind, [httpx.Response(status), GOOD], clock) == []
    assert len(clock.waits) == 1


@pytest.mark.parametrize("status", NOT_RETRIED)
def test_a_status_that_will_not_pass_is_not_tried_again(
    client_kind: str, clock: FakeClock, status: int
) -> None:
    error = failure(client_kind, [httpx.Response(status)], clock)

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
    client_kind: str, clock: FakeClock, cause: Exception
) -> None:
    assert play(client_kind, [cause, GOOD], clock) == []


@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (httpx.ReadTimeout("slow"), APITimeoutError),
        (httpx.ConnectError("refused"), APIConnectionError),
    ],
)
def test_a_connection_that_stays_broken_is_a_typed_error(
    client_kind: str, clock: FakeClock, cause: Exception, kind: type[CirrusError]
) -> None:
    error = failure(client_kind, [cause] * 4, clock)

    assert type(error) is kind
    assert isinstance(error, TimeoutError) == (kind is APITimeoutError)
    assert (error.attempts, error.stop_reason) == (4, "attempts")
    assert error.__cause__ is cause


@pytest.mark.parametrize(
    "cause",
    [httpx.LocalProtocolError("bad header"), httpx.UnsupportedProtocol("ftp")],
    ids=lambda cause: type(cause).__name__,
)
def test_what_was_wrong_before_it_was_sent_is_not_tried_again(
    client_kind: str, clock: FakeClock, cause: Exception
) -> None:
    error = failure(client_kind, [cause], clock)

    assert (type(error), error.stop_reason) == (APIConnectionError, "not_retryable")


@pytest.mark.parametrize(
    ("method", "attempts"), [("GET", 4), ("HEAD", 4), ("POST", 1), ("PUT", 1), ("DELETE", 1)]
)
def test_only_what_may_be_sent_twice_is_sent_twice(
    clock: FakeClock, method: str, attempts: int
) -> None:
    transport = playing([httpx.Response(503)] * attempts)
    client = CirrusClient("k", transport=transport, _clock=clock.clock())
    with pytest.raises(ServerError) as caught:
        client.raw.get_httpx_client().request(method, "/webhooks")

    assert caught.value.attempts == attempts


def test_a_budget_that_a_slow_listener_used_up_gives_the_last_answers_error(
    client_kind: str, clock: FakeClock
) -> None:
    error = failure(
        client_kind,
        [httpx.Response(503)],
        clock,
        retry=RetryPolicy(total_timeout=5),
        on_event=lambda event: clock.sleep(10),
    )

    assert isinstance(error, ServerError)
    assert (error.attempts, error.stop_reason) == (1, "total_timeout")


def test_a_broken_connection_keeps_its_cause_when_the_budget_ends_in_the_wait(
    client_kind: str, clock: FakeClock
) -> None:
    cause = httpx.ReadError("reset")
    error = failure(
        client_kind,
        [cause],
        clock,
        retry=RetryPolicy(total_timeout=5),
        on_event=lambda event: clock.sleep(10),
    )

    assert (type(error), error.stop_reason) == (APIConnectionError, "total_timeout")
    assert error.__cause__ is cause


def test_a_connection_refused_while_a_certificate_error_is_handled_is_tried_again() -> None:
    with faulty(answer()) as server:
        pass
    with CirrusClient("k", base_url=server.base_url, retry=RetryPolicy(backoff_base=0)) as client:
        try:
            raise ssl.SSLCertVerificationError("another server's")  # noqa: TRY301 - to be busy with
        except ssl.SSLCertVerificationError:
            with pytest.raises(APIConnectionError) as caught:
                ask(client)

    assert caught.value.attempts == 4


def test_a_policy_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        RetryPolicy().max_attempts = 1  # type: ignore[misc]  # that is the point


def test_a_bug_in_a_users_transport_is_not_tried_again(client_kind: str, clock: FakeClock) -> None:
    with pytest.raises(ZeroDivisionError):
        play(client_kind, [ZeroDivisionError()], clock)
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
    client_kind: str, clock: FakeClock, response: httpx.Response, waits: list[float]
) -> None:
    """In the middle of the jitter: half of 0.5, 1, 2 s; the middle of 1-2, 2-4, 4-8 s."""
    error = failure(client_kind, [response] * 4, clock)

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
    policy = RetryPolicy(max_attempts=10)
    for attempt, (least, most) in enumerate(ladder, start=1):
        decision = decide(policy, Outcome(status), attempt=attempt, elapsed=0, jitter=jitter)
        assert isinstance(decision, Wait)
        assert decision.seconds == pytest.approx(least + jitter * (most - least))


def test_a_wait_that_the_server_asks_for_is_never_cut_short(
    client_kind: str, clock: FakeClock
) -> None:
    script: Script = [
        httpx.Response(429, headers={"retry-after": "5"}),
        httpx.Response(503, headers={"retry-after": "40"}),
        GOOD,
    ]
    play(client_kind, script, clock)

    assert clock.waits == [5.5, 42.0]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("retry_after", "policy"),
    [("121", RetryPolicy()), ("11", RetryPolicy(total_timeout=10))],
    ids=["longer than we wait", "longer than is left"],
)
def test_a_wait_that_is_too_long_ends_the_call_at_once(
    client_kind: str, clock: FakeClock, status: int, retry_after: str, policy: RetryPolicy
) -> None:
    response = httpx.Response(status, headers={"retry-after": retry_after})
    error = failure(client_kind, [response], clock, retry=policy)

    assert (error.stop_reason, error.attempts) == ("retry_after_too_long", 1)
    assert error.retry_after == float(retry_after)
    assert clock.waits == []


def test_a_budget_that_ends_while_waiting_gives_the_last_answers_error(
    client_kind: str, clock: FakeClock
) -> None:
    error = failure(
        client_kind, [httpx.Response(503)] * 2, clock, retry=RetryPolicy(total_timeout=0.5)
    )

    assert isinstance(error, ServerError)
    assert error.stop_reason == "total_timeout"
    assert clock.waits == [0.25]


def test_a_budget_that_ends_in_the_body_is_a_timeout(client_kind: str, clock: FakeClock) -> None:
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
            client_kind,
            ask,
            transport=transport,
            _clock=clock.clock(),
            retry=RetryPolicy(total_timeout=30),
        )

    assert caught.value.stop_reason == "total_timeout"
    assert clock.seconds == 30


def test_no_attempt_may_wait_longer_than_what_is_left(client_kind: str, clock: FakeClock) -> None:
    timeouts: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        timeouts.append(request.extensions["timeout"]["read"])
        return httpx.Response(503, headers={"retry-after": "9"})

    with pytest.raises(ServerError):
        use(
            client_kind,
            ask,
            transport=httpx.MockTransport(answer),
            _clock=clock.clock(),
            retry=RetryPolicy(total_timeout=20),
            timeout=15,
        )

    assert timeouts == [15, 10.5, 1.0]


THEN = "Thu, 01 Jan 2026 12:00:30 GMT"  # half a minute after NOON
RETRY_AFTER: list[tuple[str | None, str | None, float | None]] = [
    # seconds
    ("1", None, 1),
    ("60", None, 60),
    ("120", None, 120),
    ("007", None, 7),
    ("4294967295", None, 4294967295),
    (" 7\t", None, 7),
    ("1.5", None, 1.5),
    ("1.", None, 1),
    ("90.1234", None, 90.1234),
    ("99999999999", None, 1e10),
    ("9" * 400, None, 1e10),
    # one that came twice: the longest
    ("60, 60", None, 60),
    ("1 ,\t90,5", None, 90),
    # no seconds
    ("0", None, None),
    ("0.000", None, None),
    ("0, 0", None, None),
    ("-1", None, None),
    ("+1", None, None),
    ("inf", None, None),
    ("Infinity", None, None),
    ("nan", None, None),
    ("1e3", None, None),
    ("1_000", None, None),
    ("0x10", None, None),
    (".5", None, None),
    ("X5", None, None),
    ("\x0b5", None, None),
    ("\xa05", None, None),
    ("5 seconds", None, None),
    ("5, soon", None, None),
    ("5,", None, None),
    ("\N{ARABIC-INDIC DIGIT FIVE}", None, None),
    ("\N{SUPERSCRIPT TWO}", None, None),
    ("soon", None, None),
    ("", None, None),
    ("   ", None, None),
    (None, None, None),
    # dates: the three forms of RFC 9110, section 5.6.7
    (THEN, None, 30),
    ("Thursday, 01-Jan-26 12:00:30 GMT", None, 30),
    ("Thu Jan  1 12:00:30 2026", None, 30),
    ("Thu, 01 Jan 2026 13:00:30 +0100", None, 30),
    # dates past, now, and none
    ("Thu, 01 Jan 2026 11:59:00 GMT", None, None),
    ("Thu, 01 Jan 2026 12:00:00 GMT", None, None),
    ("Thu, 01 Jan 1970 00:00:00 GMT", None, None),
    ("Thu, 99 Jan 2026 12:00:30 GMT", None, None),
    ("Thu, 01 Foo 2026 12:00:30 GMT", None, None),
    ("Thu, 01 Jan 99999 12:00:30 GMT", None, None),
    # measured against the answer's own Date, whatever our clock says
    (THEN, "Thu, 01 Jan 2026 12:00:20 GMT", 10),
    (THEN, "Thu, 01 Jan 2026 11:00:30 GMT", 3600),
    ("Thu, 01 Jan 2026 15:00:30 GMT", "Thu, 01 Jan 2026 15:00:00 GMT", 30),
    ("Tue, 03 Mar 2020 10:00:30 GMT", "Tue, 03 Mar 2020 10:00:00 GMT", 30),
    (THEN, "Thu, 01 Jan 2026 12:00:40 GMT", None),
    (THEN, "today", 30),
    (THEN, "", 30),
    ("5", "Thu, 01 Jan 2026 12:00:20 GMT", 5),
]


@pytest.mark.parametrize(("value", "date", "seconds"), RETRY_AFTER)
def test_retry_after_is_read_as_rfc_9110_says(
    value: str | None, date: str | None, seconds: float | None
) -> None:
    """Seconds, or a date measured against the answer's own; anything else is no wish at all."""
    assert parse_retry_after(value, date=date, now=NOON) == seconds


@given(value=st.text(), date=st.none() | st.text())
def test_no_retry_after_is_too_strange(value: str, date: str | None) -> None:
    seconds = parse_retry_after(value, date=date, now=NOON)

    assert seconds is None or 0 < seconds < math.inf


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - UTC is added below
    st.integers(1, 100_000),
    st.timedeltas(timedelta(days=-9000), timedelta(days=9000)),
)
def test_a_date_is_as_good_as_seconds_however_wrong_our_clock_is(
    sent: datetime, seconds: int, wrong: timedelta
) -> None:
    sent = sent.replace(microsecond=0, tzinfo=UTC)
    wish = format_datetime(sent + timedelta(seconds=seconds), usegmt=True)
    date = format_datetime(sent, usegmt=True)

    assert parse_retry_after(wish, date=date, now=NOON + wrong) == seconds


policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 10),
    total_timeout=st.floats(0.001, 1000),
    max_retry_after=st.floats(0, 1000),
    backoff_base=st.floats(0, 10),
    backoff_cap=st.floats(0, 60),
    throttle_base=st.floats(0, 10),
    throttle_cap=st.floats(0, 60),
)
outcomes = st.builds(
    Outcome,
    status=st.none() | st.integers(300, 599),
    retry_after=st.none() | st.floats(0.001, 5000),
    transient=st.booleans(),
)


@given(
    policies, outcomes, st.integers(1, 12), st.floats(0, 1200), st.floats(0, 1, exclude_max=True)
)
def test_every_decision_keeps_what_the_policy_promises(
    policy: RetryPolicy, outcome: Outcome, attempt: int, elapsed: float, jitter: float
) -> None:
    decision = decide(policy, outcome, attempt=attempt, elapsed=elapsed, jitter=jitter)
    asked = outcome.retry_after

    if isinstance(decision, Stop):
        assert (decision.reason == "not_retryable") == (not outcome.retryable)
        if decision.reason == "attempts":
            assert attempt >= policy.max_attempts
        if decision.reason == "retry_after_too_long":
            assert asked is not None
            assert asked > policy.max_retry_after or elapsed + asked >= policy.total_timeout
        return
    assert outcome.retryable
    assert attempt < policy.max_attempts
    assert 0 <= decision.seconds < policy.total_timeout - elapsed
    if asked is not None:
        assert asked <= policy.max_retry_after
        assert asked <= decision.seconds <= asked + max(1, asked / 10)
    elif outcome.status == 429:
        assert decision.seconds <= policy.throttle_cap
    else:
        assert decision.seconds <= policy.backoff_cap


def test_each_retry_is_told_before_it_happens(client_kind: str, clock: FakeClock) -> None:
    events: list[RetryEvent] = []
    script: Script = [
        httpx.Response(429, headers={"retry-after": "1"}),
        httpx.ReadTimeout("slow"),
        GOOD,
    ]
    play(client_kind, script, clock, on_event=events.append)

    path = "/v1/data/calibrations/log"
    assert events == [
        RetryEvent(1, "429 Too Many Requests, Retry-After 1 s", 1.5, "GET", path, None),
        RetryEvent(2, "ReadTimeout: slow", 0.5, "GET", path, None),
    ]


def test_each_retry_is_one_line_of_the_log_without_serials(
    client_kind: str, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cirrus_ext")
    play(client_kind, [httpx.Response(503), GOOD], clock)

    (record,) = [record for record in caplog.records if record.name == "cirrus_ext"]
    assert record.getMessage() == (
        "GET /v1/data/calibrations/log: attempt 1: 503 Service Unavailable; next in 0.2 s"
    )


def test_a_429_with_a_wait_pauses_the_whole_client(clock: FakeClock) -> None:
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


@pytest.mark.parametrize(
    ("response", "waits"),
    [
        (httpx.Response(429), [1.5]),
        (httpx.Response(503, headers={"retry-after": "60"}), [63.0]),
    ],
    ids=["429 without a wait", "503 with a wait"],
)
def test_what_is_no_429_with_a_wait_pauses_nobody_else(
    clock: FakeClock, response: httpx.Response, waits: list[float]
) -> None:
    clients: list[CirrusClient] = []

    def ask_meanwhile(event: RetryEvent) -> None:
        del event
        ask(clients[0])

    with CirrusClient(
        "k",
        transport=playing([response, GOOD, GOOD]),
        _clock=clock.clock(),
        on_event=ask_meanwhile,
        max_concurrency=1,
    ) as client:
        clients.append(client)
        ask(client)

    assert clock.waits == waits


def test_a_wait_that_is_too_long_pauses_nobody_else(clock: FakeClock) -> None:
    script: Script = [httpx.Response(429, headers={"retry-after": "600"}), GOOD]
    with CirrusClient("k", transport=playing(script), _clock=clock.clock()) as client:
        with pytest.raises(RateLimitError):
            ask(client)
        ask(client)

    assert clock.waits == []


def test_a_pause_costs_a_call_nothing_of_its_budget(clock: FakeClock) -> None:
    """After 40 s of it there is still time for a wait of 30 s, in a budget of 50 s."""
    script: Script = [httpx.Response(503, headers={"retry-after": "30"}), GOOD]
    policy = RetryPolicy(total_timeout=50)
    with CirrusClient("k", transport=playing(script), _clock=clock.clock(), retry=policy) as client:
        client._http._client_state.limiter.on_throttled(0.0, retry_after=40.0, wait=40.0)
        ask(client)

    assert clock.waits == [40.0, 31.5]


def test_a_pause_longer_than_the_budget_ends_the_call_at_once(clock: FakeClock) -> None:
    policy = RetryPolicy(total_timeout=5)
    with CirrusClient("k", transport=playing([]), _clock=clock.clock(), retry=policy) as client:
        client._http._client_state.limiter.on_throttled(0.0, retry_after=40.0, wait=40.0)
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
        ({"max_attempts": 0}, "max_attempts must be a whole number from 1: 0"),
        ({"max_attempts": True}, "max_attempts must be a whole number from 1: True"),
        ({"max_attempts": 2.5}, "max_attempts must be a whole number from 1: 2.5"),
        ({"total_timeout": 0}, "total_timeout must be a number of seconds, more than 0: 0"),
        ({"total_timeout": None}, "total_timeout must be a number of seconds, more than 0: None"),
        ({"total_timeout": 10**400}, "total_timeout must be a number of seconds, more than 0: 10"),
        ({"max_retry_after": 1e10}, "max_retry_after must be a number of seconds, 0 or more: 1"),
        ({"max_retry_after": -1}, "max_retry_after must be a number of seconds, 0 or more: -1"),
        ({"backoff_cap": math.inf}, "backoff_cap must be a number of seconds, 0 or more: inf"),
        ({"backoff_base": math.nan}, "backoff_base must be a number of seconds, 0 or more: nan"),
        ({"throttle_base": "2"}, "throttle_base must be a number of seconds, 0 or more: '2'"),
        ({"throttle_cap": True}, "throttle_cap must be a number of seconds, 0 or more: True"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(numbers: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RetryPolicy(**numbers)

    assert says in str(caught.value)


def test_one_attempt_turns_retries_off(client_kind: str, clock: FakeClock) -> None:
    error = failure(client_kind, [httpx.Response(503)], clock, retry=RetryPolicy(max_attempts=1))

    assert (error.attempts, error.stop_reason) == (1, "attempts")


@pytest.mark.parametrize(
    ("asked", "elapsed", "jitter", "decision"),
    [
        (120.0, 0, 0.0, Wait(120.0)),
        (120.1, 0, 0.0, Stop("retry_after_too_long")),
        (80.0, 100, 0.0, Stop("retry_after_too_long")),
        (79.0, 100, 0.0, Wait(79.0)),
        (79.0, 100, 0.5, Wait(79.5)),  # spread over the second that is left, not over eight
        (1.0, 0, 0.5, Wait(1.5)),
        (60.0, 0, 0.5, Wait(63.0)),
        (None, 178.5, 0.0, Wait(1.0)),
        (None, 179, 0.0, Stop("total_timeout")),
    ],
)
def test_each_bound_of_a_decision_is_where_it_should_be(
    asked: float | None, elapsed: float, jitter: float, decision: Wait | Stop
) -> None:
    """For a first 429: at most 120 s, and less than what is left of 180."""
    outcome = Outcome(429, asked)

    assert decide(RetryPolicy(), outcome, attempt=1, elapsed=elapsed, jitter=jitter) == decision


def test_a_decision_to_stop_comes_before_one_to_wait() -> None:
    decision = decide(RetryPolicy(), Outcome(503), attempt=4, elapsed=180, jitter=0)

    assert decision == Stop("total_timeout")
