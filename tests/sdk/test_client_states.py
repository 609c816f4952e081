"""Whatever the state of a client, a process or a loop: a value, or the documented error."""

import asyncio
import enum
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
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

RANGE: dict[str, Any] = {"start": "2023-01-01T00:00:00Z", "end": "2023-01-02T00:00:00Z"}
(WINDOW,) = plan_history(["QT123456"], **RANGE)

METHODS: dict[str, Callable[[CirrusClient], object]] = {
    "calibration_log": lambda client: client.calibration_log(["QT123456"], **RANGE),
    "calibration_history": lambda client: list(client.calibration_history(["QT123456"], **RANGE)),
    "history_windows": lambda client: list(client.history_windows([WINDOW])),
    "fetch_window": lambda client: client.fetch_window(WINDOW),
    "raw": lambda client: get_calibrations_log.sync_detailed(
        client=client.raw, instruments=["QT123456"], start=WINDOW.start, end=WINDOW.end
    ),
    "with": lambda client: client.__enter__(),
}


async def history(client: AsyncCirrusClient) -> list[Any]:
    return [record async for record in client.calibration_history(["QT123456"], **RANGE)]


async def windows(client: AsyncCirrusClient) -> list[Any]:
    return [found async for found in client.history_windows([WINDOW])]


ASYNC_METHODS: dict[str, Callable[[AsyncCirrusClient], Any]] = {
    "calibration_log": lambda client: client.calibration_log(["QT123456"], **RANGE),
    "calibration_history": history,
    "history_windows": windows,
    "fetch_window": lambda client: client.fetch_window(WINDOW),
    "raw": lambda client: get_calibrations_log.asyncio_detailed(
        client=client.raw, instruments=["QT123456"], start=WINDOW.start, end=WINDOW.end
    ),
    "with": lambda client: client.__aenter__(),
}


def client() -> CirrusClient:
    return CirrusClient(DEMO_KEY, transport=Standin().transport())


def async_client() -> AsyncCirrusClient:
    return AsyncCirrusClient(DEMO_KEY, transport=Standin().transport())


@pytest.mark.parametrize("method", METHODS.values(), ids=list(METHODS))
def test_a_closed_client_says_so(method: Callable[[CirrusClient], object]) -> None:
    closed = client()
    closed.close()
    closed.close()

    with pytest.raises(ConfigurationError, match="closed"):
        method(closed)


@pytest.mark.parametrize("method", ASYNC_METHODS.values(), ids=list(ASYNC_METHODS))
def test_a_closed_async_client_says_so(method: Callable[[AsyncCirrusClient], Any]) -> None:
    async def main() -> None:
        closed = async_client()
        await closed.aclose()
        await closed.aclose()
        with pytest.raises(ConfigurationError, match="closed"):
            await method(closed)

    asyncio.run(main())


@pytest.mark.parametrize("method", ASYNC_METHODS.values(), ids=list(ASYNC_METHODS))
def test_an_async_client_belongs_to_one_event_loop(
    method: Callable[[AsyncCirrusClient], Any],
) -> None:
    shared = async_client()
    asyncio.run(ASYNC_METHODS["calibration_log"](shared))

    with pytest.raises(ConfigurationError, match="another event loop"):
        asyncio.run(method(shared))


def test_an_async_client_needs_an_event_loop_of_asyncio() -> None:
    coroutine = async_client().calibration_log(["QT123456"], **RANGE)

    with pytest.raises(ConfigurationError, match="event loop of asyncio"):
        coroutine.send(None)


def outcome(method: Callable[[Any], object], shared: Any, pipe: Any) -> None:
    """What a method does in another process: an exception's class and text, or its value."""
    try:
        result = method(shared)
        pipe.send(asyncio.run(result) if asyncio.iscoroutine(result) else result)
    except CirrusError as error:
        pipe.send((type(error).__name__, str(error)))
    pipe.close()


@pytest.mark.parametrize(
    ("make", "method"),
    [
        *((client, method) for method in METHODS.values()),
        *((async_client, method) for method in ASYNC_METHODS.values()),
    ],
    ids=[*METHODS, *(f"async {name}" for name in ASYNC_METHODS)],
)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_client_that_was_used_before_a_fork_says_what_to_do(
    make: Callable[[], Any], method: Callable[[Any], object]
) -> None:
    shared = make()
    if make is client:
        shared.calibration_log(["QT123456"], **RANGE)
        shared._http._stops_lock.acquire()  # as another thread may have it at the time of the fork
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=outcome, args=(method, shared, there))
    process.start()

    assert here.poll(30)
    kind, text = here.recv()
    process.join(30)
    assert (kind, process.exitcode) == ("ConfigurationError", 0)
    assert "made in another process" in text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("ordered", [True, False])
def test_a_history_that_was_begun_before_a_fork_says_what_to_do(*, ordered: bool) -> None:
    windows = plan_history(["QT123456"], start="2000-01-01T00:00:00Z", end="2023-01-01T00:00:00Z")
    with client() as shared:
        history = shared.history_windows(windows, ordered=ordered)
        next(history)
        here, there = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.get_context("fork").Process(
            target=outcome, args=(next, history, there)
        )
        process.start()
        assert here.poll(30)
        assert "made in another process" in here.recv()[1]
        process.join(30)

        assert process.exitcode == 0
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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_closing_in_a_fork_leaves_the_connections_of_the_first_process() -> None:
    with serve(Standin()) as base_url, CirrusClient(DEMO_KEY, base_url=base_url) as shared:
        shared.calibration_log(["QT123456"], **RANGE)
        context = multiprocessing.get_context("fork")
        process = context.Process(target=shared.close)
        process.start()
        process.join(30)

        assert process.exitcode == 0
        assert shared.calibration_log(["QT123456"], **RANGE) == []


AFTER_MAIN = """
import threading, time
from cirrus_ext import CirrusClient, plan_history
from mycirrus_contract.standin.adapters import Standin

def work():
    threading.main_thread().join()
    windows = plan_history(["QT123456"], start="2015-01-01T00:00:00Z", end="2023-01-01T00:00:00Z")
    with CirrusClient("demo", transport=Standin().transport()) as client:
        print(len([window for window, _ in client.history_windows(windows)]), len(windows))

threading.Thread(target=work).start()
""".replace('"demo"', repr(DEMO_KEY))


def test_a_history_that_outlives_the_main_thread_is_whole() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AFTER_MAIN], capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.stdout, done.stderr) == ("9 9\n", "")


def test_without_a_thread_to_spare_everything_works_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = plan_history(["QT123456"], start="2018-01-01T00:00:00Z", end="2023-01-01T00:00:00Z")
    with serve(Standin()) as base_url:

        def refuse(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refuse)
        with CirrusClient(DEMO_KEY, base_url=base_url) as alone:
            found = [window for window, _ in alone.history_windows(plan)]
        monkeypatch.undo()

    assert found == plan


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
