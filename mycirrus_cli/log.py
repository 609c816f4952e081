"""``mycirrus log``: from serial numbers to a table or a file."""

import io
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from cirrus_ext.errors import CirrusError
from cirrus_ext.ranges import wire_time
from cirrus_ext.settings import find_base_url

from .exits import DONE, CommandError
from .fetch import Fetch, fetch_of, plan_of
from .formats import FORMATS, Writer, format_of, table_writer
from .output import checked, opened, path_of, replaced
from .query import Query, query, utc_now
from .resume import Unfinished
from .text import quantity

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
    asked = query(options, now=utc_now())
    output = path_of(options.output)
    form = options.format or _form_of(output)
    unfinished = _unfinished(options, asked, output)
    if options.dry_run:
        _show_plan(asked if unfinished is None else unfinished.query, unfinished)
        return DONE
    _check(form, output)
    if unfinished is None or output is None:
        fetch = fetch_of(options, asked)
        _write(fetch, form, output)
    else:
        fetch = fetch_of(options, unfinished.query)
        _write_resumed(fetch, form, output, unfinished)
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


def _unfinished(options: Namespace, asked: Query, output: Path | None) -> Unfinished | None:
    if not options.resume:
        return None
    if output is None:
        raise CommandError("--resume needs --output OUTPUT: there has to be a file to go on with")
    checked(output)
    return Unfinished(output, asked, find_base_url(options.base_url))


def _write(fetch: Fetch, form: str, output: Path | None) -> None:
    """Write as it comes."""
    fetch.streaming = output is None and form != TABLE
    with opened(output, quiet=fetch.quiet) as stream:
        sink = _writer(form, stream, fetch.query.instruments)
        with fetch.windows() as answers:
            for _, records in answers:
                sink.write(records)
        sink.finish()


def _write_resumed(fetch: Fetch, form: str, output: Path, unfinished: Unfinished) -> None:
    """Keep what comes beside the output, and write the output when all is there."""
    with unfinished.opened() as spool:
        with _going_on(unfinished), fetch.windows(done=unfinished.done) as answers:
            for _, records in answers:
                spool.add(records)
        fetch.entries = Counter()
        with replaced(output, quiet=fetch.quiet) as stream:
            sink = _writer(form, stream, fetch.query.instruments)
            sink.write(_counted(spool.records(), fetch.entries))
            sink.finish()
    unfinished.remove()


@contextmanager
def _going_on(unfinished: Unfinished) -> Generator[None]:
    """Have whoever is interrupted in the block told how to go on."""
    try:
        yield
    except (CirrusError, KeyboardInterrupt) as error:
        error.add_note(f"{unfinished.in_words}; the same command goes on from there")
        raise


def _counted(
    records: "Iterator[CalibrationRecord]", entries: Counter[str]
) -> "Iterator[CalibrationRecord]":
    for record in records:
        entries[record.instrument] += 1
        yield record


def _show_plan(asked: Query, unfinished: Unfinished | None) -> None:
    """Print the requests that there would be."""
    done = 0 if unfinished is None else unfinished.done
    windows = plan_of(asked)[done:]
    before = f" ({done:,} more are done)" if done else ""
    instruments = quantity(len(asked.instruments), "instrument")
    print(f"{quantity(len(windows), 'request')}{before} for {instruments}, {asked.in_words}")
    for window in windows:
        print(f"{window.instrument}  {wire_time(window.start)}  {wire_time(window.end)}")


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
