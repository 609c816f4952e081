"""The operation ``GET /data/calibrations/log``: what is sent, and what a body means.

Pure: what does not fit the contract is a `MismatchError` with a JSON path.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, cast
from urllib.parse import urlencode

from mycirrus_client.api.system_health_data.get_calibrations_log import _get_kwargs
from mycirrus_client.models import CalibrationLogItem
from mycirrus_client.types import UNSET, Unset

from .errors import InvalidRequestError
from .ranges import CALIBRATION_LOG, HistoryWindow, wire_time

# The vendor's page: "Requires an API key with the data.system:read scope."
SCOPE = "data.system:read"

# RFC 3339, section 5.7: a minute may have a 61st second.
_SECOND_60 = re.compile(r":60(?:\.\d+)?(Z|[+-]\d\d:\d\d)$")

# The fields of an item that a CalibrationRecord has a name for.
KNOWN_FIELDS = frozenset({"time", "user", "message"})


@dataclass(frozen=True, slots=True)
class CalibrationRecord:
    """One entry of the calibration log, with the instrument that it belongs to.

    Attributes:
        instrument: The serial number that was requested; the answer does not name it.
        time: When the entry was made; aware, in UTC. Digits beyond microseconds are cut off.
        user: Who made it; None if it is null or absent.
        message: What was noted; likewise.
        extra: All other fields of the answer, by name, as JSON has them.
    """

    instrument: str
    time: datetime
    user: str | None
    message: str | None
    extra: dict[str, Any] = field(default_factory=dict[str, Any], hash=False)


def check_window(window: object) -> None:
    """Refuse what is not a window of this operation.

    Raises:
        InvalidRequestError: Not a `HistoryWindow`, or one of another operation.
    """
    if not isinstance(window, HistoryWindow):
        problem = f"window must be a HistoryWindow: {window!r}; see plan_history"
        raise InvalidRequestError(problem)
    if window.operation != CALIBRATION_LOG:
        raise InvalidRequestError(
            f"window must be one of {CALIBRATION_LOG}: this is one of {window.operation!r}"
        )


def check_windows(windows: Iterable[HistoryWindow]) -> Iterator[HistoryWindow]:
    """Return an iterator over windows; each is checked when its turn comes.

    Raises:
        InvalidRequestError: Not an iterable.
    """
    try:
        return iter(windows)
    except TypeError:
        raise InvalidRequestError(
            f"windows must be a list of HistoryWindow: {windows!r}; see plan_history"
        ) from None


def request_arguments(
    base_url: str, serials: list[str], start: datetime, end: datetime
) -> dict[str, Any]:
    """Return method and URL of a request, with the times as the vendor's page writes them."""
    arguments = _get_kwargs(instruments=serials, start=start, end=end)
    params = arguments.pop("params") | {"start": wire_time(start), "end": wire_time(end)}
    # The whole URL: httpx would parse it three times to join base, path and parameters.
    url = f"{base_url}{arguments['url']}?{urlencode(params, doseq=True)}"
    return arguments | {"url": url}


class MismatchError(Exception):
    """A body does not fit the contract.

    Attributes:
        path: Where, as a JSON path: ``$[3].time``.
        problem: What is wrong there, to be read after the path.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path} {problem}")
        self.path = path
        self.problem = problem


def items_of(body: Any) -> list[CalibrationLogItem]:
    """Check and parse the body of a 200.

    Raises:
        MismatchError: It does not fit the contract.
    """
    return [_item(index, value) for index, value in enumerate(_array(body))]


def records_of(window: HistoryWindow, body: Any) -> list[CalibrationRecord]:
    """Return the items inside a window, by time, with the instrument of the window.

    Raises:
        MismatchError: The body does not fit the contract.
    """
    records = [
        CalibrationRecord(
            window.instrument,
            time.astimezone(UTC),
            value.get("user"),
            value.get("message"),
            _extra(index, value),
        )
        for index, value in enumerate(_array(body))
        if (time := _time(index, value)) in window
    ]
    records.sort(key=attrgetter("time"))
    return records


def _array(body: Any) -> list[Any]:
    if not isinstance(body, list):
        raise MismatchError("$", f"must be an array: {type(body).__name__}")
    return body  # pyright: ignore[reportUnknownVariableType] - parsed JSON is Any


def _item(index: int, value: Any) -> CalibrationLogItem:
    time = _time(index, value)
    if value.keys() <= KNOWN_FIELDS:  # the same as from_dict, in a third of the time
        user: str | Unset | None = value.get("user", UNSET)
        message: str | Unset | None = value.get("message", UNSET)
        return CalibrationLogItem(time=time, user=user, message=message)
    return _parse_by_model(index, value)


def _extra(index: int, value: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that a record has no name for."""
    if value.keys() <= KNOWN_FIELDS:
        return {}
    _parse_by_model(index, value)  # a field that the spec gains one day has to fit it
    # From the answer itself, so that such a field is in extra as well.
    return {name: value[name] for name in value if name not in KNOWN_FIELDS}


def _parse_by_model(index: int, value: dict[str, Any]) -> CalibrationLogItem:
    """Parse a checked item by the generated model, with all fields that the model has."""
    try:
        return CalibrationLogItem.from_dict(value | {"time": _time(index, value).isoformat()})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        problem = f"does not fit the generated model: {type(error).__name__}"
        raise MismatchError(f"$[{index}]", problem) from None


def _time(index: int, value: Any) -> datetime:
    """Check the known fields of an item, and return its time."""
    if not isinstance(value, dict):
        raise MismatchError(f"$[{index}]", f"must be an object: {type(value).__name__}")
    fields = cast("dict[str, Any]", value)
    for name in ("user", "message"):
        if (text := fields.get(name)) is not None and not isinstance(text, str):
            problem = f"must be a string or null: {type(text).__name__}"
            raise MismatchError(f"$[{index}].{name}", problem)
    time = fields.get("time")
    if not isinstance(time, str):
        raise MismatchError(f"$[{index}].time", f"must be a string: {type(time).__name__}")
    moment = _parsed(time)
    if moment is None:
        raise MismatchError(f"$[{index}].time", f"is not a time: {time!r}")
    if moment.tzinfo is None:
        raise MismatchError(f"$[{index}].time", f"has no offset: {time!r}")
    return moment


def _parsed(time: str) -> datetime | None:
    text = time.upper()  # RFC 3339 allows a lower-case t and z, Python does not
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return _leap_second(text)


def _leap_second(text: str) -> datetime | None:
    """Return a leap second, which Python does not know, as the last microsecond of its minute."""
    try:
        moment = datetime.fromisoformat(_SECOND_60.sub(r":59.999999\1", text))
        in_utc = moment.astimezone(UTC)
    except (OverflowError, ValueError):  # the offset leads out of the years 1 to 9999
        return None
    return moment if moment.tzinfo and in_utc.strftime("%H:%M") == "23:59" else None
