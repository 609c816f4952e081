"""Metamorphic relations: the same request twice, two halves, two instruments."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from mycirrus_contract.times import instant_of

from . import plan
from .evidence import Evidence, bag_of
from .exchange import Exchange, Stamp, instants, stamps
from .judging import CHOOSE_OTHERS, broken, count, drift, undecided, unlisted
from .verdicts import Judgement, Verdict

Relation = tuple[Exchange, Sequence[Exchange]]  # a whole, and its parts

AGAIN = (
    "run it again, as an entry may have been added meanwhile; if it stays so, answers are "
    "incomplete or mixed up: tell the vendor"
)


def same_twice(evidence: Evidence) -> Judgement:
    """The same request gets the same answer; the SDK sends it the second time."""
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
    return _unequal(evidence, f"{label}: {difference}", (first, (second,)))


def _unequal(evidence: Evidence, text: str, relation: Relation) -> Judgement:
    """Judge answers that do not agree: was an entry added in between, or is one answer wrong?

    No entry was added if another answer lacks an item too, or if the repeat of one does.
    """
    suspect = _suspect(*relation)
    if suspect is None or len({one.request.name for one in suspects(evidence)}) > 1:
        return broken(text, AGAIN)
    repeat = evidence.repeat(suspect)
    if repeat is None or not repeat.is_answered:
        return undecided(f"{text}; an entry may have been added", AGAIN)
    text += f"; {evidence.label(repeat)}: {count(len(repeat.items), 'item')}"
    if repeat.bag == suspect.bag:
        return broken(text)
    return undecided(f"{text}, so the answer has changed during the run")


def suspects(evidence: Evidence) -> Iterator[Exchange]:
    """The answers that lack an item that others have."""
    whole, same = evidence.whole, evidence.get(plan.SAME)
    alone, others = evidence.get(plan.ALONE), evidence.get(plan.OTHERS)
    relations: list[Relation] = []
    if whole and same:
        relations.append((whole, (same,)))
    if whole and alone and others:
        relations.append((whole, (alone, others)))
    if evidence.halves:
        base, first, second = evidence.halves
        relations.append((base, (first, second)))
    for base, parts in relations:
        suspect = _suspect(base, parts)
        if suspect is not None:
            yield suspect


def _suspect(base: Exchange, parts: Sequence[Exchange]) -> Exchange | None:
    """The answer that lacks an item; None if there is none, or if one is not a list."""
    if not all(one.is_answered for one in (base, *parts)):
        return None
    together = bag_of(parts)
    if set(together) - set(base.bag):
        return base
    for key in base.bag - together:
        if key not in together and not _is_at(key, parts[0]):
            return min((part for part in parts if _reaches(part, key)), key=_size, default=None)
    return None


def _size(exchange: Exchange) -> int:
    return len(exchange.items)


def _reaches(exchange: Exchange, key: str) -> bool:
    """Whether an item is in the range of a request; True if its time cannot be parsed."""
    start, end = instant_of(exchange.request.start), instant_of(exchange.request.end)
    return all(start <= stamp.instant <= end for stamp in _stamps(key))


def halves_add_up(evidence: Evidence) -> Judgement:
    """Two halves have the items of the whole; an item at the cut may be in one or both."""
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
        text = f"{label}: the whole has {_difference(rest, summed, 'the halves')}"
        return _unequal(evidence, text, (alone, (first, second)))
    text = f"{len(first.items)} and {len(second.items)} items make {len(alone.items)}"
    is_cut = bool(at_cut) or any(_is_at(key, first) for key in in_both)
    return Judgement(
        Verdict.HOLDS, f"{label}: {text}" + (", one of them at the cut" if is_cut else "")
    )


def _is_at(key: str, first_half: Exchange) -> bool:
    """Whether an item is exactly at the cut of the range."""
    cut = instant_of(first_half.request.end)
    return any(stamp.instant <= cut < stamp.instant + stamp.unit for stamp in _stamps(key))


def _stamps(key: str) -> list[Stamp]:
    item = json.loads(key)
    return list(stamps([item] if isinstance(item, dict) else []))


def instruments_add_up(evidence: Evidence) -> Judgement:
    """Instruments requested together have the items that each has alone."""
    whole, alone, others = evidence.whole, evidence.get(plan.ALONE), evidence.get(plan.OTHERS)
    assert whole is not None
    assert alone is not None
    assert others is not None
    if (gap := unlisted(evidence, (whole, alone, others))) is not None:
        return gap
    label, apart = evidence.label(whole, alone, others), bag_of([alone, others])
    if whole.bag != apart:
        text = f"{label}: together they have {_difference(whole.bag, apart, 'apart')}"
        return _unequal(evidence, text, (whole, (alone, others)))
    if not (alone.items and others.items):
        return undecided(f"{label}: one of the two has no items", CHOOSE_OTHERS)
    text = f"{len(alone.items)} and {len(others.items)} items make {len(whole.items)}"
    return Judgement(Verdict.HOLDS, f"{label}: {text}")


def _difference(one: Counter[str], other: Counter[str], other_name: str) -> str:
    more, fewer = (one - other).total(), (other - one).total()
    return f"{count(more, 'item')} more and {fewer} fewer than {other_name}"
