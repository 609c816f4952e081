"""``mycirrus log``: writes the log as a table or a file."""

import io
import sys
from argparse import Namespace
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, tzinfo
from pathlib import Path
from typing import BinaryIO

from cirrus_ext.errors import CirrusError

from .archive import reading
from .columns import Writer
from .exits import DONE, CommandError
from .fetch import Source, fetch_of, show_plan
from .formats import FORMATS, format_of, table_writer
from .output import opened, path_of
from .query import query, utc_now
from .times import time_zone

TABLE = "table"
TABLE_SUFFIXES = ("", ".txt")


def run(options: Namespace) -> int:
    """Fetch the log, or read it from an archive, and write it.

    Returns:
        The exit code.

    Raises:
        CommandError: Bad usage; nothing was sent.
        CirrusError: The API refused or failed.
    """
    output = path_of(options)
    form = options.format or _form_of(output)
    zone = time_zone(options.time_zone)
    if options.archive is not None:
        _check(form, output, options.time_zone)
        with reading.opened(options) as archive, _sink(archive, form, output, zone) as sink:
            for _, records in archive.answers():
                sink.write(records)
        archive.print_summary(output)
        return DONE
    wanted = query(options, now=utc_now())
    if options.dry_run:
        show_plan(wanted.plan(), wanted.instruments, wanted.in_words)
        return DONE
    _check(form, output, options.time_zone)
    fetch = fetch_of(options, wanted.instruments)
    fetch.streaming = output is None and form != TABLE
    with (
        _sink(fetch, form, output, zone) as sink,  # finishes when the progress bar is gone
        _pointing_to_sync(output),
        fetch.windows(wanted.plan()) as answers,
    ):
        for _, records in answers:
            sink.write(records)
    fetch.print_summary(output)
    return DONE


def _form_of(output: Path | None) -> str:
    """Return the format of the output by its name.

    Raises:
        CommandError: No format has such names.
    """
    if output is None or output.suffix in TABLE_SUFFIXES:
        return TABLE
    form = format_of(output)
    if form is None:
        raise CommandError(
            f"--output {output}: no format has names that end with {output.suffix}; give --format, "
            "or a name that ends with .csv, .json, .ndjson, .parquet or .xlsx"
        )
    return form


@contextmanager
def _sink(source: Source, form: str, output: Path | None, zone: tzinfo) -> Generator[Writer]:
    """Open the output, and finish it after the last record."""
    with opened(output, quiet=source.quiet) as stream:
        sink = _writer(form, stream, source.instruments, zone)
        yield sink
        sink.finish()


@contextmanager
def _pointing_to_sync(output: Path | None) -> Generator[None]:
    """If the run is interrupted, name ``mycirrus sync``, which would keep the answers."""
    try:
        yield
    except (CirrusError, KeyboardInterrupt) as error:
        if output is not None:
            error.add_note("nothing is written; mycirrus sync would keep what was answered")
        raise


def _check(form: str, output: Path | None, zone: str | None) -> None:
    """Refuse a format that cannot be written, before anything is sent.

    Raises:
        CommandError: A package is missing, or the options do not go together.
    """
    if form != TABLE:
        if FORMATS[form].needs_file and output is None:
            raise CommandError(f"--format {form} needs --output OUTPUT: it is binary")
        if zone is not None and not FORMATS[form].shows_zone:
            raise CommandError(
                f"--time-zone is for what people read (table, xlsx, mycirrus report): times in "
                f"{form} are in UTC"
            )
    _writer(form, io.BytesIO(), (), UTC)


def _writer(form: str, stream: BinaryIO, instruments: Sequence[str], zone: tzinfo) -> Writer:
    if form != TABLE:
        shown = (instruments, zone) if FORMATS[form].shows_zone else ()
        return FORMATS[form].writer(stream, *shown)
    if stream is getattr(sys.stdout, "buffer", None):
        return table_writer(sys.stdout, instruments, zone)
    text = io.TextIOWrapper(stream, "utf-8", write_through=True)
    return table_writer(text, instruments, zone, is_file=True)
