"""Work in an event loop of asyncio that is finished although its caller is cancelled."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class _End(asyncio.Future[None]):
    """The end of a task: whoever waits for it cancels the task once, or never, and waits on.

    A second cancellation would end what httpcore does after the first: its connection would count
    as active for ever.
    """

    def __init__(self, task: asyncio.Future[Any], *, cancel: bool) -> None:
        super().__init__(loop=task.get_loop())
        self._task, self._cancels = task, cancel
        self.cancelled_by: asyncio.CancelledError | None = None
        task.add_done_callback(lambda _: self.set_result(None))

    def cancel(self, msg: Any = None) -> bool:
        if self.done():
            return False
        if self._cancels and self.cancelled_by is None:
            self._task.cancel(msg)
        self.cancelled_by = asyncio.CancelledError(*([] if msg is None else [msg]))
        return True


async def finish(
    work: Awaitable[Result],
    *,
    cancel: bool = True,
    undo: Callable[[Result], Awaitable[object]] | None = None,
) -> Result:
    """Do work in a task of its own, and wait for its end, however often this one is cancelled.

    Args:
        work: What to do.
        cancel: Whether a cancellation reaches it, once.
        undo: What to do with the result if it comes in spite of a cancellation.
    """
    task = asyncio.ensure_future(work)
    end = _End(task, cancel=cancel)
    await end
    if end.cancelled_by is None:
        return task.result()
    if not task.cancelled() and task.exception() is None and undo is not None:
        await finish(undo(task.result()), cancel=False)
    raise end.cancelled_by


@coroutine
def cancelled_once(work: Coroutine[Any, Any, Result]) -> Generator[Any, Any, Result]:
    """Do work in this task, and pass one cancellation to it: `finish` at a fifth of the cost.

    Args:
        work: What to do. A further cancellation waits for its end.
    """
    error: BaseException | None = None
    is_cancelled, cancelled_again = False, None
    try:
        while True:
            awaited = work.send(None) if error is None else work.throw(error)
            error = None
            try:
                if is_cancelled and awaited is not None:
                    awaited._asyncio_future_blocking = False  # noqa: SLF001 - as a task does
                    end = _End(awaited, cancel=False)
                    yield from end.__await__()
                    cancelled_again = end.cancelled_by or cancelled_again
                else:
                    yield awaited
            except asyncio.CancelledError as cancelled:
                if is_cancelled:
                    cancelled_again = cancelled
                else:
                    is_cancelled, error = True, cancelled
            except BaseException as raised:  # noqa: BLE001 - for the work
                error = raised
    except StopIteration as stop:
        task = asyncio.current_task()
        if cancelled_again is None or task is None or not task.cancelling():  # it was its own
            result: Result = stop.value
            return result
    except Exception:
        if cancelled_again is None:
            raise
    raise cancelled_again
