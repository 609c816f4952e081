"""Fetches the windows of a history, several at a time, in threads or in tasks.

In the order given, up to ``2 * concurrency`` windows have been requested and not yet yielded, so
that a slow answer does not hold up the others. In any order, up to ``concurrency``.
"""

import asyncio
import sys
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Generic, TypeVar

from .calibration_log import CalibrationRecord
from .errors import CirrusError
from .ranges import HistoryWindow
from .tasks import finish
from .threads import Workers

Records = list[CalibrationRecord]
Answer = tuple[HistoryWindow, Records]
AnyFuture = TypeVar("AnyFuture", Future[Records], asyncio.Future[Records])


@dataclass
class _Requested(Generic[AnyFuture]):
    """The windows that have been requested and not yet yielded. Waits for nothing."""

    remaining: Iterator[HistoryWindow]
    fetch: Callable[[HistoryWindow], AnyFuture]
    ordered: bool
    futures: dict[AnyFuture, HistoryWindow] = field(default_factory=dict[AnyFuture, HistoryWindow])
    error: BaseException | None = None

    def start(self, count: int) -> None:
        """Start to fetch so many of the remaining windows."""
        for window in islice(self.remaining, count):
            self.futures[self.fetch(window)] = window

    def awaited(self) -> list[AnyFuture]:
        """Return the futures of which one has to be done before `take`; none at the end.

        Raises:
            BaseException: A window failed, and no other is to be yielded before its error.
        """
        if self.error is not None and (self.ordered or not self.futures):
            raise self.error
        return list(self.futures)[: 1 if self.ordered else None]

    def take(self) -> list[Answer]:
        """Remove a window that is done, and start the next one unless one has failed.

        Returns:
            The window with its records; nothing if it failed.
        """
        future = next(future for future in self.futures if future.done())
        window = self.futures.pop(future)
        failure = future.exception()
        if isinstance(self.error, CirrusError) and isinstance(failure, CirrusError):
            self.error.others += (failure,)
        self.error = self.error or failure
        if self.error is None:
            self.start(1)
        return [] if failure else [(window, future.result())]


def fetch_windows(
    windows: Iterable[HistoryWindow],
    fetch: Callable[[HistoryWindow], Records],
    concurrency: int,
    stop: threading.Event,
    check: Callable[[], None],
    *,
    ordered: bool,
) -> Generator[Answer]:
    """Fetch windows in threads.

    Args:
        windows: What to fetch.
        fetch: Fetches one window.
        concurrency: How many windows are fetched at a time.
        stop: Is set when the generator ends; ``fetch`` is expected to stop then.
        check: Raises an error in another process, or in another event loop.
        ordered: Whether to yield in the order of ``windows``, or each as soon as it is there.

    Yields:
        Each window with its records. If one fails, the others under way come before its error;
        if ordered, only those before it.
    """
    workers = Workers(concurrency)

    def start(window: HistoryWindow) -> Future[Records]:
        # `on_event` runs in the thread, and sees the context variables of the caller.
        return workers.submit(partial(copy_context().run, fetch, window))

    requested = _Requested(iter(windows), start, ordered)
    try:
        requested.start(2 * concurrency if ordered else concurrency)
        while futures := requested.awaited():
            check()
            wait(futures, return_when=FIRST_COMPLETED)
            yield from requested.take()
    finally:
        # At the end of the program daemon threads are gone, but not the locks that they held.
        if not sys.is_finalizing():
            stop.set()
            workers.close()


async def fetch_windows_async(
    windows: Iterable[HistoryWindow],
    fetch: Callable[[HistoryWindow], Awaitable[Records]],
    concurrency: int,
    check: Callable[[], None],
    *,
    ordered: bool,
) -> AsyncGenerator[Answer]:
    """Fetch windows in tasks: see `fetch_windows`. The client limits how many are under way."""
    check()

    def start(window: HistoryWindow) -> asyncio.Future[Records]:
        return asyncio.ensure_future(fetch(window))

    requested = _Requested(iter(windows), start, ordered)
    try:
        requested.start(2 * concurrency if ordered else concurrency)
        while futures := requested.awaited():
            check()
            await asyncio.wait(futures, return_when=FIRST_COMPLETED)
            for answer in requested.take():
                yield answer
                del answer  # it holds the records
    finally:
        loop = asyncio.get_running_loop()  # not that of the futures, if `check` has refused it
        futures = [future for future in requested.futures if future.get_loop() is loop]
        for future in futures:
            future.cancel()
        await finish(asyncio.gather(*futures, return_exceptions=True), cancel=False)
