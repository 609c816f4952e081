"""A server of plain sockets with faults of the connection and of HTTP."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.support.windows import WINDOWS

LOOPBACK = "127.0.0.1"
LIFETIME = 20.0  # seconds after which a connection is closed, whatever the client does


@dataclass
class Wire:
    """One connection, after its request has arrived.

    Attributes:
        plug: The socket.
        request: The head of the request.
        over: Set when the server stops.
    """

    plug: socket.socket
    request: bytes
    over: threading.Event

    def send(self, data: bytes) -> None:
        self.plug.sendall(data)

    def drip(self, data: bytes, seconds: float) -> None:
        """Send a byte at a time, with a pause before each, until the server stops."""
        for byte in data:
            if self.over.wait(seconds):
                return
            self.send(bytes([byte]))

    def reset(self) -> None:
        """Close the connection with RST instead of FIN."""
        form = "hh" if WINDOWS else "ii"
        self.plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(form, 1, 0))
        self.plug.close()


Act = Callable[[Wire], None]


def head(length: int, status: str = "200 OK", *lines: str) -> bytes:
    """The head of a response with so many bytes of JSON."""
    fields = ["Content-Type: application/json", f"Content-Length: {length}", "Connection: close"]
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, *lines, "", ""]).encode()


def answer(body: bytes = b"[]", status: str = "200 OK", *lines: str) -> Act:
    return lambda wire: wire.send(head(len(body), status, *lines) + body)


def reset(wire: Wire) -> None:
    wire.reset()


def reset_in_the_body(wire: Wire) -> None:
    """Reset the connection after a part of the body."""
    wire.send(head(1000) + b"[")
    time.sleep(0.05)  # so that the client has read it
    wire.reset()


def hang_up(wire: Wire) -> None:
    del wire


def break_off(wire: Wire) -> None:
    """Close before the end of the body."""
    wire.send(head(1000) + b"[")


def talk_nonsense(wire: Wire) -> None:
    """Send a line that is not HTTP."""
    wire.send(b"220 mail.example ESMTP ready\r\n\r\n")


def say_nothing(wire: Wire) -> None:
    """Keep the connection, and send nothing."""
    wire.over.wait(LIFETIME)


def drip_the_body(wire: Wire) -> None:
    """Send the head at once, and a byte of the body every 50 ms."""
    wire.send(head(1000))
    wire.drip(b" " * 1000, 0.05)


def drip_the_head(wire: Wire) -> None:
    """Send a byte of the head every 50 ms."""
    wire.drip(b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * 1000, 0.05)


@dataclass
class Faulty:
    """The server.

    Attributes:
        base_url: Its address.
        heads: The heads of the requests so far.
        connections: The number of connections, with and without a request.
    """

    base_url: str
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0


@contextmanager
def faulty(*acts: Act, context: ssl.SSLContext | None = None) -> Iterator[Faulty]:
    """Do one of the acts for each connection, in order, and the last one for all others.

    Args:
        acts: What to do after the head of a request.
        context: For TLS.
    """
    listener = socket.create_server((LOOPBACK, 0))
    scheme = "https" if context else "http"
    server = Faulty(f"{scheme}://{LOOPBACK}:{listener.getsockname()[1]}/v1")
    over, threads = threading.Event(), []

    def play(plug: socket.socket) -> None:
        with suppress(OSError):
            plug.settimeout(LIFETIME)
            with context.wrap_socket(plug, server_side=True) if context else plug as wire:
                request = _read_head(wire)
                server.heads.append(request)
                acts[min(len(server.heads), len(acts)) - 1](Wire(wire, request, over))

    def accept() -> None:
        with suppress(OSError):
            while True:
                plug, _ = listener.accept()
                server.connections += 1
                threads.append(threading.Thread(target=play, args=(plug,)))
                threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield server
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for thread in threads:
            thread.join()


def _read_head(plug: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := plug.recv(65536)):
            raise ConnectionError("no request")
        data += more
    return data
