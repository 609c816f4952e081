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
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

from .errors import APIConnectionError, CirrusError, RateLimitError, StopReason
from .pace import Pace
from .ranges import HistoryWindow
from .retry import Outcome, RetryEvent, Stop, decide
from .settings import Settings

logger = logging.getLogger("cirrus_ext")
logger.addHandler(logging.NullHandler())

# Asking twice does no more than asking once (RFC 9110, section 9.2.2); and the API has no others
# that are ours to repeat.
REPEATABLE = frozenset({"GET", "HEAD"})

AnyError = TypeVar("AnyError", bound=CirrusError)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _sleep(seconds: float, stop: threading.Event) -> None:
    stop.wait(seconds)


@dataclass(frozen=True)
class Clock:
    """Where time and chance come from. Tests bring their own.

    Attributes:
        monotonic: Seconds, for durations.
        now: The time of day (aware), for a ``Retry-After`` that is a date.
        random: A number from 0 to 1, 1 excluded.
        sleep: Waits so many seconds, or until the event is set.
        async_sleep: Waits so many seconds, in an event loop.
    """

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _utc_now
    random: Callable[[], float] = random.random
    sleep: Callable[[float, threading.Event], object] = _sleep
    async_sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


@dataclass(frozen=True)
class Context:
    """What a method of ours knows of its request, and the request itself does not say.

    Attributes:
        window: The window of a history.
        scope: What the key must be allowed to do.
        stop: Set when nobody wants the answer any more; sync only.
    """

    window: HistoryWindow | None = None
    scope: str | None = None
    stop: threading.Event | None = None


@dataclass
class Call:
    """One call, from its first attempt to its end.

    A driver calls `queue`, then `turn` until it gives 0, then `begin`, then sends; if that did not
    succeed, `conclude` gives the seconds to wait before the same again, or raises.
    """

    method: str
    path: str
    context: Context
    settings: Settings
    clock: Clock
    pace: Pace
    stop: threading.Event
    attempt: int = 0
    _started: float = field(init=False)
    _queued: float = field(init=False)
    _last_error: CirrusError | None = None

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

    def turn(self) -> float:
        """Seconds after which to ask again; 0 if it is this call's turn to send.

        Raises:
            RateLimitError: The client is to pause for longer than what is left of the budget.
            CirrusError: The last attempt's error, if nothing is left.
        """
        self._excuse_queue()
        if self.left <= 0 and self._last_error is not None:
            raise self.stamped(self._last_error, "total_timeout")
        pause = self.pace.pause_left(self._queued)
        if pause < self.left:
            return self.pace.turn(self._queued)
        error = RateLimitError(
            f"429: the server asked this client to wait, for another {pause:.0f} s, and "
            f"total_timeout leaves {self.left:.0f} s ({self.where})",
            status_code=429,
            retry_after=pause,
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
        self._last_error = error
        decision = decide(
            self.settings.retry,
            outcome if self.method in REPEATABLE else replace(outcome, repeatable=False),
            attempt=self.attempt,
            elapsed=self.elapsed,
            jitter=self.clock.random(),
        )
        if isinstance(decision, Stop):
            raise self.stamped(error, decision.reason)
        if outcome.status == 429:
            self.pace.throttled(
                self.clock.monotonic(), asked=outcome.retry_after, wait=decision.seconds
            )
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

    @property
    def is_stopped(self) -> bool:
        """Whether nobody wants the answer any more."""
        return self.stop.is_set()

    def check_wanted(self) -> None:
        """Give up if nobody wants the answer any more.

        Raises:
            APIConnectionError: The client was closed, or a history was left.
        """
        if self.is_stopped:
            error = APIConnectionError(f"closed before there was an answer ({self.where})")
            raise self.stamped(error, "not_retryable")

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
