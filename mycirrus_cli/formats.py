"""What ``mycirrus log`` writes: CSV, JSON, NDJSON and Parquet, and the way back from NDJSON.

What a file holds depends on the records alone: not on how they were cut into calls of ``write``,
nor on the platform or its locale. No stream is ever closed here. Needs nothing but Python, except
for Parquet and the table, which say so.
"""

import csv
import json
import os
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, TextIO, cast

from .exits import MissingExtraError
from .times import written_time

if TYPE_CHECKING:
    from cirrus_ext.calibration_log import CalibrationRecord

# The keys and columns of every format, in this order.
COLUMNS = ("instrument", "time", "user", "message")

Row = tuple[str, datetime, str | None, str | None]

SURROGATES = re.compile("[\ud800-\udfff]")
UNSHOWN = "\N{REPLACEMENT CHARACTER}"


class Writer(Protocol):
    """Writes records to the stream that it was made with."""

    def write(self, records: "Iterable[CalibrationRecord]") -> None:
        """Write some records; may be called any number of times.

        Args:
            records: What to write, in this order.
        """

    def finish(self) -> None:
        """Write what is due after the last record; to be called once."""


def _cells(record: "CalibrationRecord") -> tuple[str, str, str | None, str | None]:
    return record.instrument, written_time(record.time), record.user, record.message


def _whole_characters(text: str) -> str:
    r"""A text that UTF-8 can hold: JSON may name half a character, such as ``\ud800``."""
    return SURROGATES.sub(UNSHOWN, text)


# --- CSV

# What makes a formula of a cell, also in the widths that East Asian keyboards write.
FORMULA = "=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"
# What may stand before a formula and is skipped, or not seen.
SKIPPED = (
    r'["\x00-\x20\x7f-\xa0\xad\u1680\u180e'
    r"\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]"
)
DANGER = re.compile(rf"[\t\r\n\x00]|{SKIPPED}*[{FORMULA}]")

# csv puts quotes round a cell with a character of the line's end. The first two are for that only:
# LibreOffice, unless told otherwise, begins a cell at them as well.
QUOTED_TOO, LINE_END = ";\t", "\r\n"


def guarded(text: str) -> str:
    """A text that no spreadsheet takes for a formula, by the rules of OWASP for CSV injection.

    An apostrophe goes before a text that begins with ``=``, ``+``, ``-`` or ``@``, full-width ones
    too, with or without something before them that is not seen; and before one that begins with a
    tab, a line's end or a NUL.

    Args:
        text: Any text.

    Returns:
        The text, with an apostrophe before it where there has to be one.
    """
    return f"'{text}" if DANGER.match(text) else text


class _Lines:
    """Takes lines from csv, and hands them on as bytes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        line = line.removesuffix(QUOTED_TOO + LINE_END) + LINE_END
        self._stream.write(line.encode())


class CSVWriter:
    """Comma-separated values as in RFC 4180, in UTF-8 without a mark, for spreadsheets.

    The header is written at once. A cell that a spreadsheet could run is `guarded`. None and an
    empty text are both an empty cell, and half a character is U+FFFD: the other formats keep more.

    A spreadsheet that opens the file shows a serial number of digits only as a number, and drops
    its leading zeros (0012345 becomes 12345). Nothing that can be written into a CSV file prevents
    that without being part of the text for every other program. Import the column as text there,
    or use another format.

    Args:
        stream: Where to.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lines = csv.writer(_Lines(stream), lineterminator=QUOTED_TOO + LINE_END)
        self._lines.writerow(COLUMNS)

    def write(self, records: "Iterable[CalibrationRecord]") -> None:
        """Write a line per record."""
        for record in records:
            self._lines.writerow([_cell(text) for text in _cells(record)])
        self._stream.flush()

    def finish(self) -> None:
        """Leave nothing in a buffer."""
        self._stream.flush()


def _cell(text: str | None) -> str:
    return guarded(_whole_characters(text or ""))


# --- JSON

# Ends of lines for str.splitlines and for old JavaScript, and no control characters for JSON.
LINE_ENDS = re.compile("[\x85\u2028\u2029]")
ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def ndjson_line(record: "CalibrationRecord") -> bytes:
    """A line of NDJSON, with its end."""
    return _object(record) + b"\n"


def _object(record: "CalibrationRecord") -> bytes:
    """A JSON object on one line, whatever a reader takes for the end of one."""
    text = ENCODER.encode(dict(zip(COLUMNS, _cells(record), strict=True)))
    text = LINE_ENDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return _whole_characters(text).encode()  # strict readers refuse half a character, escaped too


class NDJSONWriter:
    """One JSON object a line, in UTF-8; `records_of` reads it back.

    Each call of ``write`` is flushed, so that a reader need not wait for the last one.

    Args:
        stream: Where to.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, records: "Iterable[CalibrationRecord]") -> None:
        """Write a line per record."""
        for record in records:
            self._stream.write(ndjson_line(record))
        self._stream.flush()

    def finish(self) -> None:
        """Leave nothing in a buffer."""
        self._stream.flush()


class JSONWriter:
    """A JSON array of objects, one object a line, in UTF-8; no record is kept in memory.

    Args:
        stream: Where to. What it holds is valid JSON when the writer has finished.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
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
        self._stream.flush()


def records_of(lines: Iterable[bytes]) -> "Iterator[CalibrationRecord]":
    """Read back what NDJSONWriter wrote: the four columns, to the last digit and character.

    Args:
        lines: Its lines, such as a file that is open for reading bytes.

    Yields:
        The records, without their ``extra``, which is not written.

    Raises:
        ValueError: A line holds no record; which one, by number from 1.
    """
    from cirrus_ext.calibration_log import CalibrationRecord  # noqa: PLC0415 - loads httpx, and --help need not wait

    for number, line in enumerate(lines, 1):
        try:
            instrument, time, user, message = _parsed(line)
        except ValueError as error:
            raise ValueError(f"line {number} holds no record: {error}: {line[:40]!r}") from None
        yield CalibrationRecord(instrument, time, user, message)


def _parsed(line: bytes) -> Row:
    value = json.loads(line.decode())
    if not isinstance(value, dict) or tuple(cast("dict[str, Any]", value)) != COLUMNS:
        raise ValueError(f"must be an object with {', '.join(COLUMNS)}")
    instrument, time, user, message = cast("dict[str, Any]", value).values()
    for text in (instrument, time, user or "", message or ""):
        if not isinstance(text, str):
            raise ValueError(f"must hold strings: {type(text).__name__}")  # noqa: TRY004 - one kind for every bad line
    if not time.endswith("Z"):
        raise ValueError("time must be in UTC")
    return instrument, datetime.fromisoformat(time), user, message


# --- Parquet

ROWS_IN_A_GROUP = 65_536
DESCRIPTIONS = {
    "instrument": "serial number that was asked for",
    "time": "when the entry was made, in UTC",
    "user": "who made it; null if the API did not say",
    "message": "what was noted; null if nothing was",
}


class _Gate:
    """Lets bytes through to a stream only while it is opened.

    pyarrow ends a file that is given up as if it were whole, when it forgets its writer: by then
    the stream may be closed, and what it holds must not look complete.
    """

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._is_open = False

    @contextmanager
    def opened(self) -> Generator[None]:
        self._is_open = True
        try:
            yield
        finally:
            self._is_open = False

    def write(self, data: bytes) -> int:
        return self._stream.write(data) if self._is_open else len(data)

    def flush(self) -> None:
        if self._is_open:
            self._stream.flush()


class ParquetWriter:
    """Apache Parquet: texts as strings, times as microseconds in UTC, groups of 65,536 rows.

    Half a character is U+FFFD, because Parquet has no other text than UTF-8. The same records
    give the same bytes with the same version of pyarrow.

    Args:
        stream: Where to.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """

    def __init__(self, stream: BinaryIO) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415 - an extra, and slow to load
            from pyarrow import parquet  # noqa: PLC0415 - likewise
        except ModuleNotFoundError as error:
            missing = MissingExtraError("parquet", package="pyarrow", extra="parquet")
            raise _missing(error, missing) from None
        kinds = (pa.string(), pa.timestamp("us", tz="UTC"), pa.string(), pa.string())
        schema = pa.schema(
            pa.field(
                name,
                kind,
                nullable=name in {"user", "message"},
                metadata={"description": DESCRIPTIONS[name]},
            )
            for name, kind in zip(COLUMNS, kinds, strict=True)
        )
        self._gate = _Gate(stream)
        self._rows: list[Row] = []
        with self._gate.opened():
            # snappy, because every reader has it
            self._file = parquet.ParquetWriter(
                self._gate, schema, version="2.6", compression="snappy"
            )
        self._table_of = pa.Table.from_pydict

    def write(self, records: "Iterable[CalibrationRecord]") -> None:
        """Write a row per record, as soon as a group of rows is full."""
        for record in records:
            self._rows.append(_row(record))
            if len(self._rows) == ROWS_IN_A_GROUP:
                self._write_group()

    def finish(self) -> None:
        """Write the last group and what a reader looks for at the end."""
        if self._rows:
            self._write_group()
        with self._gate.opened():
            self._file.close()
            self._gate.flush()

    def _write_group(self) -> None:
        columns = dict(zip(COLUMNS, map(list, zip(*self._rows, strict=True)), strict=True))
        self._rows.clear()
        with self._gate.opened():
            table = self._table_of(columns, schema=self._file.schema)
            self._file.write_table(table, row_group_size=ROWS_IN_A_GROUP)


def _row(record: "CalibrationRecord") -> Row:
    return (
        _whole_characters(record.instrument),
        record.time,
        record.user and _whole_characters(record.user),
        record.message and _whole_characters(record.message),
    )


# --- which there are


@dataclass(frozen=True, slots=True)
class Format:
    """A format of a file.

    Attributes:
        suffixes: What names of its files end in, the usual one first.
        needs_file: Whether it is of no use on a terminal or in a pipe.
        writer: Makes its writer for a stream.
    """

    suffixes: tuple[str, ...]
    needs_file: bool
    writer: Callable[[BinaryIO], Writer]


# By name. The table is none of them: it has no file, and needs to know what was asked for.
FORMATS = {
    "csv": Format((".csv",), needs_file=False, writer=CSVWriter),
    "json": Format((".json",), needs_file=False, writer=JSONWriter),
    "ndjson": Format((".ndjson", ".jsonl"), needs_file=False, writer=NDJSONWriter),
    "parquet": Format((".parquet",), needs_file=True, writer=ParquetWriter),
}


def format_of(path: str | os.PathLike[str]) -> str | None:
    """The name of the format that a file's name ends in, in small letters or capitals.

    Args:
        path: The file, which need not exist.

    Returns:
        A key of `FORMATS`, or None if the name ends otherwise.
    """
    suffix = Path(path).suffix.lower()
    return next((name for name, one in FORMATS.items() if suffix in one.suffixes), None)


def table_writer(stream: TextIO, instruments: Sequence[str], *, is_file: bool = False) -> Writer:
    """Return the writer of the table.

    Args:
        stream: Where to write.
        instruments: The requested serial numbers.
        is_file: Whether the stream is a file and no terminal.

    Raises:
        MissingExtraError: rich is not installed.
    """
    try:
        from .table import TableWriter  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        otherwise = "; --format csv needs nothing"
        missing = MissingExtraError("the table", package="rich", extra="cli", otherwise=otherwise)
        raise _missing(error, missing) from None
    return TableWriter(stream, instruments, is_file=is_file)


def _missing(error: ModuleNotFoundError, missing: MissingExtraError) -> Exception:
    """What to raise: an installed package that lacks something else is another matter."""
    return missing if (error.name or "").partition(".")[0] == missing.package else error
