"""Sends, waits and reads: the one hand-written module that imports httpx.

`HTTPClient` and `AsyncHTTPClient` are httpx clients whose ``send`` does what `Call.steps` says. The
generated client uses them, and so has retries and typed errors for every operation.
"""

import asyncio
import platform
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import Any
from weakref import WeakSet, proxy

import httpx

from .call import Acquire, Call, ClientState, Context, Problem, Wait
from .clock import Clock
from .deadline import HTTPCORE_ERRORS, POLL_INTERVAL, bound_reads, current_call, limit_timeouts
from .errors import APIResponseError, ConfigurationError, InvalidRequestError
from .settings import Settings
from .version import __version__

API_KEY_HEADER = "X-Api-Key"
USER_AGENT = f"mycirrus-sdk/{__version__} python/{platform.python_version()}"

# The extensions under which a request has its Context, and a response its Call.
CONTEXT = "cirrus_context"
_CALL = "cirrus_call"

Response = httpx.Response
Transport = httpx.BaseTransport
AsyncTransport = httpx.AsyncBaseTransport


def strip_location(response: Response) -> None:
    """Drop the target of a redirect: httpx would parse it, and an invalid one hides the status."""
    response.headers.pop("location", None)


async def _strip_location_async(response: Response) -> None:
    strip_location(response)


class _CirrusClient:
    """What both clients share; to be named before the class of httpx.

    ``send`` is overridden, because it includes the reading of the body, and leaves proxies and
    certificates of the environment to httpx. A transport of our own would do neither.
    """

    is_closed: bool
    headers: httpx.Headers
    _slots: Any
    _hook: Callable[[Response], object]

    def __init__(self, settings: Settings, *, transport: Any, clock: Clock) -> None:
        workers = settings.max_concurrency
        with translate_errors():
            super().__init__(  # type: ignore[call-arg]  # of the class of httpx
                base_url=settings.base_url,
                headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
                timeout=settings.timeout,
                verify=settings.verify,
                limits=httpx.Limits(max_connections=workers, max_keepalive_connections=workers),
                follow_redirects=False,
                transport=transport,
                event_hooks={"response": [self._hook]},
            )
        # Not sooner, because making a client can fail, and its error would show the key.
        self.headers[API_KEY_HEADER] = settings.api_key.reveal()
        _mask(self.headers)
        self._client_state = ClientState(settings, clock, self._slots)

    def check_open(self) -> None:
        """Raise ConfigurationError if the client is closed."""
        if self.is_closed:
            raise ConfigurationError("this client is closed; make a new one")

    def build_request(self, *args: Any, **kwargs: Any) -> httpx.Request:
        """Build a request as httpx does, and refuse one that no URL can hold."""
        try:
            request: httpx.Request = super().build_request(*args, **kwargs)  # type: ignore[misc]
        except httpx.InvalidURL as error:
            raise InvalidRequestError(
                f"no URL can be made of this request: {error}; ask for less at once"
            ) from error
        _mask(request.headers)
        return request

    def _start_call(self, request: httpx.Request) -> Call:
        context: Context = request.extensions.get(CONTEXT, Context())
        return self._client_state.start_call(request.method, request.url.path, context)


class HTTPClient(_CirrusClient, httpx.Client):
    """An httpx client that keeps the promises of its settings, for requests without ``stream``."""

    _hook = staticmethod(strip_location)

    def __init__(self, settings: Settings, *, transport: Transport | None, clock: Clock) -> None:
        self._slots = threading.BoundedSemaphore(settings.max_concurrency)
        super().__init__(settings, transport=transport, clock=clock)
        if transport is None:
            bound_reads(self)
        self._stops = WeakSet([self._client_state.closing])
        self._stops_lock = threading.Lock()

    def send(self, request: httpx.Request, *, stream: bool = False, **options: Any) -> Response:
        """Send until there is a 2xx or no further attempt, and read the whole body.

        Raises:
            APIStatusError: The last response has another status.
            APIConnectionError: No whole response came.
            APIResponseError: The body of a 2xx cannot be decoded.
        """
        self.check_open()
        if stream:
            return super().send(request, stream=True, **options)
        call = self._start_call(request)
        with closing(call.steps()) as steps:
            for step in steps:
                if isinstance(step, Acquire):
                    while not self._slots.acquire(timeout=POLL_INTERVAL):
                        call.check_wanted()
                elif isinstance(step, Wait):
                    self._client_state.clock.sleep(step.seconds, call.stop)
                else:
                    with _record_problems(call, request):
                        call.response = self._attempt(step.seconds, call, request)
        return _finished(call)

    def _attempt(self, seconds: float, call: Call, request: httpx.Request) -> Response:
        """Send once, and read the body."""
        limit_timeouts(request, seconds)
        token = current_call.set(call)
        try:
            response = super().send(request, stream=True, follow_redirects=False)
            response.stream = _BoundedBody(response.stream, call)
            try:
                response.read()
            except httpx.RequestError as error:
                return _without_body(response, call, error)
            finally:
                response.close()
                release_stream(response)
            return response
        finally:
            current_call.reset(token)

    def new_stop(self) -> threading.Event:
        """Return an event for a `Context`: setting it, or closing the client, stops its calls."""
        stop = threading.Event()
        with self._stops_lock:
            self._stops.add(stop)
        return stop

    def close(self) -> None:
        """Stop all calls, and close the connections."""
        with self._stops_lock:
            for stop in self._stops:
                stop.set()
        super().close()


class AsyncHTTPClient(_CirrusClient, httpx.AsyncClient):
    """The same as `HTTPClient`, in an event loop."""

    _hook = staticmethod(_strip_location_async)

    def __init__(
        self, settings: Settings, *, transport: AsyncTransport | None, clock: Clock
    ) -> None:
        self._slots = asyncio.BoundedSemaphore(settings.max_concurrency)
        super().__init__(settings, transport=transport, clock=clock)

    async def send(
        self, request: httpx.Request, *, stream: bool = False, **options: Any
    ) -> Response:
        """Send until there is a 2xx or no further attempt: see `HTTPClient.send`."""
        self.check_open()
        if stream:
            return await super().send(request, stream=True, **options)
        call = self._start_call(request)
        with closing(call.steps()) as steps:
            for step in steps:
                if isinstance(step, Acquire):
                    await self._slots.acquire()
                elif isinstance(step, Wait):
                    await self._client_state.clock.async_sleep(step.seconds)
                else:
                    with _record_problems(call, request):
                        call.response = await self._attempt(step.seconds, call, request)
        return _finished(call)

    async def _attempt(self, seconds: float, call: Call, request: httpx.Request) -> Response:
        """Send once, and read the body."""
        limit_timeouts(request, seconds)
        async with asyncio.timeout(seconds):
            response = await super().send(request, stream=True, follow_redirects=False)
            response.stream = _BoundedBody(response.stream, call)
            try:
                await response.aread()
            except httpx.RequestError as error:
                return _without_body(response, call, error)
            finally:
                await response.aclose()
                release_stream(response)
            return response

    async def aclose(self) -> None:
        """Let no call start another attempt, and close the connections."""
        self._client_state.closing.set()
        await super().aclose()


@contextmanager
def translate_errors() -> Generator[None]:
    """Translate the errors with which httpx refuses to make a client; it has many kinds.

    Raises:
        ConfigurationError: An argument or the environment is invalid.
    """
    try:
        yield
    except (ImportError, OSError, ValueError, httpx.InvalidURL) as error:
        raise ConfigurationError(
            f"no HTTP client can be made: {type(error).__name__}: {error}; look at base_url, at "
            "verify, and at the proxy and certificate variables of the environment"
        ) from error


@contextmanager
def _record_problems(call: Call, request: httpx.Request) -> Generator[None]:
    """Set the problem of a call where there is no response: from httpx, or its time is over."""
    try:
        yield
    except (httpx.RequestError, TimeoutError) as error:
        if isinstance(error, httpx.RequestError):  # its request has the key
            error.request = httpx.Request(request.method, request.url.path)
        reason = str(error) or ("total_timeout is over" if isinstance(error, TimeoutError) else "")
        call.problem = Problem(
            f"{type(error).__name__}: {reason}".removesuffix(": "),
            cause=error,
            timed_out=isinstance(error, httpx.TimeoutException | TimeoutError),
            transient=_is_transient(error),
        )


def _is_transient(error: httpx.RequestError | TimeoutError) -> bool:
    """Return whether another attempt could succeed."""
    if not isinstance(error, httpx.TransportError | TimeoutError):
        return False
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return False
    link: BaseException | None = error
    while isinstance(link, httpx.HTTPError | HTTPCORE_ERRORS):
        link = link.__cause__ or link.__context__
    return not isinstance(link, ssl.SSLCertVerificationError)


def _mask(headers: httpx.Headers) -> None:
    """Hide the key in the repr of headers. httpx does this for other headers, and has no option."""
    with suppress(TypeError):
        headers.__class__ = _MaskedHeaders


class _MaskedHeaders(httpx.Headers):
    def __repr__(self) -> str:
        shown = httpx.Headers(self)
        if API_KEY_HEADER in shown:
            shown[API_KEY_HEADER] = "[secure]"
        return repr(shown)


class _BoundedBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body whose reading ends with the time of its call, however slowly it comes."""

    def __init__(self, stream: Any, call: Call) -> None:
        self._stream = stream
        self._call = call

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            yield chunk
            self._check_time()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk
            self._check_time()

    def _check_time(self) -> None:
        if self._call.left <= 0:
            raise httpx.ReadTimeout("total_timeout is over, and the answer is not")

    def close(self) -> None:
        self._stream.close()

    async def aclose(self) -> None:
        await self._stream.aclose()


def release_stream(response: Response) -> None:
    """Drop the stream of a response: the body would else wait for the garbage collector."""
    response.stream = httpx.ByteStream(b"")


def _without_body(response: Response, call: Call, error: httpx.RequestError) -> Response:
    """Return a response whose body cannot be read, if its status is an error and says enough.

    Raises:
        APIResponseError: The body of a 2xx cannot be decoded.
        httpx.RequestError: The body of a 2xx is not complete.
    """
    if not response.is_success:
        kept = {name: response.headers.get(name, "") for name in ("date", "retry-after")}
        return Response(response.status_code, headers=kept, request=response.request)
    if isinstance(error, httpx.DecodingError):
        problem = f"cannot be decoded: {error}"
        response = Response(response.status_code)
        raise call.body_error(response, "$", problem) from error
    raise error


def _finished(call: Call) -> Response:
    """Return a 2xx, whose ``json`` raises an error of ours if the body is not JSON."""
    response: Response = call.response
    response.extensions[_CALL] = call
    call.response = None  # no circle that would keep the body
    response.json = partial(call.parse_json, proxy(response))  # type: ignore[method-assign]  # httpx has no option for it
    return response


def body_error(response: Response, path: str, problem: str) -> APIResponseError:
    """Return the error for a 2xx of a client of ours whose body does not fit the contract.

    Args:
        response: The response.
        path: Where in the body, as a JSON path.
        problem: What is wrong there, to be read after the path.
    """
    call: Call = response.extensions[_CALL]
    return call.body_error(response, path, problem)
