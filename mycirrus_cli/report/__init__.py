"""``mycirrus report``: an HTML report for an audit file."""

from argparse import Namespace
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from cirrus_ext import __version__
from mycirrus_cli.archive import reading
from mycirrus_cli.archive.reading import Facts, Gone
from mycirrus_cli.echo import echo
from mycirrus_cli.exits import DONE, OVERDUE, CommandError, extra
from mycirrus_cli.fetch import Source, fetch_of
from mycirrus_cli.output import opened, path_of
from mycirrus_cli.query import Query, days, query, utc_now
from mycirrus_cli.text import first_few
from mycirrus_cli.times import time_zone

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
    output = path_of(options)
    if output is not None and output.suffix.lower() not in SUFFIXES:
        raise CommandError(
            f"--output {output}: the report is HTML; give a name such as report.html"
        )
    max_gap = None if options.max_gap is None else days("--max-gap", options.max_gap)
    zone = time_zone(options.time_zone)
    with extra("mycirrus report", package="jinja2", name="report"):
        from .rendering import Request, render  # noqa: PLC0415 - imports jinja2
    with opened(output, quiet=options.quiet) as stream:
        log = _requested(options, created) if options.archive is None else _archived(options)
        start, end = log.query.start, log.query.end
        instruments = [
            summarise(serial, found, start=start, end=end, gone=log.gone.get(serial, ()))
            for serial, found in log.records.items()
        ]
        request = Request(
            start=start,
            end=end,
            created=created,
            server=log.server,
            requests=log.requests,
            version=__version__,
            max_gap=max_gap,
            archive=log.archive,
            zone=zone,
        )
        stream.write(render(request, instruments).encode())
    over = [one.instrument for one in instruments if one.is_over(max_gap)]
    if over:
        echo(f"over --max-gap {options.max_gap}: {first_few(over)}")
    log.source.print_summary(output)
    return OVERDUE if over else DONE


@dataclass(frozen=True)
class _Log:
    """What the report is about.

    Attributes:
        query: Instruments and range.
        records: The entries of each instrument.
        source: Where they come from.
        server: The address of the API.
        requests: The number of HTTP requests.
        gone: The entries of each instrument that are no longer in the answers.
        archive: About the archive, if they come from one.
    """

    query: Query
    records: "Mapping[str, list[CalibrationRecord]]"
    source: Source
    server: str
    requests: int = 0
    gone: Mapping[str, list[Gone]] = field(default_factory=dict[str, list[Gone]])
    archive: Facts | None = None


def _requested(options: Namespace, now: datetime) -> _Log:
    wanted = query(options, now=now)
    fetch = fetch_of(options, wanted.instruments)
    records: dict[str, list[CalibrationRecord]] = {serial: [] for serial in wanted.instruments}
    with fetch.windows(wanted.plan()) as answers:
        for window, found in answers:
            records[window.instrument] += found
    return _Log(wanted, records, fetch, fetch.server, fetch.requests)


def _archived(options: Namespace) -> _Log:
    with reading.opened(options) as archive:
        records, facts = dict(archive.answers()), archive.facts()
    gone: defaultdict[str, list[Gone]] = defaultdict(list)
    for one in facts.gone:
        gone[one.record.instrument].append(one)
    return _Log(archive.query, records, archive, facts.server, gone=gone, archive=facts)
