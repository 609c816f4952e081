"""One call: its attempts, its budget, its place in the queue. No I/O, and no HTTP library.

``http.py`` sends, waits and reads; what it may do next, and for how long, it is told here. Both
its drivers, sync and async, are told by the same code.
"""

import asyncio
import logging
import random
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from .errors import CirrusError, RateLimitError, StopReason
from .retry import Outcome, RetryEvent, Stop, decide
from .settings import Settings

if TYPE_CHECKING:
    from .ranges import HistoryWindow

logger = logging.getLogger("cirrus_ext")
logger.addHandler(logging.NullHandler())

AnyError = TypeVar("AnyError", bound=CirrusError)


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Clock:
    """Where time and chance come from. Tests bring their own.

    Attributes:
        monotonic: Seconds, for durations.
        now: The time of day (aware), for a ``Retry-After`` that is a date.
        random: A number from 0 to 1, 1 excluded.
        sleep: Waits so many seconds.
        async_sleep: Waits so many seconds, in an event loop.
    """

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _utc_now
    random: Callable[[], float] = random.random
    sleep: Callable[[float], object] = time.sleep
    async_sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


@dataclass(frozen=True)
class Context:
    """What a method of ours knows of its request, and the request itself does not say."""

    window: "HistoryWindow | None" = None
    scope: str | None = None


class Pause:
    """The time before which a client sends nothing, because a 429 asked for it."""

    def __init__(self) -> None:
        self._until = float("-inf")
        self._lock = threading.Lock()

    def extend(self, until: float) -> None:
        """Pause until then, unless the pause is longer already."""
        with self._lock:
            self._until = max(self._until, until)

    def remaining(self, now: float) -> float:
        """Seconds that are left of it; 0 if it is over."""
        return max(0.0, self._until - now)


@dataclass
class Call:
    """One call, from its first attempt to its end.

    A driver calls `queue`, then `pause` until it gives 0, then `begin`, then sends; if that did
    not succeed, `conclude` gives the seconds to wait before the same again, or raises.
    """

    method: str
    path: str
    context: Context
    settings: Settings
    clock: Clock
    shared_pause: Pause
    attempt: int = 0
    _started: float = field(init=False)
    _queued: float = field(init=False)

    def __post_init__(self) -> None:
        self._started = self._queued = self.clock.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the call began, less the time spent in the queue."""
        return self.clock.monotonic() - self._started

    @property
    def left(self) -> float:
        """Seconds that are left of the budget."""
        return self.settings.retry.total_timeout - self.elapsed

    def queue(self) -> None:
        """Begin to wait for a slot and for the end of a pause: time that does not count."""
        self._queued = self.clock.monotonic()

    def pause(self) -> float:
        """Seconds to wait for the end of a pause of the client; 0 if there is none.

        Raises:
            RateLimitError: It is longer than what is left of the budget.
        """
        self._excuse_queue()
        remaining = self.shared_pause.remaining(self._queued)
        if remaining < self.left:
            return remaining
        error = RateLimitError(
            f"429: the server asked this client to wait, for another {remaining:.0f} s, and "
            f"total_timeout leaves {self.left:.0f} s ({self.where})",
            status_code=429,
            retry_after=remaining,
        )
        raise self.stamped(error, "retry_after_too_long")

    def begin(self) -> float:
        """Count an attempt; give the seconds that it may take."""
        self._excuse_queue()
        self.attempt += 1
        return self.left

    def _excuse_queue(self) -> None:
        now = self.clock.monotonic()
        self._started += now - self._queued
        self._queued = now

    def conclude(self, error: CirrusError, outcome: Outcome, reason: str) -> float:
        """Say what follows an attempt that did not succeed.

        Args:
            error: What to raise if nothing does.
            outcome: What the policy needs to know of the attempt.
            reason: What happened, in a few words without secrets.

        Returns:
            Seconds to wait before the next attempt.

        Raises:
            CirrusError: ``error``, with what became of the call written on it.
        """
        decision = decide(
            self.settings.retry,
            outcome,
            attempt=self.attempt,
            elapsed=self.elapsed,
            jitter=self.clock.random(),
        )
        if isinstance(decision, Stop):
            raise self.stamped(error, decision.reason)
        if outcome.status == 429 and outcome.retry_after is not None:
            self.shared_pause.extend(self.clock.monotonic() + decision.seconds)
        self._announce(reason, decision.seconds)
        return decision.seconds

    def _announce(self, reason: str, wait: float) -> None:
        logger.info(
            "%s %s: attempt %d: %s; next in %.1f s",
            self.method,
            self.path,
            self.attempt,
            reason,
            wait,
        )
        if self.settings.on_event is not None:
            self.settings.on_event(
                RetryEvent(self.attempt, reason, wait, self.method, self.path, self.context.window)
            )

    def stamped(self, error: AnyError, reason: StopReason) -> AnyError:
        """The error, with what became of the call written on it."""
        error.attempts = self.attempt
        error.elapsed = self.elapsed
        error.stop_reason = reason
        error.window = self.context.window
        return error

    @property
    def where(self) -> str:
        """The call in a few words, for a message."""
        tries = "1 attempt" if self.attempt == 1 else f"{self.attempt} attempts"
        return f"{self.method} {self.path}, {tries}"
