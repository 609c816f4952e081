"""The stand-in as a transport of httpx, as an ASGI application, and on a loopback socket."""

import os
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx
import uvicorn

from mycirrus_contract.messages import Reply, Request

from .faults import FAULTS, Fault, parse_script
from .fleet import fleet
from .limit import Limit
from .rules import BASE_PATH, LOG_PATH, World, answer, documented
from .switches import Switches

LOOPBACK = "127.0.0.1"


def stay_on_loopback() -> None:
    """Bypass the proxies of the environment, in a program that only calls the stand-in."""
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"


def demo_world() -> World:
    """The fleet up to now, with all switches at their defaults."""
    return World(entries=fleet())


def standin_of(faults: Iterable[str], switches: Mapping[str, Any]) -> "Standin":
    """The stand-in of the fleet up to now.

    Args:
        faults: Such as ``429-wait-1@2``.
        switches: By the names of the fields of `Switches`.

    Raises:
        TypeError: There is no such switch.
        ValueError: There is no such fault, or a switch has no such value.
    """
    world = World(entries=fleet(), switches=Switches(**switches))
    return Standin(world, parse_script(faults))


class Behaviour(Protocol):
    """Answers in place of the stand-in's rules."""

    def answer(self, request: Request, world: World, earlier: tuple[Reply, ...]) -> Reply:
        """Answer a request.

        Args:
            request: The request.
            world: What the answer depends on besides it.
            earlier: The answers so far, the oldest first.
        """


@dataclass
class Standin:
    """The stand-in with its state: it counts requests, and answers with faults by their number.

    Attributes:
        world: What the answers depend on besides the request.
        script: Names of faults, by the number of the request for the log; the first is 1.
        limit: A request above it gets a 429 with ``Retry-After: 1``. None is no limit.
        behaviour: Answers in place of the rules, if there is one.
        sleep: Waits the given seconds, for a slow behaviour.
        requests: The requests for the log so far.
    """

    world: World = field(default_factory=demo_world)
    script: dict[int, str] = field(default_factory=dict)
    limit: Limit | None = None
    behaviour: Behaviour | None = None
    sleep: Callable[[float], object] = time.sleep
    requests: list[Request] = field(default_factory=list)
    _replies: list[Reply] = field(default_factory=list, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def serials(self) -> tuple[str, ...]:
        """The serial numbers of the instruments, sorted."""
        return tuple(sorted({entry.instrument for entry in self.world.entries}))

    def handle(self, request: Request) -> Reply:
        """Answer a request, or return the fault that is scripted for it."""
        if request.path != LOG_PATH:
            return answer(request, self.world)
        with self._lock:
            self.requests.append(request)
            fault = self.script.get(len(self.requests))
            if fault is None and self.limit is not None and not self.limit.takes():
                fault = "429-wait-1"
        return _reply(FAULTS[fault]) if fault else self._answer(request)

    def _answer(self, request: Request) -> Reply:
        if self.behaviour is None:
            return answer(request, self.world)
        reply = self.behaviour.answer(request, self.world, tuple(self._replies))
        self._replies.append(reply)
        if reply.seconds:
            self.sleep(reply.seconds)
        return reply

    def transport(self) -> httpx.MockTransport:
        """Return a transport of httpx, sync and async."""
        return httpx.MockTransport(self._handle_httpx)

    def _handle_httpx(self, request: httpx.Request) -> httpx.Response:
        reply = self.handle(Request.of(request))
        return httpx.Response(reply.status, headers=reply.headers, content=reply.body)

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer a request of an ASGI server."""
        del receive  # no request for the log has a body
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        reply = self.handle(
            Request(
                method=scope["method"],
                path=scope["path"],
                query=scope["query_string"].decode("latin-1"),
                headers={
                    name.decode("latin-1").lower(): value.decode("latin-1")
                    for name, value in scope["headers"]
                },
            )
        )
        headers = {"content-length": str(len(reply.body)), **reply.headers}
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": reply.status, "headers": raw})
        await send({"type": "http.response.body", "body": reply.body})


def _reply(fault: Fault) -> Reply:
    body = documented(fault.status).body if fault.body is None else fault.body
    headers = {"content-type": "application/json", **fault.headers}
    return Reply(fault.status, headers, body)


@contextmanager
def serve(standin: Standin, port: int = 0) -> Iterator[str]:
    """Serve on a loopback socket in a thread, and stop when the block ends.

    Args:
        standin: What to serve.
        port: 0 is any free one.

    Yields:
        The base URL.
    """
    listener = socket.create_server((LOOPBACK, port))
    # Connections inherit it: head and body of an answer go out at once, and not 40 ms apart.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = uvicorn.Server(
        uvicorn.Config(
            standin,
            lifespan="off",
            ws="none",
            http="h11",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="stand-in")
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.005)
        yield f"http://{LOOPBACK}:{listener.getsockname()[1]}{BASE_PATH}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
