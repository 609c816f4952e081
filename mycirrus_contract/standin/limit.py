"""How many requests a server accepts. Imports nothing but Python."""

import time
from collections.abc import Callable


class Limit:
    """A token bucket that holds the tokens of one second.

    Attributes:
        rate: Requests per second.
        refused: How many requests got no token.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self.refused = 0
        self._clock = clock
        self._tokens = rate
        self._seen = clock()

    def takes(self) -> bool:
        """Take a token for one request, if there is one."""
        now = self._clock()
        self._tokens = min(self.rate, self._tokens + (now - self._seen) * self.rate)
        self._seen = now
        if self._tokens < 1:
            self.refused += 1
            return False
        self._tokens -= 1
        return True
