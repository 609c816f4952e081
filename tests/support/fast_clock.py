"""An event loop in which a sleep of an hour takes no time.

Its time stands still while there is work, and jumps to the next timer when there is none. Nothing
in it may wait for sockets or threads.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from cirrus_ext.clock import Clock

T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):
    """Instead of waiting, advances the time."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("there is no timer left")
        self.seconds += max(0.0, timeout)
        return list(super().select(0))


class FastLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.seconds


def run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=FastLoop) as runner:
        return runner.run(main)


def clock() -> Clock:
    return Clock(monotonic=asyncio.get_running_loop().time)
