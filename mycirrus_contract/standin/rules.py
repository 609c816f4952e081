"""What the stand-in answers: a pure function from a request to a reply.

It does what the vendor's page documents. What the page leaves open is a field of `Switches`, whose
default is the assumption in ``openapi/questions.yaml``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from mycirrus_contract.conformity import parameter_problems
from mycirrus_contract.messages import Reply, Request, json_reply
from mycirrus_contract.model import PATH, UnknownOperationError, tolerant
from mycirrus_contract.operations import Operation, RangeRule
from mycirrus_contract.times import TIME, instant, moment_of

from .fleet import Entry
from .switches import Switches

BASE_PATH = "/v1"
LOG_PATH = BASE_PATH + PATH
API_KEY_HEADER = "x-api-key"

DEMO_KEY = "stand-in-demo-key"
KEY_WITHOUT_SCOPE = "stand-in-key-without-scope"


@dataclass(frozen=True)
class World:
    """What an answer depends on, besides the request."""

    entries: tuple[Entry, ...]
    switches: Switches = field(default_factory=Switches)
    keys: frozenset[str] = frozenset({DEMO_KEY})
    keys_without_scope: frozenset[str] = frozenset({KEY_WITHOUT_SCOPE})


@dataclass(frozen=True)
class Route:
    """How the stand-in answers one operation of the contract.

    Attributes:
        scope: The scope that a key needs.
        reads: The parameters that `body` reads and checks; others must fit their schema.
        body: Returns the body of a 200 for a query, or raises `Refusal`.
    """

    scope: str
    reads: frozenset[str]
    body: Callable[[dict[str, list[str]], World], Any]


class Refusal(Exception):  # noqa: N818 - an answer, and no error of the stand-in
    """The request gets an error status."""

    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.body = {"error": code, "description": description}


def documented(status: int) -> Reply:
    """The reply that the vendor's page shows for an error status of the log."""
    return json_reply(status, tolerant().operation(PATH).example(status))


def answer(request: Request, world: World) -> Reply:
    """Answer a request as the API would, as far as we know."""
    try:
        operation = tolerant().operation_at(request.path, request.method)
    except UnknownOperationError as error:
        return _unknown(error.allowed)
    if operation.path not in ROUTES:
        text = f"The contract has {operation}, but the stand-in has no route for it."
        return _refused(Refusal(501, "NotImplemented", text))
    route = ROUTES[operation.path]
    key = request.headers.get(API_KEY_HEADER)
    if key not in world.keys:
        status = 403 if key in world.keys_without_scope else 401
        return json_reply(status, operation.example(status))
    try:
        _check_unread(request.parameters, operation, route, world.switches)
        body = route.body(request.parameters, world)
    except Refusal as refusal:
        return documented(403) if refusal.status == 403 else _refused(refusal)
    return json_reply(200, body)


def _unknown(allowed: tuple[str, ...]) -> Reply:
    if not allowed:
        return _refused(Refusal(404, "NotFound", "There is nothing at this address."))
    methods = ", ".join(allowed)
    wrong = Refusal(405, "MethodNotAllowed", f"Only {methods} is possible here.")
    return _refused(wrong).with_headers(allow=methods)


def _refused(refusal: Refusal) -> Reply:
    return json_reply(refusal.status, refusal.body)


def _check_unread(
    parameters: dict[str, list[str]], operation: Operation, route: Route, switches: Switches
) -> None:
    for one in operation.parameters:
        if one.location == "query" and one.name not in route.reads:
            for problem in parameter_problems(parameters.get(one.name, []), one, operation):
                text = f"{one.name} {problem}."
                raise Refusal(switches.invalid_status, "InvalidParam", text)


def _items(parameters: dict[str, list[str]], world: World) -> list[dict[str, Any]]:
    switches, rule = world.switches, tolerant().operation(PATH).known_range_rule()
    wanted = _instruments(parameters, world)
    start, end = (_time(parameters, name, switches) for name in (rule.start, rule.end))
    _check_range(start, end, rule, switches)
    chosen = [
        entry
        for entry in world.entries
        if entry.instrument in wanted and _inside(instant(entry.time), start, end, switches)
    ]
    return [_item(entry, switches) for entry in _ordered(chosen, switches)]


def _instruments(parameters: dict[str, list[str]], world: World) -> set[str]:
    serials = parameters.get("instruments", [])
    if world.switches.comma_arrays:
        serials = [serial for joined in serials for serial in joined.split(",")]
    if not serials or not all(serials):
        raise _missing("instruments", world.switches)
    unknown = set(serials) - {entry.instrument for entry in world.entries}
    if unknown and world.switches.unknown_instrument == "403":
        raise Refusal(403, "AccessDenied", "")
    if unknown and world.switches.unknown_instrument == "404":
        raise Refusal(404, "NotFound", "An instrument could not be found.")
    return set(serials)


def _missing(name: str, switches: Switches) -> Refusal:
    description = f"The required parameter {name} was missing from the request."
    return Refusal(switches.invalid_status, "MissingParam", description)


def _time(parameters: dict[str, list[str]], name: str, switches: Switches) -> int:
    """Read a time, in nanoseconds since the year 1."""
    values = parameters.get(name, [])
    if not any(values):
        raise _missing(name, switches)
    match = TIME.fullmatch(values[0])
    if len(values) > 1 or match is None or not _offset_is_taken(match["offset"], switches):
        raise _unreadable(name, switches)
    try:
        return instant(values[0])
    except ValueError:
        raise _unreadable(name, switches) from None


def _unreadable(name: str, switches: Switches) -> Refusal:
    return Refusal(switches.invalid_status, "InvalidParam", f"{name} must be one time in UTC.")


def _offset_is_taken(offset: str | None, switches: Switches) -> bool:
    if offset is None:
        return switches.naive == "utc"
    if offset == "Z" or switches.offsets == "any":
        return True
    return switches.offsets == "utc" and offset == "+00:00"


def _check_range(start: int, end: int, rule: RangeRule, switches: Switches) -> None:
    if start >= end:
        raise Refusal(switches.reversed_status, "InvalidRange", "start must be before end.")
    days = {"calendar": None, "365 days": "P365D", "366 days": "P366D"}[switches.year]
    reading = replace(rule, max=days) if days else rule
    if end > instant(reading.latest_end(moment_of(start)).isoformat()) + start % 1000:
        raise Refusal(switches.over_long_status, "RangeTooLong", "The longest range is 1 year.")


def _inside(moment: int, start: int, end: int, switches: Switches) -> bool:
    if moment == start:
        return switches.start_inclusive
    if moment == end:
        return switches.end_inclusive
    return start < moment < end


def _ordered(entries: list[Entry], switches: Switches) -> list[Entry]:
    if switches.order == "by instrument":
        return sorted(entries, key=lambda entry: (entry.instrument, instant(entry.time)))
    newest_first = switches.order == "newest first"
    return sorted(entries, key=lambda entry: instant(entry.time), reverse=newest_first)


def _item(entry: Entry, switches: Switches) -> dict[str, Any]:
    item = {
        "time": _rewritten(entry.time, switches.fraction_digits),
        "user": entry.user,
        "message": entry.message,
    }
    return item | {"instrument": entry.instrument} if switches.names_instrument else item


def _rewritten(time: str, digits: int | None) -> str:
    match = TIME.fullmatch(time)
    if digits is None or match is None:
        return time
    fraction = (match["fraction"] or "").ljust(digits, "0")[:digits]
    return f"{match['whole']}.{fraction}Z" if digits else f"{match['whole']}Z"


ROUTES = {PATH: Route("data.system:read", frozenset({"instruments", "start", "end"}), _items)}


def without_route() -> list[Operation]:
    """The operations of the contract that have no route."""
    return [one for one in tolerant().operations if one.path not in ROUTES]
