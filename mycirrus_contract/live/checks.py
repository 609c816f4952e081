"""What the answers of a probe say about each promise: pure functions from exchanges to findings.

*Broken* is an answer against what the page documents, *drift* one against what we infer or assume.
An outage is neither, and an empty answer proves nothing. A check judges only by its own requests,
and names them.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from mycirrus_contract.conformity import reply_problems
from mycirrus_contract.oracles import SLOWEST
from mycirrus_contract.times import instant_of

from . import plan
from .evidence import Evidence, failure_of
from .exchange import TOLERANT, Exchange, instants, stamps
from .judging import (
    CHECK_ADDRESS,
    CHOOSE_OTHERS,
    DECIDE,
    broken,
    count,
    drift,
    failed,
    form,
    undecided,
    unlisted,
    worst,
)
from .refusals import refused, unauthorised
from .relations import halves_add_up, instruments_add_up, same_twice
from .verdicts import Finding, Judgement, Verdict

Check = Callable[[Evidence], Judgement]


@dataclass(frozen=True)
class Promise:
    """One promise of the vendor, or one that we assume.

    Attributes:
        name: Short.
        text: As a sentence.
        needs: The requests without which it cannot be judged.
        check: Judges it.
    """

    name: str
    text: str
    needs: tuple[str, ...]
    check: Check


def judge(exchanges: Iterable[Exchange]) -> list[Finding]:
    """A finding for every promise."""
    evidence = Evidence(exchanges)
    return [Finding(promise.name, promise.text, _judged(promise, evidence)) for promise in PROMISES]


def _judged(promise: Promise, evidence: Evidence) -> Judgement:
    missing = [name for name in promise.needs if evidence.get(name) is None]
    if missing:
        return _without(missing, evidence)
    try:
        judgement = promise.check(evidence)
    except Exception as error:  # noqa: BLE001 - the other promises are judged all the same
        text = f"the check itself failed: {type(error).__name__}"
        return replace(undecided(text, "this is a fault of the check: report it"), crashed=True)
    if evidence.is_elsewhere and judgement.verdict == Verdict.DRIFT:
        return undecided(judgement.because, CHECK_ADDRESS)
    return judgement


def _without(missing: list[str], evidence: Evidence) -> Judgement:
    """Judge a promise of which some requests were not sent."""
    whole, last = evidence.whole, evidence.exchanges[-1:]
    is_single = whole is not None and len(whole.request.instruments) == 1
    if is_single and set(missing) & {plan.ALONE, plan.OTHERS}:
        return Judgement(Verdict.NOT_ASKED, "one instrument makes no sum")
    if last and (last[0].reply is None or last[0].status == 429):
        return failed(evidence, last[0])
    if whole is not None and not whole.items and set(missing) <= set(plan.GOOD):
        return _nothing(evidence)
    return Judgement(Verdict.NOT_ASKED, "the budget was used up")


def _nothing(evidence: Evidence, text: str = "no items to look at") -> Judgement:
    """Judge a promise of which the answers show nothing."""
    whole = [] if evidence.whole is None else [evidence.whole]
    label = f"{evidence.label(*whole)}: " if whole else ""
    nothing = undecided(f"{label}{text}", CHOOSE_OTHERS)
    return unlisted(evidence, whole) or nothing


def items_fit(evidence: Evidence) -> Judgement:
    """Good requests are answered 200, in JSON, with items that fit the spec."""
    found = [
        failed(evidence, one) if failure_of(one) else form(evidence, one) for one in evidence.good
    ]
    if judgements := [one for one in (_only_short_ranges(evidence), *found) if one is not None]:
        return worst(judgements)
    whole = evidence.whole
    if whole is None or not whole.items:
        return _nothing(evidence)
    text = f"{count(len(whole.items), 'item')} and their parts fit the spec"
    return Judgement(Verdict.HOLDS, f"{evidence.label(*evidence.good)}: {text}")


def _only_short_ranges(evidence: Evidence) -> Judgement | None:
    """Judge a year that is refused although its last month is answered: too long, or too old?"""
    whole, first, last = evidence.whole, *map(evidence.get, (plan.FIRST_MONTH, plan.MONTH))
    if whole is None or first is None or last is None or not last.is_answered:
        return None
    text = f"{evidence.label(whole)}: answered {whole.status}"
    if not first.is_answered:
        older = f"{evidence.label(last)}: 200; {evidence.label(first)}: {first.status}"
        return undecided(f"{text}; {older}: older data may be gone", "choose a later --start")
    if not evidence.is_confirmed(whole):
        return None
    return broken(f"{text}, and its first and last month 200 ({evidence.label(first, last)})")


def items_inside(evidence: Evidence) -> Judgement:
    """Every item lies inside the range that was requested."""
    own = [*evidence.good, *evidence.all((plan.CLEAR_OF_CUT,))]
    seen = [(one, stamp) for one in own for stamp in stamps(one.items)]
    outside = [
        one
        for one, stamp in seen
        if stamp.instant > instant_of(one.request.end)
        or stamp.instant + stamp.unit <= instant_of(one.request.start)
    ]
    if outside:
        label = evidence.label(*outside)
        return broken(f"{label}: {len(outside)} of {count(len(seen), 'item')} are outside")
    if not seen:
        return _nothing(evidence, "no times to look at")
    label = evidence.label(*(one for one, _ in seen))
    return Judgement(Verdict.HOLDS, f"{label}: {count(len(seen), 'item')}, all inside")


def sdk_agrees(evidence: Evidence) -> Judgement:
    """What the SDK returns is what was served, field by field."""
    sent = [one for one in evidence.exchanges if one.request.sdk]
    answered = [one for one in sent if one.is_answered]
    for one in answered:
        assert one.reply is not None
        if one.sdk and not reply_problems(one.reply, TOLERANT):
            text = f"{evidence.label(one)}: {one.sdk}"
            return drift(
                text, re.sub(r"\d+", "*", one.sdk), advice="this is a fault of the SDK: report it"
            )
    if not answered:
        return unlisted(evidence, sent) or _nothing(evidence)
    if any(one.sdk for one in answered):
        text = "the SDK refused what does not fit the spec"
        return undecided(f"{evidence.label(*answered)}: {text}", DECIDE)
    items = count(sum(len(one.items) for one in answered), "item")
    return Judgement(Verdict.HOLDS, f"{evidence.label(*answered)}: {items}, as served")


def in_order(evidence: Evidence) -> Judgement:
    """Items come by time, over all instruments."""
    lists = [(one, instants(one)) for one in evidence.good]
    lists = [(one, times) for one, times in lists if len(set(times)) > 1]
    if not lists:
        return _nothing(evidence, "too few times to see an order")
    late = [one for one, times in lists if any(a > b for a, b in pairwise(times))]
    label = evidence.label(*(late or (one for one, _ in lists)))
    if not late:
        return Judgement(Verdict.HOLDS, f"{label}: by time")
    is_reversed = all(a >= b for _, times in lists for a, b in pairwise(times))
    mark = "newest first" if is_reversed else "not by time"
    return drift(f"{label}: {mark}", mark)


def no_doubles(evidence: Evidence) -> Judgement:
    """No two items of an answer are equal."""
    seen = [one for one in evidence.good if one.items]
    if not seen:
        return _nothing(evidence)
    doubled = [one for one in seen if max(one.bag.values()) > 1]
    if doubled:
        number = sum(times - 1 for one in doubled for times in one.bag.values())
        text = f"{evidence.label(*doubled)}: {count(number, 'item')} more than once"
        return drift(text, "equal items")
    return Judgement(Verdict.HOLDS, f"{evidence.label(*seen)}: no two items of an answer are equal")


def in_good_time(evidence: Evidence) -> Judgement:
    """An answer with items comes within the time that we assume."""
    answered = [one for one in evidence.good if one.is_answered]
    if not answered:
        return unlisted(evidence, evidence.good) or _nothing(evidence)
    slowest = max(answered, key=lambda one: one.seconds)
    text = f"{evidence.label(slowest)}: the slowest answer took {slowest.seconds:.1f} s"
    late = [one for one in answered if one.seconds > SLOWEST]
    if len(late) == 1:
        return undecided(f"{text}, and no other over {SLOWEST:.0f} s")
    if late:
        return drift(f"{text}; {SLOWEST:.0f} s are assumed", f"over {SLOWEST:.0f} s")
    return Judgement(Verdict.HOLDS, text)


def others_fit(evidence: Evidence) -> Judgement:
    """Answers about open questions and to controls, and a 429, have a form of the spec.

    Their items are not judged here.
    """
    own = evidence.all(plan.OTHER)
    refusals = [one for one in evidence.exchanges if one.status == 429]
    judgements = [failed(evidence, one) for one in own if failure_of(one)]
    refusals += [one for one in own if one.status != 200 and not failure_of(one)]
    judgements += [found for one in refusals if (found := form(evidence, one)) is not None]
    if judgements:
        return worst(judgements)
    if not own:
        return Judgement(Verdict.NOT_ASKED, "the budget was used up")
    return Judgement(Verdict.HOLDS, f"{evidence.label(*own)}: as documented or assumed")


PROMISES: tuple[Promise, ...] = (
    Promise(
        "items-fit",
        "A good request is answered with items that fit the spec",
        (plan.WHOLE,),
        items_fit,
    ),
    Promise(
        "items-inside",
        "Every item lies inside the requested range",
        (plan.WHOLE,),
        items_inside,
    ),
    Promise(
        "same-twice",
        "The same request gets the same answer",
        (plan.WHOLE, plan.SAME),
        same_twice,
    ),
    Promise(
        "sdk-agrees",
        "The SDK returns what the API serves",
        (plan.SAME,),
        sdk_agrees,
    ),
    Promise(
        "halves-add-up",
        "Two halves of a range have what the whole has",
        (plan.FIRST_HALF, plan.SECOND_HALF),
        halves_add_up,
    ),
    Promise(
        "instruments-add-up",
        "Instruments together have what each has alone",
        (plan.ALONE, plan.OTHERS),
        instruments_add_up,
    ),
    Promise("in-order", "Items come by time (assumed)", (plan.WHOLE,), in_order),
    Promise("no-doubles", "No item comes twice (assumed)", (plan.WHOLE,), no_doubles),
    Promise(
        "over-long-refused",
        "A range of more than a year is refused",
        (plan.OVER_LONG_RANGE,),
        refused(plan.OVER_LONG_RANGE, is_documented=True),
    ),
    Promise(
        "reversed-refused",
        "A range whose end is before its start is refused (assumed)",
        (plan.REVERSED,),
        refused(plan.REVERSED, is_documented=False),
    ),
    Promise(
        "naive-refused",
        "A time that does not say its zone is refused (assumed)",
        (plan.NAIVE,),
        refused(plan.NAIVE, is_documented=False),
    ),
    Promise(
        "no-key-refused",
        "Without a key the answer is a 401",
        (plan.NO_KEY,),
        unauthorised(plan.NO_KEY),
    ),
    Promise(
        "wrong-key-refused",
        "With a wrong key the answer is a 401",
        (plan.BAD_KEY,),
        unauthorised(plan.BAD_KEY),
    ),
    Promise(
        "in-good-time",
        f"An answer comes within {SLOWEST:.0f} s (assumed)",
        (plan.WHOLE,),
        in_good_time,
    ),
    Promise(
        "others-fit",
        "Controls and requests about open questions are answered in a known form",
        (plan.WHOLE,),
        others_fit,
    ),
)
