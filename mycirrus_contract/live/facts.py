"""What answers show of the open questions in ``openapi/questions.yaml``.

Something is observed only in an answer that would have been different if the truth were different.
Where another cause would look the same, a control has to rule it out.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from mycirrus_contract.oracles import SLOWEST
from mycirrus_contract.times import instant_of

from . import plan
from .controls import half_with_the_cut
from .evidence import Evidence, bag_of
from .exchange import Exchange, instants, spelling, stamps, texts_in
from .judging import count
from .relations import halves_add_up, instruments_add_up
from .verdicts import Verdict

KNOWN_FIELDS = {"time", "user", "message"}


@dataclass(frozen=True)
class Observed:
    """What the answers show.

    Attributes:
        answer: In words, without serials, users and messages.
        agrees: Whether it is as we assume.
    """

    answer: str
    agrees: bool = True


Observer = Callable[[Evidence], Observed | None]


def _refusal(exchange: Exchange) -> str:
    code = exchange.error_code
    return f"{exchange.status}" + (f", error code {code}" if code else "")


def _status(name: str) -> Observer:
    """The status and the code of a request that has to be refused."""

    def observe(evidence: Evidence) -> Observed | None:
        exchange = evidence.get(name)
        if exchange is None or not evidence.is_up:
            return None
        if not evidence.is_sure(exchange):
            return None
        if exchange.is_answered:
            return Observed("200, with a list of items", agrees=False)
        is_long = name == plan.OVER_LONG_RANGE
        if not exchange.is_refused or (is_long and not evidence.reaches(exchange)):
            return None
        return Observed(_refusal(exchange), exchange.status == 400)

    return observe


def _naive(evidence: Evidence) -> Observed | None:
    exchange, whole = evidence.get(plan.NAIVE), evidence.whole
    if exchange is None or whole is None or not evidence.is_up:
        return None
    if exchange.is_refused and evidence.is_sure(exchange):
        return Observed(f"refused with {_refusal(exchange)}")
    if not exchange.is_answered or not whole.items or not evidence.is_sure(exchange):
        return None
    is_utc = exchange.bag == whole.bag
    return Observed("taken for UTC" if is_utc else "taken, with other items", agrees=False)


def _year(evidence: Evidence) -> Observed | None:
    """Whether 366 days are accepted, in a calendar year of 366 days and in one of 365.

    Only if a longer range is refused, and if the refusal is about the length.
    """
    longer = evidence.get(plan.OVER_LONG_RANGE)
    if longer is None or not longer.is_refused or not evidence.reaches(longer):
        return None
    leap, other = (_taken(evidence, name) for name in (plan.LEAP_YEAR, plan.OTHER_YEAR))
    if other:
        return Observed("366 days", agrees=False)
    if other is None or leap is None:
        return None
    return Observed("the same day of the next year") if leap else Observed("365 days", agrees=False)


def _taken(evidence: Evidence, name: str) -> bool | None:
    """Whether a range was answered; None if the answer does not show it."""
    exchange = evidence.get(name)
    if exchange is None or not (exchange.is_answered or exchange.is_refused):
        return None
    if not exchange.is_answered and not (evidence.reaches(exchange) and evidence.is_sure(exchange)):
        return None
    return exchange.is_answered


def _end(name: str) -> Observer:
    """Whether an item exactly at the cut is in the half that ends, or starts, there."""

    def observe(evidence: Evidence) -> Observed | None:
        if evidence.halves is None or halves_add_up(evidence).verdict != Verdict.HOLDS:
            return None
        alone, first, second = evidence.halves
        cut = instant_of(first.request.end)
        if cut not in instants(alone):
            return None
        if half_with_the_cut(evidence) is not None:
            # Its time may have more digits than shown, unless it is missing beside the cut.
            beside = evidence.get(plan.BESIDE_CUT)
            if beside is None or not beside.is_answered or cut in instants(beside):
                return None
        is_there = cut in instants(first if name == plan.FIRST_HALF else second)
        return Observed("yes") if is_there else Observed("no", agrees=False)

    return observe


def _order(evidence: Evidence) -> Observed | None:
    """How the items of two instruments are sorted, if their times show it."""
    whole, alone, others = evidence.whole, evidence.get(plan.ALONE), evidence.get(plan.OTHERS)
    if whole is None or not alone or not others or whole.bag != bag_of([alone, others]):
        return None
    times, one, other = instants(whole), instants(alone), instants(others)
    if len(times) != whole.bag.total() or sorted(times) in _joined(sorted(one), sorted(other)):
        return None  # unreadable, or by time and by instrument would look the same
    if times == sorted(times):
        return Observed("by time, over all instruments")
    if times == sorted(times, reverse=True):
        return Observed("newest first, over all instruments", agrees=False)
    if len(whole.request.instruments) > 2:
        return None
    answer = "neither by time nor by instrument"
    for way, is_reversed in (("by time", False), ("newest first", True)):
        if times in _joined(*(sorted(part, reverse=is_reversed) for part in (one, other))):
            answer = f"by instrument, then {way}"
    return Observed(answer, agrees=False)


def _joined(one: list[int], other: list[int]) -> tuple[list[int], list[int]]:
    return one + other, other + one


def _items(evidence: Evidence) -> list[dict[str, Any]]:
    """The items of all lists of objects."""
    lists = [one for one in evidence.good if one.is_answered]
    if any(len(one.items) != one.bag.total() for one in lists):
        return []
    return [item for one in lists for item in one.items]


def _instrument_named(evidence: Evidence) -> Observed | None:
    """Whether each item has a serial number of its request, in any spelling.

    Nothing is observed if there are unknown fields, which may name the instrument in another way.
    """
    items = _items(evidence)
    if not items:
        return None
    if all(_names(item, one.request.instruments) for one in evidence.good for item in one.items):
        return Observed("yes", agrees=False)
    if any(set(item) - KNOWN_FIELDS for item in items):
        return None
    serials = {spelling(serial) for one in evidence.good for serial in one.request.instruments}
    texts = [spelling(text) for item in items for text in texts_in(item)]
    if any(serial in text for text in texts for serial in serials):
        return None
    return Observed(f"no, in {count(len(items), 'item')}")


def _names(item: dict[str, Any], serials: Iterable[str]) -> bool:
    fields = [value for name, value in item.items() if name not in KNOWN_FIELDS]
    texts = [spelling(text) for text in texts_in(fields)]
    return any(spelling(serial) in text for serial in serials for text in texts)


def _fraction_digits(evidence: Evidence) -> Observed | None:
    digits = {stamp.digits for exchange in evidence.good for stamp in stamps(exchange.items)}
    return Observed(" or ".join(map(str, sorted(digits)))) if digits else None


def _extra_fields(evidence: Evidence) -> Observed | None:
    items = _items(evidence)
    fields = {name for item in items for name in item if name not in KNOWN_FIELDS}
    if fields:
        return Observed(f"yes, {count(len(fields), 'field')}", agrees=False)
    return Observed(f"no, in {count(len(items), 'item')}") if items else None


def _null_fields(evidence: Evidence) -> Observed | None:
    items = _items(evidence)
    if not items:
        return None
    seen = {
        f"{name} {'is null' if name in item else 'is absent'}"
        for item in items
        for name in ("user", "message")
        if item.get(name) is None
    }
    if any("absent" in one for one in seen) and any(set(item) - KNOWN_FIELDS for item in items):
        return None  # another field may have taken its place
    if seen:
        return Observed(f"yes: {', '.join(sorted(seen))}", agrees=False)
    return Observed(f"no, in {count(len(items), 'item')}")


def _retry_after(evidence: Evidence) -> Observed | None:
    for exchange in evidence.exchanges:
        if exchange.reply is not None and exchange.status == 429 and exchange.reply.is_json:
            return Observed("yes" if "retry-after" in exchange.reply.headers else "no")
    return None


def _page_limit(evidence: Evidence) -> Observed | None:
    parts = evidence.all((plan.ALONE, plan.OTHERS, plan.FIRST_HALF, plan.SECOND_HALF))
    if len(parts) < 4 or evidence.whole is None:
        return None
    sums = {halves_add_up(evidence).verdict, instruments_add_up(evidence).verdict}
    if sums != {Verdict.HOLDS}:
        return None
    return Observed(f"no sign of it in {count(len(evidence.whole.items), 'item')}")


def _error_codes(evidence: Evidence) -> Observed | None:
    seen = {
        f"{exchange.error_code} ({exchange.status})"
        for exchange in evidence.exchanges
        if exchange.error_code is not None
    }
    return Observed(", ".join(sorted(seen))) if seen else None


def _offsets(evidence: Evidence) -> Observed | None:
    exchange, whole = evidence.get(plan.OFFSETS), evidence.whole
    if exchange is None or whole is None or not whole.items:
        return None
    if exchange.is_refused and evidence.is_sure(exchange):
        return Observed(f"+00:00 is refused with {_refusal(exchange)}", agrees=False)
    if not exchange.is_answered or exchange.bag > whole.bag:
        return None  # an entry may have been added
    same = exchange.bag == whole.bag
    return Observed("+00:00 is" if same else "+00:00 is, with other items", same)


def _comma_arrays(evidence: Evidence) -> Observed | None:
    exchange, whole = evidence.get(plan.JOINED), evidence.whole
    alone, others = evidence.get(plan.ALONE), evidence.get(plan.OTHERS)
    if exchange is None or whole is None or not (alone and others and alone.items and others.items):
        return None
    if exchange.is_refused or exchange.status == 403:
        return Observed(f"no, refused with {_refusal(exchange)}")
    if exchange.items and exchange.bag == whole.bag:
        return Observed("yes", agrees=False)
    return Observed("no, answered without items") if exchange.is_empty else None


def _unknown_instrument(evidence: Evidence) -> Observed | None:
    exchange, whole = evidence.get(plan.UNKNOWN), evidence.whole
    if exchange is None or whole is None or not whole.items:
        return None
    if exchange.is_empty:
        return Observed("no items, no error")
    if (exchange.is_refused or exchange.status == 403) and evidence.is_sure(exchange):
        return Observed(_refusal(exchange), agrees=False)
    return None


def _answer_time(evidence: Evidence) -> Observed | None:
    taken = [one.seconds for one in evidence.good if one.items]
    return Observed(f"{max(taken):.1f} s at most", max(taken) <= SLOWEST) if taken else None


GOOD = plan.GOOD
SUMS = (plan.ALONE, *plan.WHOLES, plan.OTHERS, plan.FIRST_HALF, plan.SECOND_HALF)
CUT = (plan.FIRST_HALF, plan.SECOND_HALF, plan.BESIDE_CUT)
YEARS = (plan.LEAP_YEAR, plan.OTHER_YEAR, plan.SAME_LEAP_START)

# By the id of the question: the requests that answer it, and how.
OBSERVERS: dict[str, tuple[tuple[str, ...], Observer]] = {
    "over-long-status": ((plan.OVER_LONG_RANGE,), _status(plan.OVER_LONG_RANGE)),
    "year": (YEARS, _year),
    "start-inclusive": (CUT, _end(plan.SECOND_HALF)),
    "end-inclusive": (CUT, _end(plan.FIRST_HALF)),
    "reversed-status": ((plan.REVERSED,), _status(plan.REVERSED)),
    "invalid-status": ((plan.NO_END,), _status(plan.NO_END)),
    "naive-times": ((plan.NAIVE,), _naive),
    "offsets": ((plan.OFFSETS,), _offsets),
    "comma-arrays": ((plan.JOINED,), _comma_arrays),
    "unknown-instrument": ((plan.UNKNOWN,), _unknown_instrument),
    "order": (SUMS, _order),
    "instrument-named": (GOOD, _instrument_named),
    "fraction-digits": (GOOD, _fraction_digits),
    "extra-fields": (GOOD, _extra_fields),
    "null-fields": (GOOD, _null_fields),
    "retry-after": (GOOD, _retry_after),
    "page-limit": (SUMS, _page_limit),
    "error-codes": (GOOD, _error_codes),
    "answer-time": (GOOD, _answer_time),
}
