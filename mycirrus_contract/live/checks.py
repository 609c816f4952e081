"""What the answers of a probe say about each promise: pure functions from exchanges to findings.

*Broken* is an answer against the spec, *drift* one within it but not as we assume. An outage is
neither, and an empty answer proves nothing.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from mycirrus_contract.conformity import reply_problems
from mycirrus_contract.messages import Reply
from mycirrus_contract.model import PATH, strict, tolerant
from mycirrus_contract.oracles import SLOWEST
from mycirrus_contract.problems import Problem
from mycirrus_contract.times import instant_of

from . import probe
from .exchange import Exchange, stamps
from .verdicts import Finding, Judgement, Verdict

# What is between says these when the API is away or slow: an outage, whatever was asked.
OUTAGES = {408, 502, 503, 504, *range(520, 531)}

# Media types that may be shown; anything else could hold what a server was sent.
KNOWN_TYPES = {"text/html", "text/plain", "application/xml", "application/problem+json"}

EMPTY = "choose instruments and a range that have entries"
TELL_VENDOR = "check the address; if it is right, tell the vendor"
AGAIN = (
    "run it again, as an entry may have come in between; if it stays so, answers are cut short or "
    "mixed up: tell the vendor"
)
REFUSE = "tell the vendor, with report and cassette"
NOTE_IT = "if it is there to stay, change openapi/ and openapi/strict.yaml, or accept it"
FIRST = "see to it first that a good question is answered"
LATER = "run it again later"
SEVERITY = (Verdict.BROKEN, Verdict.DRIFT, Verdict.UNDECIDED, Verdict.HOLDS)

# The questions that the API has to answer with items.
GOOD = (
    probe.WHOLE,
    *(probe.earlier(number) for number in range(1, probe.EARLIER + 1)),
    probe.AGAIN,
    probe.ALONE,
    probe.OTHERS,
    probe.FIRST_HALF,
    probe.SECOND_HALF,
)


class Evidence:
    """The exchanges of a run, by what they are good for."""

    def __init__(self, exchanges: Iterable[Exchange]) -> None:
        self.exchanges = list(exchanges)
        self._by_name = {exchange.question.name: exchange for exchange in self.exchanges}

    def get(self, name: str) -> Exchange | None:
        """The exchange of a name, if it was had."""
        return self._by_name.get(name)

    @property
    def whole(self) -> Exchange | None:
        """The whole range that all other questions are about: the last one that was looked at."""
        names = [probe.earlier(number) for number in range(probe.EARLIER, 0, -1)]
        return next(
            (self._by_name[name] for name in (*names, probe.WHOLE) if name in self._by_name), None
        )

    @property
    def good(self) -> list[Exchange]:
        """The questions that have to be answered with items, as far as they were asked."""
        return [self._by_name[name] for name in GOOD if name in self._by_name]

    @property
    def halves(self) -> tuple[Exchange, Exchange, Exchange] | None:
        """The first instrument alone, and the two parts of it, if all three were had."""
        alone = self.get(probe.ALONE) or self.whole
        first, second = self.get(probe.FIRST_HALF), self.get(probe.SECOND_HALF)
        if alone is None or first is None or second is None:
            return None
        return alone, first, second

    @property
    def settling(self) -> list[Exchange]:
        """What was asked for the sake of open questions, beyond the usual budget."""
        return [self._by_name[name] for name in probe.SETTLING if name in self._by_name]

    def is_answered_after(self, exchange: Exchange) -> bool:
        """Whether the API was there again after an answer, so that a 5xx was no outage."""
        later = self.exchanges[self.exchanges.index(exchange) + 1 :]
        return any(one.status is not None and one.status < 500 for one in later)

    @property
    def is_up(self) -> bool:
        """Whether the API answered every good question, so that a 5xx elsewhere is no outage."""
        return bool(self.good) and all(exchange.status == 200 for exchange in self.good)

    @property
    def times(self) -> list[float]:
        """How long the answers took that are none of an outage, in seconds."""
        return [
            exchange.seconds
            for exchange in self.exchanges
            if exchange.status is not None and exchange.status < 500
            if exchange.status not in {408, 429}
        ]

    @property
    def last(self) -> Exchange | None:
        """Where the run ended."""
        return self.exchanges[-1] if self.exchanges else None


Check = Callable[[Evidence], Judgement]


@dataclass(frozen=True)
class Promise:
    """One promise of the vendor's, or one that we assume.

    Attributes:
        name: Short.
        text: As a sentence.
        needs: The questions without which nothing can be said.
        check: How to tell.
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
    return _without(missing, evidence) if missing else _checked(promise, evidence)


def _checked(promise: Promise, evidence: Evidence) -> Judgement:
    try:
        return promise.check(evidence)
    except Exception as error:  # noqa: BLE001 - the other promises are judged all the same
        text = f"the check itself failed: {type(error).__name__}"
        return Judgement(Verdict.UNDECIDED, text, "this is a fault of the check: report it")


def _without(missing: list[str], evidence: Evidence) -> Judgement:
    """Judge a promise of which not all was asked that is needed."""
    if set(missing) & {probe.ALONE, probe.OTHERS} and _is_single(evidence):
        return Judgement(Verdict.NOT_ASKED, "one instrument makes no sum")
    last = evidence.last
    if last is not None and last.status == 429:
        return Judgement(Verdict.UNDECIDED, "the API asked for silence (429)", LATER)
    if last is not None and last.reply is None:
        return _no_answer(last)
    if set(missing) <= set(GOOD):
        return _nothing_to_add_up(evidence)
    return Judgement(Verdict.NOT_ASKED, "the budget was used up")


def _is_single(evidence: Evidence) -> bool:
    return evidence.whole is not None and len(evidence.whole.question.instruments) == 1


def _nothing_to_add_up(evidence: Evidence) -> Judgement:
    whole = evidence.whole
    if whole is not None and not whole.is_answered:
        return Judgement(Verdict.UNDECIDED, "no items to look at", FIRST)
    if whole is not None and not whole.items:
        return Judgement(Verdict.UNDECIDED, "no items to look at", EMPTY)
    return Judgement(Verdict.NOT_ASKED, "the budget was used up")


def items_fit(evidence: Evidence) -> Judgement:
    """Good questions are answered 200, in JSON, with items that fit the spec."""
    judgements = [_misfit(one) or _no_items(one, evidence) for one in evidence.good]
    judgements += [_misfit(one) for one in evidence.settling]
    month = evidence.get(probe.MONTH)
    if month is not None and month.status == 200:
        judgements.insert(0, _only_short_ranges(evidence))
    found = [judgement for judgement in judgements if judgement is not None]
    if found:
        return _worst(found)
    assert evidence.whole is not None
    count = len(evidence.whole.items)
    if not count:
        return Judgement(Verdict.UNDECIDED, "200, but no items to look at", EMPTY)
    return Judgement(Verdict.HOLDS, f"{_count(count, 'item')} and their parts fit the spec")


def _only_short_ranges(evidence: Evidence) -> Judgement:
    assert evidence.whole is not None
    text = f"a year of it is answered {evidence.whole.status}, its last month 200"
    return Judgement(Verdict.BROKEN, text, TELL_VENDOR)


def _no_items(exchange: Exchange, evidence: Evidence) -> Judgement | None:
    if exchange.status == 200:
        return None
    refused = exchange.status is not None and 400 <= exchange.status <= 499
    if refused and exchange is not evidence.whole and exchange.status not in {401, 403, 408, 429}:
        return Judgement(
            Verdict.BROKEN,
            f"answered {exchange.status}, though a question like it was answered with 200",
            TELL_VENDOR,
        )
    return _no_answer(exchange)


def _worst(judgements: list[Judgement]) -> Judgement:
    """The worst of several; of drift, the marks of all."""
    ranked = sorted(judgements, key=lambda judgement: SEVERITY.index(judgement.verdict))
    worst = ranked[0]
    marks = {mark for one in judgements if one.verdict == Verdict.DRIFT for mark in one.marks}
    return Judgement(worst.verdict, worst.because, worst.advice, tuple(sorted(marks)))


def items_inside(evidence: Evidence) -> Judgement:
    """Every item lies inside the range that was asked for."""
    seen = outside = 0
    for exchange in (*evidence.good, *(evidence.settling if evidence.is_up else ())):
        start = instant_of(exchange.question.start)
        end = instant_of(exchange.question.end)
        for stamp in stamps(exchange.items):
            seen += 1
            outside += stamp.instant > end or stamp.instant + stamp.unit <= start
    if outside:
        text = f"{outside} of {_count(seen, 'item')} are outside"
        return Judgement(Verdict.BROKEN, text, TELL_VENDOR)
    if not seen:
        return _nothing(evidence, "no times to look at")
    return Judgement(Verdict.HOLDS, f"{_count(seen, 'item')}, all inside")


def _nothing(evidence: Evidence, text: str) -> Judgement:
    return Judgement(Verdict.UNDECIDED, text, EMPTY if evidence.is_up else FIRST)


def same_twice(evidence: Evidence) -> Judgement:
    """The same question gets the same answer; the second time the SDK asks it."""
    first, second = evidence.whole, evidence.get(probe.AGAIN)
    assert first is not None
    assert second is not None
    if not second.is_answered:
        return _no_list(second)
    assert first.reply is not None
    assert second.reply is not None
    if first.reply.json != second.reply.json and _bag([first]) == _bag([second]):
        return _reordered(first, second)
    if first.reply.json != second.reply.json:
        difference = _difference(_bag([second]), _bag([first]), "the first time")
        text = f"asked twice, answered differently: {difference}"
        return Judgement(Verdict.BROKEN, text, AGAIN)
    return Judgement(Verdict.HOLDS, f"{_count(len(first.items), 'item')}, twice the same")


def _reordered(first: Exchange, second: Exchange) -> Judgement:
    """Items of the same time may change places; others show that there is no fixed order."""
    one, other = ([stamp.instant for stamp in stamps(items.items)] for items in (first, second))
    if one == other:
        return Judgement(Verdict.HOLDS, f"{_count(len(first.items), 'item')}, twice the same")
    text = "the same items the second time, in another order"
    return Judgement(Verdict.DRIFT, text, NOTE_IT, ("another order",))


def _no_list(exchange: Exchange) -> Judgement:
    if exchange.status == 200:
        return Judgement(Verdict.UNDECIDED, "200, but no list of items", TELL_VENDOR)
    return _no_answer(exchange)


def sdk_agrees(evidence: Evidence) -> Judgement:
    """What the SDK returns is what was served, field by field."""
    asked = [exchange for exchange in evidence.exchanges if exchange.question.sdk]
    answered = [exchange for exchange in asked if exchange.is_answered]
    for exchange in answered:
        assert exchange.reply is not None
        if exchange.sdk and not reply_problems(exchange.reply, tolerant().operation(PATH)):
            return Judgement(Verdict.BROKEN, exchange.sdk, "this is a fault of the SDK: report it")
    if not answered:
        return _no_list(asked[0])
    if any(exchange.sdk for exchange in answered):
        return Judgement(
            Verdict.UNDECIDED, "the SDK refused what does not fit the spec", TELL_VENDOR
        )
    count = sum(len(exchange.items) for exchange in answered)
    return Judgement(Verdict.HOLDS, f"{_count(count, 'item')} through the SDK, as served")


def halves_add_up(evidence: Evidence) -> Judgement:
    """Two halves of a range have what the whole has; an item at the cut may be in one or both."""
    assert evidence.halves is not None
    alone, first, second = evidence.halves
    if (gap := _gap([alone, first, second])) is not None:
        return gap
    if not alone.items:
        return Judgement(Verdict.UNDECIDED, "the first instrument has no items", EMPTY)
    whole, halves = _bag([alone]), _bag([first, second])
    at_the_cut = set(_bag([first])) & set(_bag([second]))
    at_the_cut |= {key for key in whole - halves if _is_at(key, first)}
    rest = {key: count for key, count in whole.items() if key not in at_the_cut}
    summed = {key: count for key, count in halves.items() if key not in at_the_cut}
    doubled = [key for key in at_the_cut if not _is_at(key, first) or key not in whole]
    if rest != summed or doubled:
        text = "the whole has " + _difference(whole, halves, "the halves")
        return Judgement(Verdict.BROKEN, text, AGAIN)
    text = f"{len(first.items)} and {len(second.items)} items make {len(alone.items)}"
    return Judgement(Verdict.HOLDS, text + (", one of them at the cut" if at_the_cut else ""))


def _is_at(key: str, first_half: Exchange) -> bool:
    """Whether an item is exactly where the range was cut."""
    cut, item = instant_of(first_half.question.end), json.loads(key)
    shown = stamps([item] if isinstance(item, dict) else [])
    return any(stamp.instant <= cut < stamp.instant + stamp.unit for stamp in shown)


def instruments_add_up(evidence: Evidence) -> Judgement:
    """Instruments asked for together have what each has alone."""
    whole, alone = evidence.whole, evidence.get(probe.ALONE)
    others = evidence.get(probe.OTHERS)
    parts = [one for one in (whole, alone, others) if one is not None]
    if (gap := _gap(parts)) is not None:
        return gap
    whole, alone, others = parts
    together, apart = _bag([whole]), _bag([alone, others])
    if together != apart:
        text = "together they have " + _difference(together, apart, "apart")
        return Judgement(Verdict.BROKEN, text, AGAIN)
    if not (alone.items and others.items):
        return Judgement(Verdict.UNDECIDED, "one of the two has no items", EMPTY)
    text = f"{len(alone.items)} and {len(others.items)} items make {len(whole.items)}"
    return Judgement(Verdict.HOLDS, text)


def _gap(parts: list[Exchange]) -> Judgement | None:
    """What stands in the way of adding up, if anything does."""
    return next((_no_list(one) for one in parts if not one.is_answered), None)


def _bag(exchanges: list[Exchange]) -> Counter[str]:
    bags = [one.reply.bag() for one in exchanges if one.reply is not None and one.is_answered]
    return sum(bags, Counter())


def _difference(one: Counter[str], other: Counter[str], other_name: str) -> str:
    more, fewer = (one - other).total(), (other - one).total()
    if not more and not fewer:
        return "the same items in another order"
    return f"{_count(more, 'item')} more and {fewer} fewer than {other_name}"


def in_order(evidence: Evidence) -> Judgement:
    """Items come by time, over all instruments."""
    lists = [[stamp.instant for stamp in stamps(exchange.items)] for exchange in evidence.good]
    lists = [times for times in lists if len(set(times)) > 1]
    if not lists:
        return _nothing(evidence, "too few items to see an order")
    if all(one <= other for times in lists for one, other in pairwise(times)):
        return Judgement(Verdict.HOLDS, "by time, over all instruments")
    if all(one >= other for times in lists for one, other in pairwise(times)):
        return Judgement(Verdict.DRIFT, "newest first", NOTE_IT, ("newest first",))
    return Judgement(Verdict.DRIFT, "not by time", NOTE_IT, ("not by time",))


def no_doubles(evidence: Evidence) -> Judgement:
    """No two items of an answer are equal."""
    if not any(exchange.items for exchange in evidence.good):
        return _nothing(evidence, "no items to look at")
    doubled = sum(count - 1 for exchange in evidence.good for count in _bag([exchange]).values())
    if doubled:
        text = f"{_count(doubled, 'item')} there more than once"
        return Judgement(Verdict.DRIFT, text, NOTE_IT, ("equal items",))
    return Judgement(Verdict.HOLDS, "no two items of an answer are equal")


def in_good_time(evidence: Evidence) -> Judgement:
    """An answer comes within the time that we assume."""
    taken = evidence.times
    if not taken:
        assert evidence.last is not None
        return _no_answer(evidence.last)
    if max(taken) > SLOWEST:
        text = f"the slowest answer took {max(taken):.1f} s; {SLOWEST:.0f} s are assumed"
        return Judgement(Verdict.DRIFT, text, NOTE_IT, (f"over {SLOWEST:.0f} s",))
    return Judgement(Verdict.HOLDS, f"the slowest answer took {max(taken):.1f} s")


def refused(name: str) -> Check:
    """A range that cannot be answered is refused; any 4xx refuses, and 400 is assumed."""

    def check(evidence: Evidence) -> Judgement:
        exchange = evidence.get(name)
        assert exchange is not None
        status = exchange.status
        if status is None or status == 429 or status in OUTAGES:
            return _misfit(exchange) or _no_answer(exchange)
        if not evidence.is_up:
            text = f"answered {status}, as it may answer anything"
            return Judgement(Verdict.UNDECIDED, text, FIRST)
        # The key may have expired since, or the server fallen over: that says nothing of the range.
        if status in {401, 403} or (status >= 500 and not evidence.is_answered_after(exchange)):
            return _misfit(exchange) or _no_answer(exchange)
        if not 400 <= status <= 499:
            return Judgement(Verdict.BROKEN, f"answered {status} instead of refused", REFUSE)
        if status != 400:
            text = f"refused with {status}; 400 is assumed"
            return Judgement(Verdict.DRIFT, text, NOTE_IT, (f"status {status}",))
        return _misfit(exchange) or Judgement(Verdict.HOLDS, "refused with 400")

    return check


def unauthorised(name: str) -> Check:
    """Without a good key there is a 401 with the documented body."""

    def check(evidence: Evidence) -> Judgement:
        exchange = evidence.get(name)
        assert exchange is not None
        status = exchange.status
        if status is None or status == 429 or 500 <= status <= 599 or status in OUTAGES:
            return _misfit(exchange) or _no_answer(exchange)
        if status == 401:
            return _misfit(exchange) or Judgement(Verdict.HOLDS, "refused with 401")
        if 200 <= status <= 299:
            return Judgement(Verdict.BROKEN, f"answered {status} instead of refused", REFUSE)
        if not evidence.is_up:
            text = f"answered {status}, as it may answer anything"
            return Judgement(Verdict.UNDECIDED, text, FIRST)
        if 400 <= status <= 499:
            text = f"refused with {status}; 401 is documented"
            return Judgement(Verdict.DRIFT, text, NOTE_IT, (f"status {status}",))
        return Judgement(Verdict.BROKEN, f"answered {status}", TELL_VENDOR)

    return check


PROMISES: tuple[Promise, ...] = (
    Promise(
        "items-fit",
        "A good question is answered with items that fit the spec",
        (probe.WHOLE,),
        items_fit,
    ),
    Promise(
        "items-inside",
        "Every item lies inside the range asked for",
        (probe.WHOLE,),
        items_inside,
    ),
    Promise(
        "same-twice",
        "The same question gets the same answer",
        (probe.WHOLE, probe.AGAIN),
        same_twice,
    ),
    Promise(
        "sdk-agrees",
        "The SDK returns what the API serves",
        (probe.AGAIN,),
        sdk_agrees,
    ),
    Promise(
        "halves-add-up",
        "Two halves of a range have what the whole has",
        (probe.FIRST_HALF, probe.SECOND_HALF),
        halves_add_up,
    ),
    Promise(
        "instruments-add-up",
        "Instruments together have what each has alone",
        (probe.ALONE, probe.OTHERS),
        instruments_add_up,
    ),
    Promise("in-order", "Items come by time (assumed)", (probe.WHOLE,), in_order),
    Promise("no-doubles", "No item comes twice (assumed)", (probe.WHOLE,), no_doubles),
    Promise(
        "over-long-refused",
        "A range of more than a year is refused",
        (probe.OVER_LONG_RANGE,),
        refused(probe.OVER_LONG_RANGE),
    ),
    Promise(
        "reversed-refused",
        "A range whose end is before its start is refused",
        (probe.REVERSED,),
        refused(probe.REVERSED),
    ),
    Promise(
        "naive-refused",
        "A time that does not say its zone is refused",
        (probe.NAIVE,),
        refused(probe.NAIVE),
    ),
    Promise(
        "no-key-refused",
        "Without a key there is a 401",
        (probe.NO_KEY,),
        unauthorised(probe.NO_KEY),
    ),
    Promise(
        "wrong-key-refused",
        "With a wrong key there is a 401",
        (probe.BAD_KEY,),
        unauthorised(probe.BAD_KEY),
    ),
    Promise(
        "in-good-time",
        f"An answer comes within {SLOWEST:.0f} s (assumed)",
        (probe.WHOLE,),
        in_good_time,
    ),
)


def _no_answer(exchange: Exchange) -> Judgement:
    """Judge an answer that is none to the question: an outage, or no permission to ask it."""
    status = exchange.status
    if status is None:
        text = f"no answer: {exchange.failure}"
        return Judgement(Verdict.UNDECIDED, text, "check network and address")
    advice = {
        400: "check the serial numbers",
        401: "check MYCIRRUS_API_KEY",
        403: "give the key the scope data.system:read and access to the instruments",
        404: "check the address, which ends in /v1, and the serial numbers",
        429: LATER,
    }.get(status)
    if advice is None and (status >= 500 or status in OUTAGES):
        advice = LATER
    if advice is not None:
        return Judgement(Verdict.UNDECIDED, f"answered {status}", advice)
    text = f"answered {status}, which the spec does not know"
    return Judgement(Verdict.BROKEN, text, TELL_VENDOR)


def _misfit(exchange: Exchange) -> Judgement | None:
    """Judge an answer with a status of the spec by its headers and its body."""
    reply = exchange.reply
    if reply is None or reply.status not in tolerant().operation(PATH).statuses:
        return None
    if problems := reply_problems(reply, tolerant().operation(PATH)):
        return Judgement(Verdict.BROKEN, _summary(reply, problems), TELL_VENDOR)
    if problems := reply_problems(reply, strict().operation(PATH)):
        marks = tuple(sorted({f"{reply.status} {problem.name}" for problem in problems}))
        return Judgement(Verdict.DRIFT, _summary(reply, problems), NOTE_IT, marks)
    return None


def _summary(reply: Reply, problems: list[Problem]) -> str:
    first = str(problems[0])
    if problems[0].path == "content-type":
        kind = reply.media_type if reply.media_type in KNOWN_TYPES else "another media type"
        first += f" but {kind if reply.media_type else 'nothing'}"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{reply.status}, but {first}{more}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
