"""Network streams whose reads end with their call: at its time limit, or when it is cancelled.

httpx limits each read but not their sum: an answer that sends one byte a second would never end.
For the sync client this module gives each read the time that is left, and checks meanwhile whether
the call is still wanted. (In an event loop ``asyncio.timeout`` does this.)

What cannot be interrupted runs in a thread that is abandoned when the time is over: the look-up of
a name, and for the sync client a connect and a TLS handshake.
"""

import asyncio
import socket
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future, wait
from contextvars import ContextVar
from functools import partial
from itertools import count
from typing import Any

import httpcore

from .call import Call
from .threads import in_thread

Stream = httpcore.AsyncNetworkStream

# The call that this thread works for; one connection serves many calls.
current_call: ContextVar[Call | None] = ContextVar("cirrus_call", default=None)

# httpcore has no class for all its errors.
HTTPCORE_ERRORS = (
    httpcore.ConnectionNotAvailable
    | httpcore.NetworkError
    | httpcore.ProtocolError
    | httpcore.ProxyError
    | httpcore.TimeoutException
    | httpcore.UnsupportedProtocol
)

# How often a waiting read checks whether it is still wanted, in seconds.
POLL_INTERVAL = 0.1

# How long a connect may take before the next address of the host is tried as well, in seconds.
HEAD_START = 0.25


def wrap_backends(client: Any, wrapper: Callable[[Any], Any]) -> None:
    """Wrap what makes the connections of an httpx client.

    The names are private to httpx. Where one is missing, the limits are httpx's own limit for each
    read, and the check between two chunks of a body; a test fails then.
    """
    transports: list[Any] = [getattr(client, "_transport", None)]
    transports += getattr(client, "_mounts", {}).values()
    for transport in transports:
        pool: Any = getattr(transport, "_pool", None)
        if backend := getattr(pool, "_network_backend", None):
            pool._network_backend = wrapper(backend)  # noqa: SLF001 - see above


def limit_timeouts(request: Any, seconds: float) -> None:
    """Limit each timeout of an ``httpx.Request`` to what is left of its call, which never grows."""
    seconds = max(seconds, 0.001)
    timeouts: dict[str, float | None] = request.extensions.get("timeout", {})
    request.extensions["timeout"] = {
        step: seconds if (limit := timeouts.get(step)) is None else min(limit, seconds)
        for step in ("connect", "read", "write", "pool")
    }


class BoundedBackend(httpcore.NetworkBackend):
    """Makes connections whose reads are bounded."""

    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect within the time that is left."""
        arguments = (host, port, _left(timeout), local_address, socket_options)
        return BoundedStream(_abandonable(lambda: self._inner.connect_tcp(*arguments)))


class LookUpBackend(httpcore.AsyncNetworkBackend):
    """Looks up names in threads that are abandoned; an event loop waits at its end for its own."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend) -> None:
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Stream:
        """Connect to the first address of the host that answers."""
        rest = (port, None, local_address, socket_options)
        try:
            async with asyncio.timeout(timeout):  # wait_for of Python 3.11 loses a cancellation
                addresses = await asyncio.wrap_future(in_thread(partial(_addresses, host, port)))
                return await _first(self._inner.connect_tcp(one, *rest) for one in addresses)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"no connection to {host} in time") from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error


def _addresses(host: str, port: int) -> list[str]:
    """Return the addresses of a host. IPv6 and IPv4 take turns, the preferred one begins."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    turn: defaultdict[int, count[int]] = defaultdict(count)
    found.sort(key=lambda info: next(turn[info[0]]))
    numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
    return [socket.getnameinfo(sockaddr, numeric)[0] for *_, sockaddr in found]


async def _first(connects: Iterator[Coroutine[Any, Any, Stream]]) -> Stream:
    """Return the first connection of several that are begun one after another (RFC 8305).

    Raises:
        Exception: The first one's error; all have failed.
    """
    tasks: list[asyncio.Task[Stream]] = []
    try:
        while True:
            if connect := next(connects, None):
                tasks.append(asyncio.ensure_future(connect))
            if not (waiting := [task for task in tasks if not task.done()]):
                return tasks[0].result()
            timeout = HEAD_START if connect else None
            await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                if task.done() and task.exception() is None:
                    tasks.remove(task)
                    return task.result()
    finally:
        for task in tasks:
            task.cancel()
        for late in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(late, Stream):
                await late.aclose()


class BoundedStream(httpcore.NetworkStream):
    """A connection on which no read lasts longer than its call."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read in short intervals, until there is data or the time is over."""
        until = time.monotonic() + _left(timeout)
        while True:
            _check_wanted()
            left = until - time.monotonic()
            try:
                return self._inner.read(max_bytes, max(0.001, min(left, POLL_INTERVAL)))
            except httpcore.ReadTimeout:
                if left <= POLL_INTERVAL:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write within the time that is left."""
        self._inner.write(buffer, _left(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Do the TLS handshake within the time that is left."""
        arguments = (ssl_context, server_hostname, _left(timeout))
        return BoundedStream(_abandonable(lambda: self._inner.start_tls(*arguments)))

    def get_extra_info(self, info: str) -> Any:
        """Return a property of the connection, such as its socket."""
        return self._inner.get_extra_info(info)


def _abandonable(connect: Callable[[], httpcore.NetworkStream]) -> httpcore.NetworkStream:
    """Connect in a thread, because nothing can interrupt the look-up of a name or a handshake.

    If the call is cancelled or Ctrl-C comes meanwhile, the thread is left alone, and closes what it
    has connected.
    """
    future = in_thread(connect)
    try:
        until = time.monotonic() + _left(None)
        while not future.done():
            _check_wanted()
            if not wait([future], min(POLL_INTERVAL, until - time.monotonic())).done:
                _check_time(until)
    except BaseException:
        future.add_done_callback(_close)
        raise
    error = future.exception()
    if error is None:
        return future.result()
    # Raised here, it would get what this thread is handling as its context, in place of its own.
    below = error.__cause__ or error.__context__
    if below is None:
        raise error
    try:
        raise below
    except type(below):
        raise error  # noqa: B904 - see above


def _close(future: "Future[httpcore.NetworkStream]") -> None:
    if future.exception() is None:
        future.result().close()


def _check_time(until: float) -> None:
    if time.monotonic() >= until:
        raise httpcore.ConnectTimeout("total_timeout is over, and there is no connection")


def _check_wanted() -> None:
    call = current_call.get()
    if call is not None and call.stop.is_set():
        raise httpcore.ReadError("the call was cancelled")


def _left(timeout: float | None) -> float:
    """Return the limit of one step, or what is left of the call if that is less. In seconds."""
    call = current_call.get()
    left = float("inf") if call is None else max(call.left, 0.001)
    return left if timeout is None else min(timeout, left)
