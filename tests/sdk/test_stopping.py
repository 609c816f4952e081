"""A call ends in time, and at once when nobody wants it any more; nothing is left behind."""

import asyncio
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import cycle
from textwrap import indent
from typing import Any
from unittest.mock import AsyncMock

import httpcore
import pytest

from cirrus_ext import (
    APIConnectionError,
    APITimeoutError,
    AsyncCirrusClient,
    CirrusClient,
    CirrusError,
    RetryPolicy,
    deadline,
    plan_history,
)
from tests.support.clients import KEY, ask, seconds_to_cancel, use
from tests.support.faulty_server import (
    LIFETIME,
    LOOPBACK,
    Act,
    Faulty,
    answer,
    drip_the_body,
    faulty,
    say_nothing,
)
from tests.support.windows import not_on_windows

# Each of these ends within half a second; a busy machine needs more, and a defect takes 20 s.
LIMIT = LIFETIME / 4
SLOW_DOWN = answer(b"", "429 Slow down", "Retry-After: 60")
PLAN = plan_history(["QT1"], start="2000-01-01T00:00:00Z", end="2020-01-01T00:00:00Z")


@pytest.fixture
def full_port() -> Iterator[int]:
    """A server whose queue is full: a connect hangs, as behind a firewall that drops packets."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen(0)
        others = [socket.socket() for _ in range(4)]
        for other in others:
            other.setblocking(False)  # noqa: FBT003 - of the socket module
            other.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for other in others:
            other.close()


@pytest.fixture
def waits(full_port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The base URL at which a call waits for each thing that it can wait for."""
    over, look_up = threading.Event(), socket.getaddrinfo

    def hang(host: str, *args: Any, **options: Any) -> Any:
        if host != "slow.example.invalid":
            return look_up(host, *args, **options)
        over.wait(60)
        raise socket.gaierror("no such host")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with (
        socket.create_server((LOOPBACK, 0)) as silent,
        faulty(say_nothing) as head,
        faulty(drip_the_body) as body,
        faulty(SLOW_DOWN) as retry,
    ):
        address = f"{LOOPBACK}:{silent.getsockname()[1]}"
        monkeypatch.setenv("HTTPS_PROXY", f"http://{address}")
        monkeypatch.setenv("NO_PROXY", LOOPBACK)
        yield {
            "a name's look-up": "http://slow.example.invalid",
            "a connect": f"http://{LOOPBACK}:{full_port}",
            "a TLS handshake": f"https://{address}",
            "a proxy's CONNECT": "https://api.example.invalid",
            "a response": head.base_url,
            "a body": body.base_url,
            "a retry": retry.base_url,
        }
        over.set()
    with warnings.catch_warnings():
        # httpcore does not close the transport of a TLS handshake that is cancelled; Python does.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def ended(client: CirrusClient) -> Exception:
    with pytest.raises(CirrusError) as caught:
        ask(client)
    return caught.value


def test_closing_ends_a_call_and_those_in_its_queue(waits: dict[str, str]) -> None:
    clients = [
        CirrusClient(KEY, base_url=url, timeout=20, max_concurrency=1) for url in waits.values()
    ]
    with ThreadPoolExecutor(2 * len(waits)) as pool:
        calls = [
            pool.submit(ended, client) for client in 2 * clients
        ]  # the second waits for a slot
        time.sleep(0.3)
        began = time.monotonic()
        for client in clients:
            client.close()
        errors = dict(zip(2 * list(waits), [str(call.result()) for call in calls], strict=True))
    took = time.monotonic() - began

    assert all("closed" in error for error in errors.values()), errors
    assert took < LIMIT


def test_closing_ends_an_async_call_and_those_in_its_queue(waits: dict[str, str]) -> None:
    async def main() -> list[Any]:
        clients = [
            AsyncCirrusClient(KEY, base_url=url, timeout=20, max_concurrency=1)
            for url in waits.values()
        ]
        calls = [asyncio.create_task(ask(client)) for client in 2 * clients]
        await asyncio.sleep(0.3)
        for client in clients:
            await client.aclose()
        return list(await asyncio.gather(*calls, return_exceptions=True))

    began = time.monotonic()
    errors = asyncio.run(main())
    took = time.monotonic() - began  # the end of the event loop included

    assert all(isinstance(error, APIConnectionError) for error in errors), errors
    assert all("closed" in str(error) for error in errors), errors
    assert took < LIMIT


@not_on_windows("os.kill ends the process")
@pytest.mark.parametrize("name", ["a name's look-up", "a response", "a retry"])
def test_ctrl_c_ends_a_call(name: str, waits: dict[str, str]) -> None:
    with CirrusClient(KEY, base_url=waits[name], timeout=20) as client:
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            ask(client)
        took = time.monotonic() - began
        timer.join()

    assert took < LIMIT


def test_the_total_timeout_includes_every_wait(client_kind: str, waits: dict[str, str]) -> None:
    policy = RetryPolicy(total_timeout=0.3, max_attempts=1000, backoff_base=0)

    def outcome(base_url: str) -> tuple[type, object]:
        began = time.monotonic()
        with pytest.raises(CirrusError) as caught:
            use(client_kind, ask, base_url=base_url, retry=policy, timeout=LIFETIME)
        assert time.monotonic() - began < LIMIT
        return type(caught.value), caught.value.stop_reason

    del waits["a retry"]  # one that is longer than the time that is left is not waited for
    with ThreadPoolExecutor(len(waits)) as pool:
        outcomes = dict(zip(waits, pool.map(outcome, waits.values()), strict=True))

    assert outcomes == dict.fromkeys(waits, (APITimeoutError, "total_timeout"))


@pytest.mark.parametrize("steps", range(6))
def test_cancelling_at_the_moment_of_an_answer_is_not_lost(
    steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up: Future[list[str]] = Future()
    monkeypatch.setattr(deadline, "in_thread", lambda job: look_up)

    async def main() -> bool:
        async def connect(*_: object) -> None:
            await asyncio.Event().wait()  # for ever

        backend = deadline.LookUpBackend(AsyncMock(connect_tcp=connect))
        task = asyncio.create_task(backend.connect_tcp("localhost", 1, 20.0))
        await asyncio.sleep(0)
        look_up.set_result([LOOPBACK])
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task}, timeout=1.0)
        ended = task.cancelled()
        task.cancel()
        return ended

    assert asyncio.run(main())


def test_an_async_client_looks_a_name_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up by the event loop, whose threads its end waits for, could hang."""
    names: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: str, *args: Any, **options: Any) -> Any:
        if host != LOOPBACK:
            names.append(host)
        return real(LOOPBACK, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with faulty(answer()) as server:
        base_url = server.base_url.replace(LOOPBACK, "api.example.invalid")
        assert use("async", ask, base_url=base_url) == []

    assert names == ["api.example.invalid"]


class Connection(httpcore.AsyncNetworkStream):
    """Knows its address, and whether it was closed."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.closed = False

    async def aclose(self) -> None:
        self.closed = True


V6, OTHER_V6, V4 = "2001:db8::1", "2001:db8::2", "192.0.2.1"


@pytest.mark.parametrize(
    ("hanging", "refusing", "tried"),
    [
        ("", [], [V6]),
        (V6, [], [V6, V4]),
        ("", [V6], [V6, V4]),
        (V6, [V4], [V6, V4, OTHER_V6]),
        ("", [V6, V4, OTHER_V6], [V6, V4, OTHER_V6]),
    ],
)
def test_the_first_address_that_answers_gets_the_connection(
    hanging: str, refusing: list[str], tried: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: list[Connection] = []
    addresses: list[str] = []

    async def connect(address: str, *_: object) -> Connection:
        addresses.append(address)
        if address in refusing:
            raise httpcore.ConnectError(address)
        connection = Connection(address)
        if address == hanging:
            with suppress(asyncio.CancelledError):  # as one that has just connected
                await asyncio.Event().wait()
        connected.append(connection)
        return connection

    found: list[Any] = [(socket.AF_INET6, 1, 6, "", (one, 80, 0, 0)) for one in (V6, OTHER_V6)]
    found.append((socket.AF_INET, 1, 6, "", (V4, 80)))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(deadline, "HEAD_START", 0.01)
    backend = deadline.LookUpBackend(AsyncMock(connect_tcp=connect))

    async def main() -> list[Any]:
        connecting = backend.connect_tcp("api.example.invalid", 80)
        return list(await asyncio.gather(connecting, return_exceptions=True))

    results = asyncio.run(main())
    assert addresses == tried
    if refusing == tried:
        assert repr(results) == repr([httpcore.ConnectError(V6)])
    else:
        assert [one for one in connected if not one.closed] == results


def test_a_client_can_be_used_after_a_call_was_cancelled_in_the_body() -> None:
    async def main() -> float:
        async with AsyncCirrusClient(KEY, base_url=server.base_url) as client:
            took = await seconds_to_cancel(client)
            assert await ask(client) == []
            return took

    with faulty(drip_the_body, answer()) as server:
        assert asyncio.run(main()) < LIMIT


async def stream(client: AsyncCirrusClient) -> None:
    async with client.raw.get_async_httpx_client().stream("GET", "/") as response:
        await response.aread()


async def fetch_all(client: AsyncCirrusClient) -> None:
    async for _ in client.history_windows(PLAN):
        pass


def connections(client: AsyncCirrusClient) -> list[Any]:
    pool: Any = client._http._transport
    return list(pool._pool.connections)


async def a_request_of(server: Faulty) -> None:
    while not server.heads:  # noqa: ASYNC110 - a thread adds it
        await asyncio.sleep(0.01)


async def cancel_until_it_ends(task: asyncio.Task[Any]) -> None:
    """Cancel a task at each of its steps, as a cancel scope of anyio does."""
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)


@pytest.mark.parametrize("act", [say_nothing, drip_the_body])
@pytest.mark.parametrize("job", [ask, fetch_all, stream])
def test_a_call_that_is_cancelled_again_and_again_leaves_no_connection(
    act: Act, job: Callable[[AsyncCirrusClient], Coroutine[Any, Any, Any]]
) -> None:
    async def main() -> None:
        async with AsyncCirrusClient(KEY, base_url=server.base_url, max_concurrency=1) as client:
            task = asyncio.create_task(job(client))
            await a_request_of(server)
            await asyncio.sleep(0.1)  # so that the head of the response has come
            await cancel_until_it_ends(task)
            assert connections(client) == []
            assert task.cancelled()

    with faulty(act) as server:
        asyncio.run(main())


def test_a_client_that_is_closed_by_a_cancelled_task_is_closed() -> None:
    async def main() -> None:
        client = AsyncCirrusClient(KEY, base_url=server.base_url)
        call = asyncio.create_task(ask(client))
        await a_request_of(server)
        task = asyncio.create_task(client.aclose())
        await asyncio.sleep(0)
        await cancel_until_it_ends(task)
        assert client._http.is_closed
        assert connections(client) == []
        with pytest.raises(APIConnectionError, match="closed"):
            await call

    with faulty(say_nothing) as server:
        asyncio.run(main())


@pytest.mark.parametrize("job", [ask, stream])
def test_a_client_can_be_used_whenever_its_calls_were_cancelled(
    job: Callable[[AsyncCirrusClient], Coroutine[Any, Any, Any]],
) -> None:
    options: dict[str, Any] = {"max_concurrency": 1, "timeout": LIMIT}

    async def main() -> None:
        async with AsyncCirrusClient(KEY, base_url=server.base_url, **options) as client:
            for steps in range(30):
                task = asyncio.create_task(job(client))
                for _ in range(steps):
                    await asyncio.sleep(0)
                await cancel_until_it_ends(task)
            assert await ask(client) == []

    with faulty(answer()) as server:
        asyncio.run(main())


def after_the_first_window(*acts: Act) -> Act:
    """Answer the first window of the plan, and do something else to each of the others."""
    others = cycle(acts)
    return lambda wire: (answer() if b"start=1999-12-31" in wire.request else next(others))(wire)


def test_leaving_a_history_early_stops_the_calls_under_way() -> None:
    before = threading.active_count()
    with faulty(after_the_first_window(say_nothing, drip_the_body, SLOW_DOWN)) as server:
        client = CirrusClient(KEY, base_url=server.base_url, max_concurrency=3)
        history = client.history_windows(PLAN)
        next(history)
        time.sleep(0.1)
        began = time.monotonic()
        history.close()
        took = time.monotonic() - began
        client.close()

    assert took < LIMIT
    assert threading.active_count() <= before


def test_closing_the_client_ends_a_history_that_nobody_closed() -> None:
    before = threading.active_count()
    with faulty(after_the_first_window(say_nothing)) as server:
        with CirrusClient(KEY, base_url=server.base_url, max_concurrency=2) as client:
            history = client.history_windows(PLAN)
            next(history)
        with pytest.raises(CirrusError):
            next(history)

    assert threading.active_count() <= before


def test_leaving_an_async_history_early_leaves_no_socket_and_no_task() -> None:
    """A ResourceWarning would be an error here."""

    async def main() -> None:
        async with AsyncCirrusClient(KEY, base_url=server.base_url, max_concurrency=2) as client:
            history = client.history_windows(PLAN)
            await anext(history)
            await history.aclose()
        assert len(asyncio.all_tasks()) == 1

    with faulty(after_the_first_window(say_nothing)) as server:
        began = time.monotonic()
        asyncio.run(main())

    assert time.monotonic() - began < LIMIT


END_OF_A_PROGRAM = """
import sys, threading, time
from cirrus_ext import CirrusClient, plan_history

windows = plan_history(["QT1"], start="2000-01-01T00:00:00Z", end="2020-01-01T00:00:00Z")
client = CirrusClient("key", base_url=sys.argv[1], max_concurrency=2)
history = client.history_windows(windows)
"""
IN_A_THREAD = """
began = threading.Event()
consume = lambda: [began.set() for _ in history]
threading.Thread(target=consume, daemon=True).start()
began.wait(20)
"""
ENDINGS = {
    "left in a global": "next(history)",
    "left by an exception": "for _ in history: 1 / 0",
    "in a daemon thread": IN_A_THREAD,
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=list(ENDINGS))
def test_the_end_of_a_program_does_not_wait_for_a_history(ending: str) -> None:
    program = f"{END_OF_A_PROGRAM}\ntry:\n{indent(ending, ' ')}\nfinally: print(time.time())"
    command = [sys.executable, "-c", program]
    with faulty(after_the_first_window(say_nothing)) as server:
        done = subprocess.run(
            [*command, server.base_url], capture_output=True, text=True, check=False, timeout=60
        )
        took = time.time() - float(done.stdout.split()[0])

    assert took < LIMIT
    assert ("1 / 0" in ending) == bool(done.stderr), done.stderr
