"""When a client may send next: not during a pause, and no faster than the server is known to take.

Pure: no clock, no waiting. All requests of a client share one `Pace`, which threads may share too.

There is no limit until a 429 comes. Then the answers that the server has taken, over the time
they took *and* the wait that it asks for, are the rate at which it takes them: without the wait, a
first burst would teach a thousand a second. From there the rate grows slowly, since the server
says when it is too high and never when it is too low.
"""

import threading

# So many answers teach a rate: few for the first one, since any is better than none, and more to
# change it, since the 429s of requests that were under way together have few between them.
FIRST_EVIDENCE = 2
EVIDENCE = 5
# What the rate grows by in a second: 429s are then seconds apart, and few.
GROWTH = 0.01
# Beyond this many seconds of growth there is no limit any more (a factor of 20,000).
FORGOTTEN = 1000.0


class Pace:
    """The pause and the rate of one client. All times are in seconds, of any one clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paused_until = float("-inf")
        self._accepted = 0  # answers since ...
        self._since: float | None = None
        self._lesson_ends: float | None = None  # when the wait is over that a 429 asked for
        self._learned: tuple[float, float] | None = None  # a rate, and when it was right
        self._next = float("-inf")

    def pause_left(self, now: float) -> float:
        """Seconds for which nothing is sent, because a 429 asked for it."""
        return max(0.0, self._paused_until - now)

    def rate(self, now: float) -> float | None:
        """Requests a second that may be sent; None if there is no limit."""
        if self._learned is None:
            return None
        rate, when = self._learned
        grown = now - when
        return rate * (1 + GROWTH) ** grown if grown < FORGOTTEN else None

    def turn(self, now: float) -> float:
        """Take a turn to send: 0 if it is had, else the seconds after which to ask again."""
        with self._lock:
            if now < self._paused_until:
                return self._paused_until - now
            self._learn(now)
            rate = self.rate(now)
            if rate is None:
                return 0.0
            if now < self._next:
                return self._next - now
            # A turn that is taken late does not make the next one late.
            self._next = max(self._next, now - 1 / rate) + 1 / rate
            return 0.0

    def _learn(self, now: float) -> None:
        """Take the lesson of the last 429, when its wait is over and all answers are in."""
        if self._since is None:
            self._since = now
        if self._lesson_ends is None or now < self._lesson_ends:
            return
        needed = FIRST_EVIDENCE if self._learned is None else EVIDENCE
        took = self._lesson_ends - self._since
        if self._accepted >= needed and took > 0:
            self._learned = (self._accepted / took, now)
            self._since, self._accepted = self._lesson_ends, 0
        self._lesson_ends = None

    def accepted(self) -> None:
        """Count an answer that is no 429."""
        with self._lock:
            self._accepted += 1

    def throttled(self, now: float, *, asked: float | None, wait: float) -> None:
        """Take note of a 429 that is going to be waited for.

        Args:
            now: The time.
            asked: The seconds of its ``Retry-After``; without one nobody else is paused.
            wait: The seconds until its own next attempt.
        """
        with self._lock:
            if asked is not None:
                self._paused_until = max(self._paused_until, now + wait)
            if self._lesson_ends is None:
                self._lesson_ends = now + (wait if asked is None else asked)
