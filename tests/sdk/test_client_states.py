"""In any state of a client, a process or an event loop: a value, or the documented error."""

import asyncio
import enum
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest

from cirrus_ext import (
    AsyncCirrusClient,
    CirrusClient,
    CirrusError,
    ConfigurationError,
    HistoryWindow,
    plan_history,
)
from mycirrus_client.api.system_health_data import get_calibrations_log
from mycirrus_contract.standin.adapters import Standin, serve
from mycirrus_contract.standin.rules import DEMO_KEY
from tests.support.clients import ask

RANGE: dict[str, Any] = {"start": "2023-01-01T00:00:00Z", "end": "2023-01-02T00:00:00Z"}
(WINDOW,) = plan_history(["QT123456"], **RANGE)

Method = Callable[[Any], Any]


def ask_the_raw_client(client: CirrusClient | AsyncCirrusClient) -> Any:
    is_sync = isinstance(client, CirrusClient)
    send = get_calibrations_log.sync_detailed if is_sync else get_calibrations_log.asyncio_detailed
    return send(client=client.raw, instruments=["QT1"], start=WINDOW.start, end=WINDOW.end)


METHODS: dict[str, Method] = {
    "calibration_log": ask,
    "calibration_history": lambda client: client.calibration_history(["QT123456"], **RANGE),
    "history_windows": lambda client: client.history_windows([WINDOW]),
    "fetch_window": lambda client: client.fetch_window(WINDOW),
    "raw": ask_the_raw_client,
    "with": lambda client: (
        client.__enter__() if isinstance(client, CirrusClient) else client.__aenter__()
    ),
}
methods = pytest.mark.parametrize("method", METHODS.values(), ids=list(METHODS))


async def run(method: Method, client: CirrusClient | AsyncCirrusClient) -> Any:
    """Call a method, and wait for all that it returns."""
    result = method(client)
    if isinstance(result, AsyncGenerator):
        return [element async for element in result]
    if isinstance(result, Generator):
        return list(result)
    return await result if isinstance(result, Awaitable) else result


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with serve(Standin()) as base_url:
        yield base_url


def client() -> CirrusClient:
    return CirrusClient(DEMO_KEY, transport=Standin().transport())


def async_client() -> AsyncCirrusClient:
    return AsyncCirrusClient(DEMO_KEY, transport=Standin().transport())


@methods
def test_a_closed_client_says_so(method: Method) -> None:
    closed = client()
    closed.close()
    closed.close()

    with pytest.raises(ConfigurationError, match="closed"):
        asyncio.run(run(method, closed))


@methods
def test_a_closed_async_client_says_so(method: Method) -> None:
    async def main() -> None:
        closed = async_client()
        await closed.aclose()
        await closed.aclose()
        with pytest.raises(ConfigurationError, match="closed"):
            await run(method, closed)

    asyncio.run(main())


# Closing a closed client is no error.
methods_and_aclose = pytest.mark.parametrize(
    "method", [*METHODS.values(), AsyncCirrusClient.aclose], ids=[*METHODS, "aclose"]
)


@methods_and_aclose
def test_an_async_client_belongs_to_one_event_loop(method: Method) -> None:
    with asyncio.Runner() as first, asyncio.Runner() as second:
        shared = async_client()
        first.run(run(ask, shared))

        with pytest.raises(ConfigurationError, match="another event loop"):
            second.run(run(method, shared))


def test_an_async_client_can_be_closed_after_the_end_of_its_event_loop() -> None:
    shared = async_client()
    asyncio.run(run(ask, shared))
    asyncio.run(shared.aclose())

    assert shared._http.is_closed


def test_an_async_history_goes_on_in_the_event_loop_in_which_it_began() -> None:
    windows = plan_history(["QT123456"], start="2000-01-01T00:00:00Z", end="2023-01-01T00:00:00Z")
    with asyncio.Runner() as first, asyncio.Runner() as second:
        shared = async_client()
        history = shared.history_windows(windows)

        async def take() -> HistoryWindow:
            async with asyncio.timeout(20):
                return (await anext(history))[0]

        assert first.run(take()) == windows[0]
        with pytest.raises(ConfigurationError, match="another event loop"):
            second.run(take())


@methods_and_aclose
@pytest.mark.parametrize("in_a_callback", [False, True])
def test_an_async_client_needs_a_task_of_asyncio(method: Method, *, in_a_callback: bool) -> None:
    """Other event loops drive coroutines by hand; trio may do so in callbacks of asyncio."""
    refusals: list[str] = []

    def drive() -> None:
        with pytest.raises(ConfigurationError, match="event loop of asyncio") as caught:
            run(method, async_client()).send(None)
        refusals.append(str(caught.value))

    async def main() -> None:
        asyncio.get_running_loop().call_soon(drive)
        await asyncio.sleep(0)

    if in_a_callback:
        asyncio.run(main())
    else:
        drive()
    assert len(refusals) == 1


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


def in_a_fork(job: Callable[[], object]) -> Any:
    """Do a job in a fork, and return what it returns."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=lambda: there.send(job()))
    process.start()
    assert here.poll(30)
    result = here.recv()
    process.join(30)
    assert process.exitcode == 0
    return result


def error_of(job: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(CirrusError) as caught:
        job()
    return type(caught.value).__name__, str(caught.value)


@needs_fork
@pytest.mark.parametrize("make", [client, async_client])
def test_a_client_that_was_used_before_a_fork_says_what_to_do(make: Callable[[], Any]) -> None:
    shared = make()
    if make is client:
        ask(shared)
        shared._http._stops_lock.acquire()  # as another thread may have it at the time of the fork

    def errors_of_all() -> dict[str, tuple[str, str]]:
        return {
            name: error_of(partial(asyncio.run, run(method, shared)))
            for name, method in METHODS.items()
        }

    errors = in_a_fork(errors_of_all)

    assert errors.keys() == METHODS.keys()
    for kind, text in errors.values():
        assert kind == "ConfigurationError"
        assert "made in another process" in text


@needs_fork
def test_a_history_that_began_before_a_fork_says_what_to_do() -> None:
    windows = plan_history(["QT123456"], start="2000-01-01T00:00:00Z", end="2023-01-01T00:00:00Z")
    with client() as shared:
        history = shared.history_windows(windows)
        next(history)

        assert "made in another process" in in_a_fork(lambda: error_of(lambda: next(history)))[1]
        assert len(list(history)) == len(windows) - 1


def fetch_in_a_process_of_a_pool(window: HistoryWindow) -> int:
    with client() as own:
        return len(own.fetch_window(window))


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_client_in_each_process_works_however_the_processes_start(method: str) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"there is no {method} here")
    context = multiprocessing.get_context(method)
    with client() as used_before, ProcessPoolExecutor(1, mp_context=context) as pool:
        used_before.fetch_window(WINDOW)
        assert pool.submit(fetch_in_a_process_of_a_pool, WINDOW).result(60) == 0
        unpicklable = pool.submit(used_before.fetch_window, WINDOW)
        with pytest.raises(TypeError, match="cannot be pickled"):
            unpicklable.result(60)


@needs_fork
def test_closing_in_a_fork_leaves_the_connections_of_the_first_process(base_url: str) -> None:
    with CirrusClient(DEMO_KEY, base_url=base_url) as shared:
        before = ask(shared)
        with shared._http._stops_lock:  # as another thread may have it at the time of the fork
            in_a_fork(shared.close)

        assert ask(shared) == before


AFTER_MAIN = """
import threading, httpx
from cirrus_ext import CirrusClient, plan_history

def work():
    threading.main_thread().join()
    windows = plan_history(["QT123456"], start="2015-01-01T00:00:00Z", end="2023-01-01T00:00:00Z")
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=[]))
    with CirrusClient("demo", transport=transport) as client:
        print(len([window for window, _ in client.history_windows(windows)]), len(windows))

threading.Thread(target=work).start()
"""


def test_a_history_that_outlives_the_main_thread_is_whole() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AFTER_MAIN], capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.stdout, done.stderr) == ("9 9\n", "")


@pytest.mark.parametrize("threads", range(4))
def test_a_history_requests_each_window_once_where_threads_run_out(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, left = threading.Thread.start, iter(range(threads))

    def limited(thread: threading.Thread) -> None:
        if next(left, None) is None:
            raise RuntimeError("can't start new thread")
        start(thread)

    plan = plan_history(["QT123456"], start="2008-01-01T00:00:00Z", end="2023-01-01T00:00:00Z")
    standin = Standin()
    with serve(standin) as base_url, CirrusClient(DEMO_KEY, base_url=base_url) as alone:
        monkeypatch.setattr(threading.Thread, "start", limited)
        assert [window for window, _ in alone.history_windows(plan)] == plan
        monkeypatch.undo()

    assert len(standin.requests) == len(plan)


class Station(str, enum.Enum):  # noqa: UP042 - it is shown as Station.ROOF, a StrEnum is not
    ROOF = "QT123456"


class Loud(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "LOUD"


@pytest.mark.parametrize("serial", [Station.ROOF, Loud("QT123456")], ids=["Enum", "__str__"])
def test_a_serial_number_is_sent_as_its_characters(serial: str) -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.params["instruments"])
        return httpx.Response(200, json=[{"time": "2023-01-01T10:00:00Z"}])

    with CirrusClient(Loud("key"), transport=httpx.MockTransport(answer)) as one:
        one.calibration_log([serial], **RANGE)
        (record,) = one.calibration_history([serial], **RANGE)

    window = HistoryWindow(serial, WINDOW.start, WINDOW.end)
    assert sent == ["QT123456", "QT123456"]
    assert {type(record.instrument), type(window.instrument)} == {str}
    assert one._http.build_request("GET", "/").headers["X-Api-Key"] == "key"
