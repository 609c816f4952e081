"""The formats that ``mycirrus log`` writes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import TextIO

from .columns import Writer
from .exits import extra
from .parquet import ParquetWriter
from .text_formats import CSVWriter, JSONWriter, NDJSONWriter
from .xlsx import XLSXWriter


@dataclass(frozen=True, slots=True)
class Format:
    """A format of a file.

    Attributes:
        suffixes: The ends of file names, the usual one first.
        needs_file: Whether it is binary, and useless on a terminal.
        writer: Makes its writer for a stream; for one that shows a zone with the requested serial
            numbers and the zone.
        shows_zone: Whether times are shown in any zone; those of other formats are in UTC.
    """

    suffixes: tuple[str, ...]
    needs_file: bool
    writer: Callable[..., Writer]
    shows_zone: bool = False


# By name. The table is not among them: it needs a stream of text.
FORMATS = {
    "csv": Format((".csv",), needs_file=False, writer=CSVWriter),
    "json": Format((".json",), needs_file=False, writer=JSONWriter),
    "ndjson": Format((".ndjson", ".jsonl"), needs_file=False, writer=NDJSONWriter),
    "parquet": Format((".parquet",), needs_file=True, writer=ParquetWriter),
    "xlsx": Format((".xlsx",), needs_file=True, writer=XLSXWriter, shows_zone=True),
}


def format_of(path: Path) -> str | None:
    """Return the format of a file by the end of its name, in lower or upper case."""
    suffix = path.suffix.lower()
    return next((name for name, one in FORMATS.items() if suffix in one.suffixes), None)


def table_writer(
    stream: TextIO, instruments: Sequence[str], zone: tzinfo = UTC, *, is_file: bool = False
) -> Writer:
    """Return the writer of the table.

    Args:
        stream: Where to write.
        instruments: The requested serial numbers.
        zone: The time zone to show.
        is_file: Whether the stream is a file and no terminal.

    Raises:
        MissingExtraError: rich is not installed.
    """
    with extra("the table", package="rich", name="cli", otherwise="; --format csv needs nothing"):
        from .table import TableWriter  # noqa: PLC0415 - imports rich
    return TableWriter(stream, instruments, zone, is_file=is_file)
