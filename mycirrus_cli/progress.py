"""How far a run is, on a terminal."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol

from cirrus_ext.retry import RetryEvent


class Progress(Protocol):
    """Who is told how far a run is."""

    def window_done(self, records: int) -> None:
        """One more request is answered; so many records in all."""

    def waiting(self, event: RetryEvent) -> None:
        """A request is about to be repeated; called from any thread."""


class Silence:
    """Tells nobody."""

    def window_done(self, records: int) -> None:
        """Say nothing."""

    def waiting(self, event: RetryEvent) -> None:
        """Say nothing."""


@contextmanager
def shown(total: int, *, quiet: bool, streaming: bool) -> Generator[Progress]:
    """Show how far a run is while the block lasts, if there is a terminal to show it on.

    Args:
        total: Requests planned.
        quiet: Nobody wants to know.
        streaming: Records are written to standard output meanwhile.
    """
    busy = streaming and sys.stdout is not None and sys.stdout.isatty()
    if quiet or busy or sys.stderr is None or not sys.stderr.isatty():
        yield Silence()
        return
    try:
        from .bar import Bar  # noqa: PLC0415 - imports rich
    except ImportError:
        yield Silence()
        return
    with Bar(total) as bar:
        yield bar
