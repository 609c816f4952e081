"""What schemathesis does not know of this API: the rule over two parameters, and the oracles.

``schemathesis.toml`` names this module, for ``schemathesis run`` and for pytest alike. The hooks
steer the range of operations that have a range rule. A share of their valid cases gets known serial
numbers, without which no answer has items; the others keep those that were generated. (A dictionary
of schemathesis would be the place, but it holds no values for an array.) The oracles judge answers
of the stand-in, and no others.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, CheckContext, GenerationMode, HookContext, Response

from mycirrus_contract.messages import Reply, Request
from mycirrus_contract.operations import RangeRule, range_rule_of
from mycirrus_contract.oracles import ORACLES, Oracle
from mycirrus_contract.standin.adapters import Standin, demo_world
from mycirrus_contract.standin.fleet import INSTRUMENTS
from mycirrus_contract.standin.rules import DEMO_KEY, World
from mycirrus_contract.times import instant, moment_of

# Less than a year, however it is read and however the ends are cut; the stand-in's fleet has
# entries in each of the five before the latest.
LATEST = datetime(2026, 1, 1)  # noqa: DTZ001 - Hypothesis adds the zone
WIDEST = timedelta(days=364)
SERIALS = [instrument.serial for instrument in INSTRUMENTS]


@schemathesis.hook
def flatmap_case(context: HookContext, case: Case[Any]) -> st.SearchStrategy[Case[Any]]:
    """Draw a range that keeps the rule, for valid cases of the fuzzing phase."""
    del context
    rule = range_rule(case)
    if rule is None:
        return st.just(case)
    known = st.lists(st.sampled_from(SERIALS), min_size=1, max_size=3, unique=True)
    serials = known | st.just(case.query.get("instruments"))
    return st.builds(with_range, st.just(case), st.just(rule), ranges(), serials)


@schemathesis.hook
def map_case(context: HookContext, case: Case[Any]) -> Case[Any]:
    """Put the range of the spec's example into valid cases that break the rule.

    The other phases draw nothing, so that `flatmap_case` is not applied to them.
    """
    del context
    rule = range_rule(case)
    if rule is None or not breaks(case, rule):
        return case
    example = ("2023-01-01T00:00:00Z", "2023-01-31T00:00:00Z")
    return with_range(case, rule, example, case.query.get("instruments"))


def range_rule(case: Case[Any]) -> RangeRule | None:
    """The range rule that a case must keep; None for a case that is to be invalid."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return None
    return range_rule_of(case.operation.definition.raw)


def breaks(case: Case[Any], rule: RangeRule) -> bool:
    start, end = (moment_of(instant(case.query[name])) for name in (rule.start, rule.end))
    return rule.violation(start, end) is not None


def with_range(
    case: Case[Any], rule: RangeRule, ends: tuple[str, str], serials: list[str] | None
) -> Case[Any]:
    """The case with another range, and with other serial numbers unless they are None."""
    query = case.query | {rule.start: ends[0], rule.end: ends[1]}
    case.query = query if serials is None else query | {"instruments": serials}
    return case


@st.composite
def ranges(draw: st.DrawFn) -> tuple[str, str]:
    """Two ends, most of them months apart, each with none to six digits of a second."""
    months = st.timedeltas(timedelta(days=60), WIDEST)
    width = draw(st.just(WIDEST) | months | st.timedeltas(timedelta(seconds=1), WIDEST))
    start = draw(st.datetimes(LATEST - 5 * WIDEST, LATEST - WIDEST, timezones=st.just(UTC)))
    digits = st.sampled_from([0, 3, 6])
    return written(start, draw(digits)), written(start + width, draw(digits))


def written(moment: datetime, digits: int) -> str:
    """A time in UTC, rounded down to so many digits of a second."""
    text = moment.isoformat(timespec="microseconds").removesuffix("+00:00")
    return text[: 20 + digits].rstrip(".") + "Z"


def world_of(case: Case[Any]) -> World | None:
    """The world of the stand-in that a case is for; None for another server."""
    app = case.operation.app
    if isinstance(app, Standin):
        return app.world
    # Over a network only a stand-in has the demo key.
    is_standin = (
        app is None and "X-Api-Key" in case.headers and case.headers["X-Api-Key"] == DEMO_KEY
    )
    return served_world() if is_standin else None


@cache
def served_world() -> World:
    return demo_world()


def check_of(oracle: Oracle) -> None:
    """Make an oracle a check of schemathesis."""

    def check(context: CheckContext, response: Response, case: Case[Any]) -> None:
        del context
        world = world_of(case)
        if world is None:
            return
        complaint = oracle(request_of(response.request), reply_of(response), world)
        if complaint is not None:
            raise AssertionError(complaint)

    check.__name__ = oracle.__name__
    check.__doc__ = oracle.__doc__
    schemathesis.check(check)


for each in ORACLES:
    check_of(each)


def request_of(request: Any) -> Request:
    parts = urlsplit(request.url)
    headers = {
        name.lower(): value.decode("latin-1") if isinstance(value, bytes) else str(value)
        for name, value in request.headers.items()
    }
    return Request(str(request.method), unquote(parts.path), parts.query, headers)


def reply_of(response: Response) -> Reply:
    headers = {name.lower(): ", ".join(values) for name, values in response.headers.items()}
    return Reply(response.status_code, headers, response.content)
