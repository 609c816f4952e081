"""Wrong behaviours that take more than a line."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mycirrus_contract.messages import Reply, Request, json_reply
from mycirrus_contract.standin.fleet import Entry
from mycirrus_contract.times import instant, moment_of

from .mutant import (
    DAY,
    HOUR,
    YEAR,
    Change,
    Item,
    Received,
    ends,
    has_key,
    is_good,
    items,
    length,
    when,
    when_good,
)


def _written(nanoseconds: int) -> str:
    return moment_of(nanoseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moved(start: int = 0, end: int = 0) -> Change:
    """The answer for a range whose ends are so many nanoseconds later."""

    def change(received: Received) -> Reply:
        if not is_good(received):
            return received.correct()
        first, last = ends(received)
        return listed(received, lambda entry: first + start <= instant(entry.time) <= last + end)

    return change


def listed(received: Received, chosen: Callable[[Entry], bool]) -> Reply:
    """The chosen entries of the requested instruments, of any time."""
    wanted = set(received.parameters.get("instruments", []))
    return written(
        [entry for entry in received.world.entries if entry.instrument in wanted and chosen(entry)]
    )


def written(entries: list[Entry]) -> Reply:
    """Entries as the rules write them, by time."""
    ordered = sorted(entries, key=lambda entry: instant(entry.time))
    return json_reply(
        200,
        [{"time": one.time, "user": one.user, "message": one.message} for one in ordered],
    )


@when_good
def to_midnight(received: Received) -> Reply:
    first, last = (end // DAY * DAY for end in ends(received))
    last += DAY
    return listed(received, lambda entry: first <= instant(entry.time) < last)


def over_long(change: Callable[[Received], Reply], longest: int = YEAR) -> Change:
    return when(lambda received: has_key(received) and length(received) > longest, change)


def whole(received: Received) -> Reply:
    """The log of the range, however long."""
    first, last = ends(received)
    return listed(received, lambda entry: first <= instant(entry.time) <= last)


def capped(received: Received) -> Reply:
    """The log of the first year of the range."""
    first, _ = ends(received)
    return listed(received, lambda entry: first <= instant(entry.time) <= first + 365 * DAY)


def any_order(received: Received) -> Reply:
    if has_key(received) and length(received) < 0:
        low, high = received.parameters["end"], received.parameters["start"]
        return received.correct(received.asking(start=low, end=high))
    return received.correct()


def everything(received: Received) -> Reply:
    return listed(received, lambda entry: True) if is_good(received) else received.correct()


def other_instruments_too(received: Received) -> Reply:
    return (
        written(_within(received, lambda entry: True)) if is_good(received) else received.correct()
    )


def _within(received: Received, chosen: Callable[[Entry], bool]) -> list[Entry]:
    """The entries of all instruments in the range."""
    first, last = ends(received)
    return [
        entry
        for entry in received.world.entries
        if first <= instant(entry.time) <= last and chosen(entry)
    ]


@when_good
def neighbours(received: Received) -> Reply:
    serials = sorted({entry.instrument for entry in received.world.entries})
    following = dict(zip(serials, serials[1:] + serials[:1], strict=True))
    wanted = {following.get(serial) for serial in received.parameters["instruments"]}
    return written(_within(received, lambda entry: entry.instrument in wanted))


@when_good
def one_of_another(received: Received) -> Reply:
    """With one entry of an instrument that was not requested."""
    wanted = received.parameters["instruments"]
    strange = _within(received, lambda entry: entry.instrument not in wanted)[:1]
    return written(_within(received, lambda entry: entry.instrument in wanted) + strange)


@when_good
def by_prefix(received: Received) -> Reply:
    """A serial number stands for all that begin like it."""
    begins = tuple(serial[:2] for serial in received.parameters["instruments"])
    return written(_within(received, lambda entry: entry.instrument.startswith(begins)))


def users_moved_on(items: list[Item]) -> list[Item]:
    users = [item["user"] for item in items]
    return [item | {"user": user} for item, user in zip(items, users[1:] + users[:1], strict=True)]


def userless(items: list[Item]) -> Item:
    return items[-1] | {"user": None} if items else {}


def as_lines(reply: Reply) -> Reply:
    return replace(reply, body="\n".join(json.dumps(item) for item in reply.json).encode())


def shuffled(items: list[Item]) -> list[Item]:
    return random.Random(7).sample(items, len(items))  # noqa: S311 - the same every time


def every_second_time(change: Callable[[list[Item]], Any]) -> Change:
    return lambda received: (
        items(change)(received) if len(received.earlier) % 2 else received.correct()
    )


def later(text: str) -> str:
    return _written(instant(text) + HOUR)


@when_good
def remembered(received: Received) -> Reply:
    """The last good answer again, whatever is requested now."""
    return next(
        (reply for reply in received.earlier[-1:] if reply.status == 200), received.correct()
    )


@when_good
def first_range(received: Received) -> Reply:
    """The first answer again for each single instrument, whatever its range."""
    for reply in received.earlier[:1]:
        if reply.status == 200 and len(received.parameters["instruments"]) == 1:
            return reply
    return received.correct()


def after_one_good_answer(received: Received) -> Reply:
    known = any(reply.status == 200 for reply in received.earlier)
    return received.correct(received.with_key()) if known else received.correct()


def let_in(received: Received) -> bool:
    return received.correct().status == 401


def throttling(reply: Reply, after: int = 3) -> Change:
    """Every request after the first few is throttled."""
    return lambda received: reply if len(received.earlier) >= after else received.correct()


def with_defaults(received: Received) -> Request:
    """What is missing or empty has a default."""
    defaults = {
        "instruments": ["QT123456"],
        "start": ["2024-06-01T00:00:00Z"],
        "end": ["2024-12-31T00:00:00Z"],
    }
    given = received.parameters
    return received.asking(
        **{name: value for name, value in defaults.items() if not any(given.get(name, []))}
    )


def last_of_several(received: Received) -> Request:
    return received.asking(
        **{
            name: received.parameters[name][-1:]
            for name in ("start", "end")
            if name in received.parameters
        }
    )


def any_time(received: Received) -> Request:
    """A time without offset is UTC, and any other text is some time."""
    readable = {}
    for name, default in (("start", "2025-01-01T00:00:00Z"), ("end", "2025-12-01T00:00:00Z")):
        for value in received.parameters.get(name, [])[:1]:
            try:
                readable[name] = [_written(instant(value))]
            except ValueError:
                readable[name] = [default]
    return received.asking(**readable)


def has_no_z(received: Received) -> bool:
    """Whether a time has another form than the vendor's page shows."""
    given = [received.parameters.get(name, [""])[0] for name in ("start", "end")]
    return has_key(received) and all(given) and not all(text.endswith("Z") for text in given)


def zone_ignored(received: Received) -> Request:
    """Whatever comes after the seconds is cut off."""
    given = received.parameters
    return received.asking(
        **{
            name: [given[name][0][:19] + "Z"]
            for name in ("start", "end")
            if given.get(name) and not given[name][0].endswith("Z")
        }
    )


def local_time(received: Received) -> Request:
    """A naive time is taken for summer time in Madrid."""
    naive = {
        name: [_written(instant(received.parameters[name][0]) - 2 * HOUR)]
        for name in ("start", "end")
        if received.parameters.get(name) and received.parameters[name][0][-6:].count(":") == 2
    }
    return received.asking(**naive) if len(naive) == 2 else received.request


def methods(method: str, reply: Change) -> Change:
    return when(lambda received: received.request.method == method, reply)


def as_get(received: Received) -> Reply:
    return received.correct(replace(received.request, method="GET"))


def slow(received: Received) -> Reply:
    return replace(received.correct(), seconds=15.0)


def slow_for_long(received: Received) -> Reply:
    return replace(received.correct(), seconds=25.0 if length(received) > 300 * DAY else 0.0)


BARE_429 = Reply(429, {}, b"")
BOM = b"\xef\xbb\xbf"
