"""Where time and randomness come from."""

import asyncio
import random
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Clock:
    """Where time and randomness come from. Tests pass their own.

    Attributes:
        monotonic: Seconds, for durations.
        now: The time of day (aware), for a ``Retry-After`` that is a date.
        random: A number from 0 to 1, 1 excluded.
        sleep: Waits so many seconds, or until the event is set.
        async_sleep: Waits so many seconds, in an event loop.
    """

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    random: Callable[[], float] = random.random
    sleep: Callable[[float, threading.Event], object] = lambda seconds, stop: stop.wait(seconds)
    async_sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
