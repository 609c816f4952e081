"""A server of ready-made answers on loopback, in a process of its own.

It shares no interpreter lock with the clients that are measured, and does little for an answer, so
that the difference between two clients is theirs. ``python -m benchmarks.server`` prints its port,
and ends when its standard input does.
"""

import asyncio
import contextlib
import json
import random
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs

from mycirrus_contract.standin.limit import Limit

LOOPBACK = "127.0.0.1"
BIG = 100_000  # items of an answer of `big`
WINDOW = 10_000  # items of an answer of `filled`
DELAY = 0.05  # seconds before an answer of `slow`; the mean of `uneven`
RATE = 20  # requests a second of `limited`, and as many at once after a second without any
COUNTS = "/counts"


@dataclass
class Counts:
    """The requests of one path."""

    requests: int = 0
    refused: int = 0  # with a 429
    connections: int = 0
    received: int = 0  # bytes


def body_of(query: str, count: int) -> bytes:
    """So many items, spread evenly over the range of a query."""
    fields = parse_qs(query)
    first, last = (datetime.fromisoformat(fields[name][0]).timestamp() for name in ("start", "end"))
    step = (last - first) / (count + 1)
    return b"[%s]" % b",".join(_item(first + step * number) for number in range(1, count + 1))


def _item(seconds: float) -> bytes:
    moment = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return b'{"time":"%sZ","user":"Quantum Demo","message":"Installed and working"}' % (
        moment.removesuffix("+00:00").encode()
    )


def reply(body: bytes, status: str = "200 OK", *lines: str) -> bytes:
    fields = ["Content-Type: application/json", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "", ""]).encode() + body


YEAR = "start=2022-01-01T00:00:00Z&end=2023-01-01T00:00:00Z"
TOO_MANY = b'{"error":"TooManyRequests","description":"Please wait before trying again."}'


@dataclass
class Server:
    """The first part of a request's path selects the answer."""

    counts: dict[str, Counts] = field(default_factory=dict)
    bucket: Limit = field(default_factory=lambda: Limit(RATE))
    chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 - no secret
    ready: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ready = {"one": reply(body_of(YEAR, 1)), "big": reply(body_of(YEAR, BIG))}
        self.refusal = reply(TOO_MANY, "429 Too Many Requests", "Retry-After: 1")

    def answer(self, path: str, query: str) -> tuple[float, bytes]:
        """The seconds to wait before an answer, and the answer."""
        if path in self.ready:
            return 0.0, self.ready[path]
        if path == "limited" and not self.bucket.takes():
            self.counts[path].refused += 1
            return 0.0, self.refusal
        if path in {"slow", "limited"}:
            return DELAY, reply(body_of(query, 1))
        if path == "uneven":
            return DELAY * self.chance.uniform(0.5, 1.5), reply(body_of(query, 1))
        return 0.0, reply(body_of(query, WINDOW))

    def taken(self) -> bytes:
        """The counts as a response; counts and rate limit start anew."""
        counts = {path: asdict(count) for path, count in self.counts.items()}
        self.counts.clear()
        self.bucket = Limit(RATE)
        return reply(json.dumps(counts).encode())


class Connection(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self._server = server
        self._unread = b""
        self._known: set[str] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - narrows
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while b"\r\n\r\n" in self._unread:
            head, _, self._unread = self._unread.partition(b"\r\n\r\n")
            self._answer(head)

    def _answer(self, head: bytes) -> None:
        target = head.split(b" ", 2)[1].decode()
        if target == COUNTS:
            self._transport.write(self._server.taken())
            return
        path, _, query = target.partition("?")
        path = path.split("/")[1]
        delay, answer = self._count(path, len(head) + 4, query)
        if delay:
            asyncio.get_running_loop().call_later(delay, self._transport.write, answer)
        else:
            self._transport.write(answer)

    def _count(self, path: str, received: int, query: str) -> tuple[float, bytes]:
        count = self._server.counts.setdefault(path, Counts())
        count.requests += 1
        count.connections += path not in self._known
        self._known.add(path)
        delay, answer = self._server.answer(path, query)
        count.received += received
        return delay, answer


@dataclass(frozen=True)
class Served:
    port: int

    def base_url(self, path: str) -> str:
        return f"http://{LOOPBACK}:{self.port}/{path}"

    def take_counts(self, path: str) -> Counts:
        """The counts of a path since the last call; all counts start anew."""
        address = f"http://{LOOPBACK}:{self.port}{COUNTS}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(address, timeout=10) as response:
            counts = json.load(response)
        return Counts(**counts.get(path, {}))


@contextmanager
def serving() -> Iterator[Served]:
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server"],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None  # noqa: S101 - narrows
        assert process.stdout is not None  # noqa: S101 - narrows
        try:
            yield Served(int(process.stdout.readline()))
        finally:
            process.stdin.close()


async def serve() -> None:
    server = Server()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: Connection(server), LOOPBACK, 0)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    listening.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())
