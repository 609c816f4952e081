"""The table that ``mycirrus log`` prints. Needs rich.

A text of the server is shown as it is: it is not markup, and nothing in it moves the cursor or
changes colours or the direction of writing.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, tzinfo
from itertools import zip_longest
from typing import TYPE_CHECKING, TextIO

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from mycirrus_contract.text import plain

from .console import console
from .text import quantity
from .times import written_time

if TYPE_CHECKING:
    from cirrus_ext.calibration_log import CalibrationRecord

Row = tuple[str, str, str, str]

TIME = 1  # the column that is never folded
GAP = "  "
NARROW = 70  # columns of a terminal; with fewer, each entry is a paragraph
LEAST = 20  # columns that a paragraph takes, even on a narrower terminal
REPLACEMENT = "?"
NO_PROOF = "An empty history does not prove that the instrument exists: check the serial number."


class TableWriter:
    """Collects records, and prints them with a summary when it has all of them.

    On a narrow terminal each entry is a paragraph instead of a row.

    Args:
        stream: Where to write. The width of the terminal is used, and colours if it is one.
        instruments: The requested serial numbers; the summary names those without an entry.
        zone: The time zone to show.
        is_file: Whether the stream is a file, which gets no colours even if FORCE_COLOR is set.
    """

    def __init__(
        self,
        stream: TextIO,
        instruments: Sequence[str],
        zone: tzinfo = UTC,
        *,
        is_file: bool = False,
    ) -> None:
        is_terminal = False if is_file else None  # None: rich looks
        self._console = console(
            file=stream, force_terminal=is_terminal, highlight=False, markup=False, emoji=False
        )
        self._stream = stream
        self._zone = zone
        self._headings = ("Instrument", f"Time ({zone})", "User", "Message")
        self._encoding = stream.encoding or "utf-8"
        self._rows: list[Row] = []
        self._counts = Counter(dict.fromkeys(instruments, 0))

    def write(self, records: "Iterable[CalibrationRecord]") -> None:
        """Take some records; nothing is printed yet."""
        for record in records:
            self._counts[record.instrument] += 1
            time = written_time(record.time, self._zone)
            instrument, user, message = (
                printable(text or "", self._encoding)
                for text in (record.instrument, record.user, record.message)
            )
            self._rows.append((instrument, time, user, message))

    def finish(self) -> None:
        """Print the entries, the number for each instrument, and the instruments without any."""
        if self._rows:
            self._print_paragraphs() if self._console.width < NARROW else self._print_table()
            self._stream.write("\n")
        self._print_counts()
        self._print_missing()

    def _print_table(self) -> None:
        """Print rows of text: a table of rich takes a second for each 2,000 of them."""
        widths = self._widths()
        self._print(next(self._lines(self._headings, widths)), "bold")
        for row in self._rows:
            self._stream.writelines(f"{line}\n" for line in self._lines(row, widths))

    def _widths(self) -> list[int]:
        """Return the width of each column; the widest are cut until a row fits the terminal."""
        room = self._console.width - len(GAP) * (len(self._headings) - 1)
        widths = [
            min(room, max(map(_width, texts)))
            for texts in zip(self._headings, *self._rows, strict=True)
        ]
        foldable = [column for column in range(len(widths)) if column != TIME]
        while sum(widths) > room:
            widths[max(foldable, key=widths.__getitem__)] -= 1
        return widths

    def _lines(self, row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
        """Yield the lines of a row, without blanks at their ends."""
        cells = [self._folded(text, width) for text, width in zip(row, widths, strict=True)]
        for texts in zip_longest(*cells, fillvalue=""):
            padded = map(set_cell_size, texts, widths)
            yield GAP.join(padded).rstrip()

    def _folded(self, text: str, width: int) -> list[str]:
        """Return the lines of a text that are not wider than a column."""
        if _width(text) <= width:
            return text.split("\n")
        return [str(line) for line in Text(text).wrap(self._console, width, overflow="fold")]

    def _print_paragraphs(self) -> None:
        width = max(self._console.width, LEAST)
        for instrument, time, *texts in self._rows:
            for line in self._folded(f"{instrument}{GAP}{time}", width):
                self._print(line, "bold")
            for text in filter(None, texts):
                lines = self._folded(text, width - len(GAP))
                self._stream.writelines(f"{GAP}{line}\n" for line in lines)

    def _print_counts(self) -> None:
        counts = [f"{name} {count}" for name, count in self._counts.items() if count]
        whole = quantity(len(self._counts), "instrument")
        if not counts:
            self._print(f"No entries from {whole}.", "bold")
            return
        total = quantity(len(self._rows), "entry")
        self._print(f"{total} from {len(counts)} of {whole}:", "bold")
        width = max(map(cell_len, counts))
        columns = max((self._console.width + 3) // (width + 3), 1)
        for first in range(0, len(counts), columns):
            cells = (set_cell_size(text, width) for text in counts[first : first + columns])
            self._print("   ".join(cells).rstrip())

    def _print_missing(self) -> None:
        without = [name for name, count in self._counts.items() if not count]
        if without:
            self._print(f"No entry: {', '.join(without)}", "bold yellow")
            self._print(NO_PROOF, "dim")

    def _print(self, line: str, style: str = "") -> None:
        text = printable(line, self._encoding)
        if self._console.is_terminal:
            self._console.print(Text(text, style, overflow="fold"))
        else:
            # In a file or a log a line stays one line, so that it can be searched for.
            self._stream.write(f"{text}\n")


def _width(text: str) -> int:
    """Return the columns that the widest line of a text takes."""
    return max(map(cell_len, text.split("\n")))


def printable(text: str, encoding: str = "utf-8") -> str:
    """Return the lines of a text that are not blank, in characters that the stream can encode.

    Args:
        text: Any text.
        encoding: Of the stream; a character that it does not have becomes "?".
    """
    lines = (plain(line, REPLACEMENT) for line in text.splitlines())
    kept = "\n".join(line for line in lines if line.strip())
    return kept.encode(encoding, "replace").decode(encoding)
