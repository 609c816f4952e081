"""Nothing but a CirrusError leaves the package, whatever the server answers.

Every status from 200 to 599, with every kind of body, to both clients: each cell ends in the
value or the error that the status and the body call for.
"""

import asyncio
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest

from cirrus_ext import (
    APIResponseError,
    APIStatusError,
    AsyncCirrusClient,
    AuthenticationError,
    BadRequestError,
    CirrusClient,
    CirrusError,
    PermissionDeniedError,
    RateLimitError,
    RetryPolicy,
    ServerError,
)
from tests.support.clients import KEY, ask, use

STATUSES = range(200, 600)
ONCE = RetryPolicy(max_attempts=1)
REFUSAL = {"error": "Code", "description": "Words."}
ITEM = {"time": "2023-01-02T03:04:05Z", "user": "U", "message": "M"}
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Body:
    """A kind of body, and what is in it.

    Attributes:
        content: The bytes.
        headers: The headers that go with it.
        path: With a 200, the path that the error names; None if the body is a good one.
        explains: Whether it has the documented ``error`` and ``description``.
    """

    content: bytes
    headers: dict[str, str]
    path: str | None = "$"
    explains: bool = False


def as_json(value: object, path: str | None = "$", *, explains: bool = False) -> Body:
    return Body(json.dumps(value).encode(), JSON, path, explains)


BODIES = {
    "items": as_json([ITEM], None),
    "no items": as_json([], None),
    "items as text/plain": Body(json.dumps([ITEM]).encode(), {"content-type": "text/plain"}, None),
    "items without a type": Body(json.dumps([ITEM]).encode(), {}, None),
    "documented refusal": as_json(REFUSAL, explains=True),
    "refusal with more": as_json(REFUSAL | {"trace": [1, None]}, explains=True),
    "other object": as_json({"message": "no"}),
    "empty object": as_json({}),
    "item with a null time": as_json([ITEM | {"time": None}], "$[0].time"),
    "item with a list as message": as_json([ITEM, ITEM | {"message": []}], "$[1].message"),
    "object of other types": as_json({"error": 5, "description": {"a": 1}}),
    "list of numbers": as_json([1, 2], "$[0]"),
    "item without time": as_json([ITEM, {"user": "U"}], "$[1].time"),
    "item with a naive time": as_json([ITEM | {"time": "2023-01-02T03:04:05"}], "$[0].time"),
    "item with a bad time": as_json([ITEM | {"time": "2023-13-02T03:04:05Z"}], "$[0].time"),
    "item with a numeric user": as_json([ITEM, ITEM, ITEM | {"user": 5}], "$[2].user"),
    "text in JSON": as_json("no"),
    "number": as_json(5),
    "null": as_json(None),
    "true": as_json(True),  # noqa: FBT003 - JSON
    "empty": Body(b"", {}),
    "blank": Body(b" \n", JSON),
    "html": Body(b"<html><body>no</body></html>", {"content-type": "text/html"}),
    "html that says JSON": Body(b"<html></html>", JSON),
    "truncated JSON": Body(b'[{"time": "2023-01-0', JSON),
    "deep JSON": Body(b"[" * 50_000, JSON),
    "bad UTF-8": Body(b'["\xff\xfe"]', JSON),
    "unknown charset": Body(b"[5", {"content-type": "application/json; charset=klingon"}),
    "no gzip": Body(b"no gzip", JSON | {"content-encoding": "gzip"}),
    "half a gzip": Body(
        gzip.compress(json.dumps([ITEM] * 50).encode())[:60], JSON | {"content-encoding": "gzip"}
    ),
}
CLASSES = {400: BadRequestError, 401: AuthenticationError, 403: PermissionDeniedError}
CLASSES |= {429: RateLimitError}  # apart: mypy would join the types too narrowly


def check_cell(status: int, body: Body, result: object) -> None:
    if status == 200 and body.path is None:
        assert isinstance(result, list)
        return
    assert isinstance(result, CirrusError), (status, result)
    assert (result.attempts, result.window) == (1, None)
    if 200 <= status <= 299:
        assert type(result) is APIResponseError, (status, result)
        assert (result.status_code, result.path) == (status, body.path if status == 200 else "$")
        assert result.stop_reason == "not_retryable"
        assert f"but {result.path} " in str(result)
        assert f"{result.path} None " not in str(result)
        return
    assert isinstance(result, APIStatusError), (status, result)
    expected = ServerError if status >= 500 else CLASSES.get(status, APIStatusError)
    assert type(result) is expected
    assert result.status_code == status
    assert (result.code, result.description) == (
        ("Code", "Words.") if body.explains else (None, None)
    )
    assert result.retry_after == 7.0
    if "content-encoding" not in body.headers:
        assert result.body == body.content.decode(errors="replace")[:2048]
    name = f"{status} Code: Words." if body.explains else f"{status}"
    assert str(result).startswith(name)
    assert "GET /v1/data/calibrations/log, 1 attempt" in str(result)


def transport_for(cell: Callable[[], tuple[int, Body]]) -> httpx.MockTransport:
    """A server that answers as the cell at hand says."""

    def respond(request: httpx.Request) -> httpx.Response:
        del request
        status, body = cell()
        headers = body.headers | {"retry-after": "7", "location": "/elsewhere"}
        headers["content-length"] = str(len(body.content))
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body.content))

    return httpx.MockTransport(respond)


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
def test_every_status_with_every_body_ends_as_it_has_to(client_kind: str, body: Body) -> None:
    """400 statuses a body; the tests together are the matrix."""
    current = 0
    transport = transport_for(lambda: (current, body))

    async def fill_in_async() -> None:
        nonlocal current
        async with AsyncCirrusClient(KEY, transport=transport, retry=ONCE) as client:
            for current in STATUSES:
                try:
                    check_cell(current, body, await ask(client))
                except CirrusError as error:
                    check_cell(current, body, error)

    def fill_in() -> None:
        nonlocal current
        with CirrusClient(KEY, transport=transport, retry=ONCE) as client:
            for current in STATUSES:
                try:
                    check_cell(current, body, ask(client))
                except CirrusError as error:
                    check_cell(current, body, error)

    if client_kind == "async":
        asyncio.run(fill_in_async())
    else:
        fill_in()
    assert current == 599


@pytest.mark.parametrize("status", [200, 401, 429, 503])
def test_ten_megabytes_of_text_are_clipped(client_kind: str, status: int) -> None:
    body = Body(b"x" * 10_000_000, {"content-type": "text/plain"})
    transport = transport_for(lambda: (status, body))
    with pytest.raises(CirrusError) as caught:
        use(client_kind, ask, transport=transport, retry=ONCE)

    check_cell(status, body, caught.value)
    assert len(str(caught.value)) <= 300
    assert len(caught.value.body) == 2048  # type: ignore[attr-defined]  # both classes have it
