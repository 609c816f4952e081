"""``mycirrus report``: an HTML report for an audit file."""

from argparse import Namespace
from typing import TYPE_CHECKING

from cirrus_ext import __version__
from mycirrus_cli.echo import echo
from mycirrus_cli.exits import DONE, OVERDUE, CommandError, MissingExtraError
from mycirrus_cli.fetch import fetch_of
from mycirrus_cli.output import opened, path_of
from mycirrus_cli.query import days, query, utc_now
from mycirrus_cli.text import first_few

from .summary import summarise

if TYPE_CHECKING:
    from cirrus_ext.calibration_log import CalibrationRecord

SUFFIXES = (".html", ".htm")


def run(options: Namespace) -> int:
    """Fetch the log and write the report.

    Returns:
        The exit code.

    Raises:
        CommandError: Bad usage; no request was sent.
        CirrusError: The API refused or failed.
    """
    created = utc_now().replace(microsecond=0)
    wanted = query(options, now=created)
    output = path_of(options.output)
    if output is not None and output.suffix.lower() not in SUFFIXES:
        raise CommandError(
            f"--output {output}: the report is HTML; give a name such as report.html"
        )
    max_gap = None if options.max_gap is None else days("--max-gap", options.max_gap)
    try:
        from .rendering import Request, render  # noqa: PLC0415 - imports jinja2
    except ImportError:
        raise MissingExtraError("mycirrus report", package="jinja2", extra="report") from None
    fetch = fetch_of(options, wanted.instruments)
    with opened(output, quiet=fetch.quiet) as stream:
        records: dict[str, list[CalibrationRecord]] = {serial: [] for serial in wanted.instruments}
        with fetch.windows(wanted.plan()) as answers:
            for window, found in answers:
                records[window.instrument] += found
        instruments = [
            summarise(serial, found, start=wanted.start, end=wanted.end)
            for serial, found in records.items()
        ]
        request = Request(
            start=wanted.start,
            end=wanted.end,
            created=created,
            server=fetch.server,
            requests=fetch.requests,
            version=__version__,
            max_gap=max_gap,
        )
        stream.write(render(request, instruments).encode())
    over = [one.instrument for one in instruments if one.is_over(max_gap)]
    if over:
        echo(f"over --max-gap {options.max_gap}: {first_few(over)}")
    fetch.say_end(output)
    return OVERDUE if over else DONE
