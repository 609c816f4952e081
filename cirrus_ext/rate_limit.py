"""When a client may send next: not during a cooldown, and no faster than the server accepts.

Pure: no clock, no waiting. All requests of a client share one limiter; threads may share it too.

There is no limit until a 429 comes. Then the rate is measured: the number of accepted requests,
divided by the time that they took *and* the wait that the 429 asks for. (Without that wait, a first
burst would measure a thousand a second.) The time begins with the first answer: while the first
connections are made, nothing can be accepted. It begins anew after a pause in which nothing was to
be sent: what was accepted before says nothing about the rate. From the rate the client begins a
little lower, and goes up slowly, because a server says when it is too high and never when it is too
low.
"""

import threading

# How many accepted requests a measurement needs: few for the first rate, since any is better than
# none, and more to change it, since concurrent requests that meet a 429 have few between them.
MIN_FIRST_SAMPLES = 2
MIN_SAMPLES = 5
# What is taken of the first rate: at exactly its rate a server with a small burst refuses at once.
# Later rates are a little low by themselves, because waits are longer than requested.
FIRST_MARGIN = 0.95
# A pause of more than so many seconds, from an answer to the next request, ends a measurement.
MAX_PAUSE = 1.0
# Requests a second; a client never sends fewer because of the rate. It is one in 60 s.
MIN_RATE = 1 / 60
# How much the rate grows in a second: 429s are then seconds apart, and few.
GROWTH = 0.01
# After so many seconds of growth there is no limit any more (a factor of 20,000).
MAX_GROWTH_SECONDS = 1000.0


class AdaptiveRateLimiter:
    """The cooldown and the rate of one client. All times are in seconds, of any one clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cooldown_until = float("-inf")
        self._accepted = 0  # requests since the measurement began
        self._measuring_since = float("inf")
        self._measuring_until: float | None = None  # when the wait ends that a 429 requested
        self._measured: tuple[float, float] | None = None  # requests a second, and when measured
        self._next = float("-inf")
        self._busy_until = float("-inf")  # an answer came, or a wait after a 429 ends

    def cooldown_left(self, now: float) -> float:
        """Return the seconds for which nothing is sent, because a 429 requested it."""
        return max(0.0, self._cooldown_until - now)

    def rate(self, now: float) -> float | None:
        """Return the requests a second that may be sent; None if there is no limit."""
        if self._measured is None:
            return None
        rate, when = self._measured
        grown = now - when
        return rate * (1 + GROWTH) ** grown if grown < MAX_GROWTH_SECONDS else None

    def acquire(self, now: float) -> float:
        """Ask for a permit to send one request.

        Returns:
            0 if it may be sent now, else the seconds after which to ask again.
        """
        with self._lock:
            if now - max(self._busy_until, self._cooldown_until, self._next) > MAX_PAUSE:
                self._accepted, self._measuring_since = 0, float("inf")
                self._measuring_until = None
            if now < self._cooldown_until:
                return self._cooldown_until - now
            self._measure(now)
            rate = self.rate(now)
            if rate is None:
                return 0.0
            if now < self._next:
                return self._next - now
            # A request that is sent late does not make the next one late.
            self._next = max(self._next, now - 1 / rate) + 1 / rate
            return 0.0

    def _measure(self, now: float) -> None:
        """Compute the rate when the wait after a 429 is over and all answers are in."""
        if self._measuring_until is None or now < self._measuring_until:
            return
        first = self._measured is None
        needed, margin = (MIN_FIRST_SAMPLES, FIRST_MARGIN) if first else (MIN_SAMPLES, 1.0)
        took = self._measuring_until - self._measuring_since
        if self._accepted >= needed and took > 0:
            self._measured = (max(MIN_RATE, margin * self._accepted / took), now)
            self._measuring_since, self._accepted = self._measuring_until, 0
        self._measuring_until = None

    def on_accepted(self, now: float) -> None:
        """Count an answer that is not a 429."""
        with self._lock:
            self._accepted += 1
            self._measuring_since = min(self._measuring_since, now)
            self._busy_until = max(self._busy_until, now)

    def on_throttled(self, now: float, *, retry_after: float | None, wait: float) -> None:
        """Record a 429 after which the client waits.

        Args:
            now: The time.
            retry_after: The seconds of its ``Retry-After``; without one no other request waits.
            wait: The seconds until its own next attempt.
        """
        with self._lock:
            self._measuring_since = min(self._measuring_since, now)
            self._busy_until = max(self._busy_until, now + wait)
            # Several 429s at once pause as long as the first of them: each wait has its own jitter.
            if retry_after is not None and now + retry_after > self._cooldown_until:
                self._cooldown_until = now + wait
            if self._measuring_until is None:
                self._measuring_until = now + (wait if retry_after is None else retry_after)
