"""The guard of the mocks: whatever respx answers in a test is compared with the contract.

``conftest.py`` registers this module with pytest, and a test fails if one of its mocked exchanges
is off spec: decorator, context manager, fixture or nested router, sync or async, with nothing to
import. Where that is what a test is about, the mock says so, with a reason:

    httpx.Response(503, extensions={"off_spec": "an outage; the page documents no 5xx"})
    httpx.Response(200, json=[], extensions={"off_spec_request": "the server takes any offset"})

A reason that is no longer needed fails too, and so does a mock that raises what no transport
raises, even where the code under test swallows it.

`httpx.MockTransport` is outside: with it a test plays any server, and no contract. The summary of
pytest says how many of its answers were not compared.
"""

from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import respx

from mycirrus_contract.conformity import reply_violations, request_violations
from mycirrus_contract.messages import Reply, Request
from mycirrus_contract.standin.adapters import Standin

REASONS = ("off_spec", "off_spec_request")
OUTSIDE = "answers of httpx.MockTransport, not compared with the contract"

_found: list[str] = []
_unanswered: dict[int, tuple[httpx.Request, str]] = {}
_outside: list[str] = []


class ContractViolationError(AssertionError):
    """A mock contradicts the contract."""


def violations_of(request: httpx.Request, outcome: httpx.Response | Exception) -> list[str]:
    """Say how a mocked exchange breaks the contract, beyond what its reasons allow.

    Args:
        request: What the code under test sent.
        outcome: What the mock answered, read already, or raised; an exception may have
            ``extensions`` too.
    """
    sent = Request.of(request)
    reply = Reply.of(outcome) if isinstance(outcome, httpx.Response) else None
    reasons = getattr(outcome, "extensions", {})
    violations = []
    for name, problems in zip(
        REASONS, (reply_violations(sent, reply), request_violations(sent, reply)), strict=True
    ):
        if name == "off_spec" and reply is None and not isinstance(outcome, httpx.TransportError):
            problems.append(f"the mock raised {type(outcome).__name__}, which no transport does")
        if name not in reasons:
            violations += problems
        elif len(str(reasons[name]).split()) < 2:
            violations.append(f"{name!r} has no reason")
        elif not problems:
            violations.append(f"{name!r} is not needed: {reasons[name]}")
    status = "no answer" if reply is None else reply.status
    return [f"{request.method} {request.url} -> {status}: {text}" for text in violations]


@contextmanager
def collected() -> Iterator[list[str]]:
    """Keep what is found in a block from the test around it, for the tests of the guard."""
    outer = _taken()
    inner: list[str] = []
    try:
        yield inner
    finally:
        inner += _taken()
        _found[:] = outer


class _Replayed(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that was read, to be read again, with the error at its end if there was one."""

    def __init__(self, chunks: list[bytes], error: Exception | None) -> None:
        self._chunks, self._error = chunks, error

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        if self._error is not None:
            raise self._error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self:
            yield chunk


def _read(response: httpx.Response) -> httpx.Response:
    """A copy of a response with its body; the code under test can still read the original."""
    chunks: list[bytes] = []
    error = None
    try:
        chunks.extend(response.stream)  # type: ignore[arg-type]
    except Exception as broken:  # noqa: BLE001 - whatever the mock raises in mid-body
        error = broken
    return _copy(response, chunks, error)


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
    return _copy(response, chunks, error)


def _copy(response: httpx.Response, chunks: list[bytes], error: Exception | None) -> httpx.Response:
    response.stream = _Replayed(chunks, error)
    return httpx.Response(
        response.status_code,
        headers=response.headers,
        content=b"".join(chunks),
        extensions=response.extensions,
    )


def _compare(request: httpx.Request, outcome: httpx.Response | Exception) -> None:
    _unanswered.pop(id(request), None)
    _found.extend(violations_of(request, outcome))


def _taken() -> list[str]:
    """All that was found since the last call."""
    found = [*_found, *(text for _, text in _unanswered.values())]
    _found.clear()
    _unanswered.clear()
    return list(dict.fromkeys(found))


@contextmanager
def _raised(request: httpx.Request) -> Iterator[None]:
    """Compare what a handler raises instead of answering."""
    try:
        yield
    except respx.models.AllMockedAssertionError:
        # Another router may have the request; otherwise the code under test may swallow this.
        text = f"{request.method} {request.url} -> no mock: the test goes on without an answer"
        _unanswered[id(request)] = request, text
        raise
    except Exception as error:
        _compare(request, error)
        raise


def _watched(handler: Any) -> Any:
    def handle(router: respx.Router, request: httpx.Request) -> httpx.Response:
        with _raised(request):
            response: httpx.Response = handler(router, request)
        _compare(request, _read(response))
        return response

    return handle


def _awatched(handler: Any) -> Any:
    async def handle(router: respx.Router, request: httpx.Request) -> httpx.Response:
        with _raised(request):
            response: httpx.Response = await handler(router, request)
        _compare(request, await _aread(response))
        return response

    return handle


def _counted(handle: Any) -> Any:
    """Count the answers of a MockTransport, except those of respx and the stand-in."""

    def handled(transport: httpx.MockTransport, request: httpx.Request) -> Any:
        owner = getattr(transport.handler, "__self__", None)
        if not isinstance(owner, respx.Router | Standin):
            _outside.append(str(request.url))
        return handle(transport, request)

    return handled


def watch() -> None:
    respx.Router.handler = _watched(respx.Router.handler)  # type: ignore[method-assign]
    respx.Router.async_handler = _awatched(respx.Router.async_handler)  # type: ignore[method-assign]
    for name in ("handle_request", "handle_async_request"):
        setattr(httpx.MockTransport, name, _counted(getattr(httpx.MockTransport, name)))


def pytest_configure() -> None:
    watch()


def _checked() -> Generator[None, object, object]:
    _taken()
    try:
        result = yield
    except BaseException as error:
        for text in _taken():
            error.add_note(f"off spec: {text}")
        raise
    if violations := _taken():
        raise ContractViolationError("mocks off spec:\n" + "\n".join(violations))
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, object, object]:
    return (yield from _checked())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Judge the exchanges of a test, and count the answers outside."""
    _outside.clear()
    try:
        return (yield from _checked())
    finally:
        if _outside:
            item.user_properties.append((OUTSIDE, len(_outside)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Generator[None, object, object]:
    return (yield from _checked())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [
        one for status in ("passed", "failed") for one in terminalreporter.getreports(status)
    ]
    count = sum(dict(one.user_properties).get(OUTSIDE, 0) for one in reports if one.when == "call")
    if count:
        terminalreporter.write_line(f"{count} {OUTSIDE}")
