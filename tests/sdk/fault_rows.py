"""How a fault is put on the scorecard: of responses, or of the wire."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from cirrus_ext import (
    RetryPolicy,
)
from tests.support.clients import ask, copy_of, use
from tests.support.clock import FakeClock
from tests.support.faulty_server import (
    Act,
    faulty,
)

# How much later than its total_timeout a call may end, in seconds: enough for a busy machine.
# Without the limit these calls last 20 s.
GRACE = 5.0
QUICK = RetryPolicy(backoff_base=0.01)
BRIEF = RetryPolicy(total_timeout=0.6, backoff_base=0.01)
GOOD = httpx.Response(200, json=[])


@dataclass(frozen=True)
class Row:
    """One fault.

    Attributes:
        number: 1 to 20 are the faults on which the SDKs of the field were compared.
        fault: What goes wrong.
        promise: What the SDK does then.
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


Expected = Callable[[object], None]


def nothing(result: object) -> None:
    """Assert that a result has no items, and is no error."""
    assert result == []


def failure(error: type[Exception], **attributes: object) -> Expected:
    """Return an assertion that a result is an error of this class with these attributes."""

    def check(result: object) -> None:
        assert type(result) is error, result
        assert {name: getattr(result, name) for name in attributes} == attributes

    return check


def outcome(client_kind: str, **options: Any) -> Any:
    """What a request returns or raises."""
    try:
        return use(client_kind, ask, **options)
    except Exception as error:  # noqa: BLE001 - the row says what it has to be
        return error


def played(client_kind: str, *script: httpx.Response | Exception) -> tuple[Any, list[float]]:
    """Play responses, the last one from then on, to a client with a clock that does not wait.

    Returns:
        The outcome, and the waits.
    """
    clock, remaining = FakeClock(), list(script)

    def respond(request: httpx.Request) -> httpx.Response:
        del request
        result = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        if isinstance(result, Exception):
            raise result
        return copy_of(result)

    transport = httpx.MockTransport(respond)
    return outcome(client_kind, transport=transport, _clock=clock.clock()), clock.waits


def play(
    fault: str,
    promise: str,
    *script: httpx.Response | Exception,
    expected: Expected = nothing,
    wait: tuple[float, float] | None = None,
) -> None:
    """Add a fault of responses; ``wait`` has the bounds of the first wait."""

    @row(fault, promise)
    def _(client_kind: str) -> None:
        result, waits = played(client_kind, *script)
        expected(result)
        if wait is not None:
            assert wait[0] <= waits[0] <= wait[1]


def wire(
    fault: str, promise: str, *acts: Act, expected: Expected = nothing, **options: Any
) -> None:
    """Add a fault of the wire. Where no error is expected, the second attempt succeeds."""

    @row(fault, promise)
    def _(client_kind: str) -> None:
        began = time.monotonic()
        with faulty(*acts) as server:
            expected(outcome(client_kind, base_url=server.base_url, **{"retry": QUICK} | options))
        assert expected is not nothing or len(server.heads) == 2
        assert time.monotonic() - began < BRIEF.total_timeout + GRACE


def throttled(retry_after: str, **headers: str) -> httpx.Response:
    """A 429 with a ``Retry-After``."""
    return httpx.Response(429, headers={"retry-after": retry_after, **headers})
