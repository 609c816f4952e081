"""Fetches the windows of a history: several at a time, in the order given."""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from itertools import islice

from .calibration_log import CalibrationRecord
from .errors import CirrusError
from .ranges import HistoryWindow

Records = list[CalibrationRecord]


def fetch_in_order(
    windows: Iterable[HistoryWindow],
    fetch: Callable[[HistoryWindow], Records],
    concurrency: int,
    stop: threading.Event,
) -> Generator[tuple[HistoryWindow, Records]]:
    """Fetch windows in threads.

    Args:
        windows: What to fetch.
        fetch: Fetches one window.
        concurrency: How many windows are under way, or fetched and not yet taken.
        stop: Is set when the generator ends; ``fetch`` is expected to stop then.

    Yields:
        Each window with its records.
    """
    remaining = iter(windows)
    under_way: deque[tuple[HistoryWindow, Future[Records]]] = deque()
    with ThreadPoolExecutor(concurrency, thread_name_prefix="cirrus") as pool:

        def submit(count: int) -> None:
            for window in islice(remaining, count):
                job = partial(copy_context().run, fetch, window)  # for on_event, in the thread
                under_way.append((window, _submit(pool, job)))

        try:
            submit(concurrency)
            while under_way:
                window, future = under_way[0]
                records = future.result()
                under_way.popleft()
                yield window, records
                submit(1)
        finally:
            stop.set()
            for _, future in under_way:
                future.cancel()


def _submit(pool: ThreadPoolExecutor, job: Callable[[], Records]) -> Future[Records]:
    """Do a job in a thread; or here, if the interpreter shuts down or has no thread to spare."""
    try:
        return pool.submit(job)
    except RuntimeError:
        future: Future[Records] = Future()
        try:
            future.set_result(job())
        except CirrusError as error:
            future.set_exception(error)
        return future


async def fetch_in_order_async(
    windows: Iterable[HistoryWindow],
    fetch: Callable[[HistoryWindow], Awaitable[Records]],
    concurrency: int,
) -> AsyncGenerator[tuple[HistoryWindow, Records]]:
    """Fetch windows in tasks: see `fetch_in_order`."""
    remaining = iter(windows)
    under_way: deque[tuple[HistoryWindow, asyncio.Future[Records]]] = deque()

    def submit(count: int) -> None:
        for window in islice(remaining, count):
            under_way.append((window, asyncio.ensure_future(fetch(window))))

    try:
        submit(concurrency)
        while under_way:
            window, task = under_way[0]
            records = await task
            under_way.popleft()
            yield window, records
            submit(1)
    finally:
        for _, task in under_way:
            task.cancel()
        await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)
