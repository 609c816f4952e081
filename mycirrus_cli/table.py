"""The table that ``mycirrus log`` shows to people. Needs rich.

A text that came from a server is shown as it is: it is no markup, and nothing in it moves the
cursor, colours the screen or turns the direction of writing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

from rich.columns import Columns
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mycirrus_contract.text import plain

from .console import console
from .times import written_time
from .words import counted

if TYPE_CHECKING:
    from cirrus_ext.calibration_log import CalibrationRecord

Row = tuple[str, str, str, str]

HEADINGS = ("Instrument", "Time (UTC)", "User", "Message")
NARROW = 70  # columns of a terminal; with fewer, a message would be a thread
UNSHOWN = "?"
NO_PROOF = "An empty history does not prove that the instrument exists: check the serial number."


class TableWriter:
    """Collects records, and prints them with a summary when all are there.

    On a narrow terminal each entry is a paragraph instead of a row.

    Args:
        stream: Where to. Colours and the width of the terminal are used if it is one.
        instruments: The serial numbers that were asked for; the summary names those without any
            entry.
    """

    def __init__(self, stream: TextIO, instruments: Sequence[str]) -> None:
        self._console = console(file=stream, highlight=False, markup=False, emoji=False)
        self._encoding = stream.encoding or "utf-8"
        self._rows: list[Row] = []
        self._counts = Counter(dict.fromkeys(instruments, 0))

    def write(self, records: "Iterable[CalibrationRecord]") -> None:
        """Take some records; nothing is printed yet."""
        for record in records:
            self._counts[record.instrument] += 1
            time = written_time(record.time)
            row = (record.instrument, time, record.user or "", record.message or "")
            self._rows.append(row)

    def finish(self) -> None:
        """Print the entries, how many each instrument has, and which has none."""
        if self._rows:
            self._print_paragraphs() if self._console.width < NARROW else self._print_table()
            self._console.print()
        self._print_counts()
        self._print_missing()

    def _print_table(self) -> None:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for heading in HEADINGS:
            table.add_column(heading, no_wrap=heading.startswith("Time"))
        for row in self._rows:
            table.add_row(*map(self._text, row))
        self._console.print(table)

    def _print_paragraphs(self) -> None:
        for instrument, time, *texts in self._rows:
            head = self._text(f"{instrument}  {time}", "bold")
            self._console.print(head)
            for text in filter(None, map(self._text, texts)):
                self._console.print(Padding(text, (0, 0, 0, 2)))

    def _print_counts(self) -> None:
        found = [(name, count) for name, count in self._counts.items() if count]
        whole = counted(len(self._counts), "instrument")
        if not found:
            self._print(f"No entries from {whole}.", "bold")
            return
        total = counted(len(self._rows), "entry")
        self._print(f"{total} from {len(found)} of {whole}:", "bold")
        counts = [self._text(f"{name} {count}") for name, count in found]
        self._console.print(Columns(counts, padding=(0, 3), equal=True))

    def _print_missing(self) -> None:
        without = [name for name, count in self._counts.items() if not count]
        if without:
            self._print(f"No entry: {', '.join(without)}", "bold yellow")
            self._print(NO_PROOF, "dim")

    def _print(self, line: str, style: str) -> None:
        if self._console.is_terminal:
            self._console.print(self._text(line, style))
        else:
            # In a file or a log a line stays one line, so that it can be searched for.
            self._console.out(printable(line, self._encoding), style=style, highlight=False)

    def _text(self, text: str, style: str = "") -> Text:
        return Text(printable(text, self._encoding), style, overflow="fold")


def printable(text: str, encoding: str = "utf-8") -> str:
    """Return the lines of a text that are not blank, in characters that the stream can hold.

    Args:
        text: Any text.
        encoding: Of the stream; a character that it does not have becomes "?".
    """
    lines = (plain(line, UNSHOWN) for line in text.splitlines())
    kept = "\n".join(line for line in lines if line.strip())
    return kept.encode(encoding, "replace").decode(encoding)
