"""What the answers of a probe say about each promise: pure functions from exchanges to findings.

*Broken* is an answer against the spec, *drift* one within it but not as we assume. An outage is
neither, and an empty answer proves nothing.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from contract_tests.contract import Problem, strict, tolerant

from .probe import Exchange
from .verdicts import Finding, Verdict

Exchanges = Mapping[str, Exchange]

# What is between says these when the API is away or slow: an outage, whatever was asked.
OUTAGES = {408, 502, 503, 504}

Judgement = tuple[Verdict, str, str]

# Media types that may be shown; anything else could hold what a server was sent.
KNOWN_TYPES = {"", "text/html", "text/plain", "application/xml", "application/problem+json"}

EMPTY = "choose instruments and a range that have entries"
TELL_VENDOR = "check the address; if it is right, tell the vendor"
NOTE_IT = "if it is there to stay, change openapi/ and contract_tests/strict.yaml"


def judge(exchanges: list[Exchange]) -> list[Finding]:
    """A finding for every promise."""
    by_name = {exchange.question.name: exchange for exchange in exchanges}
    return [Finding(promise, *_judged(check, name, by_name)) for promise, name, check in PROMISES]


def _judged(check: "Check", name: str, exchanges: Exchanges) -> Judgement:
    if name in exchanges:
        return check(exchanges[name], exchanges)
    if any(exchange.status == 429 for exchange in exchanges.values()):
        return Verdict.UNDECIDED, "the API asked for silence (429)", "run it again later"
    return Verdict.NOT_ASKED, "the budget was used up", ""


def schema(exchange: Exchange, exchanges: Exchanges) -> Judgement:
    """A good question is answered 200, in JSON, with items that fit the spec."""
    del exchanges
    if exchange.status != 200:
        return _misfit(exchange) or _no_answer(exchange)
    if (wrong := _misfit(exchange)) is not None:
        return wrong
    if not exchange.body:
        return Verdict.UNDECIDED, "200, but no items to look at", EMPTY
    return Verdict.HOLDS, f"{len(exchange.body)} items fit the spec", ""


def window(exchange: Exchange, exchanges: Exchanges) -> Judgement:
    """Every item lies inside the range that was asked for."""
    del exchanges
    if exchange.status != 200:
        return Verdict.UNDECIDED, "no items to look at", FIRST
    times = _times(exchange)
    if not times:
        return Verdict.UNDECIDED, "200, but no times to look at", EMPTY
    question = exchange.question
    outside = [time for time in times if not question.start <= time <= question.end]
    if outside:
        return Verdict.BROKEN, f"{len(outside)} of {len(times)} items are outside", TELL_VENDOR
    return Verdict.HOLDS, f"{len(times)} items, all inside", ""


def bad_range(exchange: Exchange, exchanges: Exchanges) -> Judgement:
    """A range that cannot be answered is refused; any 4xx refuses, and 400 is assumed."""
    status = exchange.status
    if status is None or status == 429 or status in OUTAGES:
        return _misfit(exchange) or _no_answer(exchange)
    if not _is_up(exchanges):
        return Verdict.UNDECIDED, f"answered {status}, as it may answer anything", FIRST
    if not 400 <= status <= 499:
        return Verdict.BROKEN, f"answered {status}", TELL_VENDOR
    if status != 400:
        return Verdict.DRIFT, f"refused with {status}; 400 is assumed", NOTE_IT
    return _misfit(exchange) or (Verdict.HOLDS, "refused with 400", "")


def unauthorised(exchange: Exchange, exchanges: Exchanges) -> Judgement:
    """Without a good key there is a 401 with the documented body."""
    status = exchange.status
    if status is None or status == 429 or 500 <= status <= 599 or status in OUTAGES:
        return _misfit(exchange) or _no_answer(exchange)
    if status == 401:
        return _misfit(exchange) or (Verdict.HOLDS, "refused with 401", "")
    if 200 <= status <= 299:
        return Verdict.BROKEN, f"answered {status}", TELL_VENDOR
    if not _is_up(exchanges):
        return Verdict.UNDECIDED, f"answered {status}, as it may answer anything", FIRST
    if 400 <= status <= 499:
        return Verdict.DRIFT, f"refused with {status}; 401 is documented", NOTE_IT
    return Verdict.BROKEN, f"answered {status}", TELL_VENDOR


FIRST = "see to it first that a good question is answered"
Check = Callable[[Exchange, Exchanges], Judgement]

# Each promise, the question that shows whether it is kept, and how to tell.
PROMISES: tuple[tuple[str, str, Check], ...] = (
    ("A good question is answered with items that fit the spec", "whole range", schema),
    ("Every item lies inside the range asked for", "whole range", window),
    ("A range of more than a year is refused", "over-long range", bad_range),
    ("A range whose end is before its start is refused", "reversed range", bad_range),
    ("A time that does not say its zone is refused", "naive range", bad_range),
    ("Without a key there is a 401", "no key", unauthorised),
    ("With a wrong key there is a 401", "wrong key", unauthorised),
)


def _no_answer(exchange: Exchange) -> Judgement:
    """Judge an answer that is none to the question: an outage, or no permission to ask it."""
    status = exchange.status
    if status is None:
        return Verdict.UNDECIDED, f"no answer: {exchange.failure}", "check network and address"
    advice = {
        400: "check the serial numbers",
        401: "check MYCIRRUS_API_KEY",
        403: "give the key the scope data.system:read and access to the instruments",
        404: "check the address, which ends in /v1, and the serial numbers",
        429: "run it again later",
    }.get(status)
    if advice is None and (status >= 500 or status in OUTAGES):
        advice = "run it again later"
    if advice is not None:
        return Verdict.UNDECIDED, f"answered {status}", advice
    return Verdict.BROKEN, f"answered {status}, which the spec does not know", TELL_VENDOR


def _misfit(exchange: Exchange) -> Judgement | None:
    """Judge an answer with a status of the spec by its media type and its body."""
    status = exchange.status
    if status is None or status not in tolerant().statuses:
        return None
    if exchange.media_type != "application/json":
        kind = exchange.media_type if exchange.media_type in KNOWN_TYPES else "another media type"
        return Verdict.BROKEN, f"the {status} comes as {kind or 'nothing'}", TELL_VENDOR
    if not exchange.is_json:
        return Verdict.BROKEN, f"the body of the {status} is not JSON", TELL_VENDOR
    if problems := tolerant().body_problems(status, exchange.body):
        return Verdict.BROKEN, _summary(status, problems), TELL_VENDOR
    if problems := strict().body_problems(status, exchange.body):
        return Verdict.DRIFT, _summary(status, problems), NOTE_IT
    return None


def _summary(status: int, problems: list[Problem]) -> str:
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{status}, but {problems[0]}{more}"


def _is_up(exchanges: Exchanges) -> bool:
    """Whether the API answered the good question, so that a 5xx elsewhere is no outage."""
    return "whole range" in exchanges and exchanges["whole range"].status == 200


def _times(exchange: Exchange) -> list[datetime]:
    """The times that can be read; what cannot is the schema's business."""
    times = []
    for item in exchange.body if isinstance(exchange.body, list) else []:
        try:
            time = datetime.fromisoformat(item["time"])
        except (KeyError, TypeError, ValueError):
            continue
        if time.utcoffset() is not None:
            times.append(time)
    return times
