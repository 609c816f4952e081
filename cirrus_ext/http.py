"""Sends, waits, reads, and sends again: the one hand-written module that imports httpx.

`HTTPClient` and `AsyncHTTPClient` are httpx clients whose ``send`` does all that. They are handed
to the generated client, which so has it for every operation.
"""

import asyncio
import platform
import ssl
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakSet

import httpx

from .answers import reason_of, response_error, status_error
from .call import Call, Clock, Context
from .errors import (
    APIConnectionError,
    APIResponseError,
    APITimeoutError,
    ConfigurationError,
    InvalidRequestError,
)
from .pace import Pace
from .retry import Outcome, parse_retry_after
from .settings import Settings
from .version import __version__
from .wire import CURRENT, POLL, BoundedBackend

API_KEY_HEADER = "X-Api-Key"
USER_AGENT = f"mycirrus-sdk/{__version__} python/{platform.python_version()}"

# Under these names a request takes its Context along, and an answer its Call.
CONTEXT = "cirrus_context"
_CALL = "cirrus_call"

Response = httpx.Response
Transport = httpx.BaseTransport
AsyncTransport = httpx.AsyncBaseTransport
Timeouts = dict[str, float | None]


@dataclass(frozen=True)
class Desk:
    """What all calls of one client share."""

    settings: Settings
    clock: Clock
    pace: Pace = field(default_factory=Pace)
    closing: threading.Event = field(default_factory=threading.Event)

    def open(self, request: httpx.Request) -> Call:
        """Begin a call."""
        context: Context = request.extensions.get(CONTEXT, Context())
        return Call(
            method=request.method,
            path=request.url.path,
            context=context,
            settings=self.settings,
            clock=self.clock,
            pace=self.pace,
            stop=context.stop or self.closing,
        )


class HTTPClient(httpx.Client):
    """An httpx client that keeps the settings' promises, for every request without ``stream``.

    ``send`` is overridden, and not a transport given, because that covers the reading of the body
    and leaves proxies and certificates of the environment to httpx.
    """

    def __init__(self, settings: Settings, *, transport: Transport | None, clock: Clock) -> None:
        with explained():
            super().__init__(
                **_options(settings),
                transport=transport,
                event_hooks={"response": [_forget_location]},
            )
        _take_key(self, settings)
        if transport is None:
            _bound_reads(self)
        self._desk = Desk(settings, clock)
        self._slots = threading.BoundedSemaphore(settings.max_concurrency)
        self._stops = WeakSet([self._desk.closing])
        self._stops_lock = threading.Lock()

    def check_open(self) -> None:
        """Refuse to go on when it is closed.

        Raises:
            ConfigurationError: It is.
        """
        if self.is_closed:
            raise _closed()

    def build_request(self, *args: Any, **kwargs: Any) -> httpx.Request:
        """Build a request as httpx does, and refuse one that has no URL."""
        try:
            return _masked(super().build_request(*args, **kwargs))
        except httpx.InvalidURL as error:
            raise _no_url(error) from error

    def send(self, request: httpx.Request, *, stream: bool = False, **options: Any) -> Response:
        """Send until there is a 2xx or no hope of one, and read the whole body.

        Raises:
            APIStatusError: The last answer has another status.
            APIConnectionError: No whole answer came.
            APIResponseError: The body of a 2xx cannot be decoded.
        """
        self.check_open()
        if stream:
            return super().send(request, stream=True, **options)
        call = self._desk.open(request)
        timeouts = request.extensions.get("timeout", {})
        while True:
            result = _judged(call, self._attempt(call, request, timeouts))
            if isinstance(result, Response):
                return result
            self._sleep(call, result)

    def _attempt(
        self, call: Call, request: httpx.Request, timeouts: Timeouts
    ) -> Response | httpx.RequestError:
        """Send once, when it is this call's turn: the answer, or why there is none."""
        call.queue()
        with self._slot(call):
            while wait := call.turn():
                self._sleep(call, wait)
            request.extensions["timeout"] = _within(timeouts, call.begin())
            mark = CURRENT.set(call)
            try:
                response = super().send(request, stream=True, follow_redirects=False)
                self._read(call, response)
            except httpx.RequestError as error:
                return error
            finally:
                CURRENT.reset(mark)
            return response

    @contextmanager
    def _slot(self, call: Call) -> Generator[None]:
        """Wait until fewer than ``max_concurrency`` requests are under way, and be one of them."""
        call.check_wanted()
        while not self._slots.acquire(timeout=POLL):
            call.check_wanted()
        try:
            yield
        finally:
            self._slots.release()

    def _sleep(self, call: Call, seconds: float) -> None:
        self._desk.clock.sleep(seconds, call.stop)
        call.check_wanted()

    def _read(self, call: Call, response: httpx.Response) -> None:
        """Read the whole body, while the call's budget lasts."""
        assert isinstance(response.stream, httpx.SyncByteStream)  # noqa: S101 - narrows
        response.stream = _Bounded(response.stream, call)
        response.extensions[_CALL] = call
        try:
            response.read()
        except httpx.RequestError as error:
            _raise_unread(response, error)
        finally:
            response.close()
            _let_go(response)

    def new_stop(self) -> threading.Event:
        """An event for a `Context`, that stops its calls when it or the client wants it."""
        stop = threading.Event()
        with self._stops_lock:
            self._stops.add(stop)
        return stop

    def close(self) -> None:
        """Stop what is under way, and close the connections."""
        with self._stops_lock:
            for stop in self._stops:
                stop.set()
        super().close()


class AsyncHTTPClient(httpx.AsyncClient):
    """The same as `HTTPClient`, in an event loop."""

    def __init__(
        self, settings: Settings, *, transport: AsyncTransport | None, clock: Clock
    ) -> None:
        with explained():
            super().__init__(
                **_options(settings),
                transport=transport,
                event_hooks={"response": [_forget_location_async]},
            )
        _take_key(self, settings)
        self._desk = Desk(settings, clock)
        self._slots = asyncio.BoundedSemaphore(settings.max_concurrency)

    def check_open(self) -> None:
        """Refuse to go on when it is closed.

        Raises:
            ConfigurationError: It is.
        """
        if self.is_closed:
            raise _closed()

    def build_request(self, *args: Any, **kwargs: Any) -> httpx.Request:
        """Build a request as httpx does, and refuse one that has no URL."""
        try:
            return _masked(super().build_request(*args, **kwargs))
        except httpx.InvalidURL as error:
            raise _no_url(error) from error

    async def send(
        self, request: httpx.Request, *, stream: bool = False, **options: Any
    ) -> Response:
        """Send until there is a 2xx or no hope of one, and read the whole body.

        Raises:
            APIStatusError: The last answer has another status.
            APIConnectionError: No whole answer came.
            APIResponseError: The body of a 2xx cannot be decoded.
        """
        self.check_open()
        if stream:
            return await super().send(request, stream=True, **options)
        call = self._desk.open(request)
        timeouts = request.extensions.get("timeout", {})
        while True:
            result = _judged(call, await self._attempt(call, request, timeouts))
            if isinstance(result, Response):
                return result
            await self._sleep(call, result)

    async def _attempt(
        self, call: Call, request: httpx.Request, timeouts: Timeouts
    ) -> Response | httpx.RequestError:
        """Send once, when it is this call's turn: the answer, or why there is none."""
        call.queue()
        async with self._slots:
            while wait := call.turn():
                await self._sleep(call, wait)
            left = call.begin()
            request.extensions["timeout"] = _within(timeouts, left)
            try:
                async with _timeout(left):
                    response = await super().send(request, stream=True, follow_redirects=False)
                    await self._read(call, response)
            except httpx.RequestError as error:
                return error
            return response

    async def _sleep(self, call: Call, seconds: float) -> None:
        await self._desk.clock.async_sleep(seconds)
        call.check_wanted()

    async def _read(self, call: Call, response: httpx.Response) -> None:
        """Read the whole body, while the call's budget lasts."""
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - narrows
        response.stream = _AsyncBounded(response.stream, call)
        response.extensions[_CALL] = call
        try:
            await response.aread()
        except httpx.RequestError as error:
            _raise_unread(response, error)
        finally:
            await response.aclose()
            _let_go(response)

    async def aclose(self) -> None:
        """Let no call begin another attempt, and close the connections."""
        self._desk.closing.set()
        await super().aclose()


def _options(settings: Settings) -> dict[str, Any]:
    """How to make an httpx client of these settings."""
    workers = settings.max_concurrency
    return {
        "base_url": settings.base_url,
        "headers": {"User-Agent": USER_AGENT, "Accept": "application/json"},
        "timeout": settings.timeout,
        "verify": settings.verify,
        "limits": httpx.Limits(max_connections=workers, max_keepalive_connections=workers),
        "follow_redirects": False,
    }


@contextmanager
def explained() -> Generator[None]:
    """Say what to look at when httpx cannot make a client: it has many exceptions for that.

    Raises:
        ConfigurationError: It could not, because of what it was given or the environment.
    """
    try:
        yield
    except (ImportError, OSError, ValueError, httpx.InvalidURL) as error:
        raise ConfigurationError(
            f"no HTTP client can be made: {type(error).__name__}: {error}; look at base_url, at "
            "verify, and at the proxy and certificate variables of the environment"
        ) from error


def _take_key(client: httpx.Client | httpx.AsyncClient, settings: Settings) -> None:
    """Put the key into the headers of a client; not sooner, since making one can fail."""
    client.headers[API_KEY_HEADER] = settings.api_key.reveal()
    client.headers.__class__ = _MaskedHeaders


class _MaskedHeaders(httpx.Headers):
    """Headers that do not show the key to whoever only looks. httpx masks others, but not it."""

    def __repr__(self) -> str:
        shown = httpx.Headers(self)
        if API_KEY_HEADER in shown:
            shown[API_KEY_HEADER] = "[secure]"
        return repr(shown)


def _masked(request: httpx.Request) -> httpx.Request:
    request.headers.__class__ = _MaskedHeaders  # httpx has no way to choose it
    return request


def _bound_reads(client: httpx.Client) -> None:
    """Have no read of a client's own connections outlive its call.

    The names are private to httpx, so each may be missing one day. Reads are then bounded by
    httpx's own limit for one read, and bodies between chunks; a test would tell.
    """
    transports: list[Any] = [getattr(client, "_transport", None)]
    transports += getattr(client, "_mounts", {}).values()
    pools: list[Any] = [getattr(transport, "_pool", None) for transport in transports]
    for pool in pools:
        if backend := getattr(pool, "_network_backend", None):
            pool._network_backend = BoundedBackend(backend)  # noqa: SLF001 - see above


@asynccontextmanager
async def _timeout(left: float) -> AsyncGenerator[None]:
    """Let a block take so many seconds, and no more."""
    limit = asyncio.timeout(left)
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if limit.expired():
            raise httpx.ReadTimeout("total_timeout is over, and the answer is not") from error
        raise


def _within(timeouts: Timeouts, left: float) -> Timeouts:
    """The timeouts of an attempt, none longer than what is left of the budget."""
    left = max(left, 0.001)
    return {
        step: left if (limit := timeouts.get(step)) is None else min(limit, left)
        for step in ("connect", "read", "write", "pool")
    }


def _forget_location(response: httpx.Response) -> None:
    """Drop where a redirect leads: httpx would parse it, and a bad one would hide the status."""
    response.headers.pop("location", None)


async def _forget_location_async(response: httpx.Response) -> None:
    _forget_location(response)


class _Bounded(httpx.SyncByteStream):
    """A body that ends in a timeout when the budget of its call is gone, however it drips."""

    def __init__(self, stream: httpx.SyncByteStream, call: Call) -> None:
        self._stream = stream
        self._call = call

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            yield chunk
            _check_budget(self._call)

    def close(self) -> None:
        self._stream.close()


class _AsyncBounded(httpx.AsyncByteStream):
    """The same as `_Bounded`, in an event loop."""

    def __init__(self, stream: httpx.AsyncByteStream, call: Call) -> None:
        self._stream = stream
        self._call = call

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk
            _check_budget(self._call)

    async def aclose(self) -> None:
        await self._stream.aclose()


def _let_go(response: Response) -> None:
    """Untie a response from its stream: a body would wait for the garbage collector otherwise."""
    response.stream = httpx.ByteStream(b"")


def _raise_unread(response: Response, error: httpx.RequestError) -> None:
    """Judge a body that could not be read: an error status says enough without it."""
    if not response.is_success:
        return
    if isinstance(error, httpx.DecodingError):
        raise mismatch(response, "$", f"cannot be decoded: {error}") from error
    raise error


def _check_budget(call: Call) -> None:
    if call.left <= 0:
        raise httpx.ReadTimeout("total_timeout is over, and the answer is not")


def _judged(call: Call, result: Response | httpx.RequestError) -> Response | float:
    """Give a good answer back, or else the seconds to wait before the next attempt.

    Raises:
        CirrusError: There is no further attempt.
    """
    if isinstance(result, Response):
        return _answered(call, result)
    return _failed(call, result)


def _answered(call: Call, response: httpx.Response) -> Response | float:
    """Take an answer: give it back if it is a 2xx, else the seconds to wait.

    Raises:
        APIStatusError: There is no further attempt.
    """
    if response.status_code != 429:
        call.pace.accepted()
    if response.is_success:
        response.__class__ = _Answer  # httpx has no way to choose the class of its responses
        return response
    status, headers = response.status_code, response.headers
    retry_after = parse_retry_after(
        headers.get("retry-after"), date=headers.get("date"), now=call.clock.now()
    )
    error = status_error(call, status, _content(response), retry_after)
    return call.conclude(error, Outcome(status, retry_after), reason_of(status, retry_after))


def _failed(call: Call, cause: httpx.RequestError) -> float:
    """Take a failure: give the seconds to wait.

    Raises:
        APIConnectionError: There is no further attempt.
    """
    reason = call.settings.api_key.scrub(f"{type(cause).__name__}: {cause}".removesuffix(": "))
    error: APIConnectionError
    if isinstance(cause, httpx.TimeoutException):
        error = APITimeoutError(f"no whole answer in time: {reason} ({call.where})")
    else:
        error = APIConnectionError(f"no whole answer: {reason} ({call.where})")
    # Now, since the error may be raised later, when the budget ends in a wait.
    error.__cause__ = cause
    cause.request = httpx.Request(call.method, call.path)  # the real one has the key
    call.check_wanted()
    return call.conclude(error, Outcome(transient=_is_transient(cause)), reason)


def _is_transient(cause: httpx.RequestError) -> bool:
    """Whether another attempt could do better than this failure."""
    if not isinstance(cause, httpx.TransportError):
        return False
    if isinstance(cause, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return False
    return not isinstance(_root_of(cause), ssl.SSLCertVerificationError)


def _root_of(cause: BaseException) -> BaseException | None:
    """What happened below the HTTP libraries; not what the caller may be handling above them."""
    link: BaseException | None = cause
    while link is not None and type(link).__module__.partition(".")[0] in {"httpx", "httpcore"}:
        link = link.__cause__ or link.__context__
    return link


class _Answer(httpx.Response):
    """A 2xx. Whoever asks it for JSON that it has not got is told so by an error of ours."""

    def json(self, **kwargs: Any) -> Any:
        try:
            return super().json(**kwargs)
        except (ValueError, RecursionError) as error:
            problem = f"is not JSON: {error}"
        # Outside the handler: the parser's own error holds the whole body.
        raise mismatch(self, "$", problem)


def mismatch(response: Response, path: str, problem: str) -> APIResponseError:
    """The error for a 2xx of this client whose body does not fit the contract.

    Args:
        response: The answer.
        path: Where in the body, as a JSON path.
        problem: What is wrong there, to be read after the path.
    """
    call: Call = response.extensions[_CALL]
    return response_error(call, response.status_code, path, problem, _content(response))


def _content(response: Response) -> bytes:
    """What was read of the body: all of it, or nothing if it broke off."""
    try:
        return response.content
    except httpx.ResponseNotRead:
        return b""


def _no_url(error: httpx.InvalidURL) -> InvalidRequestError:
    return InvalidRequestError(f"no URL can be made of this request: {error}; ask for less at once")


def _closed() -> ConfigurationError:
    return ConfigurationError("this client is closed; make a new one")
