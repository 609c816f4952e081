"""Whether the API refuses invalid requests."""

from collections.abc import Callable

from . import plan
from .evidence import Evidence, failure_of
from .exchange import Exchange
from .judging import CHOOSE_OTHERS, FIRST, broken, drift, failed, form, undecided
from .verdicts import Judgement, Verdict

Check = Callable[[Evidence], Judgement]


def refused(name: str, *, is_documented: bool) -> Check:
    """An invalid range is refused, by any error status; 400 is assumed.

    Args:
        name: Of the request.
        is_documented: Whether the page says that it is refused.
    """

    def check(evidence: Evidence) -> Judgement:
        exchange = evidence.get(name)
        assert exchange is not None
        judgement = _not_up(evidence, exchange) or _refused(evidence, exchange)
        if is_documented or judgement.verdict != Verdict.BROKEN:
            return judgement
        return drift(judgement.because, f"answered {exchange.status}")

    return check


def _refused(evidence: Evidence, exchange: Exchange) -> Judgement:
    if (judgement := _taken(evidence, exchange)) is not None:
        return judgement
    if failure_of(exchange) or not evidence.is_sure(exchange):
        return failed(evidence, exchange)
    label, status = evidence.label(exchange), exchange.status
    is_long = exchange.request.name == plan.OVER_LONG_RANGE
    if is_long and not evidence.reaches(exchange):
        text = "a shorter range that starts as early was not answered either"
        return undecided(f"{label}: refused with {status}, and {text}", CHOOSE_OTHERS)
    if status != 400:
        return drift(f"{label}: refused with {status}; 400 is assumed", f"status {status}")
    return form(evidence, exchange) or Judgement(Verdict.HOLDS, f"{label}: refused with 400")


def unauthorised(name: str) -> Check:
    """Without a valid key the answer is a 401 with the documented body."""

    def check(evidence: Evidence) -> Judgement:
        exchange = evidence.get(name)
        assert exchange is not None
        judgement = _taken(evidence, exchange) or _not_up(evidence, exchange)
        if judgement is not None:
            return judgement
        if failure_of(exchange) or not evidence.is_sure(exchange):
            return failed(evidence, exchange)
        label, status = evidence.label(exchange), exchange.status
        if status != 401:
            text = f"{label}: refused with {status}; 401 is documented"
            return drift(text, f"status {status}")
        return form(evidence, exchange) or Judgement(Verdict.HOLDS, f"{label}: refused with 401")

    return check


def _not_up(evidence: Evidence, exchange: Exchange) -> Judgement | None:
    """Judge a refusal if valid requests are not answered either."""
    if evidence.is_up:
        return None
    if exchange.reply is None:
        return failed(evidence, exchange)
    text = f"answered {exchange.status}, and a good request was not answered with items either"
    return undecided(f"{evidence.label(exchange)}: {text}", FIRST)


def _taken(evidence: Evidence, exchange: Exchange) -> Judgement | None:
    """Judge a success of a request that must be refused; None if it is not a success."""
    status = exchange.status
    if status is None or not 200 <= status <= 299:
        return None
    if failure_of(exchange) or not evidence.is_sure(exchange):
        judgement = failed(evidence, exchange)
        if judgement.verdict != Verdict.DRIFT:
            return judgement
    return broken(f"{evidence.label(exchange)}: answered {status} instead of refused")
