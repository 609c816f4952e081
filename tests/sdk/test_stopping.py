"""Closing a client ends every wait of its calls, within half a second."""

import asyncio
import gc
import os
import signal
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any
from unittest.mock import AsyncMock

import pytest

from cirrus_ext import (
    APIConnectionError,
    AsyncCirrusClient,
    CirrusClient,
    ConfigurationError,
    RetryPolicy,
    deadline,
)
from tests.support.faulty_server import answer, drip_the_body, faulty, say_nothing
from tests.support.windows import not_on_windows

RANGE: dict[str, Any] = {"start": "2023-01-01T00:00:00Z", "end": "2023-01-02T00:00:00Z"}
# A wait ends within 0.5 s; a busy machine may need more, and the waits below last 20 s or longer.
LIMIT = 5.0


@contextmanager
def silent_port() -> Iterator[str]:
    """A server that accepts connections and never sends anything: a TLS handshake hangs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def full_port() -> Iterator[str]:
    """A server whose queue is full: a connect hangs, as behind a firewall that drops packets."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        others = [socket.socket() for _ in range(4)]
        for other in others:
            other.setblocking(False)  # noqa: FBT003 - of the socket module
            other.connect_ex(listener.getsockname())
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            for other in others:
                other.close()


@contextmanager
def connecting(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    del monkeypatch
    with full_port() as address:
        yield f"http://{address}"


@contextmanager
def handshake(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    del monkeypatch
    with silent_port() as address:
        yield f"https://{address}"


@contextmanager
def proxy_connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with silent_port() as address:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{address}")
        yield "https://api.example.invalid"


@contextmanager
def head(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    del monkeypatch
    with faulty(say_nothing) as server:
        yield server.base_url


@contextmanager
def body(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    del monkeypatch
    with faulty(drip_the_body) as server:
        yield server.base_url


@contextmanager
def retry_wait(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    del monkeypatch
    with faulty(answer(b"", "429 Slow down", "Retry-After: 60")) as server:
        yield server.base_url


@contextmanager
def name_look_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    over = threading.Event()

    def hang(*_: Any, **__: Any) -> Any:
        over.wait(60)
        raise socket.gaierror("no such host")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield "http://slow.example.invalid"
    over.set()


WAITS = {
    "a name's look-up": name_look_up,
    "a connect": connecting,
    "a TLS handshake": handshake,
    "a proxy's CONNECT": proxy_connect,
    "a response": head,
    "a body": body,
    "a retry": retry_wait,
}
Wait = Callable[[pytest.MonkeyPatch], Any]


@pytest.mark.parametrize("wait", WAITS.values(), ids=list(WAITS))
def test_closing_ends_a_call_and_those_in_its_queue(
    wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[Exception] = []
    with wait(monkeypatch) as base_url:
        client = CirrusClient("key", base_url=base_url, timeout=20, max_concurrency=1)

        def work() -> None:
            try:
                client.calibration_log(["QT1"], **RANGE)
            except (APIConnectionError, ConfigurationError) as error:
                ended.append(error)

        threads = [threading.Thread(target=work) for _ in range(2)]  # the second waits for a slot
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        began = time.monotonic()
        client.close()
        for thread in threads:
            thread.join()
        took = time.monotonic() - began

    assert took < LIMIT
    assert len(ended) == 2
    assert all("closed" in str(error) for error in ended)


@pytest.mark.parametrize("name", WAITS)
def test_closing_ends_an_async_call_and_those_in_its_queue(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main(base_url: str) -> tuple[float, list[Any]]:
        client = AsyncCirrusClient("key", base_url=base_url, timeout=20, max_concurrency=1)
        calls = [asyncio.create_task(client.calibration_log(["QT1"], **RANGE)) for _ in range(2)]
        await asyncio.sleep(0.3)
        began = time.monotonic()
        await client.aclose()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        return time.monotonic() - began, ended

    with WAITS[name](monkeypatch) as base_url:
        began = time.monotonic()
        took, ended = asyncio.run(main(base_url))
        assert time.monotonic() - began < LIMIT  # the end of the event loop included
    with warnings.catch_warnings():
        # httpcore does not close the transport of a TLS handshake that is cancelled; Python does.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()

    assert took < LIMIT
    assert all(isinstance(error, APIConnectionError) for error in ended), ended
    assert all("closed" in str(error) for error in ended)


@not_on_windows("os.kill ends the process")
@pytest.mark.parametrize("wait", WAITS.values(), ids=list(WAITS))
def test_ctrl_c_ends_a_call(wait: Wait, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        wait(monkeypatch) as base_url,
        CirrusClient("key", base_url=base_url, timeout=20) as client,
    ):
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            client.calibration_log(["QT1"], **RANGE)
        took = time.monotonic() - began
        timer.join()

    assert took < LIMIT


@pytest.mark.parametrize("wait", list(WAITS.values())[:-1], ids=list(WAITS)[:-1])
def test_the_time_of_a_call_includes_the_connection(
    wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = RetryPolicy(total_timeout=0.3, max_attempts=1)
    with wait(monkeypatch) as base_url:
        client = CirrusClient("key", base_url=base_url, timeout=20, retry=once)
        began = time.monotonic()
        with pytest.raises(APIConnectionError) as caught:
            client.calibration_log(["QT1"], **RANGE)
        took = time.monotonic() - began
        client.close()

    assert took < LIMIT
    assert caught.value.attempts == 1


@pytest.mark.parametrize("steps", range(6))
def test_cancelling_at_the_moment_of_an_answer_is_not_lost(
    steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up: Future[list[Any]] = Future()
    monkeypatch.setattr(deadline, "_in_thread", lambda job: look_up)

    async def main() -> bool:
        async def connect(*_: object) -> None:
            await asyncio.Event().wait()  # for ever

        backend = deadline.LookUpBackend(AsyncMock(connect_tcp=connect))
        task = asyncio.create_task(backend.connect_tcp("localhost", 1, 20.0))
        await asyncio.sleep(0)
        look_up.set_result([])
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task}, timeout=1.0)
        ended = task.cancelled()
        task.cancel()
        return ended

    assert asyncio.run(main())
