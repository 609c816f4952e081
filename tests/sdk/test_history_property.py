"""For any log and any server, a history has exactly the entries of the log."""

import gc
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cirrus_ext import CalibrationRecord, CirrusClient, HistoryWindow, plan_history
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.fleet import Entry
from mycirrus_contract.standin.rules import World
from mycirrus_contract.standin.switches import Switches
from mycirrus_contract.times import instant
from tests.support.clients import KEY, use

SERIALS = ["QT2", "QT1", "QT3"]
# A history takes some requests, so fewer examples than elsewhere.
EXAMPLES = settings().max_examples // 5

FIRST, LAST = datetime(2014, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
moments = st.timedeltas(timedelta(), LAST - FIRST).map(lambda since: FIRST + since)
switches = st.builds(
    Switches,
    start_inclusive=st.booleans(),
    end_inclusive=st.booleans(),
    year=st.sampled_from(["calendar", "365 days", "366 days"]),
    order=st.sampled_from(["time", "newest first", "by instrument"]),
    names_instrument=st.booleans(),
    offsets=st.sampled_from(["none", "utc", "any"]),
    comma_arrays=st.booleans(),
)


def written(moment: datetime, digits: int, tail: str) -> str:
    """A time as a server may write it: with none, three, six or seven digits."""
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{moment.microsecond:06}{tail}"[:digits]
    return f"{text}.{fraction}Z" if digits else f"{text}Z"


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[HistoryWindow], tuple[Entry, ...]]:
    """A plan, and a log with entries on the edges of its windows and beside them."""
    start, end = sorted(draw(st.tuples(moments, moments).filter(lambda pair: pair[0] != pair[1])))
    serials = SERIALS[: draw(st.integers(1, 3))]
    plan = plan_history(serials, start=start, end=end)
    edges = [edge for window in plan for edge in (window.start, window.end)]
    near = st.sampled_from([timedelta(microseconds=n) for n in (-2000, -1000, -1, 0, 1, 999, 1000)])
    times = st.builds(lambda edge, by: edge + by, st.sampled_from(edges), near) | moments
    entries = st.builds(
        lambda serial, time, digits, tail, note: Entry(
            serial, written(time, digits, tail), "Site operator", note
        ),
        st.sampled_from(SERIALS),
        times,
        st.sampled_from([0, 3, 6, 7]),
        st.sampled_from("019"),
        st.sampled_from(["a", "b"]),
    )
    log = draw(st.lists(entries, max_size=30))
    doubled = draw(st.lists(st.sampled_from(log), max_size=5)) if log else []
    return plan, tuple(log + doubled)


def truth(plan: list[HistoryWindow], log: tuple[Entry, ...]) -> list[tuple[str, datetime, str]]:
    serials = list(dict.fromkeys(window.instrument for window in plan))
    start, end = min(window.start for window in plan), max(window.end for window in plan)
    records = [
        (entry.instrument, datetime.fromisoformat(entry.time), entry.message)
        for entry in log
        if entry.instrument in serials and start <= datetime.fromisoformat(entry.time) < end
    ]
    return sorted(records, key=lambda record: (serials.index(record[0]), record[1]))


def check(
    client_kind: str, plan: list[HistoryWindow], log: tuple[Entry, ...], how: Switches
) -> None:
    """Fetch it and compare."""
    standin = Standin(World(log, how, keys=frozenset({KEY})))
    given_windows = use(
        client_kind, lambda client: client.history_windows(plan), transport=standin.transport()
    )
    records: list[CalibrationRecord] = [r for _, records in given_windows for r in records]
    expected = truth(plan, log)

    assert Counter((r.instrument, r.time, r.message) for r in records) == Counter(expected)
    assert [(r.instrument, r.time) for r in records] == [(name, time) for name, time, _ in expected]
    assert len(standin.requests) == len(plan)


@settings(max_examples=EXAMPLES)
@given(histories(), switches)
def test_a_history_has_exactly_the_entries_of_the_log(
    history: tuple[list[HistoryWindow], tuple[Entry, ...]], how: Switches
) -> None:
    for client_kind in ("sync", "async"):
        check(client_kind, *history, how)


def test_the_stand_in_itself_loses_nothing_between_microseconds() -> None:
    """It counts in nanoseconds, so that seven digits are inside or outside as they are."""
    assert instant("2020-01-01T00:00:00.1234567Z") - instant("2020-01-01T00:00:00.1234566Z") == 100


@pytest.fixture
def quick_collection() -> Iterator[None]:
    """The garbage collector has to look at what a test makes, and at nothing else."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("quick_collection")
def test_memory_does_not_grow_with_the_length_of_a_history() -> None:
    """40 more windows are 2,000 more records, some 1.3 MB; the peak grows by no sixth of that."""

    def respond(request: httpx.Request) -> httpx.Response:
        start = datetime.fromisoformat(request.url.params["start"]) + timedelta(days=1)
        item = {"time": start.isoformat(), "user": "U" * 50, "message": "M" * 100}
        return httpx.Response(200, json=[item] * 50)

    def peak(windows: list[HistoryWindow]) -> int:
        gc.collect()
        with CirrusClient(KEY, transport=httpx.MockTransport(respond), max_concurrency=1) as client:
            tracemalloc.start()
            for _, records in client.history_windows(windows):
                assert len(records) == 50
                gc.collect()  # httpx's responses know themselves, so only this frees them
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return most

    plan = plan_history(["QT1"], start="1700-01-01T00:00:00Z", end="1760-01-01T00:00:00Z")

    assert peak(plan) < peak(plan[:20]) + 200_000
