"""Sends and waits. With ``bodies.py`` and ``problems.py`` it imports httpx, no other does.

`HTTPClient` and `AsyncHTTPClient` are httpx clients whose ``send`` does what `Call.steps` says. The
generated client uses them, and so has retries and typed errors for every operation.
"""

import asyncio
import os
import platform
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakSet

import httpx

from . import bodies, deadline
from .bodies import Response
from .call import AcquireSlot, Call, ClientState, Context, Sleep
from .clock import Clock
from .errors import ConfigurationError, InvalidRequestError
from .problems import record_problems, translate_errors
from .settings import Settings, is_in_no_proxy
from .tasks import Result, cancelled_once, finish
from .version import __version__

API_KEY_HEADER = "X-Api-Key"
USER_AGENT = f"mycirrus-sdk/{__version__} python/{platform.python_version()}"

# The extension under which a request has its Context.
CONTEXT = "cirrus_context"

Transport = httpx.BaseTransport
AsyncTransport = httpx.AsyncBaseTransport


async def _prepare_headers_async(response: Response) -> None:
    bodies.prepare_headers(response)


class EnvironmentProxies:
    """Reads the proxies of the environment as httpx does, and whatever NO_PROXY may name.

    Subclasses name it before the class of httpx, and set the host first. Addresses and networks
    are looked for here; an entry that httpx takes for an invalid URL is left out.
    """

    _host: str

    def _get_proxy_map(self, proxy: Any, allow_env_proxies: bool) -> dict[str, Any]:  # noqa: FBT001
        """See the class. The name is private to httpx; if it changes, httpx refuses a NO_PROXY."""
        if is_in_no_proxy(self._host):
            return {}
        proxies: dict[str, Any] = super()._get_proxy_map(proxy, allow_env_proxies)  # type: ignore[misc]
        return {name: url for name, url in proxies.items() if url is not None or _is_url(name)}


class _CirrusClient(EnvironmentProxies):
    """What both clients share. Subclasses name it before the class of httpx.

    ``send`` is overridden, because it includes the reading of the body, and leaves proxies and
    certificates of the environment to httpx. A transport of our own would do neither.
    """

    is_closed: bool
    _slots: Any
    _hook: Callable[[Response], object]
    _transport_method: str

    def __init__(self, settings: Settings, *, transport: Any, clock: Clock) -> None:
        if transport is not None and not hasattr(transport, self._transport_method):
            kind = type(transport).__name__
            raise ConfigurationError(f"transport must have {self._transport_method}: {kind}")
        workers = settings.max_concurrency
        self._host = urlsplit(settings.base_url).hostname or ""
        with translate_errors():
            super().__init__(  # type: ignore[call-arg]  # of the class of httpx
                base_url=settings.base_url,
                headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
                timeout=settings.timeout,
                verify=settings.verify,
                limits=httpx.Limits(
                    max_connections=self._most_connections(workers),
                    max_keepalive_connections=workers,
                ),
                follow_redirects=False,
                transport=transport,
                event_hooks={"response": [self._hook]},
            )
        self._client_state = ClientState(settings, clock, self._slots)
        self._process = os.getpid()

    def _most_connections(self, workers: int) -> int | None:
        return workers

    def check_process(self) -> None:
        """Raise ConfigurationError in another process than the one that made the client."""
        if os.getpid() != self._process:
            # Its connections are the other process's, and answers would come to the wrong one.
            raise ConfigurationError(
                "this client was made in another process, before a fork; make one in each process"
            )

    def check_open(self) -> None:
        """Raise ConfigurationError if the client is closed, or was made in another process."""
        self.check_process()
        if self.is_closed:
            raise ConfigurationError("this client is closed; make a new one")

    def build_request(self, *args: Any, **kwargs: Any) -> httpx.Request:
        """Build a request as httpx does, with the key; refuse one that does not fit in a URL."""
        try:
            request: httpx.Request = super().build_request(*args, **kwargs)  # type: ignore[misc]
        except (httpx.InvalidURL, UnicodeError) as error:
            raise InvalidRequestError(
                f"no URL can be made of this request: {error}; ask for less at once"
            ) from error
        request.headers = _MaskedHeaders(request.headers)
        request.headers.setdefault(API_KEY_HEADER, self._client_state.settings.api_key.reveal())
        return request

    def _start_call(self, request: httpx.Request) -> Call:
        context: Context = request.extensions.get(CONTEXT, Context())
        return self._client_state.start_call(request.method, request.url.path, context)


class HTTPClient(_CirrusClient, httpx.Client):
    """An httpx client that keeps the promises of its settings, for requests without ``stream``."""

    _hook = staticmethod(bodies.prepare_headers)
    _transport_method = "handle_request"

    def __init__(self, settings: Settings, *, transport: Transport | None, clock: Clock) -> None:
        self._slots = threading.BoundedSemaphore(settings.max_concurrency)
        super().__init__(settings, transport=transport, clock=clock)
        if transport is None:
            deadline.wrap_backends(self, deadline.BoundedBackend)
        self._stops = WeakSet([self._client_state.closing])
        self._stops_lock = threading.Lock()

    def send(self, request: httpx.Request, *, stream: bool = False, **options: Any) -> Response:
        """Send until there is a 2xx or no further attempt, and read the whole body.

        Raises:
            APIStatusError: The last response has another status.
            APIConnectionError: No complete response came.
            APIResponseError: The body of a 2xx cannot be decoded.
        """
        self.check_open()
        if stream:
            return super().send(request, stream=True, **options)
        call = self._start_call(request)
        with closing(call.steps()) as steps:
            for step in steps:
                if isinstance(step, AcquireSlot):
                    while not self._slots.acquire(timeout=deadline.POLL_INTERVAL):
                        call.check_wanted()
                elif isinstance(step, Sleep):
                    self._client_state.clock.sleep(step.seconds, call.stop)
                else:
                    with record_problems(call):
                        call.response = self._attempt(step.seconds, call, request)
        return bodies.finished(call)

    def _attempt(self, seconds: float, call: Call, request: httpx.Request) -> Response:
        """Send once, and read the body."""
        deadline.limit_timeouts(request, seconds)
        token = deadline.current_call.set(call)
        try:
            response = super().send(request, stream=True, follow_redirects=False)
            response.stream = bodies.BoundedBody(response, call)
            try:
                response.read()
            except httpx.RequestError as error:
                return bodies.without_body(response, call, error)
            finally:
                response.close()
                bodies.release_stream(response)
            return bodies.complete(response)
        finally:
            deadline.current_call.reset(token)

    def new_stop(self) -> threading.Event:
        """Return an event for a `Context`: setting it, or closing the client, stops its calls."""
        self.check_open()
        stop = threading.Event()
        with self._stops_lock:
            self._stops.add(stop)
        return stop

    def close(self) -> None:
        """Stop all calls, and close the connections; in a fork, leave both to the first process."""
        if os.getpid() != self._process:
            return
        with self._stops_lock:
            for stop in self._stops:
                stop.set()
        super().close()


class AsyncHTTPClient(_CirrusClient, httpx.AsyncClient):
    """The same as `HTTPClient`, in an event loop."""

    _hook = staticmethod(_prepare_headers_async)
    _transport_method = "handle_async_request"

    def __init__(
        self, settings: Settings, *, transport: AsyncTransport | None, clock: Clock
    ) -> None:
        self._slots = asyncio.BoundedSemaphore(settings.max_concurrency)
        self._limits: set[asyncio.Timeout] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        super().__init__(settings, transport=transport, clock=clock)
        if transport is None:
            deadline.wrap_backends(self, deadline.LookUpBackend)

    def _most_connections(self, workers: int) -> int | None:
        del workers  # the slots are the limit; httpcore would count what a cancellation has lost
        return None

    def check_open(self) -> None:
        """Raise ConfigurationError if closed, or in another process or event loop than before."""
        super().check_open()
        self.check_loop()

    def check_loop(self) -> None:
        """Raise ConfigurationError in another process or event loop than that of the client."""
        self.check_process()
        task = None
        with suppress(RuntimeError):  # there is no event loop
            task = asyncio.current_task()
        if task is None:
            raise ConfigurationError("AsyncCirrusClient needs an event loop of asyncio")
        if self._loop not in {None, task.get_loop()}:
            raise ConfigurationError(
                "this client belongs to another event loop; make one in each event loop, and close "
                "it there"
            )
        self._loop = task.get_loop()

    async def send(
        self, request: httpx.Request, *, stream: bool = False, **options: Any
    ) -> Response:
        """Send until there is a 2xx or no further attempt: see `HTTPClient.send`."""
        self.check_open()
        if stream:
            sent = super().send(request, stream=True, **options)
            response = await finish(sent, undo=Response.aclose)
            response.stream = bodies.FinishedBody(response)
            return response
        call = self._start_call(request)
        with closing(call.steps()) as steps:
            for step in steps:
                if isinstance(step, AcquireSlot):
                    await self._wait(call, self._slots.acquire())
                elif isinstance(step, Sleep):
                    await self._wait(call, self._client_state.clock.async_sleep(step.seconds))
                else:
                    deadline.limit_timeouts(request, step.seconds)
                    attempt = cancelled_once(self._attempt(call, request))
                    with record_problems(call):
                        call.response = await self._until_closed(attempt, step.seconds)
        return bodies.finished(call)

    async def _attempt(self, call: Call, request: httpx.Request) -> Response:
        """Send once, and read the body."""
        response = await super().send(request, stream=True, follow_redirects=False)
        response.stream = bodies.BoundedBody(response, call)
        try:
            await response.aread()
        except httpx.RequestError as error:
            return bodies.without_body(response, call, error)
        finally:
            await response.aclose()
            bodies.release_stream(response)
        return bodies.complete(response)

    async def _wait(self, call: Call, awaitable: Awaitable[object]) -> None:
        try:
            await self._until_closed(awaitable)
        except TimeoutError:
            call.check_wanted()
            raise

    async def _until_closed(
        self, awaitable: Awaitable[Result], seconds: float | None = None
    ) -> Result:
        """Await for so many seconds, or until the client is closed.

        Raises:
            TimeoutError: The time is over, or the client was closed.
        """
        async with asyncio.timeout(seconds) as limit:
            self._limits.add(limit)
            try:
                return await awaitable
            finally:
                self._limits.discard(limit)

    async def aclose(self) -> None:
        """Stop all calls, and close the connections; in a fork, leave both to the first process."""
        if self.is_closed or os.getpid() != self._process:
            return
        is_over = self._loop is not None and self._loop.is_closed()
        if not is_over:
            self.check_loop()
        self._client_state.closing.set()
        for limit in list(self._limits):
            with suppress(RuntimeError):  # it has just ended
                limit.reschedule(0)
        try:
            while self._limits:  # noqa: ASYNC110 - they end within a few iterations of the loop
                await asyncio.sleep(0)
        finally:
            with suppress(*[RuntimeError][:is_over]):  # the connections have lost their event loop
                await finish(super().aclose(), cancel=False)


def _is_url(text: str) -> bool:
    with suppress(httpx.InvalidURL):
        httpx.URL(text)
        return True
    return False


class _MaskedHeaders(httpx.Headers):
    """Headers whose repr hides the key. httpx does this for other headers, and has no option."""

    def __repr__(self) -> str:
        shown = httpx.Headers(self)
        if API_KEY_HEADER in shown:
            shown[API_KEY_HEADER] = "[secure]"
        return repr(shown)
