"""What the SDK uses, in counts that do not depend on the machine; `make bench` has the times."""

import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from benchmarks.server import WINDOW, Served, serving
from cirrus_ext import AsyncCirrusClient, CirrusClient, HistoryWindow, plan_history
from tests.support.clients import KEY, ask, use

WORKERS = 4
SERIALS = ["QT123456", "QT234567", "QT345678"]
# The API takes a year at once; 365 days are one however it counts, and each request needs a
# millisecond to spare at both ends. These are five of them to the last.
LONGEST = timedelta(days=365) - 2 * timedelta(milliseconds=1)
START = datetime(2019, 1, 1, tzinfo=UTC)
END = START + 5 * LONGEST


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serving() as served:
        yield served


@pytest.fixture
def served(server: Served) -> Served:
    """The same, with all counts at zero."""
    server.take_counts("")
    return server


def history(client: Any) -> Any:
    return client.calibration_history(SERIALS, start=START, end=END)


@pytest.mark.parametrize("count", [1, 20])
def test_a_history_takes_five_full_windows_an_instrument(
    served: Served, client_kind: str, count: int
) -> None:
    windows = plan_history([f"QT{number}" for number in range(count)], start=START, end=END)
    fetched = use(
        client_kind,
        lambda client: client.history_windows(windows),
        base_url=served.base_url("one"),
        max_concurrency=WORKERS,
    )
    counts = served.take_counts("one")

    assert len(fetched) == counts.requests == 5 * count
    assert counts.connections <= WORKERS
    assert counts.received / counts.requests < 330


def test_a_history_opens_one_connection_for_each_worker(served: Served, client_kind: str) -> None:
    use(client_kind, history, base_url=served.base_url("slow"), max_concurrency=WORKERS)

    assert served.take_counts("slow").connections == WORKERS


def ask_thrice(client: Any) -> Any:
    if isinstance(client, CirrusClient):
        return [ask(client) for _ in range(3)]
    return _ask_thrice(client)


async def _ask_thrice(client: AsyncCirrusClient) -> list[Any]:
    return [await ask(client) for _ in range(3)]


def test_a_call_is_one_request_and_calls_share_a_connection(
    served: Served, client_kind: str
) -> None:
    use(client_kind, ask_thrice, base_url=served.base_url("one"))
    counts = served.take_counts("one")

    assert (counts.requests, counts.connections) == (3, 1)


@pytest.fixture
def window() -> HistoryWindow:
    return HistoryWindow("QT123456", START, START + LONGEST)


def test_a_record_takes_little_more_memory_than_its_values(
    served: Served, window: HistoryWindow
) -> None:
    with CirrusClient(KEY, base_url=served.base_url("filled")) as client:
        client.fetch_window(window)
        tracemalloc.start()
        try:
            records = client.fetch_window(window)
            kept, peak = (size / WINDOW for size in tracemalloc.get_traced_memory())
        finally:
            tracemalloc.stop()

    assert len(records) == WINDOW
    assert kept < 400
    assert peak < 800


def test_a_history_parses_one_answer_at_a_time(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting, met = threading.Barrier(2), list[HistoryWindow]()

    def meet(window: HistoryWindow, response: Any) -> list[Any]:
        del response
        with suppress(threading.BrokenBarrierError):
            meeting.wait(timeout=0.2)
            met.append(window)
        return []

    monkeypatch.setattr("cirrus_ext.client.records_of", meet)
    use("sync", history, base_url=served.base_url("one"), max_concurrency=WORKERS)

    assert not met
