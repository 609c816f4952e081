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

# A gateway says these when what is behind it is away: an outage, whatever was asked.
OUTAGES = {502, 503, 504}


def judge(exchanges: list[Exchange]) -> list[Finding]:
    """A finding for every promise."""
    by_name = {exchange.question.name: exchange for exchange in exchanges}
    return [Finding(promise, *_verdict(check, name, by_name)) for promise, name, check in PROMISES]


def _verdict(check: "Check", name: str, exchanges: Exchanges) -> tuple[Verdict, str, str]:
    if name in exchanges:
        return check(exchanges[name], exchanges)
    if any(exchange.status == 429 for exchange in exchanges.values()):
        return Verdict.UNDECIDED, "the API asked for silence (429)", "run it again later"
    return Verdict.NOT_ASKED, "the budget was used up", ""


def schema(exchange: Exchange, exchanges: Exchanges) -> tuple[Verdict, str, str]:
    """A good question is answered 200, in JSON, with items that fit the spec."""
    del exchanges
    if exchange.status != 200:
        return _no_answer(exchange)
    if (wrong := _misfit(exchange)) is not None:
        return wrong
    if not exchange.body:
        return Verdict.UNDECIDED, "200, but no items to look at", EMPTY
    return Verdict.HOLDS, f"{len(exchange.body)} items fit the spec", ""


def window(exchange: Exchange, exchanges: Exchanges) -> tuple[Verdict, str, str]:
    """Every item lies inside the range that was asked for."""
    del exchanges
    if exchange.status != 200:
        return _no_answer(exchange)
    times = _times(exchange)
    if not times:
        return Verdict.UNDECIDED, "200, but no items to look at", EMPTY
    question = exchange.question
    outside = [time for time in times if not question.start <= time <= question.end]
    if outside:
        return Verdict.BROKEN, f"{len(outside)} of {len(times)} items are outside", TELL_VENDOR
    return Verdict.HOLDS, f"{len(times)} items, all inside", ""


def over_long(exchange: Exchange, exchanges: Exchanges) -> tuple[Verdict, str, str]:
    """A range of more than a year is refused."""
    if (status := exchange.status) is None or status in OUTAGES:
        return _no_answer(exchange)
    if status in {401, 403, 429}:
        return _no_answer(exchange)
    if 400 <= status <= 499:
        if status != 400:
            return Verdict.DRIFT, f"refused with {status}; 400 is assumed", NOTE_IT
        return _misfit(exchange) or (Verdict.HOLDS, "refused with 400", "")
    if 500 <= status <= 599 and not _is_up(exchanges):
        return _no_answer(exchange)
    return Verdict.BROKEN, f"answered {status}", TELL_VENDOR


def unauthorised(exchange: Exchange, exchanges: Exchanges) -> tuple[Verdict, str, str]:
    """Without a good key there is a 401 with the documented body."""
    del exchanges
    if (status := exchange.status) is None or status == 429 or 500 <= status <= 599:
        return _no_answer(exchange)
    if status == 401:
        return _misfit(exchange) or (Verdict.HOLDS, "refused with 401", "")
    if 400 <= status <= 499:
        return Verdict.DRIFT, f"refused with {status}; 401 is documented", NOTE_IT
    return Verdict.BROKEN, f"answered {status}", TELL_VENDOR


EMPTY = "choose instruments and a range that have entries"
TELL_VENDOR = "tell the vendor"
NOTE_IT = "if it is there to stay, change openapi/ and contract_tests/strict.yaml"

Check = Callable[[Exchange, Exchanges], tuple[Verdict, str, str]]

# Each promise, the question that shows whether it is kept, and how to tell.
PROMISES: tuple[tuple[str, str, Check], ...] = (
    ("A good question is answered with items that fit the spec", "whole range", schema),
    ("Every item lies inside the range asked for", "whole range", window),
    ("A range of more than a year is refused", "over-long range", over_long),
    ("Without a key there is a 401", "no key", unauthorised),
    ("With a wrong key there is a 401", "wrong key", unauthorised),
)


def _no_answer(exchange: Exchange) -> tuple[Verdict, str, str]:
    """Judge an answer that is none to the question: an outage, or no permission to ask it."""
    status = exchange.status
    if status is None:
        return Verdict.UNDECIDED, f"no answer ({exchange.failure})", "check network and address"
    if status in {401, 403, 429}:
        advice = {
            401: "check MYCIRRUS_API_KEY",
            403: "give the key the scope data.system:read and access to the instruments",
            429: "run it again later",
        }[status]
        return _misfit(exchange) or (Verdict.UNDECIDED, f"answered {status}", advice)
    if status >= 500:
        return Verdict.UNDECIDED, f"answered {status}", "run it again later"
    if status in {400, 404}:
        return Verdict.UNDECIDED, f"answered {status}", "check the serial numbers"
    return Verdict.BROKEN, f"answered {status}, which the spec does not know", TELL_VENDOR


def _misfit(exchange: Exchange) -> tuple[Verdict, str, str] | None:
    """Judge an answer with a status of the spec by its media type and its body."""
    status = exchange.status
    if status is None or status not in tolerant().statuses:
        return None
    if exchange.media_type != "application/json":
        return Verdict.BROKEN, f"{status} comes as {exchange.media_type or 'nothing'}", TELL_VENDOR
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
