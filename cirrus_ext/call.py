"""One call: its attempts, its waits and its time limit. No I/O, and no HTTP library.

`Call.steps` is the retry loop, for both clients. It yields what to do next (`AcquireSlot`, `Sleep`,
`Attempt`), in this order, until there is a response or no further attempt. A driver in ``http.py``
does it; after an `Attempt` it has set the call's ``response`` or its ``problem``.

A slot is one of ``max_concurrency``; a permit is the rate limiter's, to send one request.
"""

import asyncio
import json
import logging
import threading
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from traceback import format_exception
from typing import Any, TypeVar

from . import errors
from .clock import Clock
from .ranges import HistoryWindow
from .rate_limit import AdaptiveRateLimiter
from .responses import PROBLEM_LIMIT, beginning_of, reason_of, status_error
from .retry import Outcome, RetryEvent, Stop, decide, parse_retry_after
from .settings import Settings

logger = logging.getLogger("cirrus_ext")
logger.addHandler(logging.NullHandler())

# To send twice has the same effect as to send once (RFC 9110, section 9.2.2).
REPEATABLE_METHODS = frozenset({"GET", "HEAD"})

AnyError = TypeVar("AnyError", bound=errors.CirrusError)


# Of httpx, with its body read: a call uses ``status_code``, ``headers`` and ``content``.
Response = Any


@dataclass(frozen=True)
class Problem:
    """Why an attempt got no complete response.

    Attributes:
        reason: In a few words; may have secrets.
        cause: The HTTP library's error.
        timed_out: Whether a time limit ended the attempt.
        transient: Whether another attempt could succeed.
    """

    reason: str
    cause: BaseException
    timed_out: bool
    transient: bool


@dataclass(frozen=True)
class AcquireSlot:
    """Wait for a free slot of the client, and take it. The call releases it."""


@dataclass(frozen=True)
class Sleep:
    """Wait so many seconds, or until the call is cancelled."""

    seconds: float


@dataclass(frozen=True)
class Attempt:
    """Send the request and read the response, within so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Context:
    """What the client knows about a request, and the request itself does not say.

    Attributes:
        window: The window of a history.
        scope: The scope that the key needs.
        stop: Set when the caller no longer wants the response; sync only.
    """

    window: HistoryWindow | None = None
    scope: str | None = None
    stop: threading.Event | None = None


@dataclass(frozen=True)
class _Failure:
    """An attempt that got no 2xx: the error, what the policy needs to know, and a reason."""

    error: errors.CirrusError
    outcome: Outcome
    reason: str


@dataclass(frozen=True)
class ClientState:
    """What all calls of one client share."""

    settings: Settings
    clock: Clock
    slots: threading.BoundedSemaphore | asyncio.BoundedSemaphore
    limiter: AdaptiveRateLimiter = field(default_factory=AdaptiveRateLimiter)
    closing: threading.Event = field(default_factory=threading.Event)

    def start_call(self, method: str, path: str, context: Context) -> "Call":
        """Start the time of a call."""
        return Call(method, path, context, self, context.stop or self.closing)


@dataclass
class Call:
    """One call, from its first attempt to its end."""

    method: str
    path: str
    context: Context
    client: ClientState
    stop: threading.Event
    attempt: int = 0
    response: Response = None
    problem: Problem | None = None
    _started: float = field(init=False)
    _enqueued: float = field(init=False)
    _last_error: errors.CirrusError | None = None

    def __post_init__(self) -> None:
        self._started = self._enqueued = self.client.clock.monotonic()

    def steps(self) -> Generator[AcquireSlot | Sleep | Attempt]:
        """Run the retry loop: acquire a slot and a permit, attempt, decide, wait.

        Yields:
            What the driver has to do.

        Raises:
            CirrusError: There is no further attempt.
        """
        while True:
            self.check_wanted()
            self._enqueued = self.client.clock.monotonic()
            yield AcquireSlot()
            try:
                while seconds := self._acquire():
                    yield Sleep(seconds)
                yield self._start_attempt()
            finally:
                self.client.slots.release()
            if self.problem is not None:
                failure = self._on_problem(self.problem)
            elif 200 <= self.response.status_code <= 299:
                self.client.limiter.on_accepted(self.client.clock.monotonic())
                return
            else:
                failure = self._on_error_status()
            yield Sleep(self._next_delay(failure))

    @property
    def elapsed(self) -> float:
        """Seconds since the call began, without the time in the queue."""
        return self.client.clock.monotonic() - self._started

    @property
    def left(self) -> float:
        """Seconds that are left of ``total_timeout``."""
        return self.client.settings.retry.total_timeout - self.elapsed

    def _exclude_queue_time(self) -> None:
        """Time spent waiting for a slot, a cooldown or the rate does not count as elapsed."""
        now = self.client.clock.monotonic()
        self._started += now - self._enqueued
        self._enqueued = now

    def _acquire(self) -> float:
        """Return 0 with a permit to send; else the seconds after which to ask again.

        Raises:
            RateLimitError: The cooldown is longer than what is left of ``total_timeout``.
            CirrusError: The last attempt's error, if nothing is left; or the call was cancelled.
        """
        self.check_wanted()
        self._exclude_queue_time()
        if self.left <= 0 and self._last_error is not None:
            raise self.annotate(self._last_error, "total_timeout")
        cooldown = self.client.limiter.cooldown_left(self._enqueued)
        if cooldown < self.left:
            return self.client.limiter.acquire(self._enqueued)
        error = errors.RateLimitError(
            f"429: the server asked this client to wait, for another {cooldown:.0f} s, and "
            f"total_timeout leaves {self.left:.0f} s ({self._description})",
            status_code=429,
            retry_after=cooldown,
        )
        raise self.annotate(error, "retry_after_too_long")

    def _start_attempt(self) -> Attempt:
        self._exclude_queue_time()
        self.attempt += 1
        self.problem = None
        return Attempt(self.left)

    def _on_problem(self, problem: Problem) -> _Failure:
        self.check_wanted()
        scrub = self.client.settings.api_key.scrub
        reason = scrub(problem.reason)
        kind = errors.APITimeoutError if problem.timed_out else errors.APIConnectionError
        what = "no complete answer" + (" in time" if problem.timed_out else "")
        error = kind(f"{what}: {reason} ({self._description})")
        shown = "".join(format_exception(problem.cause, limit=0))
        if scrub(shown) == shown:  # else a server has echoed the key in what is no HTTP
            error.__cause__ = problem.cause
        return _Failure(error, Outcome(transient=problem.transient), reason)

    def _on_error_status(self) -> _Failure:
        status, headers = self.response.status_code, self.response.headers
        if status != 429:
            self.client.limiter.on_accepted(self.client.clock.monotonic())
        retry_after = parse_retry_after(
            headers.get("retry-after"), date=headers.get("date"), now=self.client.clock.now()
        )
        error = status_error(
            status,
            self.response.content,
            retry_after=retry_after,
            key=self.client.settings.api_key,
            scope=self.context.scope,
            call=self._description,
        )
        return _Failure(error, Outcome(status, retry_after), reason_of(status, retry_after))

    def _next_delay(self, failure: _Failure) -> float:
        """Return the seconds to wait before the next attempt.

        Raises:
            CirrusError: There is none.
        """
        self._last_error, outcome = failure.error, failure.outcome
        decision = decide(
            self.client.settings.retry,
            replace(outcome, repeatable=self.method in REPEATABLE_METHODS),
            attempt=self.attempt,
            elapsed=self.elapsed,
            jitter=self.client.clock.random(),
        )
        if isinstance(decision, Stop):
            raise self.annotate(failure.error, decision.reason)
        wait = decision.seconds
        if outcome.status == 429:
            self.client.limiter.on_throttled(
                self.client.clock.monotonic(), retry_after=outcome.retry_after, wait=wait
            )
        window = self.context.window
        self._announce(
            RetryEvent(self.attempt, failure.reason, wait, self.method, self.path, window)
        )
        return wait

    def _announce(self, event: RetryEvent) -> None:
        what = (event.method, event.path, event.attempt, event.reason, event.wait)
        logger.info("%s %s: attempt %d: %s; next in %.1f s", *what)
        if self.client.settings.on_event is not None:
            self.client.settings.on_event(event)

    def check_wanted(self) -> None:
        """Stop if the caller no longer wants the response.

        Raises:
            APIConnectionError: The client was closed, or a history was left.
        """
        if self.stop.is_set():
            error = errors.APIConnectionError(
                f"closed before there was an answer ({self._description})"
            )
            raise self.annotate(error, "not_retryable")

    def parse_json(self, response: Response, **options: Any) -> Any:
        """Parse the body of a 2xx.

        Raises:
            APIResponseError: It is not JSON.
        """
        try:
            return json.loads(response.content, **options)
        except (ValueError, RecursionError) as error:
            problem = f"is not JSON: {error}"
        # Outside the handler: the parser's own error holds the whole body.
        raise self.body_error(response, "$", problem)

    def body_error(self, response: Response, path: str, problem: str) -> errors.APIResponseError:
        """Return the error for a 2xx whose body does not fit the contract.

        Args:
            response: The response.
            path: Where in the body, as a JSON path.
            problem: What is wrong there, to be read after the path.
        """
        key, status = self.client.settings.api_key, response.status_code
        problem = key.scrub(problem, PROBLEM_LIMIT)
        message = f"{status}, but {path} {problem} ({self._description})"
        body = beginning_of(response.content, key)
        error = errors.APIResponseError(message, status_code=status, path=path, body=body)
        return self.annotate(error, "not_retryable")

    def annotate(self, error: AnyError, reason: errors.StopReason) -> AnyError:
        """Write on the error what became of the call."""
        error.attempts = self.attempt
        error.elapsed = self.elapsed
        error.stop_reason = reason
        error.window = self.context.window
        return error

    @property
    def _description(self) -> str:
        attempts = "1 attempt" if self.attempt == 1 else f"{self.attempt} attempts"
        return f"{self.method} {self.path}, {attempts}"
