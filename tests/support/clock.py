"""A clock that only moves when somebody waits, and chance that is no chance."""

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cirrus_ext.clock import Clock


@dataclass
class FakeClock:
    """Waits without waiting, and writes down how long.

    Attributes:
        seconds: How far it has moved.
        waits: Every wait, in order.
        chance: What each random number is.
    """

    seconds: float = 0.0
    waits: list[float] = field(default_factory=list)
    chance: float = 0.5
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def sleep(self, seconds: float, stop: threading.Event | None = None) -> None:
        """Move on."""
        del stop
        with self._lock:
            self.waits.append(seconds)
            self.seconds += seconds

    async def async_sleep(self, seconds: float) -> None:
        """Move on, in an event loop."""
        self.sleep(seconds)

    def now(self) -> datetime:
        """The time of day: it begins at noon on the first day of 2026."""
        return datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def clock(self) -> Clock:
        """Itself, as a client takes it."""
        return Clock(
            monotonic=lambda: self.seconds,
            now=self.now,
            random=lambda: self.chance,
            sleep=self.sleep,
            async_sleep=self.async_sleep,
        )
