"""What the API accepts, and how a long range becomes windows. Pure.

All times leave this module aware and in UTC. What is sent has whole milliseconds: a start is
rounded down and an end up, so that no record is lost.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from .errors import InvalidRequestError

MILLISECOND = timedelta(milliseconds=1)
# "1 year" can be read as 365 days, 366 days or a calendar year. This is safe under all three.
LONGEST_WINDOW = timedelta(days=365)

EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(microsecond=999_000, tzinfo=UTC)

# The operation whose history `plan_history` cuts into windows: its operationId.
CALIBRATION_LOG = "getCalibrationsLog"

_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.(?P<fraction>\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII
)


def plain(text: str) -> str:
    """Return the characters of a str, even if its class overrides ``__str__``, as an Enum does."""
    return str.__str__(text)


def check_instruments(instruments: Iterable[str]) -> list[str]:
    """Return serial numbers as a list, and refuse invalid ones. Nothing is repaired.

    Raises:
        InvalidRequestError: Not an iterable of str, empty, or a serial that is blank, has blanks
            around it, has a character that cannot be printed, or is named twice.
    """
    if isinstance(instruments, str | bytes):
        raise InvalidRequestError(
            f"instruments must be a list of serial numbers, not one: {instruments!r}"
        )
    try:
        given = list(instruments)
    except TypeError:
        raise InvalidRequestError(
            f"instruments must be a list of serial numbers: {instruments!r}"
        ) from None
    if not given:
        raise InvalidRequestError("instruments must name at least one serial number: []")
    serials: dict[str, None] = {}
    for index, value in enumerate(given):
        serial = check_serial(f"instruments[{index}]", value)
        if serial in serials:
            raise InvalidRequestError(
                f"instruments[{index}] names {serial!r} a second time; name each instrument once"
            )
        serials[serial] = None
    return list(serials)


def check_serial(name: str, value: object) -> str:
    """Return the characters of a serial number. The vendor documents no grammar for them.

    Raises:
        InvalidRequestError: Not a str, empty, blank, or with characters that cannot be printed.
    """
    serial = plain(value) if isinstance(value, str) else value
    if not isinstance(serial, str):
        raise InvalidRequestError(
            f"{name} must be a serial number as a str: {serial!r} is {type(serial).__name__}"
        )
    if not serial.strip():
        raise InvalidRequestError(f"{name} must not be blank: {serial!r}")
    if serial != serial.strip():
        raise InvalidRequestError(f"{name} must not have blanks around it: {serial!r}")
    if not serial.isprintable():
        raise InvalidRequestError(f"{name} has a character that cannot be printed: {serial!r}")
    return serial


def as_utc(name: str, value: datetime | str) -> datetime:
    """Return a point in time in UTC.

    Args:
        name: The parameter, for the message.
        value: An aware datetime, or an RFC 3339 string with ``Z`` or an offset.

    Raises:
        InvalidRequestError: Naive, finer than microseconds, or not a point in time.
    """
    if isinstance(value, str):
        value = _parse(name, value)
    if not isinstance(value, datetime):
        raise InvalidRequestError(
            f"{name} must be an aware datetime or an RFC 3339 string: {value!r} is "
            f"{type(value).__name__}"
        )
    try:
        moment = _in_utc(value)
    except Exception as error:  # such as NaT of pandas, or what a tzinfo raises
        if isinstance(error, OverflowError) and value.year in {1, 9999}:
            return EARLIEST if value.year == 1 else LATEST  # an offset leads out of these years
        raise InvalidRequestError(f"{name} is not a point in time: {value!r}") from error
    if moment is None:
        raise InvalidRequestError(
            f"{name} must say its time zone: {value.isoformat()} is naive; "
            "for UTC add tzinfo=datetime.UTC"
        )
    if getattr(value, "nanosecond", 0):  # pandas has datetimes that are finer than Python's
        raise InvalidRequestError(f"{name} must not be finer than microseconds: {value!r}")
    return moment


def _in_utc(value: datetime) -> datetime | None:
    """Return a plain datetime, whatever subclass came in; None for a naive one."""
    if value.utcoffset() is None:
        return None
    moment = value.astimezone(UTC)
    return datetime.combine(moment.date(), moment.time(), UTC)


def _parse(name: str, text: str) -> datetime:
    match = _RFC_3339.fullmatch(text.upper())
    if match is None:
        raise InvalidRequestError(
            f"{name} must be an RFC 3339 time with Z or an offset, such as 2023-01-01T00:00:00Z: "
            f"{text!r}"
        )
    if (match["fraction"] or "")[6:].strip("0"):
        raise InvalidRequestError(f"{name} must not be finer than microseconds: {text!r}")
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError as error:
        raise InvalidRequestError(f"{name} is not a point in time: {text!r}: {error}") from None


def floor_ms(moment: datetime) -> datetime:
    """Return the last whole millisecond that is not later."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def ceil_ms(moment: datetime) -> datetime:
    """Return the first whole millisecond that is not earlier, in year 9999 at the latest."""
    floor = floor_ms(moment)
    return floor if floor == moment else _shift(floor, MILLISECOND)


def _shift(moment: datetime, by: timedelta) -> datetime:
    """Add a duration, but stay in the years 1 to 9999."""
    try:
        return min(moment + by, LATEST)
    except OverflowError:
        return LATEST if by > timedelta() else EARLIEST


def one_year_after(moment: datetime) -> datetime:
    """Return the same day and time a year later; 1 March for 29 February.

    The widest reading of "1 year", so that nothing is refused that the API might accept.
    """
    if moment.year == LATEST.year:
        return LATEST
    try:
        return moment.replace(year=moment.year + 1)
    except ValueError:
        return moment.replace(year=moment.year + 1, month=3, day=1)


def check_range(start: datetime | str, end: datetime | str) -> tuple[datetime, datetime]:
    """Check the range of one request, and return it as it is sent.

    Raises:
        InvalidRequestError: An invalid time, ``end`` not after ``start``, or more than one year.
    """
    first, last = as_utc("start", start), as_utc("end", end)
    _check_order(first, last)
    first, last = floor_ms(first), ceil_ms(last)
    if last > (bound := one_year_after(first)):
        raise InvalidRequestError(
            f"end must be at most one year after start: {wire_time(last)} is later than "
            f"{wire_time(bound)}; use calibration_history for a longer range"
        )
    return first, last


def _check_order(start: datetime, end: datetime) -> None:
    if start >= end:
        raise InvalidRequestError(
            f"start must be before end: {start.isoformat()} is not before {end.isoformat()}"
        )


def wire_time(moment: datetime) -> str:
    """Return a time as the vendor's page writes it: ``2023-01-01T00:00:00Z``."""
    precision = "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=precision).removesuffix("+00:00") + "Z"


@dataclass(frozen=True, order=True)
class HistoryWindow:
    """A part of the history of one instrument that one request can answer.

    The answer of the API does not name the instrument, so a window has just one. Can be pickled,
    compared and used as a key.

    Args:
        instrument: The serial number.
        start: The first moment that belongs to the window; converted to UTC.
        end: The first moment that no longer does; converted to UTC. Asked for with its margins
            (see `request_range`), a window has at most 365 days.
        operation: The operation that answers it, by its name in the spec (operationId).

    Raises:
        InvalidRequestError: An invalid serial number or time, or more than 365 days.
    """

    instrument: str
    start: datetime
    end: datetime
    operation: str = CALIBRATION_LOG

    def __post_init__(self) -> None:
        object.__setattr__(self, "instrument", check_serial("instrument", self.instrument))
        for name in ("start", "end"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise InvalidRequestError(f"{name} must be an aware datetime: {value!r} is str")
            object.__setattr__(self, name, as_utc(name, value))
        _check_order(self.start, self.end)
        first, last = self.request_range
        if last - first > LONGEST_WINDOW:
            raise InvalidRequestError(
                f"a window must have at most {LONGEST_WINDOW.days} days, a millisecond to spare "
                f"at each end included: {self.start.isoformat()} to {self.end.isoformat()} has "
                f"{last - first}; plan_history makes windows of a longer range"
            )

    @property
    def request_range(self) -> tuple[datetime, datetime]:
        """The range to send: a millisecond wider at both ends.

        It is not documented whether the ends belong to the range. With a millisecond to spare it
        does not matter; what is outside the window is dropped from the answer.
        """
        return _with_margin_before(self.start), _with_margin_after(self.end)

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


def _with_margin_before(start: datetime) -> datetime:
    return _shift(floor_ms(start), -MILLISECOND)


def _with_margin_after(end: datetime) -> datetime:
    return _shift(ceil_ms(end), MILLISECOND)


def plan_history(
    instruments: Iterable[str], *, start: datetime | str, end: datetime | str
) -> list[HistoryWindow]:
    """Divide a range of any length into windows, one request each and as few as possible.

    Args:
        instruments: Serial numbers; the windows come in this order, then by time.
        start: The first moment wanted: an aware datetime, or an RFC 3339 string with an offset.
        end: The first moment no longer wanted.

    Returns:
        For each instrument contiguous windows from ``start`` to ``end``.

    Raises:
        InvalidRequestError: Invalid instruments or times, or ``end`` not after ``start``.
    """
    serials = check_instruments(instruments)
    first, last = as_utc("start", start), as_utc("end", end)
    _check_order(first, last)
    edges = [first]
    while _with_margin_after(last) - _with_margin_before(edges[-1]) > LONGEST_WINDOW:
        edges.append(_with_margin_before(edges[-1]) + LONGEST_WINDOW - MILLISECOND)
    edges.append(last)
    return [
        HistoryWindow(serial, since, until)
        for serial in serials
        for since, until in pairwise(edges)
    ]
