"""``mycirrus report``: a page for an audit file."""

from argparse import Namespace
from itertools import chain
from typing import TYPE_CHECKING

from cirrus_ext import __version__
from mycirrus_cli.exits import DONE, OVERDUE, CommandError, MissingExtraError
from mycirrus_cli.fetch import fetch_of
from mycirrus_cli.output import opened, path_of
from mycirrus_cli.query import days, query, utc_now
from mycirrus_cli.speech import say
from mycirrus_cli.words import shortened

from .summary import is_over, summarise

if TYPE_CHECKING:
    from cirrus_ext.calibration_log import CalibrationRecord


SUFFIXES = (".html", ".htm")


def run(options: Namespace) -> int:
    """Fetch, and write the page.

    Returns:
        The exit code.

    Raises:
        CommandError: Bad usage; nothing was sent.
        CirrusError: The API refused or failed.
    """
    made = utc_now().replace(microsecond=0)
    asked = query(options, now=made)
    output = path_of(options.output)
    if output is not None and output.suffix.lower() not in SUFFIXES:
        raise CommandError(
            f"--output {output}: the report is HTML; give a name such as report.html"
        )
    max_gap = None if options.max_gap is None else days("--max-gap", options.max_gap)
    try:
        from .page import Asked, render  # noqa: PLC0415 - imports matplotlib
    except ImportError:
        raise MissingExtraError(
            "mycirrus report", package="matplotlib and jinja2", extra="report"
        ) from None
    fetch = fetch_of(options, asked)
    with opened(output) as stream:
        logs: dict[str, list[CalibrationRecord]] = {serial: [] for serial in asked.instruments}
        with fetch.windows() as answers:
            for window, records in answers:
                logs[window.instrument] += records
        summaries = [
            summarise(serial, log, start=asked.start, end=asked.end) for serial, log in logs.items()
        ]
        page = render(
            Asked(
                instruments=asked.instruments,
                start=asked.start,
                end=asked.end,
                at=made,
                server=fetch.server,
                requests=fetch.requests,
                version=__version__,
                max_gap=max_gap,
            ),
            summaries,
            list(chain.from_iterable(logs.values())),
        )
        stream.write(page.encode())
    over = [summary.instrument for summary in summaries if is_over(summary, max_gap)]
    if over:
        say(f"over --max-gap {options.max_gap}: {shortened(over)}")
    fetch.say_end(output)
    return OVERDUE if over else DONE
