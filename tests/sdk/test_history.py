"""A history is complete: no record is lost or doubled, and each has its instrument."""

import asyncio
import pickle
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from cirrus_ext import (
    AsyncCirrusClient,
    CalibrationLogItem,
    CalibrationRecord,
    CirrusClient,
    CirrusError,
    InvalidRequestError,
    plan_history,
)
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.fleet import Entry, fleet
from mycirrus_contract.standin.rules import DEMO_KEY, World
from mycirrus_contract.standin.switches import Switches
from tests.support.clients import use
from tests.support.clock import FakeClock

FLEET = fleet(datetime(2026, 1, 1, tzinfo=UTC))
SERIALS = ["QT345678", "QT123456", "QT567890"]
START, END = "2018-01-01T00:00:00Z", "2025-06-01T00:00:00Z"
PLAN = plan_history(SERIALS, start=START, end=END)

# Entries exactly on the edges of windows, at equal times, twice the same, and with seven digits.
NASTY = tuple(
    Entry(window.instrument, time, "Site operator", message)
    for window in PLAN
    for time, message in [
        (window.start.isoformat(timespec="milliseconds").replace("+00:00", "Z"), "at the start"),
        (
            (window.end - timedelta(milliseconds=1)).isoformat(timespec="milliseconds")[:-6] + "Z",
            "at the last millisecond",
        ),
        ("2020-02-29T12:00:00.1234567Z", "seven digits"),
        ("2020-02-29T12:00:00.1234567Z", "seven digits"),
    ]
)
WORLD = World(entries=FLEET + NASTY, keys=frozenset({"canary-key-0123456789"}))


def truth() -> Counter[tuple[str, datetime, str]]:
    first, last = datetime.fromisoformat(START), datetime.fromisoformat(END)
    return Counter(
        (entry.instrument, time, entry.message)
        for entry in WORLD.entries
        if entry.instrument in SERIALS
        and first <= (time := datetime.fromisoformat(entry.time)) < last
    )


def test_a_history_is_whole_where_the_server_reads_ranges_another_way(
    client_kind: str,
) -> None:
    switches = Switches(start_inclusive=False, end_inclusive=False, order="newest first")
    standin = Standin(replace(WORLD, switches=switches))
    records: list[CalibrationRecord] = use(
        client_kind,
        lambda client: client.calibration_history(SERIALS, start=START, end=END),
        transport=standin.transport(),
    )

    assert Counter((r.instrument, r.time, r.message) for r in records) == truth()
    assert records == sorted(records, key=lambda r: (SERIALS.index(r.instrument), r.time))
    assert len(standin.requests) == len(PLAN)


def test_a_record_has_the_requested_instrument_and_other_fields_in_extra(
    client_kind: str,
) -> None:
    (record, *_) = use(
        client_kind,
        lambda client: client.calibration_history(["QT123456"], start=START, end=END),
        transport=Standin(replace(WORLD, switches=Switches(names_instrument=True))).transport(),
    )

    assert record.instrument == "QT123456"
    assert record.extra == {"instrument": "QT123456"}
    assert record.time.tzinfo is UTC


def test_absent_and_null_fields_are_none(client_kind: str) -> None:
    items = [
        {"time": "2023-01-02T00:00:00+05:00"},
        {"time": "2023-01-02T00:00:00Z", "user": None},
        {"time": "2023-01-02T01:00:00Z", "user": "U", "message": "M"},
    ]
    records = use(
        client_kind,
        lambda client: client.calibration_history(
            ["QT1"], start="2023-01-01T00:00:00Z", end="2023-02-01T00:00:00Z"
        ),
        transport=httpx.MockTransport(lambda request: httpx.Response(200, json=items)),
    )

    assert [(r.time.hour, r.user, r.message, r.extra) for r in records] == [
        (19, None, None, {}),
        (0, None, None, {}),
        (1, "U", "M", {}),
    ]
    assert len(set(records)) == 3


def test_an_answer_that_does_not_fit_names_its_window(client_kind: str) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=[{"time": 1}]))
    with pytest.raises(CirrusError) as caught:
        use(client_kind, lambda client: client.fetch_window(PLAN[0]), transport=transport)

    assert caught.value.window == PLAN[0]
    assert str(caught.value).startswith("200, but $[0].time must be a string: int (")


def test_a_retry_names_its_window(client_kind: str, clock: FakeClock) -> None:
    events: list[Any] = []
    standin = Standin(WORLD, script={1: "503-html"})
    use(
        client_kind,
        lambda client: client.fetch_window(PLAN[0]),
        transport=standin.transport(),
        on_event=events.append,
        _clock=clock.clock(),
    )

    assert [event.window for event in events] == [PLAN[0]]


OTHER = pickle.loads(pickle.dumps(replace(PLAN[0], operation="getAlarmsLog")))  # noqa: S301 - our own


@pytest.mark.parametrize(
    ("window", "says"),
    [
        (("QT1", START, END), "must be a HistoryWindow"),
        (OTHER, "one of getCalibrationsLog: this is one of 'getAlarmsLog'"),
    ],
)
def test_a_window_of_another_operation_is_refused(client_kind: str, window: Any, says: str) -> None:
    standin = Standin(WORLD)
    for job in (lambda client: client.fetch_window(window), lambda c: c.history_windows([window])):
        with pytest.raises(InvalidRequestError, match=says):
            use(client_kind, job, transport=standin.transport())

    assert standin.requests == []


class Counting(httpx.BaseTransport):
    """Counts the requests under way at once, each of which takes a while."""

    def __init__(self) -> None:
        self.under_way = self.most = self.total = 0
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        del request
        with self._lock:
            self.under_way += 1
            self.total += 1
            self.most = max(self.most, self.under_way)
        time.sleep(0.02)
        with self._lock:
            self.under_way -= 1
        return httpx.Response(200, json=[])


def test_max_concurrency_is_over_all_threads_and_histories() -> None:
    transport = Counting()
    with (
        CirrusClient("k", transport=transport, max_concurrency=3) as client,
        ThreadPoolExecutor(4) as pool,
    ):
        fetched = list(pool.map(lambda _: len(list(client.history_windows(PLAN[:5]))), range(4)))

    assert fetched == [5] * 4
    assert (transport.most, transport.total) == (3, 20)


def test_a_403_in_a_history_names_the_scope(client_kind: str) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(403, json={}))
    with pytest.raises(CirrusError, match=r"data\.system:read"):
        use(client_kind, lambda client: client.fetch_window(PLAN[0]), transport=transport)


def test_a_field_stays_in_extra_when_the_spec_gains_it(
    client_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A generated class that takes a field for its own does not take it from ``extra``."""
    item = {"time": "2023-01-02T00:00:00Z", "level": 93.7, "other": None}
    learned = CalibrationLogItem.from_dict

    def from_dict(value: dict[str, Any]) -> CalibrationLogItem:
        return learned({name: value[name] for name in value if name != "level"})

    monkeypatch.setattr(CalibrationLogItem, "from_dict", from_dict)
    (record,) = use(
        client_kind,
        lambda client: client.calibration_history(
            ["QT1"], start="2023-01-01T00:00:00Z", end="2023-02-01T00:00:00Z"
        ),
        transport=httpx.MockTransport(lambda request: httpx.Response(200, json=[item])),
    )

    assert record.extra == {"level": 93.7, "other": None}


def test_leaving_an_async_history_early_leaves_no_task() -> None:
    async def leave() -> int:
        transport = Standin(replace(WORLD, keys=frozenset({DEMO_KEY}))).transport()
        async with AsyncCirrusClient(DEMO_KEY, transport=transport) as client:
            async with aclosing(client.calibration_history(SERIALS, start=START, end=END)) as log:
                async for _ in log:
                    break
            return len(asyncio.all_tasks())

    assert asyncio.run(leave()) == 1
