"""The judgement of one answer: what it breaks, and what to do."""

from collections.abc import Iterable
from dataclasses import replace

from . import plan
from .evidence import (
    Evidence,
    doubt_of,
    failure_of,
    is_passing,
    summary,
)
from .exchange import OUTAGES, Exchange
from .verdicts import ORDER, Judgement, Verdict

CHOOSE_OTHERS = "choose instruments and a range that have entries"
CHECK_ADDRESS = "check the address; if it is right, tell the vendor"
TELL_VENDOR = "tell the vendor, with report and cassette"
DECIDE = "accept it, or have the spec changed if it is permanent"
FIRST = "first make sure that a valid request is answered"
LATER = "run it again later"
ADVICE = {
    None: "check network and address",
    400: "check the serial numbers",
    401: "check MYCIRRUS_API_KEY",
    403: "give the key the scope data.system:read and access to the instruments",
    404: "check the address, which ends in /v1, and the serial numbers",
}


def undecided(because: str, advice: str = LATER) -> Judgement:
    """Evidence was sought and not found."""
    return Judgement(Verdict.UNDECIDED, because, advice)


def drift(because: str, *marks: str, advice: str = DECIDE) -> Judgement:
    """Something is not as we assume."""
    return Judgement(Verdict.DRIFT, because, advice, marks)


def broken(because: str, advice: str = TELL_VENDOR) -> Judgement:
    """Something is against the vendor's page."""
    return Judgement(Verdict.BROKEN, because, advice)


def worst(judgements: Iterable[Judgement]) -> Judgement:
    """The worst of several judgements, with the marks of all drift."""
    judgements = list(judgements)
    first = min(judgements, key=lambda judgement: ORDER.index(judgement.verdict))
    marks = {mark for one in judgements if one.verdict == Verdict.DRIFT for mark in one.marks}
    return replace(first, marks=tuple(sorted(marks)))


def form(evidence: Evidence, exchange: Exchange) -> Judgement | None:
    """Judge an answer by its headers and its body; None if they fit.

    Another answer has to confirm what breaks the page.
    """
    if exchange.documented_problems:
        return failed(evidence, exchange)
    return _assumed(evidence, exchange)


def _assumed(evidence: Evidence, exchange: Exchange) -> Judgement | None:
    problems = exchange.assumed_problems
    if exchange.reply is None or not problems:
        return None
    marks = sorted({f"{exchange.status} {problem.name}" for problem in problems})
    return drift(f"{evidence.label(exchange)}: {summary(exchange.reply, problems)}", *marks)


def failed(evidence: Evidence, exchange: Exchange) -> Judgement:
    """Judge an answer that fails: undecided, unless another one fails in the same way."""
    because = f"{evidence.label(exchange)}: {doubt_of(exchange)}"
    reply, repeat = exchange.reply, evidence.repeat(exchange)
    if reply is None or reply.status in OUTAGES or not evidence.is_confirmed(exchange):
        if repeat is not None:
            because += (
                f"; {evidence.label(repeat)}: {doubt_of(repeat) or f'answered {repeat.status}'}"
            )
        return undecided(because, _advice(exchange))
    if problems := exchange.documented_problems:
        return broken(f"{evidence.label(exchange)}: {summary(reply, problems)}")
    if (is_passing(exchange) and reply.status < 500) or _may_be_the_serials(evidence, exchange):
        return undecided(because, _advice(exchange))
    if (judgement := _assumed(evidence, exchange)) is not None:
        return judgement
    twice = f", as in {evidence.label(repeat)}" if repeat is not None else ""
    return drift(f"{because}{twice}", f"status {reply.status}", advice=CHECK_ADDRESS)


def _may_be_the_serials(evidence: Evidence, exchange: Exchange) -> bool:
    """Whether a refusal may be about serial numbers that no other answer has confirmed."""
    if not exchange.is_refused:
        return False
    return exchange is evidence.whole or exchange.request.name in {plan.ALONE, plan.OTHERS}


def _advice(exchange: Exchange) -> str:
    status = exchange.status
    return LATER if status is not None and status in OUTAGES else ADVICE.get(status, LATER)


def unlisted(evidence: Evidence, parts: Iterable[Exchange]) -> Judgement | None:
    """Judge answers by the first that fails or is not a list of items; None if there is none."""
    for one in parts:
        if failure_of(one) and not evidence.is_confirmed(one):
            return failed(evidence, one)
        if not one.is_answered:
            text = failure_of(one) or "no list of items"
            return undecided(f"{evidence.label(one)}: {text}", _advice(one))
    return None


def count(number: int, noun: str) -> str:
    """A number with its noun: ``1 item``, ``2 items``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
