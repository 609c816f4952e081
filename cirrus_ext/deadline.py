"""Network streams whose reads end with their call: at its time limit, or when it is cancelled.

httpx limits each read but not their sum: an answer that sends one byte a second would never end.
For the sync client this module gives each read the time that is left, and checks meanwhile whether
the call is still wanted. (In an event loop ``asyncio.timeout`` does this.)

What cannot be interrupted runs in a thread that is abandoned when the time is over: the look-up of
a name, and for the sync client a connect and a TLS handshake.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from contextvars import ContextVar
from typing import Any, TypeVar

import httpcore

from .call import Call

Result = TypeVar("Result")

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
    """Looks up names in threads of its own, because an event loop waits for its threads at its end.

    The connection itself looks the name up again, which is quick then.
    """

    def __init__(self, inner: httpcore.AsyncNetworkBackend) -> None:
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect, once the name of the host is known."""
        began = time.monotonic()
        try:
            if look_up := _in_thread(lambda: socket.getaddrinfo(host, port)):
                async with asyncio.timeout(timeout):  # wait_for of Python 3.11 loses a cancellation
                    await asyncio.wrap_future(look_up)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"the look-up of {host} takes too long") from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        if timeout is not None:
            timeout = max(timeout - (time.monotonic() - began), 0.001)
        return await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)


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
    future = _in_thread(connect)
    if future is None:
        return connect()
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


def _in_thread(job: Callable[[], Result]) -> "Future[Result] | None":
    """Run a job in a thread that nobody waits for; None if no thread can be started."""
    future: Future[Result] = Future()

    def run() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(job())
        except BaseException as error:  # noqa: BLE001 - is raised by the caller
            future.set_exception(error)

    try:
        threading.Thread(target=run, name="cirrus-connect", daemon=True).start()
    except RuntimeError:  # the interpreter shuts down, or there are too many
        return None
    return future


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
