"""What the vendor's page leaves open, as switches of the stand-in."""

from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args, get_origin


def _switch(default: object, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Switches:
    """Each field is an open question of ``questions.yaml``; its default is the assumption there."""

    start_inclusive: bool = _switch(default=True, text="return an item exactly at start")
    end_inclusive: bool = _switch(default=True, text="return an item exactly at end")
    year: Literal["calendar", "365 days", "366 days"] = _switch("calendar", "the longest range")
    over_long_status: int = _switch(400, "the status for a longer range")
    reversed_status: int = _switch(400, "the status for a range whose start is not before its end")
    invalid_status: int = _switch(400, "the status for a missing or unreadable parameter")
    naive: Literal["refused", "utc"] = _switch("refused", "what to do with a time without offset")
    offsets: Literal["none", "utc", "any"] = _switch("utc", "the offsets to take besides Z")
    comma_arrays: bool = _switch(default=False, text="take instruments=A,B for two instruments")
    unknown_instrument: Literal["skipped", "403", "404"] = _switch(
        "skipped", "what to do with a serial number that does not exist"
    )
    order: Literal["time", "newest first", "by instrument"] = _switch("time", "how to sort items")
    names_instrument: bool = _switch(default=False, text="name the instrument in each item")
    fraction_digits: int | None = _switch(
        None, "digits of the fraction of a second; default: as noted"
    )

    def __post_init__(self) -> None:
        """Refuse a value that is not among the choices of its field.

        Raises:
            ValueError: A value is not.
        """
        for one in fields(self):
            choices, value = get_args(one.type), getattr(self, one.name)
            if get_origin(one.type) is Literal and value not in choices:
                raise ValueError(f"{one.name} must be one of {', '.join(choices)}: {value!r}")
