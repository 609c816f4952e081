"""An event loop whose time flies: who sleeps an hour in it waits for nothing.

Time stands still while there is work, and jumps to the next timer when there is none. Nothing in it
may wait for the real world (sockets, threads).
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from cirrus_ext.clock import Clock

T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):
    """Instead of waiting for something to happen, lets the time pass."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("nothing is left that could ever happen")
        self.seconds += max(0.0, timeout)
        return list(super().select(0))


class FastLoop(asyncio.SelectorEventLoop):
    """An event loop with a clock of its own."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.seconds


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end, in no time."""
    with asyncio.Runner(loop_factory=FastLoop) as runner:
        return runner.run(main)


def clock() -> Clock:
    """The clock of a client in the loop that runs now."""
    return Clock(monotonic=asyncio.get_running_loop().time)
