"""The requests of one run, and their results."""

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

    def print_summary(self, output: Path | None) -> None:
        """Print a summary, unless ``quiet``."""
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
        server: The address of the API.
        concurrency: The number of simultaneous requests.
        api_key: The key.
        streaming: Whether records are written to standard output meanwhile.
        answered: The number of windows that were yielded.
        repeats: The retries; written from any thread.
    """

    server: str
    concurrency: int
    api_key: Secret
    streaming: bool = False
    answered: int = 0
    repeats: list[RetryEvent] = field(default_factory=list[RetryEvent])

    @property
    def requests(self) -> int:
        """The number of requests sent for the yielded windows."""
        return self.answered + len(self.repeats)

    @contextmanager
    def windows(
        self,
        plan: Sequence[HistoryWindow],
        *,
        on_failure: Callable[[CirrusError], object] | None = None,
    ) -> Generator["Iterator[Answer]"]:
        """Fetch windows, and show the progress.

        Args:
            plan: What to fetch.
            on_failure: Called with the error of a window; unless it raises an error, the other
                windows are still fetched. With it, the windows come as they arrive, else in order.

        Yields:
            Each window with its records.

        Raises:
            CirrusError: A window failed; those before it were yielded.
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
            yield self._counting(answers, progress)

    def _counting(self, answers: "Iterator[Answer]", progress: Progress) -> "Iterator[Answer]":
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
            for one in (error, *error.others):
                on_failure(one)
                del due[one.window]


def fetch_of(options: Namespace, instruments: Sequence[str]) -> Fetch:
    """Return the run of the command line.

    Raises:
        CommandError: There is no key.
        ConfigurationError: The address is invalid.
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
    """Print the requests of a run that was not started."""
    count = quantity(len(instruments), "instrument")
    print(f"{quantity(len(windows), 'request')} for {count}, {words}")
    for window in windows:
        print(f"{window.instrument}  {wire_time(window.start)}  {wire_time(window.end)}")
