"""Work in an event loop of asyncio that is finished although its caller is cancelled."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

Result = TypeVar("Result")


async def finish(
    work: Awaitable[Result],
    *,
    cancel: bool = True,
    undo: Callable[[Result], Awaitable[object]] | None = None,
) -> Result:
    """Do work in a task of its own, and wait for its end, however often this one is cancelled.

    A second cancellation would end what httpcore does after the first: its connection would count
    as active for ever.

    Args:
        work: What to do.
        cancel: Whether a cancellation reaches it, once.
        undo: What to do with the result if it comes in spite of a cancellation.
    """
    task, cancelled = asyncio.ensure_future(work), None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
            if cancel and not task.cancelling():
                task.cancel()
    if cancelled is None:
        return task.result()
    if not task.cancelled() and task.exception() is None and undo is not None:
        await finish(undo(task.result()), cancel=False)
    raise cancelled
