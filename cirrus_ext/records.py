"""What an answer holds: items as the contract has them, and records with their instrument."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, cast

from mycirrus_client.models import CalibrationLogItem
from mycirrus_client.types import UNSET

from .http import Response, mismatch
from .ranges import HistoryWindow

# The fields of an item that a CalibrationRecord has a name for.
KNOWN_FIELDS = frozenset({"time", "user", "message"})


@dataclass(frozen=True, slots=True)
class CalibrationRecord:
    """One entry of the calibration log, with the instrument that it belongs to.

    Attributes:
        instrument: The serial number that was asked for; the answer does not name it.
        time: When the entry was made; aware, in UTC. Digits beyond microseconds are cut off.
        user: Who made it; None if the answer says null or nothing.
        message: What was noted; likewise.
        extra: All other fields of the answer, by name, as JSON has them.
    """

    instrument: str
    time: datetime
    user: str | None
    message: str | None
    extra: dict[str, Any] = field(default_factory=dict[str, Any], hash=False)


def items_of(response: Response) -> list[CalibrationLogItem]:
    """Check and parse the body of a 2xx."""
    return [_item(response, index, value) for index, value in enumerate(_array(response))]


def records_of(window: HistoryWindow, response: Response) -> list[CalibrationRecord]:
    """The items inside a window, by time, with the instrument that was asked for."""
    records = [
        _record(window, value, time, _extra(response, index, value))
        for index, value in enumerate(_array(response))
        if (time := _time(response, index, value)) in window
    ]
    records.sort(key=attrgetter("time"))
    return records


def _array(response: Response) -> list[Any]:
    """The body of a 2xx, if it is the list that is documented."""
    if response.status_code != 200:
        raise mismatch(response, "$", "was promised with a 200")
    body = response.json()
    if not isinstance(body, list):
        raise mismatch(response, "$", f"must be an array: {type(body).__name__}")
    return body  # pyright: ignore[reportUnknownVariableType] - parsed JSON is Any


def _item(response: Response, index: int, value: Any) -> CalibrationLogItem:
    """Check and parse one item."""
    time = _time(response, index, value)
    if value.keys() <= KNOWN_FIELDS:  # all that from_dict would do, in a third of the time
        return CalibrationLogItem(time, value.get("user", UNSET), value.get("message", UNSET))
    return _modelled(response, index, value)


def _record(
    window: HistoryWindow, value: dict[str, Any], time: datetime, extra: dict[str, Any]
) -> CalibrationRecord:
    user, message = value.get("user"), value.get("message")
    return CalibrationRecord(window.instrument, time.astimezone(UTC), user, message, extra)


def _extra(response: Response, index: int, value: dict[str, Any]) -> dict[str, Any]:
    """The fields that a record has no name for."""
    if value.keys() <= KNOWN_FIELDS:
        return {}
    _modelled(response, index, value)  # a field that the spec gains some day has to fit it
    # From the answer itself: such a field stays here too.
    return {name: value[name] for name in value if name not in KNOWN_FIELDS}


def _modelled(response: Response, index: int, value: dict[str, Any]) -> CalibrationLogItem:
    """A checked item as the generated model has it, whatever fields that may have learned."""
    try:
        return CalibrationLogItem.from_dict(value | {"time": value["time"].upper()})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        problem = f"does not fit the generated model: {type(error).__name__}"
        raise mismatch(response, f"$[{index}]", problem) from None


def _time(response: Response, index: int, value: Any) -> datetime:
    """Check the fields of an item that are known, and give its time."""
    if not isinstance(value, dict):
        raise mismatch(response, f"$[{index}]", f"must be an object: {type(value).__name__}")
    fields = cast("dict[str, Any]", value)
    for name in ("user", "message"):
        if (text := fields.get(name)) is not None and not isinstance(text, str):
            problem = f"must be a string or null: {type(text).__name__}"
            raise mismatch(response, f"$[{index}].{name}", problem)
    time = fields.get("time")
    if not isinstance(time, str):
        problem = f"must be a string: {type(time).__name__}"
        raise mismatch(response, f"$[{index}].time", problem)
    moment = _parsed(time)
    if moment is None:
        raise mismatch(response, f"$[{index}].time", f"is no time: {time[:40]!r}")
    if moment.tzinfo is None:
        raise mismatch(response, f"$[{index}].time", f"has no offset: {time[:40]!r}")
    return moment


def _parsed(time: str) -> datetime | None:
    try:
        # RFC 3339 allows a small t and z, Python does not.
        return datetime.fromisoformat(time.upper())
    except ValueError:
        return None
