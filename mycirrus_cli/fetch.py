"""The requests of one run: what is sent, and what came of it."""

from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cirrus_ext.errors import CirrusError
from cirrus_ext.ranges import HistoryWindow, wire_time
from cirrus_ext.retry import RetryEvent
from cirrus_ext.settings import DEFAULT_MAX_CONCURRENCY, Secret, find_base_url

from .echo import echo
from .keys import find_key
from .progress import Progress, shown
from .text import first_few, quantity

if TYPE_CHECKING:
    from cirrus_ext.calibration_log import CalibrationRecord
    from cirrus_ext.client import CirrusClient

    Answer = tuple[HistoryWindow, list[CalibrationRecord]]


@dataclass(kw_only=True)
class Source:
    """Where entries come from.

    Attributes:
        instruments: Serial numbers.
        quiet: Whether to write no messages but errors.
        entries: How many entries each instrument has, of those that have come.
    """

    instruments: Sequence[str]
    quiet: bool = False
    entries: Counter[str] = field(default_factory=Counter[str])

    def say_end(self, output: Path | None) -> None:
        """Say what was asked, what came, and where it is, unless nobody wants to know."""
        if not self.quiet:
            words = ", ".join(self._in_words())
            echo(words + ("" if output is None else f"; {output} is written"))

    def _in_words(self) -> list[str]:
        without = [serial for serial in self.instruments if not self.entries[serial]]
        return [
            quantity(len(self.instruments), "instrument"),
            quantity(self.entries.total(), "entry"),
            *([f"none of {first_few(without)}"] if without else []),
        ]


@dataclass(kw_only=True)
class Fetch(Source):
    """The API, and what was requested from it.

    Attributes:
        server: Who is asked.
        concurrency: Requests under way at once.
        api_key: With which key.
        streaming: Whether records go to standard output meanwhile.
        answered: Windows whose records have been given.
        repeats: What had to be sent once more; from any thread.
    """

    server: str
    concurrency: int
    api_key: Secret
    streaming: bool = False
    answered: int = 0
    repeats: list[RetryEvent] = field(default_factory=list[RetryEvent])

    @property
    def requests(self) -> int:
        """Requests sent for what was given."""
        return self.answered + len(self.repeats)

    @contextmanager
    def windows(
        self,
        plan: Sequence[HistoryWindow],
        *,
        on_failure: Callable[[CirrusError], object] | None = None,
    ) -> Generator["Iterator[Answer]"]:
        """Fetch windows, and show how far it is.

        Args:
            plan: What to fetch.
            on_failure: Is called with the error of a window that failed; unless it raises it, the
                others go on. Then the windows come as they are there, else in their order.

        Yields:
            Each window with its records.

        Raises:
            CirrusError: One failed; all before it have been given.
        """
        from cirrus_ext.client import CirrusClient  # noqa: PLC0415 - imports httpx, in its time

        with (
            shown(len(plan), quiet=self.quiet, streaming=self.streaming) as progress,
            CirrusClient(
                self.api_key.reveal(),
                base_url=self.server,
                max_concurrency=self.concurrency,
                on_event=lambda event: self._repeat(event, progress),
            ) as client,
            closing(_answers(client, plan, on_failure)) as answers,
        ):
            yield self._counted(answers, progress)

    def _counted(self, answers: "Iterator[Answer]", progress: Progress) -> "Iterator[Answer]":
        for window, records in answers:
            self.answered += 1
            self.entries[window.instrument] += len(records)
            yield window, records
            progress.window_done(self.entries.total())

    def _repeat(self, event: RetryEvent, progress: Progress) -> None:
        self.repeats.append(event)
        progress.waiting(event)

    def _in_words(self) -> list[str]:
        return [quantity(self.requests, "request"), *super()._in_words()]


def _answers(
    client: "CirrusClient",
    plan: Sequence[HistoryWindow],
    on_failure: Callable[[CirrusError], object] | None,
) -> "Generator[Answer]":
    due = dict.fromkeys(plan)
    while due:
        ordered = on_failure is None
        try:
            with closing(client.history_windows(list(due), ordered=ordered)) as answers:
                for window, records in answers:
                    del due[window]
                    yield window, records
        except CirrusError as error:
            if on_failure is None or error.window is None:
                raise
            on_failure(error)
            del due[error.window]


def fetch_of(options: Namespace, instruments: Sequence[str]) -> Fetch:
    """The run that the command line asks for.

    Raises:
        CommandError: No key.
        ConfigurationError: Not an address.
    """
    concurrency = options.concurrency or DEFAULT_MAX_CONCURRENCY
    server = find_base_url(options.base_url)
    api_key, _ = find_key(options.api_key_file, quiet=options.quiet)
    return Fetch(
        instruments=instruments,
        server=server,
        concurrency=concurrency,
        api_key=api_key,
        quiet=options.quiet,
    )


def show_plan(windows: Sequence[HistoryWindow], instruments: Sequence[str], words: str) -> None:
    """Print the requests that there would be."""
    count = quantity(len(instruments), "instrument")
    print(f"{quantity(len(windows), 'request')} for {count}, {words}")
    for window in windows:
        print(f"{window.instrument}  {wire_time(window.start)}  {wire_time(window.end)}")
