"""Honest mocks: whatever respx answers in a test is held against the contract.

``conftest.py`` registers this module with pytest, and a test fails if one of its mocked exchanges
is off spec: decorator, context manager, fixture or nested router, sync or async, with nothing to
import. Where that is what a test is about, the mock says so, with a reason:

    httpx.Response(503, extensions={"off_spec": "an outage; the page documents no 5xx"})
    httpx.Response(200, json=[], extensions={"off_spec_request": "the server takes any offset"})

An excuse that is no longer needed fails too.
"""

from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import respx

from mycirrus_contract.conformity import reply_violations, request_violations
from mycirrus_contract.messages import Reply, Request

EXCUSES = ("off_spec", "off_spec_request")

_found: list[str] = []
_unanswered: dict[int, tuple[httpx.Request, str]] = {}


class DishonestMockError(AssertionError):
    """A mock says something about the API that the contract does not."""


def lies_of(request: httpx.Request, outcome: httpx.Response | Exception) -> list[str]:
    """Say what is wrong with a mocked exchange, excuses included.

    Args:
        request: What the code under test sent.
        outcome: What the mock answered, read already, or raised; an exception may have
            ``extensions`` too.
    """
    asked = Request.of(request)
    reply = Reply.of(outcome) if isinstance(outcome, httpx.Response) else None
    excuses = getattr(outcome, "extensions", {})
    lies = []
    for excuse, problems in zip(
        EXCUSES, (reply_violations(asked, reply), request_violations(asked, reply)), strict=True
    ):
        if excuse not in excuses:
            lies += problems
        elif len(str(excuses[excuse]).split()) < 2:
            lies.append(f"the excuse {excuse!r} gives no reason")
        elif not problems:
            lies.append(f"the excuse {excuse!r} is not needed: {excuses[excuse]}")
    status = "no answer" if reply is None else reply.status
    return [f"{request.method} {request.url} -> {status}: {lie}" for lie in lies]


@contextmanager
def collected() -> Iterator[list[str]]:
    """Take what is found in a block out of the test's account: for the tests of this guard."""
    outer = _taken()
    inner: list[str] = []
    try:
        yield inner
    finally:
        inner += _taken()
        _found[:] = outer


class _Spent(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A stream that has been read once, and is to be had again, with its end if that was bad."""

    def __init__(self, chunks: list[bytes], error: Exception | None) -> None:
        self._chunks, self._error = chunks, error

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        if self._error is not None:
            raise self._error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self:
            yield chunk


def _readable(response: httpx.Response, spent: _Spent) -> httpx.Response:
    """A copy whose body can be looked at without taking it from the code under test."""
    response.stream = spent
    return httpx.Response(
        response.status_code,
        headers=response.headers,
        content=b"".join(spent._chunks),
        extensions=response.extensions,
    )


def _read(response: httpx.Response) -> httpx.Response:
    chunks: list[bytes] = []
    error = None
    try:
        chunks.extend(response.stream)  # type: ignore[arg-type]
    except Exception as broken:  # noqa: BLE001 - whatever the mock raises in mid-body
        error = broken
    return _readable(response, _Spent(chunks, error))


async def _aread(response: httpx.Response) -> httpx.Response:
    if isinstance(response.stream, httpx.ByteStream):
        return _read(response)
    chunks: list[bytes] = []
    error = None
    try:
        async for chunk in response.stream:  # type: ignore[union-attr]
            chunks.append(chunk)  # noqa: PERF401 - what came before the error is kept
    except Exception as broken:  # noqa: BLE001 - as above
        error = broken
    return _readable(response, _Spent(chunks, error))


def _answered(request: httpx.Request, outcome: httpx.Response | Exception) -> None:
    _unanswered.pop(id(request), None)
    _found.extend(lies_of(request, outcome))


def _leave_unanswered(request: httpx.Request) -> None:
    """Remember a request that a router does not have: the next one may, or code may swallow it."""
    text = f"{request.method} {request.url} -> no mock: the test goes on without an answer"
    _unanswered[id(request)] = request, text


def _taken() -> list[str]:
    """All that was found since it was last asked."""
    found = [*_found, *(text for _, text in _unanswered.values())]
    _found.clear()
    _unanswered.clear()
    return list(dict.fromkeys(found))


@contextmanager
def _raised(request: httpx.Request) -> Iterator[None]:
    """Judge what a handler raises instead of answering."""
    try:
        yield
    except respx.models.AllMockedAssertionError:
        _leave_unanswered(request)
        raise
    except Exception as error:
        _answered(request, error)
        raise


def _watched(handler: Any) -> Any:
    def handle(router: respx.Router, request: httpx.Request) -> httpx.Response:
        with _raised(request):
            response: httpx.Response = handler(router, request)
        _answered(request, _read(response))
        return response

    return handle


def _awatched(handler: Any) -> Any:
    async def handle(router: respx.Router, request: httpx.Request) -> httpx.Response:
        with _raised(request):
            response: httpx.Response = await handler(router, request)
        _answered(request, await _aread(response))
        return response

    return handle


def watch() -> None:
    """Put the guard around the one place that every mocked exchange goes through."""
    respx.Router.handler = _watched(respx.Router.handler)  # type: ignore[method-assign]
    respx.Router.async_handler = _awatched(respx.Router.async_handler)  # type: ignore[method-assign]


def pytest_configure() -> None:
    """Begin to watch."""
    watch()


def _judged() -> Generator[None, object, object]:
    _taken()
    try:
        result = yield
    except BaseException as error:
        for lie in _taken():
            error.add_note(f"off spec: {lie}")
        raise
    if lies := _taken():
        raise DishonestMockError("mocks off spec:\n" + "\n".join(lies))
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    """Judge what the fixtures of a test have asked."""
    return (yield from _judged())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Judge what a test has asked."""
    return (yield from _judged())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, object, object]:
    """Judge what the fixtures have asked while they were taken down."""
    return (yield from _judged())
