"""The progress bar."""

import math
from time import monotonic
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from cirrus_ext.retry import RetryEvent

from .console import console


class _Wait(ProgressColumn):
    """The reason of a wait, until the wait is over."""

    def __init__(self) -> None:
        super().__init__()
        self._words, self._until = "", 0.0

    def begin(self, words: str, seconds: float) -> None:
        """Show a text for so many seconds; of several waits the longest."""
        until = monotonic() + seconds
        if until > self._until:
            self._words, self._until = words, until

    def render(self, task: Task) -> Text:
        """Return the text, or an empty one."""
        del task
        return Text(self._words if monotonic() < self._until else "", style="yellow")


class Bar:
    """Shows the number of requests and records, and the reason of a wait, on stderr."""

    def __init__(self, total: int) -> None:
        self._wait = _Wait()
        self._progress = Progress(
            TextColumn("{task.completed:.0f} of {task.total:.0f} requests"),
            BarColumn(20),
            TextColumn("{task.fields[records]:,} records"),
            self._wait,
            console=console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("", total=total, records=0)

    def window_done(self, records: int) -> None:
        """Count one more answered request; ``records`` is the sum of all."""
        self._progress.update(self._task, advance=1, records=records)

    def waiting(self, event: RetryEvent) -> None:
        """Show that a request waits for its next attempt."""
        self._wait.begin(wait_in_words(event), event.wait)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()


def wait_in_words(event: RetryEvent) -> str:
    """Return ``waiting 12 s, as the server asked``, or the reason of the wait."""
    seconds = math.ceil(event.wait)
    if "Retry-After" in event.reason:
        return f"waiting {seconds} s, as the server asked"
    return f"waiting {seconds} s after {event.reason}"
