"""Network streams that no read outlives: not the budget of its call, and not its client.

httpx has a limit for each read, and none for all of them: an answer that drips a byte a second
would never end. For the sync client this module gives every read just the time that is left, and
looks in between whether the call is still wanted. (In an event loop ``asyncio.timeout`` does it.)

The look-up of a name has no limit here: the operating system's has none.
"""

import time
from collections.abc import Iterable
from contextvars import ContextVar
from typing import Any

import httpcore

from .call import Call

# The call that this thread is busy with; a connection serves many.
CURRENT: ContextVar[Call | None] = ContextVar("cirrus_call", default=None)

# How often a read that waits looks whether it is still wanted, in seconds.
POLL = 0.1


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
        """Connect, in the time that is left."""
        stream = self._inner.connect_tcp(host, port, _left(timeout), local_address, socket_options)
        return BoundedStream(stream)

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        """Connect, in the time that is left."""
        return BoundedStream(self._inner.connect_unix_socket(path, _left(timeout), socket_options))


class BoundedStream(httpcore.NetworkStream):
    """A connection on which no read outlives the call that it is for."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read in short spells, until there is something or the time is over."""
        until = time.monotonic() + _left(timeout)
        while True:
            _check_wanted()
            spell = until - time.monotonic()
            try:
                return self._inner.read(max_bytes, max(0.001, min(spell, POLL)))
            except httpcore.ReadTimeout:
                if spell <= POLL:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write, in the time that is left."""
        self._inner.write(buffer, _left(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Shake hands, in the time that is left."""
        return BoundedStream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        """What the connection knows of itself."""
        return self._inner.get_extra_info(info)


def _check_wanted() -> None:
    call = CURRENT.get()
    if call is not None and call.is_stopped:
        raise httpcore.ReadError("nobody wants the answer any more")


def _left(timeout: float | None) -> float:
    """The shorter of the limit of one step and of what is left of the call."""
    call = CURRENT.get()
    left = float("inf") if call is None else max(call.left, 0.001)
    return left if timeout is None else min(timeout, left)
