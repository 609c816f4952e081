"""The faults that a network or a server can have, and what the SDK promises for each.

One row per fault, for the sync and the async client. Faults of the wire are real: a server of bare
sockets on loopback has them.
"""

import asyncio
import gzip
import json
import logging
import pickle
import random
import ssl
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from logging.handlers import BufferingHandler
from typing import Any

import httpx
import trustme

from cirrus_ext import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    AsyncCirrusClient,
    CirrusClient,
    RateLimitError,
    RetryPolicy,
    ServerError,
)
from cirrus_ext.retry import Outcome, Wait, decide
from tests.sdk.fault_rows import (
    BRIEF,
    GOOD,
    GRACE,
    QUICK,
    ROWS,
    Row,
    failure,
    outcome,
    play,
    played,
    row,
    throttled,
    wire,
)
from tests.support.clients import KEY, ask, seconds_to_cancel, use
from tests.support.faulty_server import (
    answer,
    break_off,
    drip_the_body,
    drip_the_head,
    faulty,
    hang_up,
    head,
    reset,
    reset_in_the_body,
    say_nothing,
    talk_nonsense,
)

__all__ = ["COMPARED", "ROWS", "Row"]

# The first rows are those on which the SDKs of the field were compared.
COMPARED = 20


play(
    "429, Retry-After: 61",
    "waits 61 s or more, never less",
    throttled("61"),
    GOOD,
    wait=(61, 67.1),
)
play(
    "429, Retry-After: 3600",
    "fails at once, and says 3600",
    throttled("3600"),
    expected=failure(
        RateLimitError, retry_after=3600, stop_reason="retry_after_too_long", attempts=1
    ),
)
play(
    "429, Retry-After: an HTTP-date",
    "waits until then, by the server's own clock",
    throttled("Tue, 03 Mar 2020 10:00:30 GMT", date="Tue, 03 Mar 2020 10:00:00 GMT"),
    GOOD,
    wait=(30, 33),
)
play("429, Retry-After: soon", "backs off by itself", throttled("soon"), GOOD, wait=(1, 2))
play("429, Retry-After: inf", "backs off by itself", throttled("inf"), GOOD, wait=(1, 2))
play(
    "520",
    "is tried again, and typed",
    httpx.Response(520),
    expected=failure(ServerError, status_code=520, attempts=4),
)


@row("501, 505", "are not tried again")
def _(client_kind: str) -> None:
    for status in (501, 505):
        result, _ = played(client_kind, httpx.Response(status))
        failure(ServerError, status_code=status, attempts=1)(result)


@row("a certificate of an unknown authority", "is not tried again")
def _(client_kind: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with faulty(answer(), context=context) as server:
        result = outcome(client_kind, base_url=server.base_url)
        assert isinstance(result, APIConnectionError)
        assert (result.stop_reason, result.attempts) == ("not_retryable", 1)
        assert "CERTIFICATE_VERIFY_FAILED" in str(result)
        assert server.connections == 1


@row("a bug in the caller's own transport", "is not tried again, and stays what it is")
def _(client_kind: str) -> None:
    result, waits = played(client_kind, ZeroDivisionError())
    failure(ZeroDivisionError)(result)
    assert waits == []


@row("connection refused", "is tried again, and typed")
def _(client_kind: str) -> None:
    with faulty(answer()) as server:
        pass
    result = outcome(client_kind, base_url=server.base_url, retry=QUICK)
    failure(APIConnectionError, attempts=4, stop_reason="attempts")(result)


play(
    "429 with HTML",
    "is a RateLimitError with the text",
    httpx.Response(429, html="<h1>Slow down</h1>"),
    expected=failure(RateLimitError, code=None, body="<h1>Slow down</h1>"),
)
play(
    "200 with HTML",
    "is an APIResponseError",
    httpx.Response(200, html="<h1>Log in</h1>"),
    expected=failure(APIResponseError, path="$", attempts=1),
)
play(
    "200 with JSON that breaks off",
    "is an APIResponseError",
    httpx.Response(200, content=b'[{"time": "2022-06'),
    expected=failure(APIResponseError, path="$", attempts=1),
)


@row("200 of another shape", "is an APIResponseError that says where")
def _(client_kind: str) -> None:
    for body, path in (({}, "$"), ([{"time": "2022-06-07T11:18:42Z"}, {}], "$[1].time")):
        result, _ = played(client_kind, httpx.Response(200, json=body))
        failure(APIResponseError, path=path)(result)


@row("1,000 clients with the same Retry-After", "do not all return at once")
def _(client_kind: str) -> None:
    del client_kind  # one decision for both
    chance = random.Random(0)  # noqa: S311 - the same clients in each run
    arrivals = Counter[int]()
    for _ in range(1000):
        decision = decide(
            RetryPolicy(), Outcome(429, 5.0), attempt=1, elapsed=0, jitter=chance.random()
        )
        assert isinstance(decision, Wait)
        arrivals[int(decision.seconds * 10)] += 1
    assert max(arrivals.values()) <= 140  # in a tenth of a second


wire(
    "a server that fails slowly, over and over",
    "the call ends on time",
    answer(b"", "503 Away"),
    drip_the_body,
    expected=failure(APITimeoutError, stop_reason="total_timeout"),
    retry=BRIEF,
)


@row("an error on its way to another process", "can be pickled, with all that is on it")
def _(client_kind: str) -> None:
    for response in (httpx.Response(403), throttled("3600"), httpx.Response(200)):
        error, _ = played(client_kind, response)
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
        assert type(copy) is type(error)
        assert (str(copy), vars(copy)) == (str(error), vars(error))


@row("repr of everything", "does not show the key")
def _(client_kind: str) -> None:
    client = CirrusClient(KEY) if client_kind == "sync" else AsyncCirrusClient(KEY)
    request = client._http.build_request("GET", "/")
    shown: list[object] = [
        client,
        client.raw,
        client._http,
        client._settings,
        client._http._client_state,
    ]
    shown += [vars(client), client._http.headers, request.headers]
    assert all(KEY not in repr(thing) + str(thing) for thing in shown)
    assert request.headers["X-Api-Key"] == KEY


@row("logging at DEBUG, of httpx too", "does not show the key")
def _(client_kind: str) -> None:
    loggers = [logging.getLogger(name) for name in ("cirrus_ext", "httpx", "httpcore")]
    before, listener = [logger.level for logger in loggers], BufferingHandler(10_000)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.addHandler(listener)
    try:
        with faulty(answer(b"", "503 Away"), reset, answer()) as server:
            assert outcome(client_kind, base_url=server.base_url, retry=QUICK) == []
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
            logger.removeHandler(listener)
    logged = "".join(f"{one.getMessage()} {vars(one)!r}" for one in listener.buffer)
    assert "receive_response_headers" in logged
    assert KEY not in logged


@row("no timeout given", "there is one all the same")
def _(client_kind: str) -> None:
    seen: list[dict[str, float]] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["timeout"])
        return httpx.Response(200, json=[])

    use(client_kind, ask, transport=httpx.MockTransport(respond))
    assert seen == [{"connect": 30.0, "read": 30.0, "write": 30.0, "pool": 30.0}]


wire("connection reset instead of an answer", "is tried again", reset, answer())
wire("connection reset in the body", "is tried again", reset_in_the_body, answer())
wire("closed without an answer", "is tried again", hang_up, answer())
wire("a body shorter than promised", "is tried again", break_off, answer())
wire(
    "a body that is always shorter than promised",
    "is never accepted as complete",
    break_off,
    expected=failure(APIConnectionError, attempts=4),
)
wire(
    "what is not HTTP",
    "is tried again, and typed",
    talk_nonsense,
    expected=failure(APIConnectionError, attempts=4),
)
wire("silence", "is a timeout, tried again", say_nothing, answer(), timeout=0.2)
wire(
    "a body of a byte at a time",
    "the call ends on time",
    drip_the_body,
    expected=failure(APITimeoutError),
    retry=BRIEF,
)
wire(
    "a head of a byte at a time",
    "the call ends on time",
    drip_the_head,
    expected=failure(APITimeoutError, stop_reason="total_timeout"),
    retry=BRIEF,
)


@row("gzip that breaks off, or is none, in a 200", "is an APIResponseError")
def _(client_kind: str) -> None:
    whole = gzip.compress(json.dumps([{"time": "2022-06-07T11:18:42Z"}] * 100).encode())
    for body in (whole[: len(whole) // 2], b"no gzip"):
        with faulty(answer(body, "200 OK", "Content-Encoding: gzip")) as server:
            result = outcome(client_kind, base_url=server.base_url)
        failure(APIResponseError, path="$", attempts=1)(result)


wire(
    "gzip that breaks off in a 503",
    "is a ServerError: the status decides",
    answer(b"no gzip", "503 Away", "Content-Encoding: gzip"),
    answer(),
)


@row("a redirect to another server", "is an error, and the key stays here")
def _(client_kind: str) -> None:
    with faulty(answer()) as other:
        location = f"Location: {other.base_url}/"
        with faulty(answer(b"", "307 There", location)) as server:
            result = outcome(client_kind, base_url=server.base_url)
        failure(APIStatusError, status_code=307, attempts=1)(result)
        assert other.connections == 0


wire(
    "a redirect to nowhere",
    "is an error with its status",
    answer(b"", "302 There", "Location: http://1.2.3.999/"),
    expected=failure(APIStatusError, status_code=302),
)
play(
    "a time without an offset in an item",
    "is an APIResponseError that says where",
    httpx.Response(200, json=[{"time": "2022-06-07T11:18:42"}]),
    expected=failure(APIResponseError, path="$[0].time"),
)


@row("10 MB of text with a 500", "is a ServerError with the beginning of it")
def _(client_kind: str) -> None:
    result, _ = played(client_kind, httpx.Response(500, content=b"x" * 10_000_000))
    failure(ServerError, body="x" * 2048)(result)
    assert len(str(result)) < 300


@row("the caller gives up during a wait", "the call ends at once, and nothing is left behind")
def _(client_kind: str) -> None:
    policy = RetryPolicy(max_attempts=2, throttle_base=30)
    with faulty(answer(b"", "429 Slow"), answer()) as server:
        late = (_cancel if client_kind == "async" else _close)(server.base_url, policy)
    assert late < GRACE


def _cancel(base_url: str, policy: RetryPolicy) -> float:
    async def main() -> float:
        async with AsyncCirrusClient(KEY, base_url=base_url, retry=policy) as client:
            late = await seconds_to_cancel(client)
            assert await ask(client) == []  # it can still be used
            return late

    return asyncio.run(main())


def _close(base_url: str, policy: RetryPolicy) -> float:
    client = CirrusClient(KEY, base_url=base_url, retry=policy)
    with ThreadPoolExecutor() as pool:
        call = pool.submit(ask, client)
        time.sleep(0.2)
        began = time.monotonic()
        client.close()
        assert isinstance(call.exception(), APIConnectionError)
    return time.monotonic() - began


@row("a connection that went stale while idle", "is replaced, and the request is sent again")
def _(client_kind: str) -> None:
    def keep_then_reset(wire: Any) -> None:
        wire.send(head(2).replace(b"Connection: close\r\n", b"") + b"[]")
        time.sleep(0.05)
        wire.reset()

    with faulty(keep_then_reset, answer()) as server:
        assert use(client_kind, _ask_twice, base_url=server.base_url, retry=QUICK) == [[], []]
        assert server.connections == 2


def _ask_twice(client: CirrusClient | AsyncCirrusClient) -> Any:
    if isinstance(client, CirrusClient):
        first = ask(client)
        time.sleep(0.1)
        return [first, ask(client)]

    async def twice() -> list[Any]:
        first = await ask(client)
        await asyncio.sleep(0.1)
        return [first, await ask(client)]

    return twice()
