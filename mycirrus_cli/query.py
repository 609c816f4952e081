"""What is asked: which instruments, and from when to when."""

import re
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable
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
        start: The first moment wanted, in UTC.
        end: The first moment no longer wanted, in UTC.
    """

    instruments: tuple[str, ...]
    start: datetime
    end: datetime

    @property
    def in_words(self) -> str:
        """The range, for people."""
        return f"{wire_time(self.start)} to {wire_time(self.end)}"

    def plan(self) -> list[HistoryWindow]:
        """The requests that it takes."""
        return plan_history(self.instruments, start=self.start, end=self.end)


def query(options: Namespace, *, now: datetime, otherwise: Query | None = None) -> Query:
    """What the command line asks for.

    Args:
        options: ``serials``, ``instruments_file``, ``start``, ``last`` and ``end``.
        now: The end, if none is given.
        otherwise: The instruments and the start, if none are given.

    Raises:
        CommandError: Not a serial number, not a time, not a range.
    """
    until = now.replace(microsecond=0) if options.end is None else moment("--end", options.end)
    since = start_of(options, until)
    if since is None and otherwise is not None:
        since = otherwise.start
    if since is None:
        raise CommandError("no range: give --start TIME, or --last SPAN such as 18m")
    if since >= until:
        raise CommandError(
            f"--start must be before --end: {options.start} is not before "
            f"{options.end or wire_time(until) + ', which is now'}"
        )
    serials = serials_of(options) or (otherwise.instruments if otherwise else ())
    if not serials:
        raise CommandError("no instruments: give serial numbers, or --instruments-file FILE")
    return Query(tuple(serials), since, until)


def start_of(options: Namespace, end: datetime) -> datetime | None:
    """The first moment wanted, by ``--start`` or ``--last``; None if neither is given.

    Raises:
        CommandError: Not a time, not a length of time.
    """
    if options.last is not None:
        return before(end, span("--last", options.last))
    return None if options.start is None else moment("--start", options.start)


def moment(name: str, text: str) -> datetime:
    """A date, which is midnight UTC, or an RFC 3339 time with an offset.

    Raises:
        CommandError: Something else.
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
    """A length of time, such as 90d or 18m, as a number and its unit.

    Raises:
        CommandError: Something else.
    """
    match = _SPAN.fullmatch(text)
    if match is None:
        raise CommandError(
            f"{name} must be a number with d, w, m or y for days, weeks, months or years, such "
            f"as 90d or 18m: {text!r}"
        )
    return int(match["count"]), match["unit"].lower()


def days(name: str, text: str) -> timedelta:
    """A length of time in days or weeks, such as 400d.

    Raises:
        CommandError: Something else, or months or years, which have no fixed length.
    """
    match = _SPAN.fullmatch(text)
    if match is None or match["unit"].lower() not in _DAYS:
        raise CommandError(f"{name} must be in days or weeks, such as 400d or 57w: {text!r}")
    return timedelta(days=int(match["count"]) * _DAYS[match["unit"].lower()])


def before(end: datetime, length: tuple[int, str]) -> datetime:
    """So long before a moment; a day that the month has not got becomes its last.

    Raises:
        CommandError: Before the year 1.
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
    for day in range(end.day, 27, -1):
        try:
            return end.replace(year=year, month=month + 1, day=day)
        except ValueError:
            if year < 1:
                raise
    return end.replace(year=year, month=month + 1)


def serials_of(options: Namespace) -> list[str]:
    """The serial numbers of the command line, then those of the file; there may be none.

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
        serials += _listed(_lines_of(file))
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


def _lines_of(file: str) -> list[str]:
    try:
        if file != STANDARD_INPUT:
            content = Path(file).read_bytes()
        elif sys.stdin is None:
            raise CommandError("standard input is closed: give --instruments-file FILE")
        else:
            content = sys.stdin.buffer.read()
        return decoded(content).splitlines()
    except OSError as error:
        raise CommandError(f"--instruments-file {file}: {error.strerror}") from None
    except ValueError:
        raise CommandError(
            f"--instruments-file {file}: must be text in UTF-8, or in UTF-16 with a byte order mark"
        ) from None


def _listed(lines: Iterable[str]) -> list[str]:
    texts = (line.strip() for line in lines)
    return [text for text in texts if text and not text.startswith("#")]


def utc_now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)
