"""A question that the probe can ask, and what came back."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from cirrus_ext.ranges import wire_time
from mycirrus_contract.messages import Reply
from mycirrus_contract.model import PATH, tolerant
from mycirrus_contract.times import TIME, instant

KeyKind = Literal["right", "none", "wrong"]
Spelling = Literal["Z", "", "+00:00"]
# Of the shape of the example on the vendor's authentication page, and nobody's key.
WRONG_KEY = "mycirrus-000000-0000000000000000"
UNKNOWN_SERIAL = "NO-SUCH-INSTRUMENT"


@dataclass(frozen=True)
class Question:
    """One request that the probe can send.

    Attributes:
        name: What the report calls it.
        instruments: The serial numbers.
        start: Aware, in UTC.
        end: Aware, in UTC.
        key: Which key goes with it.
        zone: How the times say that they are in UTC; empty says nothing.
        joined: Whether the serial numbers go as one value with commas.
        without: A parameter that is left out.
        sdk: Whether the SDK asks it, and not the probe's own client.
    """

    name: str
    instruments: tuple[str, ...]
    start: datetime
    end: datetime
    key: KeyKind = "right"
    zone: Spelling = "Z"
    joined: bool = False
    without: str = ""
    sdk: bool = False

    @property
    def parameters(self) -> dict[str, str | tuple[str, ...]]:
        """The query, as the vendor's page writes it; httpx repeats the key of a tuple."""
        rule = tolerant().operation(PATH).known_range_rule()
        start, end = (
            wire_time(moment).removesuffix("Z") + self.zone for moment in (self.start, self.end)
        )
        serials = (",".join(self.instruments),) if self.joined else self.instruments
        parameters: dict[str, str | tuple[str, ...]] = {
            "instruments": serials,
            rule.start: start,
            rule.end: end,
        }
        parameters.pop(self.without, None)
        return parameters


@dataclass(frozen=True)
class Exchange:
    """A question, and what came back.

    Attributes:
        question: What was asked.
        reply: What was answered; None if no whole answer came.
        failure: Why none came: the kind of the error, without addresses.
        seconds: How long it took.
        began: Seconds from the first request to this one.
        sdk: How what the SDK returned is not what was served; empty if it is, or if the SDK was
            not asked.
    """

    question: Question
    reply: Reply | None = None
    failure: str = ""
    seconds: float = 0.0
    began: float = 0.0
    sdk: str = ""

    @property
    def status(self) -> int | None:
        """The status; None if no whole answer came."""
        return None if self.reply is None else self.reply.status

    @property
    def is_answered(self) -> bool:
        """Whether there is a 200 with a list in it."""
        return self.reply is not None and self.status == 200 and isinstance(self.reply.json, list)

    @property
    def is_empty(self) -> bool:
        """Whether there is a 200 with nothing in it."""
        return self.is_answered and self.reply is not None and self.reply.json == []

    @property
    def items(self) -> list[dict[str, Any]]:
        """The items of a 200; what is no object is left out."""
        return list(self.reply.objects()) if self.reply and self.status == 200 else []

    @property
    def error_code(self) -> str | None:
        """The field ``error`` of a refusal, if it is a text."""
        body = None if self.reply is None else self.reply.json
        code = body.get("error") if isinstance(body, dict) else None
        return code if isinstance(code, str) else None


@dataclass(frozen=True)
class Stamp:
    """The time of an item as far as it is shown.

    Attributes:
        instant: Nanoseconds since the year 1; the true time may be later, if digits were cut off.
        unit: What the last digit stands for, in nanoseconds.
        digits: How many digits there are behind the second.
    """

    instant: int
    unit: int
    digits: int


def stamps(items: list[dict[str, Any]]) -> Iterator[Stamp]:
    """The times that can be read; what cannot is the schema's business."""
    for item in items:
        text = item.get("time")
        match = TIME.fullmatch(text) if isinstance(text, str) else None
        if match is None or match["offset"] is None:
            continue
        digits = len(match["fraction"] or "")
        try:
            yield Stamp(instant(match[0]), 10 ** max(0, 9 - digits), digits)
        except ValueError:
            continue


def middle_of(items: list[dict[str, Any]], start: datetime, end: datetime) -> datetime:
    """Where to cut a range in two: at an item, so that the cut shows what the ends mean.

    Of the items in the middle it is the one with the nearest neighbours: a part that reaches too
    far shows most easily there. Only whole milliseconds can be asked for, and only a time with
    three digits or more is taken at its word; without such an item the cut is between two items,
    or in the middle of the range.
    """
    times = sorted(stamps(items), key=lambda stamp: stamp.instant)
    first, last = (instant(wire_time(moment)) for moment in (start, end))
    inside = [stamp for stamp in times if first < stamp.instant < last]
    exact = [
        (after.instant - before.instant, stamp.instant)
        for before, stamp, after in zip(inside, inside[1:], inside[2:], strict=False)
        if stamp.digits >= 3 and stamp.instant % 10**6 == 0
    ]
    quarter, half = len(exact) // 4, len(inside) // 2
    if exact:
        cut = min(exact[quarter : len(exact) - quarter])[1]
    elif len(inside) > 1:
        cut = (inside[half - 1].instant + inside[half].instant) // 2
    else:
        cut = (first + last) // 2
    millisecond = (cut - first) // 10**6 or 1
    return start + timedelta(milliseconds=millisecond)
