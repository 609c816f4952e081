"""How a client repeats a request: after what, with which waits, and with which error at the end."""

import logging
import ssl
from typing import Any

import httpx
import pytest

from cirrus_ext import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    CirrusClient,
    CirrusError,
    RateLimitError,
    RetryEvent,
    RetryPolicy,
    ServerError,
)
from tests.support.clients import END, START, ask, copy_of, use
from tests.support.clock import FakeClock
from tests.support.faulty_server import answer, faulty

GOOD = httpx.Response(200, json=[])
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


@pytest.mark.parametrize(
    ("cause", "kind", "attempts"),
    [
        (httpx.ConnectError("refused"), APIConnectionError, 4),
        (httpx.ReadError("reset"), APIConnectionError, 4),
        (httpx.ReadTimeout("slow"), APITimeoutError, 4),
        (httpx.RemoteProtocolError("closed without an answer"), APIConnectionError, 4),
        (httpx.ProxyError("away"), APIConnectionError, 4),
        (httpx.LocalProtocolError("bad header"), APIConnectionError, 1),
        (httpx.UnsupportedProtocol("ftp"), APIConnectionError, 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_transport_failure_is_retried_if_it_may_pass(
    client_kind: str, clock: FakeClock, cause: Exception, kind: type[CirrusError], attempts: int
) -> None:
    error = failure(client_kind, [cause] * attempts, clock)

    what = "no complete answer in time" if kind is APITimeoutError else "no complete answer"
    times = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    assert type(error) is kind
    assert str(error) == (
        f"{what}: {type(cause).__name__}: {cause} (GET /v1/data/calibrations/log, {times})"
    )
    assert isinstance(error, TimeoutError) == (kind is APITimeoutError)
    assert error.attempts == attempts
    assert error.stop_reason == ("attempts" if attempts > 1 else "not_retryable")
    assert error.__cause__ is cause


@pytest.mark.parametrize(
    ("method", "attempts"), [("GET", 4), ("HEAD", 4), ("POST", 1), ("PUT", 1), ("DELETE", 1)]
)
def test_only_a_repeatable_method_is_retried(clock: FakeClock, method: str, attempts: int) -> None:
    transport = playing([httpx.Response(503)] * attempts)
    client = CirrusClient("k", transport=transport, _clock=clock.clock())
    with pytest.raises(ServerError) as caught:
        client.raw.get_httpx_client().request(method, "/webhooks")

    assert caught.value.attempts == attempts


@pytest.mark.parametrize(
    ("result", "kind"),
    [(httpx.Response(503), ServerError), (httpx.ReadError("reset"), APIConnectionError)],
)
def test_the_last_error_is_raised_if_the_total_timeout_ends_during_a_wait(
    client_kind: str, clock: FakeClock, result: Any, kind: type[CirrusError]
) -> None:
    error = failure(
        client_kind,
        [result],
        clock,
        retry=RetryPolicy(total_timeout=5),
        on_event=lambda event: clock.sleep(10),
    )

    assert type(error) is kind
    assert (error.attempts, error.stop_reason) == (1, "total_timeout")
    assert error.__cause__ is (result if kind is APIConnectionError else None)


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


def test_no_wait_is_shorter_than_retry_after(client_kind: str, clock: FakeClock) -> None:
    """In seconds, as a date by the client's clock, and as a date by the server's."""
    at_noon = "Thu, 01 Jan 2026 12:00:{} GMT"
    script: Script = [
        httpx.Response(429, headers={"retry-after": "5"}),
        httpx.Response(503, headers={"retry-after": at_noon.format("45")}),
        httpx.Response(
            503, headers={"retry-after": at_noon.format("30"), "date": at_noon.format("10")}
        ),
        GOOD,
    ]
    play(client_kind, script, clock)

    assert clock.waits == pytest.approx([5.5, 39.5 * 1.05, 21.0])


@pytest.mark.parametrize(("status", "accepted"), [(503, 2), (429, 1)])
def test_the_rate_limiter_counts_every_answer_but_429(
    clock: FakeClock, status: int, accepted: int
) -> None:
    transport = playing([httpx.Response(status), GOOD])
    with CirrusClient("k", transport=transport, _clock=clock.clock()) as client:
        ask(client)

        assert client._http._client_state.limiter._accepted == accepted


class Dripping(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body without an end."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock

    def __iter__(self) -> Any:
        while True:
            self.clock.sleep(1)
            yield b" "

    async def __aiter__(self) -> Any:
        for byte in self:
            yield byte


def test_a_body_without_an_end_is_a_timeout(client_kind: str, clock: FakeClock) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Dripping(clock)))
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


def test_the_timeout_of_an_attempt_is_that_of_the_call_or_less(
    client_kind: str, clock: FakeClock
) -> None:
    timeouts: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        timeouts.append(request.extensions["timeout"]["read"])
        return httpx.Response(503, headers={"retry-after": "9"})

    with pytest.raises(ServerError):
        use(
            client_kind,
            lambda client: client.calibration_log(["QT1"], start=START, end=END, timeout=15),
            transport=httpx.MockTransport(answer),
            _clock=clock.clock(),
            retry=RetryPolicy(total_timeout=20),
        )

    assert timeouts == [15, 10.5, 1.0]


def test_on_event_is_called_before_each_retry(client_kind: str, clock: FakeClock) -> None:
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


def test_each_retry_is_one_line_of_the_log_without_serial_numbers(
    client_kind: str, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "cirrus_ext")
    play(client_kind, [httpx.Response(503), GOOD], clock)

    (record,) = [record for record in caplog.records if record.name == "cirrus_ext"]
    assert record.getMessage() == (
        "GET /v1/data/calibrations/log: attempt 1: 503 Service Unavailable; next in 0.2 s"
    )


@pytest.mark.parametrize(
    ("response", "waits"),
    [
        (httpx.Response(429, headers={"retry-after": "60"}), [63.0, 63.0]),
        (httpx.Response(429), [1.5]),
        (httpx.Response(503, headers={"retry-after": "60"}), [63.0]),
    ],
    ids=["429 with Retry-After", "429 without", "503 with Retry-After"],
)
def test_only_a_429_with_retry_after_delays_the_other_calls_of_a_client(
    clock: FakeClock, response: httpx.Response, waits: list[float]
) -> None:
    transport = playing([response, GOOD, GOOD])
    with CirrusClient(
        "k",
        transport=transport,
        _clock=clock.clock(),
        on_event=lambda event: ask(client),
        max_concurrency=1,
    ) as client:
        ask(client)

    assert clock.waits == waits


def test_a_retry_after_that_is_too_long_delays_no_other_call(clock: FakeClock) -> None:
    script: Script = [httpx.Response(429, headers={"retry-after": "600"}), GOOD]
    with CirrusClient("k", transport=playing(script), _clock=clock.clock()) as client:
        with pytest.raises(RateLimitError):
            ask(client)
        ask(client)

    assert clock.waits == []


def test_a_cooldown_does_not_count_as_elapsed(clock: FakeClock) -> None:
    """After 40 s of it there is still time for a wait of 30 s, in a total_timeout of 50 s."""
    script: Script = [httpx.Response(503, headers={"retry-after": "30"}), GOOD]
    policy = RetryPolicy(total_timeout=50)
    with CirrusClient("k", transport=playing(script), _clock=clock.clock(), retry=policy) as client:
        client._http._client_state.limiter.on_throttled(0.0, retry_after=40.0, wait=40.0)
        ask(client)

    assert clock.waits == [40.0, 31.5]


def test_a_cooldown_longer_than_total_timeout_ends_the_call_at_once(clock: FakeClock) -> None:
    policy = RetryPolicy(total_timeout=5)
    with CirrusClient("k", transport=playing([]), _clock=clock.clock(), retry=policy) as client:
        client._http._client_state.limiter.on_throttled(0.0, retry_after=40.0, wait=40.0)
        with pytest.raises(RateLimitError) as caught:
            ask(client)

    error = caught.value
    assert str(error) == (
        "429: the server asked this client to wait, for another 40 s, and total_timeout leaves 5 s "
        "(GET /v1/data/calibrations/log, 0 attempts)"
    )
    assert (error.status_code, error.attempts, error.retry_after) == (429, 0, 40.0)
    assert error.stop_reason == "retry_after_too_long"


def test_closing_during_a_wait_ends_the_call(clock: FakeClock) -> None:
    client = CirrusClient(
        "k",
        transport=playing([httpx.Response(503)]),
        _clock=clock.clock(),
        on_event=lambda event: client.close(),
    )
    with pytest.raises(
        APIConnectionError, match=r"closed before .* \(GET /v1.*, 1 attempt\)"
    ) as caught:
        ask(client)

    assert (caught.value.attempts, caught.value.stop_reason) == (1, "not_retryable")
