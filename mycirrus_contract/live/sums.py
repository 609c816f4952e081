"""Whether several answers agree: the same twice, two halves, two instruments."""

import json
from collections import Counter

from mycirrus_contract.times import instant_of

from . import plan
from .evidence import Evidence, bag_of
from .exchange import Exchange, instants, stamps
from .judging import CHOOSE_OTHERS, broken, count, drift, undecided, unlisted
from .verdicts import Judgement, Verdict

AGAIN = (
    "run it again, as an entry may have been added meanwhile; if it stays so, answers are "
    "incomplete or mixed up: tell the vendor"
)


def same_twice(evidence: Evidence) -> Judgement:
    """The same request gets the same answer; the second time the SDK sends it."""
    first, second = evidence.whole, evidence.get(plan.SAME)
    assert first is not None
    assert second is not None
    if (gap := unlisted(evidence, (first, second))) is not None:
        return gap
    label = evidence.label(first, second)
    if first.bag == second.bag:
        # Items of the same time may change places.
        if instants(first) == instants(second):
            return Judgement(
                Verdict.HOLDS, f"{label}: {count(len(first.items), 'item')}, twice the same"
            )
        return drift(f"{label}: the same items, in another order", "another order")
    difference = _difference(second.bag, first.bag, "the first time")
    return _unequal(evidence, f"{label}: {difference}", first, second.bag)


def _unequal(evidence: Evidence, text: str, base: Exchange, later: Counter[str]) -> Judgement:
    """Judge a base that differs from later answers: was an entry added in between?

    Only an answer that was sent again, and is still without what is in the later ones, shows that
    it was not.
    """
    if base.bag - later or not set(later) - set(base.bag):
        return broken(text, AGAIN)
    repeat = evidence.repeat(base)
    if repeat is None or not repeat.is_answered:
        return undecided(f"{text}; an entry may have been added", AGAIN)
    text += f"; {evidence.label(repeat)}: {count(len(repeat.items), 'item')}"
    return undecided(f"{text}, so entries were added") if repeat.bag > base.bag else broken(text)


def halves_add_up(evidence: Evidence) -> Judgement:
    """Two halves of a range have what the whole has; an item at the cut may be in one or both."""
    assert evidence.halves is not None
    alone, first, second = evidence.halves
    if (gap := unlisted(evidence, evidence.halves)) is not None:
        return gap
    label = evidence.label(*evidence.halves)
    if not alone.items:
        return undecided(f"{label}: the first instrument has no items", CHOOSE_OTHERS)
    halves = first.bag + second.bag
    at_cut = {key for key in alone.bag - halves if _is_at(key, first)}
    in_both = set(first.bag) & set(second.bag)
    rest, summed = Counter(alone.bag), Counter(halves)
    for key in at_cut | {key for key in in_both if _is_at(key, first) and key in alone.bag}:
        del rest[key], summed[key]
    if rest != summed:
        difference = _difference(alone.bag, halves, "the halves")
        return _unequal(
            evidence, f"{label}: the whole has {difference}", alone, halves + _of(alone, at_cut)
        )
    text = f"{len(first.items)} and {len(second.items)} items make {len(alone.items)}"
    is_cut = bool(at_cut) or any(_is_at(key, first) for key in in_both)
    return Judgement(
        Verdict.HOLDS, f"{label}: {text}" + (", one of them at the cut" if is_cut else "")
    )


def _of(exchange: Exchange, keys: set[str]) -> Counter[str]:
    return Counter({key: number for key, number in exchange.bag.items() if key in keys})


def _is_at(key: str, first_half: Exchange) -> bool:
    """Whether an item is exactly where the range was cut."""
    cut, item = instant_of(first_half.request.end), json.loads(key)
    shown = stamps([item] if isinstance(item, dict) else [])
    return any(stamp.instant <= cut < stamp.instant + stamp.unit for stamp in shown)


def instruments_add_up(evidence: Evidence) -> Judgement:
    """Instruments requested together have what each has alone."""
    whole, alone, others = evidence.whole, evidence.get(plan.ALONE), evidence.get(plan.OTHERS)
    assert whole is not None
    assert alone is not None
    assert others is not None
    if (gap := unlisted(evidence, (whole, alone, others))) is not None:
        return gap
    label, apart = evidence.label(whole, alone, others), bag_of([alone, others])
    if whole.bag != apart:
        text = f"{label}: together they have {_difference(whole.bag, apart, 'apart')}"
        return _unequal(evidence, text, whole, apart)
    if not (alone.items and others.items):
        return undecided(f"{label}: one of the two has no items", CHOOSE_OTHERS)
    text = f"{len(alone.items)} and {len(others.items)} items make {len(whole.items)}"
    return Judgement(Verdict.HOLDS, f"{label}: {text}")


def _difference(one: Counter[str], other: Counter[str], other_name: str) -> str:
    more, fewer = (one - other).total(), (other - one).total()
    return f"{count(more, 'item')} more and {fewer} fewer than {other_name}"
