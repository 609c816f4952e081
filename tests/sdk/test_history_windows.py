"""Which windows are requested ahead, in which order they come, and what a failed one stops."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from operator import length_hint
from typing import Any
from weakref import ref

import httpx
import pytest

from cirrus_ext import (
    APIStatusError,
    AsyncCirrusClient,
    CalibrationRecord,
    CirrusClient,
    HistoryWindow,
    InvalidRequestError,
    RetryPolicy,
    plan_history,
)
from tests.support.clients import use

Answer = tuple[HistoryWindow, list[CalibrationRecord]]

SERIALS = [f"QT{n:02}" for n in range(30)]
PLAN = plan_history(SERIALS, start="2024-01-01T00:00:00Z", end="2024-02-01T00:00:00Z")
WORKERS = 3
TIMEOUT = 20  # seconds, for what is expected to happen at once


class Server(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Answers each instrument, those in ``blocked`` only while ``until`` is true of the server."""

    def __init__(
        self,
        blocked: tuple[int, ...] = (),
        until: Callable[["Server"], bool] = bool,
        fails: tuple[int, ...] = (),
    ) -> None:
        self.blocked = {PLAN[index].instrument for index in blocked}
        self.fails = {PLAN[index].instrument for index in fails}
        self.until = until
        self.body = [{"time": "2024-01-02T00:00:00Z"}]
        self.requested: list[str] = []
        self.answered: list[str] = []
        self.under_way = self.most = 0
        self._lock = threading.Lock()

    def _start(self, request: httpx.Request) -> str:
        serial = str(request.url.params["instruments"])
        with self._lock:
            self.requested.append(serial)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        return serial

    def _end(self, serial: str) -> httpx.Response:
        with self._lock:
            self.answered.append(serial)
            self.under_way -= 1
        return httpx.Response(500 if serial in self.fails else 200, json=self.body)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        serial = self._start(request)
        waited = 0.0
        while serial in self.blocked and not self.until(self) and waited < TIMEOUT:
            time.sleep(0.01)
            waited += 0.01
        return self._end(serial)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        serial = self._start(request)
        async with asyncio.timeout(TIMEOUT):
            while serial in self.blocked and not self.until(self):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
        return self._end(serial)


@contextmanager
def history(
    client_kind: str, transport: Server, *, ordered: bool, windows: Iterable[HistoryWindow] = PLAN
) -> Iterator[Generator[Answer]]:
    """Yield the answers for windows; those of the async client as a sync generator, too."""
    options: dict[str, Any] = {"transport": transport, "max_concurrency": WORKERS}
    options["retry"] = RetryPolicy(max_attempts=1)
    if client_kind == "sync":
        with (
            CirrusClient("k", **options) as client,
            closing(client.history_windows(windows, ordered=ordered)) as answers,
        ):
            yield answers
        return
    with asyncio.Runner() as runner:
        async_client = AsyncCirrusClient("k", **options)
        answers = driven(runner, async_client.history_windows(windows, ordered=ordered))
        with closing(answers):
            yield answers
        assert len(asyncio.all_tasks(runner.get_loop())) == 0
        runner.run(async_client.aclose())


def driven(runner: asyncio.Runner, answers: AsyncGenerator[Answer]) -> Generator[Answer]:
    """Run the event loop while the next answer is awaited."""

    async def take() -> Answer | None:
        return await anext(answers, None)

    try:
        while (answer := runner.run(take())) is not None:
            yield answer
    finally:
        runner.run(answers.aclose())


@pytest.fixture(params=[True, False], ids=["ordered", "unordered"])
def ordered(request: pytest.FixtureRequest) -> bool:
    """In which order windows are yielded."""
    return bool(request.param)


def test_windows_come_in_the_order_given_even_if_the_first_is_answered_last(
    client_kind: str,
) -> None:
    ahead = 2 * WORKERS
    server = Server(blocked=(0,), until=lambda server: len(server.answered) == ahead - 1)
    with history(client_kind, server, ordered=True) as answers:
        assert [window for window, _ in answers] == PLAN

    assert server.answered[ahead - 1] == PLAN[0].instrument


@pytest.mark.parametrize("windows", [None, 5, PLAN[0]], ids=["None", "5", "one window"])
def test_what_is_not_a_list_of_windows_is_refused(client_kind: str, windows: Any) -> None:
    with pytest.raises(InvalidRequestError, match="windows must be a list of HistoryWindow"):
        use(client_kind, lambda client: client.history_windows(windows))


def test_unordered_windows_come_as_soon_as_they_are_there(client_kind: str) -> None:
    taken: list[HistoryWindow] = []
    server = Server(blocked=(0,), until=lambda _: len(taken) == len(PLAN) - 1)
    with history(client_kind, server, ordered=False) as answers:
        taken.extend(window for window, _ in answers)

    assert sorted(taken) == sorted(PLAN)
    assert taken[-1] == PLAN[0]


def test_no_more_windows_are_requested_and_not_yet_taken_than_allowed(
    client_kind: str, *, ordered: bool
) -> None:
    windows = iter(PLAN)
    with history(client_kind, Server(), ordered=ordered, windows=windows) as answers:
        for taken, _ in enumerate(answers, 1):
            requested = len(PLAN) - length_hint(windows)
            assert requested == min(len(PLAN), taken + (2 if ordered else 1) * WORKERS)


def test_as_many_requests_are_under_way_as_allowed_and_never_more(
    client_kind: str, *, ordered: bool
) -> None:
    first = range(WORKERS)
    server = Server(blocked=(*first,), until=lambda server: server.most == WORKERS)
    with history(client_kind, server, ordered=ordered) as answers:
        assert len(list(answers)) == len(PLAN)

    assert server.most == WORKERS


def test_an_ordered_history_fails_after_all_windows_before_the_failed_one(client_kind: str) -> None:
    taken: list[HistoryWindow] = []
    with (
        history(client_kind, Server(fails=(9, 10)), ordered=True) as answers,
        pytest.raises(APIStatusError) as caught,
    ):
        taken.extend(window for window, _ in answers)

    assert taken == PLAN[:9]
    assert caught.value.window == PLAN[9]


def test_an_unordered_history_fails_after_all_windows_that_were_under_way(client_kind: str) -> None:
    taken: list[HistoryWindow] = []
    windows = iter(PLAN)
    server = Server(blocked=(1, 2), until=lambda server: bool(server.answered), fails=(0, 2))
    with (
        history(client_kind, server, ordered=False, windows=windows) as answers,
        pytest.raises(APIStatusError) as caught,
    ):
        taken.extend(window for window, _ in answers)

    requested = PLAN[: len(PLAN) - length_hint(windows)]
    assert len(requested) < len(PLAN)
    assert [one.window for one in (caught.value, *caught.value.others)] == [PLAN[0], PLAN[2]]
    assert sorted(taken) == sorted({*requested} - {PLAN[0], PLAN[2]})


def test_leaving_early_stops_the_requests_under_way(client_kind: str, *, ordered: bool) -> None:
    windows, threads = iter(PLAN), threading.active_count()
    left = threading.Event()
    server = Server(blocked=(1,), until=lambda _: client_kind == "sync" and left.is_set())
    with history(client_kind, server, ordered=ordered, windows=windows) as answers:
        next(answers)
        left.set()  # a transport of the user's is not interrupted in a thread
        answers.close()

    assert len(PLAN) - length_hint(windows) <= 1 + 2 * WORKERS
    assert threading.active_count() == threads


class Records(list[CalibrationRecord]):
    """A list that can be the target of a weak reference."""


def test_a_history_keeps_no_records_that_the_caller_dropped(
    client_kind: str, monkeypatch: pytest.MonkeyPatch, *, ordered: bool
) -> None:
    made: list[ref[Records]] = []

    def records_of(window: HistoryWindow, body: Any) -> Records:
        del window, body
        records = Records()
        made.append(ref(records))
        return records

    monkeypatch.setattr("cirrus_ext.client.records_of", records_of)
    with history(client_kind, Server(), ordered=ordered) as answers:
        for _ in answers:
            # The caller has one, and `_` the one before.
            assert sum(one() is not None for one in made) <= 2 * WORKERS + 2

    assert len(made) == len(PLAN)
