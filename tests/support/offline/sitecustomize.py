"""The guard. Python imports ``sitecustomize`` at start, if it is on ``PYTHONPATH``.

``conftest.py`` imports it, and puts this folder on the ``PYTHONPATH`` of child processes. It is an
audit hook: it sees every connection and every look-up of a name, from any module.
"""

import sys
from typing import Any

LOOPBACK = {"127.0.0.1", "::1", "localhost", "", None}
# The events, and the position of the host or the address in their arguments.
WATCHED = {
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.sendmsg": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
    "socket.gethostbyaddr": 0,
}


class NetworkForbiddenError(RuntimeError):
    """A test tried to connect elsewhere. No OSError, which a client would take for an outage."""


def guard(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in WATCHED:
        return
    target = arguments[WATCHED[event]]
    if isinstance(target, tuple):  # (host, port, ...); a str is a Unix socket or a name
        target = target[0]
    elif event == "socket.connect":
        return
    host = target.decode() if isinstance(target, bytes) else target
    if host not in LOOPBACK:
        raise NetworkForbiddenError(f"tests stay on loopback: {event} to {host}")


sys.addaudithook(guard)

# With click, which a user need not have, httpx imports its own command line, and that takes half
# of the start of a process.
if "httpx" not in sys.modules:
    sys.modules["httpx._main"] = None  # type: ignore[assignment]  # its import then fails
