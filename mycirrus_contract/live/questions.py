"""What a run answers of the open questions in ``openapi/questions.yaml``."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mycirrus_contract.model import PATH, tolerant
from mycirrus_contract.oracles import SLOWEST
from mycirrus_contract.times import instant_of

from . import probe
from .checks import Evidence, halves_add_up, instruments_add_up
from .exchange import Exchange, stamps
from .verdicts import Finding, Judgement, Verdict

KNOWN_FIELDS = {"time", "user", "message"}


@dataclass(frozen=True)
class Observed:
    """What the answers say.

    Attributes:
        answer: In words, without serials, users and messages.
        agrees: Whether it is what we assume.
    """

    answer: str
    agrees: bool = True


@dataclass(frozen=True)
class OpenQuestion:
    """A question of the file, and what the run says to it.

    Attributes:
        name: Its ``id``.
        question: As a sentence.
        assumed: What we take for granted.
        observed: What was seen; None if nothing was.
    """

    name: str
    question: str
    assumed: str
    observed: Observed | None


Look = Callable[[Evidence], Observed | None]


def open_questions(evidence: Evidence) -> list[OpenQuestion]:
    """Every question of the file, with what the run says to it."""
    return [
        OpenQuestion(
            entry["id"],
            entry["question"],
            entry["assumed"],
            LOOKS[entry["id"]](evidence),
        )
        for entry in tolerant().operation(PATH).open_questions
    ]


def contradictions(questions: list[OpenQuestion]) -> list[Finding]:
    """An answer that contradicts the assumption is drift, where no promise has said so already."""
    return [
        Finding(
            question.name,
            f"{question.question} (assumed: {question.assumed})",
            Judgement(
                Verdict.DRIFT,
                f"observed: {question.observed.answer}",
                "make sure of it; then apply questions.patch, and change the assumption",
                (question.observed.answer,),
            ),
        )
        for question in questions
        if question.observed is not None
        and not question.observed.agrees
        and question.name not in JUDGED_BY_A_PROMISE
    ]


# These are in the verdict of a promise already.
JUDGED_BY_A_PROMISE = {
    "over-long-status",
    "reversed-status",
    "naive-times",
    "order",
    "instrument-named",
    "extra-fields",
    "null-fields",
    "answer-time",
}


def _answered(
    evidence: Evidence, name: str, telling: frozenset[int] = frozenset()
) -> Exchange | None:
    """An answer that says something: no outage, no missing permission, no call for silence."""
    exchange = evidence.get(name)
    if not evidence.is_up or exchange is None or exchange.status is None:
        return None
    silent = {401, 403, 408, 429} - telling
    return None if exchange.status in silent or exchange.status >= 500 else exchange


def _status(name: str, *, agrees: int = 400) -> Look:
    """Which status and code a question gets."""

    def look(evidence: Evidence) -> Observed | None:
        exchange = _answered(evidence, name)
        if exchange is None:
            return None
        return Observed(_refusal(exchange), exchange.status == agrees)

    return look


def _refusal(exchange: Exchange) -> str:
    code = exchange.error_code
    return f"{exchange.status}" + (f", error code {code}" if code else "")


def _naive(evidence: Evidence) -> Observed | None:
    exchange = _answered(evidence, probe.NAIVE)
    if exchange is None:
        return None
    if exchange.status == 200:
        return Observed("taken", agrees=False)
    return Observed(f"refused with {_refusal(exchange)}", 400 <= (exchange.status or 0) <= 499)


def _year(evidence: Evidence) -> Observed | None:
    taken = []
    for name in (probe.LEAP_YEAR, probe.OTHER_YEAR):
        exchange = _answered(evidence, name)
        if exchange is None:
            return None
        taken.append(exchange.is_answered)
    readings = {
        (True, False): "the same day of the next year",
        (False, False): "365 days",
        (True, True): "366 days, or more",
    }
    answer = readings.get((taken[0], taken[1]), "neither 365 days, nor 366, nor a calendar year")
    return Observed(answer, taken == [True, False])


def _end(name: str) -> Look:
    """Whether an item exactly at the cut is in the part that ends, or starts, there."""

    def look(evidence: Evidence) -> Observed | None:
        if evidence.halves is None or halves_add_up(evidence).verdict != Verdict.HOLDS:
            return None
        alone, first, second = evidence.halves
        part = first if name == probe.FIRST_HALF else second
        cut = instant_of(first.question.end)
        digits = [one.digits for one in stamps(alone.items) if one.instant == cut]
        if not digits or min(digits) < 3:
            return None
        if any(stamp.instant == cut for stamp in stamps(part.items)):
            return Observed("yes")
        # With few digits the entry may be later than shown, and so after an end that counts.
        is_sure = part is second or min(digits) >= 7
        answer = "no" if is_sure else "no, or times have more digits than are shown"
        return Observed(answer, agrees=False)

    return look


def _order(evidence: Evidence) -> Observed | None:
    whole = evidence.whole
    times = [stamp.instant for stamp in stamps(whole.items)] if whole else []
    if whole is None or len(set(times)) < 2:
        return None
    if all(one <= other for one, other in pairwise(times)):
        return Observed("by time, over all instruments")
    if all(one >= other for one, other in pairwise(times)):
        return Observed("newest first, over all instruments", agrees=False)
    alone, others = evidence.get(probe.ALONE), evidence.get(probe.OTHERS)
    if alone and others and whole.items == alone.items + others.items:
        return Observed("by instrument, then by time", agrees=False)
    return Observed("neither by time nor by instrument", agrees=False)


def _items(evidence: Evidence) -> list[dict[str, Any]]:
    return [item for exchange in evidence.good for item in exchange.items]


def _instrument_named(evidence: Evidence) -> Observed | None:
    items = _items(evidence)
    if not items or evidence.whole is None:
        return None
    serials = set(evidence.whole.question.instruments)
    fields = {
        name
        for item in items
        for name, value in item.items()
        if isinstance(value, str) and value in serials and name not in KNOWN_FIELDS
    }
    if fields:
        return Observed(f"yes, in {_listed(fields)}", agrees=False)
    return Observed("no")


def _fraction_digits(evidence: Evidence) -> Observed | None:
    digits = {stamp.digits for exchange in evidence.good for stamp in stamps(exchange.items)}
    return Observed(" or ".join(map(str, sorted(digits)))) if digits else None


def _extra_fields(evidence: Evidence) -> Observed | None:
    items = _items(evidence)
    fields = {name for item in items for name in item if name not in KNOWN_FIELDS}
    if fields:
        return Observed(f"yes: {_listed(fields)}", agrees=False)
    return Observed("no") if items else None


def _listed(fields: set[str]) -> str:
    return ", ".join(sorted(fields))


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
    return Observed(f"yes: {_listed(seen)}", agrees=False) if seen else Observed("no")


def _retry_after(evidence: Evidence) -> Observed | None:
    for exchange in evidence.exchanges:
        if exchange.reply is not None and exchange.status == 429:
            return Observed("yes" if "retry-after" in exchange.reply.headers else "no")
    return None


def _page_limit(evidence: Evidence) -> Observed | None:
    parts = (probe.ALONE, probe.OTHERS, probe.FIRST_HALF, probe.SECOND_HALF)
    if any(evidence.get(name) is None for name in parts) or evidence.whole is None:
        return None
    sums = {halves_add_up(evidence).verdict, instruments_add_up(evidence).verdict}
    if sums != {Verdict.HOLDS}:
        return None
    return Observed(f"no sign of it in {len(evidence.whole.items)} items")


def _error_codes(evidence: Evidence) -> Observed | None:
    seen = {
        f"{exchange.error_code} ({exchange.status})"
        for exchange in evidence.exchanges
        if exchange.error_code is not None
    }
    return Observed(_listed(seen)) if seen else None


def _offsets(evidence: Evidence) -> Observed | None:
    exchange = _answered(evidence, probe.OFFSETS)
    if exchange is None:
        return None
    if exchange.is_answered and evidence.whole is not None:
        same = exchange.items == evidence.whole.items
        return Observed("+00:00 is" if same else "+00:00 is, with other items", same)
    return Observed(f"+00:00 is refused with {_refusal(exchange)}", agrees=False)


def _comma_arrays(evidence: Evidence) -> Observed | None:
    exchange, whole = _answered(evidence, probe.JOINED), evidence.whole
    if whole is None or exchange is None:
        return None
    if exchange.items and exchange.items == whole.items:
        return Observed("yes", agrees=False)
    return Observed("no, one serial number" if exchange.status == 200 else f"no, {exchange.status}")


def _unknown_instrument(evidence: Evidence) -> Observed | None:
    exchange = _answered(evidence, probe.UNKNOWN, telling=frozenset({403}))
    if exchange is None or (exchange.status == 200 and not exchange.is_answered):
        return None
    if exchange.is_empty:
        return Observed("no items, no error")
    return Observed(_refusal(exchange), agrees=False)


def _answer_time(evidence: Evidence) -> Observed | None:
    taken = evidence.times
    return Observed(f"{max(taken):.1f} s at most", max(taken) <= SLOWEST) if taken else None


LOOKS: dict[str, Look] = {
    "over-long-status": _status(probe.OVER_LONG_RANGE),
    "year": _year,
    "start-inclusive": _end(probe.SECOND_HALF),
    "end-inclusive": _end(probe.FIRST_HALF),
    "reversed-status": _status(probe.REVERSED),
    "invalid-status": _status(probe.NO_END),
    "naive-times": _naive,
    "offsets": _offsets,
    "comma-arrays": _comma_arrays,
    "unknown-instrument": _unknown_instrument,
    "order": _order,
    "instrument-named": _instrument_named,
    "fraction-digits": _fraction_digits,
    "extra-fields": _extra_fields,
    "null-fields": _null_fields,
    "retry-after": _retry_after,
    "page-limit": _page_limit,
    "error-codes": _error_codes,
    "answer-time": _answer_time,
}
