"""Renders the report: one HTML file that needs no other file and no script.

The same input gives the same bytes: nothing here reads a clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path

from jinja2 import Environment

from mycirrus_cli.archive.reading import Facts
from mycirrus_cli.text import quantity
from mycirrus_cli.times import local_time, written_time
from mycirrus_contract.html import environment

from .summary import InstrumentSummary, in_days
from .timeline import Axis


@dataclass(frozen=True)
class Request:
    """What was requested, from which server, and when; all times are aware.

    Attributes:
        start: The first moment of the range.
        end: The first moment after the range.
        created: The time of the report.
        server: The address of the API.
        requests: The number of HTTP requests.
        version: Of mycirrus-sdk.
        max_gap: The longest gap that is not marked; None marks none.
        archive: About the archive that was read, if no request was sent.
        zone: The time zone to show.
    """

    start: datetime
    end: datetime
    created: datetime
    server: str
    requests: int
    version: str
    max_gap: timedelta | None
    archive: Facts | None = None
    zone: tzinfo = UTC


def render(request: Request, instruments: Sequence[InstrumentSummary]) -> str:
    """Return the report as HTML, to be written in UTF-8."""
    over = [one for one in instruments if one.is_over(request.max_gap)]
    return (
        _templates(request.zone)
        .get_template("report.html.j2")
        .render(
            request=request,
            instruments=instruments,
            silent=[one.instrument for one in instruments if not one.records],
            over=[one.instrument for one in over if one.records],
            is_ahead=request.end > request.created,
            total=sum(len(one.records) for one in instruments),
            limit="" if request.max_gap is None else in_days(request.max_gap),
            axis=Axis(request.start.astimezone(UTC), request.end.astimezone(UTC), request.zone),
        )
    )


def _templates(zone: tzinfo) -> Environment:
    templates = environment(Path(__file__).parent)
    templates.filters |= {
        "day": lambda moment: written_time(moment, zone)[:10],
        "minute": partial(minute, zone=zone),
        "instant": partial(written_time, zone=zone),
        "in_days": in_days,
        "number": quantity,
    }
    return templates


def minute(moment: datetime, zone: tzinfo = UTC) -> str:
    """Return a time to the minute, rounded down: ``2022-06-07 11:18``, then the zone's offset."""
    text = local_time(moment, zone).isoformat(" ", "minutes")
    return text.removesuffix("+00:00") if zone is UTC else text
