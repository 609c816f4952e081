"""``make scorecard``: what the SDK does about each fault that a network or a server can have.

One row a fault, sync and async. Faults of the wire are real: a server of bare sockets on loopback
has them. The tests assert every row; this program prints them.
"""

import asyncio
import gzip
import json
import logging
import pickle
import random
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import trustme
from rich.console import Console
from rich.table import Table

from cirrus_ext import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    AsyncCirrusClient,
    CirrusClient,
    CirrusError,
    RateLimitError,
    RetryPolicy,
    ServerError,
)
from cirrus_ext.retry import Outcome, Wait, decide
from tests.support.clients import KEY, ask, copy_of, seconds_to_cancel, use
from tests.support.clock import FakeClock
from tests.support.faulty_server import (
    Act,
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

# How much later than its total_timeout a call may end, in seconds: enough for a busy machine.
# Without the limit these calls last 20 s.
GRACE = 5.0
# The first rows are those on which the SDKs of the field were compared.
COMPARED = 20
QUICK = RetryPolicy(backoff_base=0.01)
BRIEF = RetryPolicy(total_timeout=0.6, backoff_base=0.01)
GOOD = httpx.Response(200, json=[])


@dataclass(frozen=True)
class Row:
    """One fault.

    Attributes:
        number: 1 to 20 are the faults on which the SDKs of the field were compared.
        fault: What goes wrong.
        promise: What has to come of it.
        check: Uses a client of this kind, and asserts the promise.
    """

    number: int
    fault: str
    promise: str
    check: Callable[[str], None]


ROWS: list[Row] = []


def row(fault: str, promise: str) -> Callable[[Callable[[str], None]], Callable[[str], None]]:
    """Put a check on the scorecard."""

    def add(check: Callable[[str], None]) -> Callable[[str], None]:
        ROWS.append(Row(len(ROWS) + 1, fault, promise, check))
        return check

    return add


def played(client_kind: str, *script: httpx.Response | Exception) -> tuple[Any, list[float], int]:
    """Play answers to a client with a clock that does not wait.

    Returns:
        What came of it, the waits, and the number of attempts.
    """
    clock, remaining, attempts = FakeClock(), list(script), Counter[str]()

    def respond(request: httpx.Request) -> httpx.Response:
        attempts[request.method] += 1
        result = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        if isinstance(result, Exception):
            raise result
        return copy_of(result)

    transport = httpx.MockTransport(respond)
    result: Any
    try:
        result = use(client_kind, ask, transport=transport, _clock=clock.clock())
    except Exception as error:  # noqa: BLE001 - whatever it is, the row has an opinion on it
        result = error
    return result, clock.waits, attempts["GET"]


def wired(
    client_kind: str, *acts: Act, retry: RetryPolicy = QUICK, **options: Any
) -> tuple[Any, int]:
    """Let a server of bare sockets do things to a client.

    Returns:
        What came of it, and the number of requests.
    """
    with faulty(*acts) as server:
        return outcome(client_kind, server.base_url, retry=retry, **options), len(server.heads)


def outcome(client_kind: str, base_url: str, **options: Any) -> Any:
    """What comes of the question: an answer or an error."""
    try:
        return use(client_kind, ask, base_url=base_url, **options)
    except CirrusError as error:
        return error


def throttled(retry_after: str, **headers: str) -> httpx.Response:
    """A 429 with a wish."""
    return httpx.Response(429, headers={"retry-after": retry_after, **headers})


@row("429, Retry-After: 61", "waits 61 s or more, never less")
def _(client_kind: str) -> None:
    result, waits, _ = played(client_kind, throttled("61"), GOOD)
    assert result == []
    assert 61 <= waits[0] <= 61 + 6.1


@row("429, Retry-After: 3600", "fails at once, and says 3600")
def _(client_kind: str) -> None:
    result, waits, _ = played(client_kind, throttled("3600"), GOOD)
    assert isinstance(result, RateLimitError)
    assert (result.retry_after, result.stop_reason) == (3600, "retry_after_too_long")
    assert waits == []


@row("429, Retry-After: an HTTP-date", "waits until then, by the server's own clock")
def _(client_kind: str) -> None:
    wish = throttled("Tue, 03 Mar 2020 10:00:30 GMT", date="Tue, 03 Mar 2020 10:00:00 GMT")
    result, waits, _ = played(client_kind, wish, GOOD)
    assert result == []
    assert 30 <= waits[0] <= 33


@row("429, Retry-After: soon", "backs off by itself")
def _(client_kind: str) -> None:
    result, waits, _ = played(client_kind, throttled("soon"), GOOD)
    assert result == []
    assert 1 <= waits[0] <= 2


@row("429, Retry-After: inf", "backs off by itself")
def _(client_kind: str) -> None:
    result, waits, _ = played(client_kind, throttled("inf"), GOOD)
    assert result == []
    assert 1 <= waits[0] <= 2


@row("520", "is tried again, and typed")
def _(client_kind: str) -> None:
    assert played(client_kind, httpx.Response(520), GOOD)[0] == []
    result, _, attempts = played(client_kind, httpx.Response(520))
    assert isinstance(result, ServerError)
    assert (result.status_code, attempts) == (520, 4)


@row("501, 505", "are not tried again")
def _(client_kind: str) -> None:
    for status in (501, 505):
        result, _, attempts = played(client_kind, httpx.Response(status))
        assert isinstance(result, ServerError)
        assert attempts == 1


@row("a certificate that nobody vouches for", "is not tried again")
def _(client_kind: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with faulty(answer(), context=context) as server:
        result = outcome(client_kind, server.base_url)
        assert isinstance(result, APIConnectionError)
        assert (result.stop_reason, result.attempts) == ("not_retryable", 1)
        assert "CERTIFICATE_VERIFY_FAILED" in str(result)
        assert server.connections == 1


@row("a bug in the caller's own transport", "is not tried again, and stays what it is")
def _(client_kind: str) -> None:
    result, _, attempts = played(client_kind, ZeroDivisionError())
    assert isinstance(result, ZeroDivisionError)
    assert attempts == 1


@row("connection refused", "is tried again, and typed")
def _(client_kind: str) -> None:
    with faulty(answer()) as server:
        pass
    result = outcome(client_kind, server.base_url, retry=QUICK)
    assert type(result) is APIConnectionError
    assert (result.attempts, result.stop_reason) == (4, "attempts")


@row("429 with HTML", "is a RateLimitError with the text")
def _(client_kind: str) -> None:
    result, _, _ = played(client_kind, httpx.Response(429, html="<h1>Slow down</h1>"))
    assert isinstance(result, RateLimitError)
    assert (result.code, result.body) == (None, "<h1>Slow down</h1>")


@row("200 with HTML", "is an APIResponseError")
def _(client_kind: str) -> None:
    result, _, attempts = played(client_kind, httpx.Response(200, html="<h1>Log in</h1>"))
    assert isinstance(result, APIResponseError)
    assert (result.path, attempts) == ("$", 1)


@row("200 with JSON that breaks off", "is an APIResponseError")
def _(client_kind: str) -> None:
    result, _, attempts = played(client_kind, httpx.Response(200, content=b'[{"time": "2022-06'))
    assert isinstance(result, APIResponseError)
    assert (result.path, attempts) == ("$", 1)


@row("200 of another shape", "is an APIResponseError that says where")
def _(client_kind: str) -> None:
    for body, path in (({}, "$"), ([{"time": "2022-06-07T11:18:42Z"}, {}], "$[1].time")):
        result, _, _ = played(client_kind, httpx.Response(200, json=body))
        assert isinstance(result, APIResponseError)
        assert result.path == path


@row("1,000 clients with the same Retry-After", "do not come back at once")
def _(client_kind: str) -> None:
    del client_kind  # one decision for both
    chance = random.Random(0)  # noqa: S311 - the same herd every time
    arrivals = Counter[int]()
    for _ in range(1000):
        decision = decide(
            RetryPolicy(), Outcome(429, 5.0), attempt=1, elapsed=0, jitter=chance.random()
        )
        assert isinstance(decision, Wait)
        arrivals[int(decision.seconds * 10)] += 1
    assert max(arrivals.values()) <= 140  # in a tenth of a second


@row("a server that fails slowly, over and over", "the call ends on time")
def _(client_kind: str) -> None:
    began = time.monotonic()
    result, _ = wired(client_kind, answer(b"", "503 Away"), drip_the_body, retry=BRIEF)
    assert isinstance(result, APITimeoutError)
    assert result.stop_reason == "total_timeout"
    assert time.monotonic() - began < BRIEF.total_timeout + GRACE


@row("an error on its way to another process", "can be pickled, with all that is on it")
def _(client_kind: str) -> None:
    for response in (httpx.Response(403), throttled("3600"), httpx.Response(200)):
        error, _, _ = played(client_kind, response)
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
        assert type(copy) is type(error)
        assert (str(copy), vars(copy)) == (str(error), vars(error))


@row("repr of everything", "does not show the key")
def _(client_kind: str) -> None:
    client = CirrusClient(KEY) if client_kind == "sync" else AsyncCirrusClient(KEY)
    for thing in (client, client.raw, client._http, client._settings, vars(client)):
        assert KEY not in repr(thing)


class _Listener(logging.Handler):
    """Keeps all that is logged, as text and as values."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.heard += f"{record.getMessage()} {vars(record)!r}\n"


@row("logging at DEBUG, of httpx too", "does not show the key")
def _(client_kind: str) -> None:
    loggers = [logging.getLogger(name) for name in ("cirrus_ext", "httpx", "httpcore")]
    before, listener = [logger.level for logger in loggers], _Listener()
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.addHandler(listener)
    try:
        wired(client_kind, answer(b"", "503 Away"), reset, answer())
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
            logger.removeHandler(listener)
    assert "receive_response_headers" in listener.heard
    assert KEY not in listener.heard


@row("no timeout given", "there is one all the same")
def _(client_kind: str) -> None:
    seen: list[dict[str, float]] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["timeout"])
        return httpx.Response(200, json=[])

    use(client_kind, ask, transport=httpx.MockTransport(respond))
    assert seen == [{"connect": 30.0, "read": 30.0, "write": 30.0, "pool": 30.0}]


def is_tried_again(act: Act, client_kind: str) -> None:
    """Assert that a good answer after it is the answer."""
    assert wired(client_kind, act, answer()) == ([], 2)


for _fault, _act in (
    ("connection reset instead of an answer", reset),
    ("connection reset in the body", reset_in_the_body),
    ("closed without an answer", hang_up),
):
    row(_fault, "is tried again")(partial(is_tried_again, _act))


@row("a body shorter than promised", "is tried again, never taken for whole")
def _(client_kind: str) -> None:
    assert wired(client_kind, break_off, answer()) == ([], 2)
    result, requests = wired(client_kind, break_off)
    assert type(result) is APIConnectionError
    assert requests == 4


@row("what is not HTTP", "is tried again, and typed")
def _(client_kind: str) -> None:
    assert wired(client_kind, talk_nonsense, answer()) == ([], 2)
    assert type(wired(client_kind, talk_nonsense)[0]) is APIConnectionError


@row("silence", "is a timeout, tried again")
def _(client_kind: str) -> None:
    assert wired(client_kind, say_nothing, answer(), timeout=0.2) == ([], 2)


@row("a body of a byte at a time", "the call ends on time")
def _(client_kind: str) -> None:
    began = time.monotonic()
    result, _ = wired(client_kind, drip_the_body, retry=BRIEF)
    assert isinstance(result, APITimeoutError)
    assert time.monotonic() - began < BRIEF.total_timeout + GRACE


@row("a head of a byte at a time", "the call ends on time")
def _(client_kind: str) -> None:
    began = time.monotonic()
    result, _ = wired(client_kind, drip_the_head, retry=BRIEF)
    assert isinstance(result, APITimeoutError)
    assert result.stop_reason == "total_timeout"
    assert time.monotonic() - began < BRIEF.total_timeout + GRACE


@row("gzip that breaks off, or is none, in a 200", "is an APIResponseError")
def _(client_kind: str) -> None:
    whole = gzip.compress(json.dumps([{"time": "2022-06-07T11:18:42Z"}] * 100).encode())
    for body in (whole[: len(whole) // 2], b"no gzip"):
        result, _ = wired(client_kind, answer(body, "200 OK", "Content-Encoding: gzip"))
        assert isinstance(result, APIResponseError)
        assert (result.path, result.attempts) == ("$", 1)


@row("gzip that breaks off in a 503", "is a ServerError: the status decides")
def _(client_kind: str) -> None:
    acts = [answer(b"no gzip", "503 Away", "Content-Encoding: gzip"), answer()]
    assert wired(client_kind, *acts) == ([], 2)


@row("a redirect to another server", "is an error, and the key stays here")
def _(client_kind: str) -> None:
    with faulty(answer()) as other:
        result, _ = wired(client_kind, answer(b"", "307 There", f"Location: {other.base_url}/"))
        assert isinstance(result, APIStatusError)
        assert (result.status_code, result.attempts) == (307, 1)
        assert other.connections == 0


@row("a redirect to nowhere", "is an error with its status")
def _(client_kind: str) -> None:
    result, _ = wired(client_kind, answer(b"", "302 There", "Location: http://1.2.3.999/"))
    assert isinstance(result, APIStatusError)
    assert result.status_code == 302


@row("a time without an offset in an item", "is an APIResponseError that says where")
def _(client_kind: str) -> None:
    result, _, _ = played(client_kind, httpx.Response(200, json=[{"time": "2022-06-07T11:18:42"}]))
    assert isinstance(result, APIResponseError)
    assert result.path == "$[0].time"


@row("10 MB of text with a 500", "is a ServerError with the beginning of it")
def _(client_kind: str) -> None:
    result, _, _ = played(client_kind, httpx.Response(500, content=b"x" * 10_000_000))
    assert isinstance(result, ServerError)
    assert len(result.body) == 2048
    assert len(str(result)) < 300


@row("the caller gives up in mid-wait", "it is over at once, and nothing is left")
def _(client_kind: str) -> None:
    policy = RetryPolicy(max_attempts=2, throttle_base=30)
    with faulty(answer(b"", "429 Slow"), answer()) as server:
        late = (_cancel if client_kind == "async" else _close)(server.base_url, policy)
    assert late < GRACE


def _cancel(base_url: str, policy: RetryPolicy) -> float:
    async def main() -> float:
        async with AsyncCirrusClient(KEY, base_url=base_url, retry=policy) as client:
            late = await seconds_to_cancel(client)
            assert await ask(client) == []  # it is still of use
            return late

    return asyncio.run(main())


def _close(base_url: str, policy: RetryPolicy) -> float:
    ended: list[tuple[float, CirrusError]] = []
    client = CirrusClient(KEY, base_url=base_url, retry=policy)

    def wait() -> None:
        try:
            ask(client)
        except CirrusError as error:
            ended.append((time.monotonic(), error))

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.2)
    began = time.monotonic()
    client.close()
    thread.join()
    assert isinstance(ended[0][1], APIConnectionError)
    return ended[0][0] - began


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


def is_kept(one: Row, client_kind: str) -> bool:
    """Whether a promise is kept."""
    try:
        one.check(client_kind)
    except Exception:  # noqa: BLE001 - whatever it is, the promise is not kept
        return False
    return True


def main() -> int:
    """Check every row with both clients, and print them.

    Returns:
        The exit code: 0 if every promise is kept, else 1.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("", "fault", "promise", "sync", "async"):
        table.add_column(heading, overflow="fold")
    kept: list[Row] = []
    for one in ROWS:
        marks = [is_kept(one, client_kind) for client_kind in ("sync", "async")]
        kept += [one] if all(marks) else []
        shown = [
            "[green]\N{CHECK MARK}[/]" if mark else "[bold red]\N{BALLOT X}[/]" for mark in marks
        ]
        table.add_row(str(one.number), one.fault, one.promise, *shown)
    console = Console(highlight=False)
    console.print(table)
    compared = sum(one.number <= COMPARED for one in kept)
    console.print(
        f"{compared}/{COMPARED} of the field's comparison, {len(kept)}/{len(ROWS)} in all."
    )
    return 0 if kept == ROWS else 1


if __name__ == "__main__":
    sys.exit(main())
