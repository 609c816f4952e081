"""Whether what the SDK returned is what was served, field by field."""

from datetime import datetime
from typing import Any

from cirrus_ext import CalibrationLogItem

ABSENT = object()


def difference_of(items: list[CalibrationLogItem], body: Any) -> str | None:
    """Say where the items of the SDK differ from the served body; None if they do not.

    Args:
        items: What `calibration_log` returned.
        body: The parsed body of the 200.
    """
    if not isinstance(body, list) or len(items) != len(body):
        return f"{len(items)} items are returned, but another number is served"
    for number, (item, served) in enumerate(zip(items, body, strict=True)):
        for name in {"time", "user", "message", *served, *item.additional_properties}:
            if not _is_same(name, _returned(item, name), served.get(name, ABSENT)):
                known = name if name in {"time", "user", "message"} else "(another field)"
                return f"$[{number}].{known} is not what was served"
    return None


def _returned(item: CalibrationLogItem, name: str) -> Any:
    if name in item.additional_properties:
        return item.additional_properties[name]
    value = getattr(item, name, ABSENT)
    return ABSENT if type(value).__name__ == "Unset" else value


def _is_same(name: str, returned: Any, served: Any) -> bool:
    if name != "time" or not isinstance(served, str):
        return bool(returned == served) and type(returned) is type(served)
    try:
        moment = datetime.fromisoformat(served.upper())  # RFC 3339 allows a small z
    except ValueError:
        return False
    return bool(returned == moment) and returned.utcoffset() is not None
