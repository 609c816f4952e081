"""What an answer holds: items as the contract has them, and records with their instrument."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from cirrus_client.models import CalibrationLogItem

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
    return [item for _, item in _pairs(response)]


def records_of(window: HistoryWindow, response: Response) -> list[CalibrationRecord]:
    """The items inside a window, by time, with the instrument that was asked for."""
    records = [
        _record(window, value, item) for value, item in _pairs(response) if item.time in window
    ]
    return sorted(records, key=lambda record: record.time)


def _pairs(response: Response) -> list[tuple[dict[str, Any], CalibrationLogItem]]:
    """Each item as JSON has it and as the generated model has it."""
    return [
        (value, _item(response, f"$[{index}]", value))
        for index, value in enumerate(_array(response))
    ]


def _record(
    window: HistoryWindow, value: dict[str, Any], item: CalibrationLogItem
) -> CalibrationRecord:
    return CalibrationRecord(
        instrument=window.instrument,
        time=item.time.astimezone(UTC),
        user=value.get("user"),
        message=value.get("message"),
        # From the answer itself: a field that the spec gains some day stays here too.
        extra={name: value[name] for name in value if name not in KNOWN_FIELDS},
    )


def _array(response: Response) -> list[Any]:
    """The body of a 2xx, if it is the list that is documented."""
    if response.status_code != 200:
        raise mismatch(response, "$", "was promised with a 200")
    body = response.json()
    if not isinstance(body, list):
        raise mismatch(response, "$", f"must be an array: {type(body).__name__}")
    return body  # pyright: ignore[reportUnknownVariableType] - parsed JSON is Any


def _item(response: Response, path: str, value: Any) -> CalibrationLogItem:
    """Check and parse one item."""
    if not isinstance(value, dict):
        raise mismatch(response, path, f"must be an object: {type(value).__name__}")
    fields = cast("dict[str, Any]", value)
    for name in ("user", "message"):
        if not isinstance(text := fields.get(name), str | None):
            problem = f"must be a string or null: {type(text).__name__}"
            raise mismatch(response, f"{path}.{name}", problem)
    time = fields.get("time")
    if not isinstance(time, str):
        raise mismatch(response, f"{path}.time", f"must be a string: {type(time).__name__}")
    # RFC 3339 allows a small t and z, Python does not.
    moment = _parsed(time.upper())
    if moment is None:
        raise mismatch(response, f"{path}.time", f"is no time: {time[:40]!r}")
    if moment.utcoffset() is None:
        raise mismatch(response, f"{path}.time", f"has no offset: {time[:40]!r}")
    try:
        return CalibrationLogItem.from_dict(fields | {"time": time.upper()})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        problem = f"does not fit the generated model: {type(error).__name__}"
        raise mismatch(response, path, problem) from None


def _parsed(time: str) -> datetime | None:
    try:
        return datetime.fromisoformat(time)
    except ValueError:
        return None
