"""The instruments and the range of a run."""

import re
import sys
from argparse import Namespace
from calendar import monthrange
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cirrus_ext.errors import InvalidRequestError
from cirrus_ext.ranges import (
    EARLIEST,
    HistoryWindow,
    as_utc,
    check_instruments,
    plan_history,
    wire_time,
)

from .echo import echo
from .exits import CommandError
from .text import decoded

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_SPAN = re.compile(r"(?P<count>[1-9]\d{0,5})(?P<unit>[dwmy])", re.ASCII | re.IGNORECASE)
_DAYS = {"d": 1, "w": 7}
_MONTHS = {"m": 1, "y": 12}

STANDARD_INPUT = "-"


@dataclass(frozen=True)
class Query:
    """Instruments and a range.

    Attributes:
        instruments: Serial numbers, as given.
        start: The first moment of the range, in UTC.
        end: The first moment after the range, in UTC.
    """

    instruments: tuple[str, ...]
    start: datetime
    end: datetime

    @property
    def in_words(self) -> str:
        """The range, for messages."""
        return f"{wire_time(self.start)} to {wire_time(self.end)}"

    def plan(self) -> list[HistoryWindow]:
        """Return the windows, one for each request."""
        return plan_history(self.instruments, start=self.start, end=self.end)


def query(options: Namespace, *, now: datetime, otherwise: Query | None = None) -> Query:
    """Return the query of the command line.

    Args:
        options: ``serials``, ``instruments_file``, ``start``, ``last`` and ``end``.
        now: The default of the end.
        otherwise: The default of the instruments and the start.

    Raises:
        CommandError: A serial number, a time or the range is invalid.
    """
    until = now.replace(microsecond=0) if options.end is None else moment("--end", options.end)
    since = start_of(options, until)
    if since is None and otherwise is not None:
        since = otherwise.start
    if since is None:
        raise CommandError("no range: give --start TIME, or --last SPAN such as 18m")
    if since >= until:
        now_in_words = ", which is now" if otherwise is None else ", when the archive ends"
        raise CommandError(
            f"--start must be before --end: {options.start or wire_time(since)} is not before "
            f"{options.end or wire_time(until) + now_in_words}"
        )
    serials = serials_of(options) or (otherwise.instruments if otherwise else ())
    if not serials:
        raise CommandError("no instruments: give serial numbers, or --instruments-file FILE")
    return Query(tuple(serials), since, until)


def start_of(options: Namespace, end: datetime) -> datetime | None:
    """Return the start of the range, by ``--start`` or ``--last``; None if neither is given.

    Raises:
        CommandError: The time or the length is invalid.
    """
    if options.last is not None:
        return before(end, span("--last", options.last))
    return None if options.start is None else moment("--start", options.start)


def moment(name: str, text: str) -> datetime:
    """Parse a date, which is midnight UTC, or an RFC 3339 time with an offset.

    Raises:
        CommandError: It is neither.
    """
    whole = f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text
    try:
        return as_utc(name, whole)
    except InvalidRequestError:
        raise CommandError(
            f"{name} must be a date such as 2023-01-01, or a time with Z or an offset such as "
            f"2023-01-01T08:00:00Z: {text!r}"
        ) from None


def span(name: str, text: str) -> tuple[int, str]:
    """Parse a length of time, such as 90d or 18m, into a number and its unit.

    Raises:
        CommandError: It is neither.
    """
    match = _SPAN.fullmatch(text)
    if match is None:
        raise CommandError(
            f"{name} must be a number with d, w, m or y for days, weeks, months or years, such "
            f"as 90d or 18m: {text!r}"
        )
    return int(match["count"]), match["unit"].lower()


def days(name: str, text: str) -> timedelta:
    """Parse a length of time in days or weeks, such as 400d.

    Raises:
        CommandError: It is invalid, or in months or years, which have no fixed length.
    """
    match = _SPAN.fullmatch(text)
    if match is None or match["unit"].lower() not in _DAYS:
        raise CommandError(f"{name} must be in days or weeks, such as 400d or 57w: {text!r}")
    return timedelta(days=int(match["count"]) * _DAYS[match["unit"].lower()])


def before(end: datetime, length: tuple[int, str]) -> datetime:
    """Return the moment so long before another; a day that a month does not have is its last.

    Raises:
        CommandError: It is before the year 1.
    """
    count, unit = length
    try:
        if unit in _DAYS:
            return end - timedelta(days=count * _DAYS[unit])
        return _months_before(end, count * _MONTHS[unit])
    except (OverflowError, ValueError):
        raise CommandError(
            f"--last must not lead before {EARLIEST.date()}: {count}{unit}"
        ) from None


def _months_before(end: datetime, months: int) -> datetime:
    year, month = divmod(end.year * 12 + end.month - 1 - months, 12)
    _, last_day = monthrange(year, month + 1)
    return end.replace(year=year, month=month + 1, day=min(end.day, last_day))


def serials_of(options: Namespace) -> list[str]:
    """Return the serial numbers of the command line, then those of the file.

    Raises:
        CommandError: One cannot be a serial number, or is named twice.
    """
    serials = [serial for serial in options.serials if serial != STANDARD_INPUT]
    file = options.instruments_file
    if STANDARD_INPUT in options.serials:
        if file is not None:
            raise CommandError("give either - or --instruments-file, not both")
        file = STANDARD_INPUT
    if file is not None:
        serials += _listed_in(file)
    for serial, times in Counter(serials).items():
        if times > 1:
            raise CommandError(f"{serial} is named {times} times: name each instrument once")
    try:
        if serials:
            check_instruments(serials)
    except InvalidRequestError as error:
        raise CommandError(str(error)) from None
    odd = [serial for serial in serials if re.search(r"[,;\s]", serial)]
    if odd and not options.quiet:
        echo(f"warning: {odd[0]!r} is taken for one serial number")
    return serials


def _listed_in(file: str) -> list[str]:
    try:
        if file != STANDARD_INPUT:
            content = Path(file).read_bytes()
        elif sys.stdin is None:
            raise CommandError("standard input is closed: give --instruments-file FILE")
        else:
            content = sys.stdin.buffer.read()
        texts = map(str.strip, decoded(content).splitlines())
        return [text for text in texts if text and not text.startswith("#")]
    except OSError as error:
        raise CommandError(f"--instruments-file {file}: {error.strerror}") from None
    except ValueError:
        raise CommandError(
            f"--instruments-file {file}: must be text in UTF-8, or in UTF-16 with a byte order mark"
        ) from None


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)
