"""``mycirrus log``: from serial numbers to a table or a file."""

import io
import sys
from argparse import Namespace
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cirrus_ext.errors import CirrusError

from .archive import reading
from .exits import DONE, CommandError
from .fetch import Source, fetch_of, show_plan
from .formats import FORMATS, Writer, format_of, table_writer
from .output import opened, path_of
from .query import query, utc_now

if TYPE_CHECKING:
    from cirrus_ext.calibration_log import CalibrationRecord

# Streams to standard output as it comes; a table is printed at the end.
TABLE = "table"
# What the name of a file with a table may end with.
TEXT = ("", ".txt")


def run(options: Namespace) -> int:
    """Fetch and write.

    Returns:
        The exit code.

    Raises:
        CommandError: Bad usage; nothing was sent.
        CirrusError: The API refused or failed.
    """
    output = path_of(options.output)
    form = options.format or _form_of(output)
    if options.archive is not None:
        _check(form, output)
        with reading.opened(options) as archive:
            _write(archive.answers(), archive, form, output)
        archive.say_end(output)
        return DONE
    asked = query(options, now=utc_now())
    if options.dry_run:
        show_plan(asked.plan(), asked.instruments, asked.in_words)
        return DONE
    _check(form, output)
    fetch = fetch_of(options, asked.instruments)
    fetch.streaming = output is None and form != TABLE
    with _pointing_to_sync(output), fetch.windows(asked.plan()) as answers:
        _write(answers, fetch, form, output)
    fetch.say_end(output)
    return DONE


def _form_of(output: Path | None) -> str:
    """The format that a file's name asks for.

    Raises:
        CommandError: None does.
    """
    if output is None or output.suffix in TEXT:
        return TABLE
    form = format_of(output)
    if form is None:
        raise CommandError(
            f"--output {output}: no format has names that end with {output.suffix}; give --format, "
            "or a name that ends with .csv, .json, .ndjson or .parquet"
        )
    return form


def _write(
    answers: "Iterable[tuple[object, list[CalibrationRecord]]]",
    source: Source,
    form: str,
    output: Path | None,
) -> None:
    """Write entries as they come."""
    with opened(output, quiet=source.quiet) as stream:
        sink = _writer(form, stream, source.instruments)
        for _, records in answers:
            sink.write(records)
        sink.finish()


@contextmanager
def _pointing_to_sync(output: Path | None) -> Generator[None]:
    """Say what keeps the answers of a run, if this one is interrupted and keeps none."""
    try:
        yield
    except (CirrusError, KeyboardInterrupt) as error:
        if output is not None:
            error.add_note("nothing is written; mycirrus sync would keep what was answered")
        raise


def _check(form: str, output: Path | None) -> None:
    """Refuse a format that cannot be written, before anything is sent.

    Raises:
        CommandError: A package is missing, or the format is of no use in a pipe.
    """
    if form != TABLE and FORMATS[form].needs_file and output is None:
        raise CommandError(f"--format {form} needs --output OUTPUT: it is nothing to look at")
    _writer(form, io.BytesIO(), ())


def _writer(form: str, stream: BinaryIO, instruments: Sequence[str]) -> Writer:
    if form != TABLE:
        return FORMATS[form].writer(stream)
    if sys.stdout is not None and stream is sys.stdout.buffer:
        return table_writer(sys.stdout, instruments)
    text = io.TextIOWrapper(stream, "utf-8", write_through=True)
    return table_writer(text, instruments, is_file=True)
