"""When to try again, and how long to wait first.

Pure: no I/O, no clock, no random number of its own. ``call.py`` applies it. The reason for each
number is in ``docs/retries-and-errors.md``.
"""

import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from .errors import ConfigurationError, StopReason
from .ranges import HistoryWindow

# 408 and 429 say "later"; a 5xx may pass, but not 501, 505 and 511.
RETRYABLE_STATUSES = frozenset({408, 429, *range(500, 600)}) - {501, 505, 511}

# The longest time that a setting may have, in seconds: 11 days. Operating systems take no more than
# 2**31 milliseconds.
LONGEST = 1e6
_FOREVER = 1e10  # seconds; some 300 years

# RFC 9110, section 10.2.3, says delay-seconds are digits. Some servers send a fraction, and a
# header that came twice is a list: these are read, too.
_DELAY_SECONDS = re.compile(r"[0-9]+(\.[0-9]*)?([ \t]*,[ \t]*[0-9]+(\.[0-9]*)?)*")


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often to try, and how long to wait in between. Times are in seconds, at most 1,000,000.

    Args:
        max_attempts: Requests in all for one call; 1 turns retries off.
        total_timeout: Wall clock for one call (one ``calibration_log``, or one window of a
            history): attempts, waits and the reading of bodies together.
        max_retry_after: The longest ``Retry-After`` that is waited for. A longer one ends the call
            at once, with ``retry_after`` on the error.
        backoff_base: The wait after the first transient failure (5xx, 408, connection) is up to
            this, then up to twice as long each time: full jitter.
        backoff_cap: No such wait is longer.
        throttle_base: The wait after the first 429 without a usable ``Retry-After`` is between
            half of this and this, then twice as long each time.
        throttle_cap: No such wait is longer.

    Raises:
        ConfigurationError: A value of the wrong type or out of bounds.
    """

    max_attempts: int = 4
    total_timeout: float = 180.0
    max_retry_after: float = 120.0
    backoff_base: float = 0.5
    backoff_cap: float = 8.0
    throttle_base: float = 2.0
    throttle_cap: float = 30.0

    def __post_init__(self) -> None:
        attempts = self.max_attempts
        if not isinstance(attempts, int) or isinstance(attempts, bool) or attempts < 1:
            raise ConfigurationError(
                f"max_attempts must be a whole number from 1: {attempts!r}; 1 turns retries off"
            )
        check_seconds("total_timeout", self.total_timeout, above_zero=True)
        for field in fields(self)[2:]:
            check_seconds(field.name, getattr(self, field.name))


def check_seconds(name: str, value: object, *, above_zero: bool = False) -> None:
    """Refuse a value that is not a number of seconds up to `LONGEST`.

    Raises:
        ConfigurationError: Of the wrong type or out of bounds.
    """
    bound = "more than 0" if above_zero else "0 or more"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and value > LONGEST:  # type: ignore[operator]  # a number
        bound = f"at most {LONGEST:.0f}"
    if not number or not 0 <= value <= LONGEST or (above_zero and value == 0):  # type: ignore[operator]  # a number
        raise ConfigurationError(f"{name} must be a number of seconds, {bound}: {value!r:.40}")


@dataclass(frozen=True)
class RetryEvent:
    """One retry that is about to happen.

    Attributes:
        attempt: The attempt that failed; the first is 1.
        reason: What happened, for people: ``429 Too Many Requests, Retry-After 1 s``.
        wait: Seconds until the next attempt.
        method: ``GET``.
        path: The path of the request, without its query.
        window: The window of a history; None outside a history.
    """

    attempt: int
    reason: str
    wait: float
    method: str
    path: str
    window: HistoryWindow | None


@dataclass(frozen=True)
class Outcome:
    """The result of one attempt that did not succeed.

    Attributes:
        status: The status of the answer; None if no complete answer came.
        retry_after: Seconds that the server asked to wait, if it did.
        transient: For an attempt without an answer: whether another could do better.
        repeatable: Whether the request may be sent twice at all.
    """

    status: int | None = None
    retry_after: float | None = None
    transient: bool = True
    repeatable: bool = True

    @property
    def retryable(self) -> bool:
        """Whether another attempt is allowed, and could succeed."""
        may_pass = self.transient if self.status is None else self.status in RETRYABLE_STATUSES
        return may_pass and self.repeatable


@dataclass(frozen=True)
class Wait:
    """Try again after so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Stop:
    """Do not try again, for this reason."""

    reason: StopReason


def decide(
    policy: RetryPolicy, outcome: Outcome, *, attempt: int, elapsed: float, jitter: float
) -> Wait | Stop:
    """Return what follows an attempt that did not succeed.

    Args:
        policy: The caller's numbers.
        outcome: The result of the attempt.
        attempt: Which attempt it was; the first is 1.
        elapsed: Seconds since the call began.
        jitter: A random number, 0 <= jitter < 1.
    """
    left = policy.total_timeout - elapsed
    if not outcome.retryable:
        return Stop("not_retryable")
    if left <= 0:
        return Stop("total_timeout")
    if attempt >= policy.max_attempts:
        return Stop("attempts")
    retry_after = outcome.retry_after
    if retry_after is None:
        wait = _backoff(policy, outcome, attempt, jitter)
        return Wait(wait) if wait < left else Stop("total_timeout")
    if retry_after > policy.max_retry_after or retry_after >= left:
        return Stop("retry_after_too_long")
    return Wait(retry_after + jitter * min(_spread(retry_after), left - retry_after))


def _backoff(policy: RetryPolicy, outcome: Outcome, attempt: int, jitter: float) -> float:
    """Return the wait after a response without a usable ``Retry-After``.

    A 429 gets a floor: with full jitter the next request could follow it at once.
    """
    doubled = 2.0 ** min(attempt - 1, 30)
    if outcome.status == 429:
        ceiling = min(policy.throttle_cap, policy.throttle_base * doubled)
        return ceiling / 2 * (1 + jitter)
    return jitter * min(policy.backoff_cap, policy.backoff_base * doubled)


def _spread(retry_after: float) -> float:
    """Return the longest delay after ``Retry-After``, so that not all clients return at once."""
    return max(1.0, 0.1 * retry_after)


def parse_retry_after(value: str | None, *, date: str | None, now: datetime) -> float | None:
    """Read a ``Retry-After`` header (RFC 9110, section 10.2.3).

    Args:
        value: The header: seconds or an HTTP-date.
        date: The ``Date`` header of the same answer. An HTTP-date is measured against it, so that
            a clock that is wrong on either side does not matter.
        now: The time here (aware), used where ``date`` is missing or unreadable.

    Returns:
        Seconds to wait; None if the header is absent, is not readable, or asks for no wait.
    """
    text = (value or "").strip(" \t")
    if _DELAY_SECONDS.fullmatch(text):
        seconds = min(max(map(float, text.split(","))), _FOREVER)
    elif (until := http_date(text)) is None:
        return None
    else:
        seconds = (until - (http_date(date or "") or now)).total_seconds()
    return seconds if seconds > 0 else None


def http_date(text: str) -> datetime | None:
    """Return an HTTP-date (RFC 9110, section 5.6.7), aware; None if it is invalid."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
