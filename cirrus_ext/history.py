"""Fetches the windows of a history, several at a time, and yields them as they are wanted.

In the order given, up to ``2 * concurrency`` windows have been requested and not yet yielded, so
that a slow answer does not hold up the others. In any order, up to ``concurrency``.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import partial
from itertools import islice

from .calibration_log import CalibrationRecord
from .errors import CirrusError
from .ranges import HistoryWindow

Records = list[CalibrationRecord]


def fetch_windows(
    windows: Iterable[HistoryWindow],
    fetch: Callable[[HistoryWindow], Records],
    concurrency: int,
    stop: threading.Event,
    check: Callable[[], None],
    *,
    ordered: bool,
) -> Generator[tuple[HistoryWindow, Records]]:
    """Fetch windows in threads.

    Args:
        windows: What to fetch.
        fetch: Fetches one window.
        concurrency: How many windows are fetched at a time.
        stop: Is set when the generator ends; ``fetch`` is expected to stop then.
        check: Raises an error where the threads are not, after a fork.
        ordered: Whether to yield in the order of ``windows``, or each as soon as it is there.

    Yields:
        Each window with its records. If one fails, the others under way come before its error;
        if ordered, only those before it.
    """
    remaining = iter(windows)
    pending: dict[Future[Records], HistoryWindow] = {}
    error: BaseException | None = None
    with ThreadPoolExecutor(concurrency, thread_name_prefix="cirrus") as pool:

        def submit(count: int) -> None:
            for window in islice(remaining, count):
                job = partial(copy_context().run, fetch, window)  # for on_event, in the thread
                pending[_submit(pool, job)] = window

        try:
            submit(2 * concurrency if ordered else concurrency)
            while pending and not (ordered and error):
                check()
                if not ordered:
                    wait(pending, return_when=FIRST_COMPLETED)
                future = next(future for future in pending if ordered or future.done())
                window = pending.pop(future)
                error = error or future.exception()
                if error is None:
                    submit(1)
                if future.exception() is None:
                    yield window, future.result()
                del future  # it holds the records
            if error is not None:
                raise error
        finally:
            stop.set()
            for future in pending:
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


async def fetch_windows_async(
    windows: Iterable[HistoryWindow],
    fetch: Callable[[HistoryWindow], Awaitable[Records]],
    concurrency: int,
    *,
    ordered: bool,
) -> AsyncGenerator[tuple[HistoryWindow, Records]]:
    """Fetch windows in tasks: see `fetch_windows`. The client limits how many are under way."""
    remaining = iter(windows)
    pending: dict[asyncio.Future[Records], HistoryWindow] = {}
    error: BaseException | None = None

    def submit(count: int) -> None:
        for window in islice(remaining, count):
            pending[asyncio.ensure_future(fetch(window))] = window

    try:
        submit(2 * concurrency if ordered else concurrency)
        while pending and not (ordered and error):
            first = [next(iter(pending))] if ordered else pending
            await asyncio.wait(first, return_when=FIRST_COMPLETED)
            future = next(future for future in pending if future.done() or ordered)
            window = pending.pop(future)
            error = error or future.exception()
            if error is None:
                submit(1)
            if future.exception() is None:
                yield window, future.result()
            del future  # it holds the records
        if error is not None:
            raise error
    finally:
        for future in pending:
            future.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
