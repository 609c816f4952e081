"""A clock that moves only when a client waits, and fixed random numbers."""

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cirrus_ext.clock import Clock


@dataclass
class FakeClock:
    """Records each wait, and returns at once.

    Attributes:
        seconds: The time since its start.
        waits: The seconds of each wait, in order.
        chance: Each random number.
    """

    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)
    chance: float = 0.5
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def sleep(self, seconds: float, stop: threading.Event | None = None) -> None:
        del stop
        with self._lock:
            self.waits.append(seconds)
            self.seconds += seconds

    async def async_sleep(self, seconds: float) -> None:
        self.sleep(seconds)

    def now(self) -> datetime:
        """The time of day, from noon on the first day of 2026."""
        return datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def clock(self) -> Clock:
        return Clock(
            monotonic=lambda: self.seconds,
            now=self.now,
            random=lambda: self.chance,
            sleep=self.sleep,
            async_sleep=self.async_sleep,
        )
