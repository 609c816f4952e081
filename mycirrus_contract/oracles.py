"""What is wrong with one answer of the stand-in, in words, for any request.

Each oracle is a pure function of a request, its reply and the truth: the world that the stand-in
has. It reads the log and the keys in it, and uses none of the stand-in's rules. What no single
answer can show is in ``contract_tests/suite``.
"""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from .conformity import reply_problems, request_problems
from .messages import Reply, Request
from .model import PATH, UnknownOperationError, strict
from .operations import Operation
from .standin.rules import World
from .times import instant

SLOWEST = 10.0  # seconds


Oracle = Callable[[Request, Reply, World], str | None]


def fits_the_contract(request: Request, reply: Reply, truth: World) -> str | None:
    """A reply has a status, headers and a body of the strict reading."""
    del truth
    operation = _operation(request)
    if operation is None:
        return None
    problems = reply_problems(reply, operation)
    return "; ".join(str(problem) for problem in problems[:3]) or None


def requires_a_key(request: Request, reply: Reply, truth: World) -> str | None:
    """Without a valid key the answer is the page's 401, and without its scope the page's 403."""
    key = request.headers.get("x-api-key")
    operation = _operation(request)
    if operation is None or not operation.key_headers or key in truth.keys:
        return None
    expected = 403 if key in truth.keys_without_scope else 401
    given = "a key that may not see it" if expected == 403 else "a bad key" if key else "no key"
    if reply.status != expected:
        return f"{given} gets {reply.status}, not {expected}"
    documented = reply.json == operation.example(expected)
    return None if documented else f"the body of the {expected} is not the page's"


def accepts_valid_requests(request: Request, reply: Reply, truth: World) -> str | None:
    """A request that the contract allows is answered with 200, or is throttled with 429."""
    if not _is_good(request, truth) or reply.status in {200, 429}:
        return None
    return f"a request that the contract allows gets {reply.status}"


def refuses_invalid_requests(request: Request, reply: Reply, truth: World) -> str | None:
    """A request against the contract is refused with 400."""
    if _operation(request) is None or request.headers.get("x-api-key") not in truth.keys:
        return None
    problems = request_problems(request, strict())
    problems = [problem for problem in problems if "unknown parameter" not in problem.text]
    if not problems or reply.status == 400:
        return None
    return f"a request in which {problems[0]} gets {reply.status}, not 400"


def has_only_items_of_the_range(request: Request, reply: Reply, truth: World) -> str | None:
    """Every item lies inside the requested range."""
    if not _is_answered(request, reply, truth):
        return None
    start, end = (instant(request.parameters[name][0]) for name in ("start", "end"))
    times = [_instant(item) for item in reply.objects()]
    outside = [time for time in times if time is not None and not start <= time <= end]
    return f"{len(outside)} of {len(times)} items are outside the range" if outside else None


def is_sorted_by_time(request: Request, reply: Reply, truth: World) -> str | None:
    """Items come by time, over all instruments."""
    if not _is_answered(request, reply, truth):
        return None
    times = [time for time in map(_instant, reply.objects()) if time is not None]
    late = sum(one > other for one, other in pairwise(times))
    return f"{late} of {len(times)} items come before an older one" if late else None


def has_no_duplicates(request: Request, reply: Reply, truth: World) -> str | None:
    """No two items of an answer are equal, as no two entries of the stand-in's log are."""
    if not _is_answered(request, reply, truth):
        return None
    doubled = sum(count - 1 for count in Counter(map(_key, reply.objects())).values())
    return f"{doubled} items are there more than once" if doubled else None


def has_only_items_of_the_instruments(request: Request, reply: Reply, truth: World) -> str | None:
    """Every item is in the log of a requested instrument, word for word."""
    if not _is_answered(request, reply, truth):
        return None
    wanted = set(request.parameters["instruments"])
    known = {
        (entry.time, entry.user, entry.message)
        for entry in truth.entries
        if entry.instrument in wanted
    }
    strange = sum(_key(item) not in known for item in reply.objects())
    return f"{strange} items are not in the logs of the requested instruments" if strange else None


def is_complete(request: Request, reply: Reply, truth: World) -> str | None:
    """Every entry of the instruments in the range is there."""
    if not _is_answered(request, reply, truth):
        return None
    log = _log_of(request, truth)
    missing = set(log) - {_key(item) for item in reply.objects()}
    return f"{len(missing)} of {len(log)} items are missing" if missing else None


ORACLES: tuple[Oracle, ...] = (
    fits_the_contract,
    requires_a_key,
    accepts_valid_requests,
    refuses_invalid_requests,
    has_only_items_of_the_range,
    is_sorted_by_time,
    has_no_duplicates,
    has_only_items_of_the_instruments,
    is_complete,
)


def _log_of(request: Request, truth: World) -> list[tuple[str, str, str]]:
    """The items that answer a valid request, both ends included, by time."""
    start, end = (instant(request.parameters[name][0]) for name in ("start", "end"))
    wanted = set(request.parameters["instruments"])
    return [
        (entry.time, entry.user, entry.message)
        for entry in sorted(truth.entries, key=lambda entry: instant(entry.time))
        if entry.instrument in wanted and start <= instant(entry.time) <= end
    ]


def _operation(request: Request) -> Operation | None:
    try:
        return strict().operation_at(request.path, request.method)
    except UnknownOperationError:
        return None


def _is_good(request: Request, truth: World) -> bool:
    key_is_good = request.headers.get("x-api-key") in truth.keys
    return key_is_good and not request_problems(request, strict())


def _is_answered(request: Request, reply: Reply, truth: World) -> bool:
    operation = _operation(request)
    is_log = operation is not None and operation.path == PATH
    return is_log and reply.status == 200 and _is_good(request, truth)


def _instant(item: dict[str, Any]) -> int | None:
    try:
        return instant(item["time"])
    except (KeyError, TypeError, ValueError):
        return None


def _key(item: dict[str, Any]) -> tuple[str, str, str]:
    return str(item.get("time")), str(item.get("user")), str(item.get("message"))
