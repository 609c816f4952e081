"""Which control or repeat to send, once the planned requests are answered.

A control distinguishes two causes of the same answer. A repeat confirms an answer that fails.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from mycirrus_contract.times import instant_of

from . import plan
from .evidence import Evidence, can_be_confirmed
from .exchange import Exchange, ProbeRequest, instants, stamps
from .relations import suspects

SURE_DIGITS = 7  # a time with as many digits is shown whole: no known server keeps more
HOUR = timedelta(hours=1)


def next_control(evidence: Evidence) -> ProbeRequest | None:
    """The most useful control or repeat that was not sent yet; None if none is needed."""
    candidates = (
        *_shorter_range(evidence, plan.OVER_LONG_RANGE, plan.SAME_START),
        *_first_month(evidence),
        *_repeats(evidence),
        *_beside_the_cut(evidence),
        *_shorter_range(evidence, plan.LEAP_YEAR, plan.SAME_LEAP_START),
    )
    return next((one for one in candidates if evidence.get(one.name) is None), None)


def _shorter_range(evidence: Evidence, name: str, control: str) -> Iterator[ProbeRequest]:
    """An hour from the same start: is it the length that is refused, or the age of the data?"""
    refused = evidence.get(name)
    if (
        refused is not None
        and refused.is_refused
        and evidence.is_up
        and not evidence.reaches(refused)
    ):
        request = refused.request
        yield replace(request, name=control, end=request.start + HOUR)


def _first_month(evidence: Evidence) -> Iterator[ProbeRequest]:
    """The first month, if a whole year is refused and its last month is not."""
    month, whole = evidence.get(plan.MONTH), evidence.whole
    if month is not None and month.is_answered and whole is not None:
        request = whole.request
        yield replace(request, name=plan.FIRST_MONTH, end=request.start + plan.MONTHLY)


def _repeats(evidence: Evidence) -> Iterator[ProbeRequest]:
    """Answers that are in doubt and not confirmed, and those that lack an item of others."""
    doubtful = [
        one
        for one in evidence.exchanges
        if can_be_confirmed(one) and not evidence.is_confirmed(one)
    ]
    for exchange in (*doubtful, *suspects(evidence)):
        request = exchange.request
        if not request.name.endswith(plan.again("")):
            yield replace(request, name=plan.again(request.name), sdk=False)


def _beside_the_cut(evidence: Evidence) -> Iterator[ProbeRequest]:
    """The half that has the item at the cut, without the cut: is the item's time exactly as shown?

    If the item is still in it, its time may have digits that are not shown; a second away, it does
    not matter.
    """
    half, beside = half_with_the_cut(evidence), evidence.get(plan.BESIDE_CUT)
    if half is None:
        return
    yield _without_cut(half, plan.BESIDE_CUT, timedelta(microseconds=1))
    if beside is not None and set(instants(half)) <= set(instants(beside)):
        yield _without_cut(half, plan.CLEAR_OF_CUT, timedelta(seconds=1))


def _without_cut(half: Exchange, name: str, margin: timedelta) -> ProbeRequest:
    if half.request.name == plan.FIRST_HALF:
        return replace(half.request, name=name, end=half.request.end - margin)
    return replace(half.request, name=name, start=half.request.start + margin)


def half_with_the_cut(evidence: Evidence) -> Exchange | None:
    """The only half that has the item at the cut, if digits that are not shown may be the reason.

    None if both halves or neither have it, or if its time is shown with all digits.
    """
    if evidence.halves is None or not all(one.is_answered for one in evidence.halves):
        return None
    alone, first, second = evidence.halves
    cut = instant_of(first.request.end)
    digits = [one.digits for one in stamps(alone.items) if one.instant == cut]
    holders = [half for half in (first, second) if cut in instants(half)]
    if not digits or min(digits) >= SURE_DIGITS or len(holders) != 1:
        return None
    return holders[0]
