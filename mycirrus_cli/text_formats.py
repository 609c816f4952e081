"""Writes CSV, JSON and NDJSON, with nothing but Python.

What a file holds depends on the records alone: not on how they were cut into calls of ``write``,
nor on the platform or its locale.
"""

import csv
import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, BinaryIO

from .columns import COLUMNS, valid_text
from .times import written_time

if TYPE_CHECKING:
    from cirrus_ext.calibration_log import CalibrationRecord


def _cells(record: "CalibrationRecord") -> tuple[str, str, str | None, str | None]:
    return record.instrument, written_time(record.time), record.user, record.message


class _StreamWriter:
    """Keeps the stream, and flushes it at the end."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def finish(self) -> None:
        """Flush the stream."""
        self._stream.flush()


# --- CSV

# What a formula starts with, also in the widths of East Asian keyboards.
FORMULA = "=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"
# What a spreadsheet skips or does not show before a formula.
SKIPPED = (
    r'["\x00-\x20\x7f-\xa0\xad\u1680\u180e'
    r"\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]"
)
DANGER = re.compile(rf"[\t\r\n\x00]|{SKIPPED}*[{FORMULA}]")

# The csv module quotes a cell that has a character of the line's end. The first two are there only
# for that: by default, LibreOffice splits cells at them as well.
QUOTED_TOO, LINE_END = ";\t", "\r\n"


def guarded(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula, by OWASP's rules for CSV injection.

    An apostrophe is put before a text that starts with ``=``, ``+``, ``-`` or ``@``, also in full
    width or after invisible characters, and before one that starts with a tab, a line's end or a
    NUL.

    Args:
        text: Any text.

    Returns:
        The text, with an apostrophe before it if it needs one.
    """
    return f"'{text}" if DANGER.match(text) else text


class _Lines:
    """Encodes the lines of the csv module for a stream of bytes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        line = line.removesuffix(QUOTED_TOO + LINE_END) + LINE_END
        self._stream.write(line.encode())


class CSVWriter(_StreamWriter):
    """Comma-separated values as in RFC 4180, in UTF-8 without a mark, for spreadsheets.

    The header is written at once. A cell that a spreadsheet could run is `guarded`. None and an
    empty text are both an empty cell; the other formats tell them apart.

    A spreadsheet shows a serial number of digits as a number without its leading zeros (0012345
    becomes 12345), which no CSV file can prevent. Import the column as text, or use xlsx.

    Args:
        stream: Where to write.
    """

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)
        self._lines = csv.writer(_Lines(stream), lineterminator=QUOTED_TOO + LINE_END)
        self._lines.writerow(COLUMNS)

    def write(self, records: "Iterable[CalibrationRecord]") -> None:
        """Write a line per record."""
        for record in records:
            self._lines.writerow([_cell(text) for text in _cells(record)])
        self._stream.flush()


def _cell(text: str | None) -> str:
    return guarded(valid_text(text or ""))


# --- JSON

# Ends of lines for str.splitlines and for old JavaScript, and no control characters for JSON.
LINE_ENDS = re.compile("[\x85\u2028\u2029]")
ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _object(record: "CalibrationRecord") -> bytes:
    """Return a JSON object on one line, for readers with any definition of a line's end."""
    text = ENCODER.encode(dict(zip(COLUMNS, _cells(record), strict=True)))
    text = LINE_ENDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return valid_text(text).encode()  # strict readers refuse surrogates, escaped or not


class NDJSONWriter(_StreamWriter):
    """One JSON object a line, in UTF-8.

    Each call of ``write`` is flushed, so that a reader need not wait for the last one.

    Args:
        stream: Where to write.
    """

    def write(self, records: "Iterable[CalibrationRecord]") -> None:
        """Write a line per record."""
        for record in records:
            self._stream.write(_object(record) + b"\n")
        self._stream.flush()


class JSONWriter(_StreamWriter):
    """A JSON array of objects, one object a line, in UTF-8; no record is kept in memory.

    Args:
        stream: Where to write. What it holds is valid JSON when the writer has finished.
    """

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)
        self._is_empty = True
        stream.write(b"[")

    def write(self, records: "Iterable[CalibrationRecord]") -> None:
        """Write a line per record."""
        for record in records:
            self._stream.write((b"\n" if self._is_empty else b",\n") + _object(record))
            self._is_empty = False
        self._stream.flush()

    def finish(self) -> None:
        """Close the array."""
        self._stream.write(b"]\n" if self._is_empty else b"\n]\n")
        super().finish()
