"""What the probe sends, in which order. No I/O: the answers are sent to a generator.

The most important requests come first, for a run with a small budget.
"""

import re
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cirrus_ext.ranges import wire_time
from mycirrus_contract.times import instant

from .exchange import TOLERANT, Exchange, ProbeRequest, stamps

# Just longer than every reading of "1 year": 367 days.
RULE = TOLERANT.known_range_rule()
OVER_LONG = RULE.longest() + timedelta(days=1)
MOST_DAYS = OVER_LONG - timedelta(days=1)
EARLIER = 3  # how many earlier ranges are tried if the chosen one is empty
MONTHLY = timedelta(days=28)
LONGEST_LEAP_GAP = 8 * 366  # days from one 29 February to the next

WHOLE = "whole range"
MONTH, FIRST_MONTH = "last month of it", "first month of it"
SAME = "whole range, through the SDK"
ALONE = "first instrument, through the SDK"
OTHERS = "other instruments"
FIRST_HALF, SECOND_HALF = "first half", "second half"
OVER_LONG_RANGE, REVERSED, NAIVE = "over-long range", "reversed range", "naive range"
NO_KEY, BAD_KEY = "no key", "wrong key"
OFFSETS, JOINED, UNKNOWN = "times with +00:00", "serials with a comma", "unknown serial"
NO_END, LEAP_YEAR, OTHER_YEAR = "no end", "366 days, leap year", "366 days, other year"
SAME_START, SAME_LEAP_START = "an hour from the same start", "an hour, leap year"
BESIDE_CUT, CLEAR_OF_CUT = "a microsecond beside the cut", "a second beside the cut"


def earlier(number: int) -> str:
    """The name of a range that is tried because the chosen one is empty."""
    return f"{number} range{'s' if number > 1 else ''} earlier"


def again(name: str) -> str:
    """The name of a request that is sent a second time."""
    return f"{name}, again"


# Requests that are answered with items.
WHOLES = (*(earlier(number) for number in range(EARLIER, 0, -1)), WHOLE)  # the last one sent first
GOOD = (*reversed(WHOLES), SAME, ALONE, OTHERS, FIRST_HALF, SECOND_HALF)
# Controls, whose ranges are allowed as well.
CONTROLS = (SAME_START, SAME_LEAP_START, BESIDE_CUT, CLEAR_OF_CUT, MONTH, FIRST_MONTH)
# Requests that no other promise judges.
OTHER = (OFFSETS, JOINED, UNKNOWN, NO_END, LEAP_YEAR, OTHER_YEAR, *CONTROLS)

# The status of the answer, as documented or assumed. After another 4xx the request is repeated.
EXPECTED = {
    **dict.fromkeys((NO_KEY, BAD_KEY), 401),
    **dict.fromkeys((OVER_LONG_RANGE, REVERSED, NAIVE, NO_END), 400),
    **dict.fromkeys((OFFSETS, UNKNOWN, LEAP_YEAR), 200),
}

Plan = Generator[ProbeRequest, Exchange, None]


def plan(chosen: ProbeRequest) -> Plan:
    """Yield each request, and receive its answer.

    Args:
        chosen: All instruments and the whole range.
    """
    whole = yield from _look_for_items(chosen)
    request = whole.request
    if whole.items:
        yield from _add_up(whole)
    if whole.is_refused:
        yield replace(request, name=MONTH, start=max(request.start, request.end - MONTHLY))
    yield from _be_refused(request)
    yield from _settle(request)


def _look_for_items(chosen: ProbeRequest) -> Generator[ProbeRequest, Exchange, Exchange]:
    """The chosen range, and earlier ones while they are empty."""
    exchange = yield chosen
    for number in range(1, EARLIER + 1):
        length = number * (chosen.end - chosen.start)
        if not exchange.is_empty or chosen.start - datetime(1900, 1, 1, tzinfo=UTC) < length:
            break
        start, end = chosen.start - length, chosen.end - length
        exchange = yield replace(chosen, name=earlier(number), start=start, end=end)
    return exchange


def _add_up(whole: Exchange) -> Plan:
    """The whole again, by instrument, and by halves."""
    request = whole.request
    first, others = request.instruments[:1], request.instruments[1:]
    yield replace(request, name=SAME, sdk=True)
    alone = whole
    if others:
        alone = yield replace(request, name=ALONE, instruments=first, sdk=True)
        yield replace(request, name=OTHERS, instruments=others)
    middle = middle_of(alone.items, request.start, request.end)
    if request.start < middle < request.end:
        half = replace(request, instruments=first)
        yield replace(half, name=FIRST_HALF, end=middle)
        yield replace(half, name=SECOND_HALF, start=middle)


def _be_refused(good: ProbeRequest) -> Plan:
    yield replace(good, name=OVER_LONG_RANGE, start=good.end - OVER_LONG)
    yield replace(good, name=NO_KEY, key="none")
    yield replace(good, name=REVERSED, start=good.end, end=good.start)
    yield replace(good, name=NAIVE, zone="")
    yield replace(good, name=BAD_KEY, key="wrong")


def _settle(good: ProbeRequest) -> Plan:
    """The requests that answer open questions; a budget of `THOROUGH` reaches them."""
    yield replace(good, name=OFFSETS, zone="+00:00")
    if len(good.instruments) > 1:
        yield replace(good, name=JOINED, joined=True)
    unknown = unknown_like(good.instruments[0])
    if unknown not in good.instruments:
        yield replace(good, name=UNKNOWN, instruments=(unknown,))
    yield replace(good, name=NO_END, without=RULE.end)
    for name, is_leap in ((LEAP_YEAR, True), (OTHER_YEAR, False)):
        end = last_end(good.end, is_leap=is_leap)
        if end is not None:
            yield replace(good, name=name, start=end - MOST_DAYS, end=end)


def unknown_like(serial: str) -> str:
    """A serial number of the same shape, which no instrument should have."""
    unknown = re.sub("[0-9]", "0", serial)
    return unknown if unknown != serial else f"{serial}0"


def last_end(end: datetime, *, is_leap: bool) -> datetime | None:
    """The latest end of 366 days that are, or are not, one calendar year; None if there is none."""
    for days in range(LONGEST_LEAP_GAP):
        last = end - timedelta(days=days)
        start = last - MOST_DAYS
        if (start.month, start.day) == (2, 29):
            continue  # a year after it has two readings
        if (RULE.violation(start, last) is None) == is_leap:
            return last
    return None


def middle_of(items: list[dict[str, Any]], start: datetime, end: datetime) -> datetime:
    """Where to cut a range in two: at an item, so that the cut shows whether ends are inclusive.

    Of the items in the middle it is the one with the nearest neighbours, where a half that reaches
    too far is most likely to show. Only whole milliseconds can be requested, and a time with fewer
    than three digits may be cut off; without an exact item the cut is between two items, or in the
    middle of the range.
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
