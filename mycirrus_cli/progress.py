"""Shows the progress of a run on a terminal."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from cirrus_ext.retry import RetryEvent


class Progress(Protocol):
    """Shows the progress of a run."""

    def window_done(self, records: int) -> None:
        """Count one more answered request; ``records`` is the sum of all."""

    def waiting(self, event: RetryEvent) -> None:
        """Show that a request waits for its next attempt; called from any thread."""


class NullProgress:
    """Shows nothing."""

    def window_done(self, records: int) -> None:
        """Do nothing."""

    def waiting(self, event: RetryEvent) -> None:
        """Do nothing."""


@contextmanager
def shown(total: int, *, quiet: bool, streaming: bool) -> Generator[Progress]:
    """Show the progress while the block runs, if stderr is a terminal.

    Args:
        total: The number of planned requests.
        quiet: Whether to show nothing.
        streaming: Whether records are written to standard output meanwhile.
    """
    busy = streaming and sys.stdout.isatty()
    if quiet or busy or sys.stderr is None or not sys.stderr.isatty():
        yield NullProgress()
        return
    try:
        from .bar import Bar  # noqa: PLC0415 - imports rich
    except ImportError:
        yield NullProgress()
        return
    with Bar(total) as bar:
        yield bar
