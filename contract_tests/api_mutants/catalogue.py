"""Wrong behaviours of the stand-in, by name: what the checks have to notice.

A mutant takes the place of the stand-in's rules. It knows the request, the world and how many
requests came before, and may ask the correct rules what they would have answered.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from mycirrus_contract.messages import Reply, Request, json_reply
from mycirrus_contract.standin.fleet import Entry
from mycirrus_contract.standin.rules import (
    API_KEY_HEADER,
    LOG_PATH,
    World,
    answer,
    documented,
)
from mycirrus_contract.standin.switches import Switches
from mycirrus_contract.times import instant, moment_of


@dataclass(frozen=True)
class Received:
    """One request to a mutant.

    Attributes:
        request: What was requested.
        world: What the answer depends on.
        earlier: What was answered before, the oldest first.
    """

    request: Request
    world: World
    earlier: tuple[Reply, ...] = ()

    def correct(self, request: Request | None = None, **world: Any) -> Reply:
        """What the rules answer to this request, or to another, or in another world."""
        return answer(request or self.request, replace(self.world, **world))

    @property
    def parameters(self) -> dict[str, list[str]]:
        """The decoded query."""
        return self.request.parameters

    def asking(self, **change: list[str] | None) -> Request:
        """The request with other parameters; None leaves one out."""
        parameters = self.parameters | change
        kept = {name: values for name, values in parameters.items() if values is not None}
        return replace(self.request, query=urlencode(kept, doseq=True))

    def with_key(self) -> Request:
        """The request with a good key."""
        (key,) = self.world.keys
        return replace(self.request, headers=self.request.headers | {API_KEY_HEADER: key})


Change = Callable[[Received], Reply]


@dataclass(frozen=True)
class Mutant:
    """One wrong behaviour.

    Attributes:
        name: What tables call it.
        kind: What it is wrong about.
        change: How it answers.
    """

    name: str
    kind: str
    change: Change = field(repr=False)

    def answer(self, request: Request, world: World, earlier: tuple[Reply, ...]) -> Reply:
        """Answer wrongly, or, what is none of its business, correctly."""
        received = Received(request, world, earlier)
        concerns = request.path == LOG_PATH and (request.method == "GET" or self.kind == "methods")
        return self.change(received) if concerns else received.correct()


Item = dict[str, Any]


def body(change: Callable[[Any], Any], status: int = 200) -> Change:
    """Another body under a status."""

    def changed(received: Received) -> Reply:
        reply = received.correct()
        if reply.status != status:
            return reply
        return replace(json_reply(status, change(reply.json)), headers=reply.headers)

    return changed


def items(change: Callable[[list[Item]], Any]) -> Change:
    """Another list."""
    return body(change)


def item(change: Callable[[Item], Any]) -> Change:
    """Another item, each of them."""
    return body(lambda items: [change(item) for item in items])


def time(change: Callable[[str], Any]) -> Change:
    """Another time in each item."""
    return item(lambda item: item | {"time": change(item["time"])})


def raw(change: Callable[[Reply], Reply], status: int = 200) -> Change:
    """Another reply under a status."""

    def changed(received: Received) -> Reply:
        reply = received.correct()
        return change(reply) if reply.status == status else reply

    return changed


def typed(content_type: str | None, status: int = 200) -> Change:
    """Another media type under a status; None says none."""

    def change(reply: Reply) -> Reply:
        headers = {name: text for name, text in reply.headers.items() if name != "content-type"}
        if content_type is not None:
            headers["content-type"] = content_type
        return replace(reply, headers=headers)

    return raw(change, status)


def page(status: int) -> Reply:
    """A page in HTML."""
    return Reply(status, {"content-type": "text/html"}, b"<html><p>Sign in</p></html>")


def requesting(change: Callable[[Received], Request]) -> Change:
    """The correct answer to another request."""
    return lambda received: received.correct(change(received))


def accepting(switch: Switches) -> Change:
    """The rules with a switch that no question leaves open."""
    return lambda received: received.correct(switches=switch)


def when(condition: Callable[[Received], bool], change: Change) -> Change:
    """A change of some requests."""
    return lambda received: change(received) if condition(received) else received.correct()


def is_good(received: Received) -> bool:
    """Whether the correct answer is 200."""
    return received.correct().status == 200


def _ends(received: Received) -> tuple[int, int]:
    """Start and end of a query, in nanoseconds; twice 0 if there are no such."""
    try:
        return instant(received.parameters["start"][0]), instant(received.parameters["end"][0])
    except (KeyError, ValueError):
        return 0, 0


DAY = 86_400 * 10**9
HOUR = 3_600 * 10**9
YEAR = 366 * DAY


def length(received: Received) -> int:
    """How long a range is, in nanoseconds; 0 if it is none."""
    start, end = _ends(received)
    return end - start


def _written(nanoseconds: int) -> str:
    return moment_of(nanoseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moved(start: int = 0, end: int = 0) -> Change:
    """The answer for a range whose ends are elsewhere, so many nanoseconds later."""

    def change(received: Received) -> Reply:
        if not is_good(received):
            return received.correct()
        first, last = _ends(received)
        return listed(received, lambda entry: first + start <= instant(entry.time) <= last + end)

    return change


def listed(received: Received, chosen: Callable[[Entry], bool]) -> Reply:
    """The log of the instruments asked for, of all times, as far as it is chosen."""
    wanted = set(received.parameters.get("instruments", []))
    return written(
        [entry for entry in received.world.entries if entry.instrument in wanted and chosen(entry)]
    )


def written(entries: list[Entry]) -> Reply:
    """Entries as the rules write them, by time."""
    ordered = sorted(entries, key=lambda entry: instant(entry.time))
    return json_reply(
        200,
        [{"time": one.time, "user": one.user, "message": one.message} for one in ordered],
    )


def _to_midnight(received: Received) -> Reply:
    if not is_good(received):
        return received.correct()
    first, last = (end // DAY * DAY for end in _ends(received))
    last += DAY
    return listed(received, lambda entry: first <= instant(entry.time) < last)


def _over_long(change: Callable[[Received], Reply], longest: int = YEAR) -> Change:
    """Another answer to ranges of more than a year."""
    return when(lambda received: has_key(received) and length(received) > longest, change)


def has_key(received: Received) -> bool:
    """Whether the key is a good one."""
    return received.request.headers.get(API_KEY_HEADER) in received.world.keys


def _whole(received: Received) -> Reply:
    """The log of the range, however long."""
    first, last = _ends(received)
    return listed(received, lambda entry: first <= instant(entry.time) <= last)


def _capped(received: Received) -> Reply:
    """The log of the first year of the range."""
    first, _ = _ends(received)
    return listed(received, lambda entry: first <= instant(entry.time) <= first + 365 * DAY)


def _any_order(received: Received) -> Reply:
    if has_key(received) and length(received) < 0:
        low, high = received.parameters["end"], received.parameters["start"]
        return received.correct(received.asking(start=low, end=high))
    return received.correct()


def _everything(received: Received) -> Reply:
    return listed(received, lambda entry: True) if is_good(received) else received.correct()


def _other_instruments_too(received: Received) -> Reply:
    return (
        written(_within(received, lambda entry: True)) if is_good(received) else received.correct()
    )


def _within(received: Received, chosen: Callable[[Entry], bool]) -> list[Entry]:
    """The entries of all instruments in the range."""
    first, last = _ends(received)
    return [
        entry
        for entry in received.world.entries
        if first <= instant(entry.time) <= last and chosen(entry)
    ]


def _neighbours(received: Received) -> Reply:
    """The log of the next instrument of the fleet."""
    if not is_good(received):
        return received.correct()
    serials = sorted({entry.instrument for entry in received.world.entries})
    following = dict(zip(serials, serials[1:] + serials[:1], strict=True))
    wanted = {following.get(serial) for serial in received.parameters["instruments"]}
    return written(_within(received, lambda entry: entry.instrument in wanted))


def _one_of_another(received: Received) -> Reply:
    """With one entry of an instrument that was not asked for."""
    if not is_good(received):
        return received.correct()
    wanted = received.parameters["instruments"]
    strange = _within(received, lambda entry: entry.instrument not in wanted)[:1]
    return written(_within(received, lambda entry: entry.instrument in wanted) + strange)


def _by_prefix(received: Received) -> Reply:
    """A serial number stands for all that begin like it."""
    if not is_good(received):
        return received.correct()
    begins = tuple(serial[:2] for serial in received.parameters["instruments"])
    return written(_within(received, lambda entry: entry.instrument.startswith(begins)))


def _users_moved_on(items: list[Item]) -> list[Item]:
    users = [item["user"] for item in items]
    return [item | {"user": user} for item, user in zip(items, users[1:] + users[:1], strict=True)]


def _userless(items: list[Item]) -> Item:
    return items[-1] | {"user": None} if items else {}


def _as_lines(reply: Reply) -> Reply:
    return replace(reply, body="\n".join(json.dumps(item) for item in reply.json).encode())


def _shuffled(items: list[Item]) -> list[Item]:
    return random.Random(7).sample(items, len(items))  # noqa: S311 - the same every time


def _every_second_time(change: Callable[[list[Item]], Any]) -> Change:
    return lambda received: (
        items(change)(received) if len(received.earlier) % 2 else received.correct()
    )


def _later(text: str) -> str:
    return _written(instant(text) + HOUR)


def _remembered(received: Received) -> Reply:
    """The last good answer again, whatever is requested now."""
    if not is_good(received):
        return received.correct()
    return next(
        (reply for reply in received.earlier[-1:] if reply.status == 200), received.correct()
    )


def _first_range(received: Received) -> Reply:
    """An answer that was kept by instrument, and not by range."""
    if not is_good(received):
        return received.correct()
    for reply in received.earlier[:1]:
        if reply.status == 200 and len(received.parameters["instruments"]) == 1:
            return reply
    return received.correct()


def _after_one_good_answer(received: Received) -> Reply:
    known = any(reply.status == 200 for reply in received.earlier)
    return received.correct(received.with_key()) if known else received.correct()


def _let_in(received: Received) -> bool:
    return received.correct().status == 401


def _throttling(reply: Reply, after: int = 3) -> Change:
    """Every request after the first few is throttled."""
    return lambda received: reply if len(received.earlier) >= after else received.correct()


def _with_defaults(received: Received) -> Request:
    """What is missing or empty has a default."""
    defaults = {
        "instruments": ["QT123456"],
        "start": ["2024-06-01T00:00:00Z"],
        "end": ["2024-12-31T00:00:00Z"],
    }
    given = received.parameters
    return received.asking(
        **{name: value for name, value in defaults.items() if not any(given.get(name, []))}
    )


def _last_of_several(received: Received) -> Request:
    return received.asking(
        **{
            name: received.parameters[name][-1:]
            for name in ("start", "end")
            if name in received.parameters
        }
    )


def _any_time(received: Received) -> Request:
    """What has no zone is UTC, and what is no time is some time."""
    readable = {}
    for name, default in (("start", "2025-01-01T00:00:00Z"), ("end", "2025-12-01T00:00:00Z")):
        for value in received.parameters.get(name, [])[:1]:
            try:
                readable[name] = [_written(instant(value))]
            except ValueError:
                readable[name] = [default]
    return received.asking(**readable)


def _has_no_z(received: Received) -> bool:
    """Whether a time has another form than the vendor's page shows."""
    given = [received.parameters.get(name, [""])[0] for name in ("start", "end")]
    return has_key(received) and all(given) and not all(text.endswith("Z") for text in given)


def _zone_ignored(received: Received) -> Request:
    """Whatever comes after the seconds is cut off."""
    given = received.parameters
    return received.asking(
        **{
            name: [given[name][0][:19] + "Z"]
            for name in ("start", "end")
            if given.get(name) and not given[name][0].endswith("Z")
        }
    )


def _local_time(received: Received) -> Request:
    """A naive time is taken for summer time in Madrid."""
    naive = {
        name: [_written(instant(received.parameters[name][0]) - 2 * HOUR)]
        for name in ("start", "end")
        if received.parameters.get(name) and received.parameters[name][0][-6:].count(":") == 2
    }
    return received.asking(**naive) if len(naive) == 2 else received.request


def _methods(method: str, reply: Change) -> Change:
    return when(lambda received: received.request.method == method, reply)


def _as_get(received: Received) -> Reply:
    return received.correct(replace(received.request, method="GET"))


def _slow(received: Received) -> Reply:
    return replace(received.correct(), seconds=15.0)


def _slow_for_long(received: Received) -> Reply:
    return replace(received.correct(), seconds=25.0 if length(received) > 300 * DAY else 0.0)


OTHER = {"error": "InvalidToken", "description": "Try again."}
BARE_429 = Reply(429, {}, b"")
BOM = b"\xef\xbb\xbf"


MUTANTS: tuple[Mutant, ...] = (
    # shape
    Mutant("list in an object", "shape", items(lambda items: {"items": items})),
    Mutant("object for a list of one", "shape", items(lambda xs: xs[0] if len(xs) == 1 else xs)),
    Mutant("null for an empty list", "shape", items(lambda items: items or None)),
    Mutant("no time", "shape", item(lambda item: {k: item[k] for k in ("user", "message")})),
    Mutant("no user", "shape", item(lambda item: {k: item[k] for k in ("time", "message")})),
    Mutant(
        "names in capitals", "shape", item(lambda item: {k.title(): v for k, v in item.items()})
    ),
    Mutant("null message", "shape", item(lambda item: item | {"message": None})),
    Mutant(
        "user is an object", "shape", item(lambda item: item | {"user": {"name": item["user"]}})
    ),
    Mutant("user is a number", "shape", item(lambda item: item | {"user": 17})),
    Mutant("extra field", "shape", item(lambda item: item | {"level": 93.7})),
    Mutant("items are texts", "shape", item(lambda item: item["time"])),
    Mutant(
        "error without a description", "shape", body(lambda error: {"error": error["error"]}, 401)
    ),
    Mutant("error code is a number", "shape", body(lambda error: error | {"error": 401}, 401)),
    Mutant("error is a text", "shape", body(lambda error: error["description"], 400)),
    Mutant(
        "one item without a user", "shape", items(lambda items: [*items[:-1], _userless(items)])
    ),
    Mutant("lists by instrument", "shape", items(lambda items: [items])),
    Mutant("lines instead of a list", "shape", raw(_as_lines)),
    Mutant("JSON in a text", "shape", items(json.dumps)),
    Mutant("byte order mark", "shape", raw(lambda reply: replace(reply, body=BOM + reply.body))),
    Mutant("truncated JSON", "shape", raw(lambda reply: replace(reply, body=reply.body[:-1]))),
    Mutant("empty body", "shape", raw(lambda reply: replace(reply, body=b""))),
    Mutant(
        "Latin-1",
        "shape",
        raw(lambda reply: replace(reply, body=reply.body.replace(b" dB", b" \xb0 dB"))),
    ),
    # status
    Mutant("201 for 200", "status", raw(lambda reply: replace(reply, status=201))),
    Mutant(
        "404 for an empty list",
        "status",
        raw(lambda reply: json_reply(404, OTHER) if reply.body == b"[]" else reply),
    ),
    Mutant("error in a 200", "status", raw(lambda reply: replace(reply, status=200), 400)),
    Mutant(
        "500 for what is no time",
        "status",
        when(_has_no_z, lambda received: json_reply(500, OTHER)),
    ),
    Mutant(
        "500 for an over-long range", "status", _over_long(lambda received: json_reply(500, OTHER))
    ),
    Mutant(
        "400 for milliseconds",
        "status",
        when(
            lambda received: is_good(received) and "." in "".join(received.parameters["start"]),
            lambda received: json_reply(400, OTHER),
        ),
    ),
    Mutant(
        "to the sign-in page",
        "status",
        raw(lambda reply: page(302).with_headers(location="/sign-in"), 401),
    ),
    # media type
    Mutant("JSON as text", "media type", typed("text/plain")),
    Mutant("no media type", "media type", typed(None)),
    Mutant("HTML for 200", "media type", raw(lambda reply: page(200))),
    Mutant("HTML for 401", "media type", raw(lambda reply: page(401), 401)),
    Mutant("HTML for 400", "media type", raw(lambda reply: page(400), 400)),
    Mutant("problem+json for 400", "media type", typed("application/problem+json", 400)),
    Mutant("UTF-16 by name", "media type", typed("application/json; charset=utf-16")),
    # authentication and scope
    Mutant(
        "no key needed",
        "authentication",
        when(
            lambda received: _let_in(received) and API_KEY_HEADER not in received.request.headers,
            lambda received: received.correct(received.with_key()),
        ),
    ),
    Mutant(
        "any key will do",
        "authentication",
        when(
            lambda received: _let_in(received) and API_KEY_HEADER in received.request.headers,
            lambda received: received.correct(received.with_key()),
        ),
    ),
    Mutant("no key needed after one good answer", "authentication", _after_one_good_answer),
    Mutant(
        "no scope needed",
        "authentication",
        lambda received: received.correct(
            keys=received.world.keys | received.world.keys_without_scope,
            keys_without_scope=frozenset(),
        ),
    ),
    Mutant("401 is a 403", "authentication", raw(lambda reply: documented(403), 401)),
    Mutant("400 without a key", "authentication", raw(lambda reply: json_reply(400, OTHER), 401)),
    Mutant(
        "empty list without a key", "authentication", raw(lambda reply: json_reply(200, []), 401)
    ),
    Mutant("other code for 401", "authentication", raw(lambda reply: json_reply(401, OTHER), 401)),
    # parameters
    Mutant(
        "first instrument only",
        "parameters",
        requesting(
            lambda received: received.asking(
                instruments=received.parameters.get("instruments", [])[:1]
            )
        ),
    ),
    Mutant(
        "last instrument only",
        "parameters",
        requesting(
            lambda received: received.asking(
                instruments=received.parameters.get("instruments", [])[-1:]
            )
        ),
    ),
    Mutant("what is missing has a default", "parameters", requesting(_with_defaults)),
    Mutant("last of two starts", "parameters", requesting(_last_of_several)),
    Mutant("any time will do", "parameters", requesting(_any_time)),
    # range rule
    Mutant("no longest range", "range", _over_long(_whole)),
    Mutant("over-long range is cut", "range", _over_long(_capped)),
    Mutant("over-long range is empty", "range", _over_long(lambda received: json_reply(200, []))),
    Mutant(
        "a minute over the year",
        "range",
        when(
            lambda received: has_key(received) and 0 < length(received) - YEAR // 366 * 365 < HOUR,
            _whole,
        ),
    ),
    Mutant(
        "at most a month",
        "range",
        when(
            lambda received: is_good(received) and length(received) > 31 * DAY,
            lambda received: json_reply(
                400, {"error": "RangeTooLong", "description": "A month at most."}
            ),
        ),
    ),
    Mutant("reversed range is turned round", "range", _any_order),
    Mutant(
        "reversed range is empty",
        "range",
        when(
            lambda received: has_key(received) and any(_ends(received)) and length(received) <= 0,
            lambda received: json_reply(200, []),
        ),
    ),
    Mutant("naive is UTC", "range", accepting(Switches(naive="utc"))),
    Mutant("naive is local time", "range", requesting(_local_time)),
    Mutant("zone is passed over", "range", requesting(_zone_ignored)),
    # window
    Mutant("a month before the start", "window", moved(start=-30 * DAY)),
    Mutant("a month after the end", "window", moved(end=30 * DAY)),
    Mutant("a day and a half late", "window", moved(start=36 * HOUR, end=36 * HOUR)),
    Mutant("whole days", "window", _to_midnight),
    Mutant("range is passed over", "window", _everything),
    # completeness
    Mutant("always empty", "completeness", items(lambda items: [])),
    Mutant("first item is lost", "completeness", items(lambda items: items[1:])),
    Mutant("last item is lost", "completeness", items(lambda items: items[:-1])),
    Mutant("ten items at most", "completeness", items(lambda items: items[:10])),
    Mutant(
        "long ranges are thinned",
        "completeness",
        when(
            lambda received: is_good(received) and length(received) > 300 * DAY,
            items(lambda items: items[::2]),
        ),
    ),
    Mutant(
        "items of one user are lost",
        "completeness",
        items(lambda items: [item for item in items if item["user"] != "Site operator"]),
    ),
    Mutant(
        "messages are cut",
        "completeness",
        item(lambda item: item | {"message": item["message"][:12]}),
    ),
    # duplicates
    Mutant("first item twice", "duplicates", items(lambda items: items[:1] + items)),
    Mutant(
        "all items twice",
        "duplicates",
        items(lambda items: [item for item in items for _ in range(2)]),
    ),
    Mutant(
        "last item twice with two instruments",
        "duplicates",
        when(
            lambda received: is_good(received) and len(received.parameters["instruments"]) > 1,
            items(lambda items: items + items[-1:]),
        ),
    ),
    # order
    Mutant("newest first", "order", items(lambda items: items[::-1])),
    Mutant("shuffled", "order", items(_shuffled)),
    Mutant("last two exchanged", "order", items(lambda items: items[:-2] + items[-2:][::-1])),
    # repetition
    Mutant(
        "one less every second time", "repetition", _every_second_time(lambda items: items[:-1])
    ),
    Mutant("other order every second time", "repetition", _every_second_time(lambda xs: xs[::-1])),
    Mutant("range of the first request", "repetition", _first_range),
    Mutant("last answer again", "repetition", _remembered),
    # attribution
    Mutant("all instruments", "attribution", _other_instruments_too),
    Mutant("neighbour's log", "attribution", _neighbours),
    Mutant("one item of another", "attribution", _one_of_another),
    Mutant("serial is a prefix", "attribution", _by_prefix),
    Mutant("users moved on by one", "attribution", items(_users_moved_on)),
    # time format
    Mutant("+00:00 for Z", "time format", time(lambda text: text.replace("Z", "+00:00"))),
    Mutant("naive times", "time format", time(lambda text: text.removesuffix("Z"))),
    Mutant("local times", "time format", time(lambda text: _later(text).replace("Z", "+01:00"))),
    Mutant("blank for T", "time format", time(lambda text: text.replace("T", " "))),
    Mutant("comma for the point", "time format", time(lambda text: text.replace(".", ","))),
    Mutant("small z", "time format", time(lambda text: text.replace("Z", "z"))),
    Mutant(
        "one naive time",
        "time format",
        items(
            lambda items: [*items[:-1], *(one | {"time": one["time"][:-1]} for one in items[-1:])]
        ),
    ),
    Mutant("date only", "time format", time(lambda text: text[:10])),
    Mutant("seconds since 1970", "time format", time(lambda text: instant(text) // 10**9)),
    Mutant("local time with a Z", "time format", time(_later)),
    # throttling
    Mutant("429 from the first request on", "throttling", _throttling(documented(429), 0)),
    Mutant("HTML for 429", "throttling", _throttling(page(429))),
    Mutant("429 without a body", "throttling", _throttling(BARE_429)),
    Mutant("other code for 429", "throttling", _throttling(json_reply(429, OTHER))),
    Mutant(
        "Retry-After in words",
        "throttling",
        _throttling(documented(429).with_headers(retry_after="in a minute")),
    ),
    # methods
    Mutant("POST is answered too", "methods", _methods("POST", _as_get)),
    Mutant(
        "Allow says too much",
        "methods",
        raw(lambda reply: reply.with_headers(allow="GET, POST"), 405),
    ),
    # speed
    Mutant("slow", "speed", _slow),
    Mutant("slow for long ranges", "speed", _slow_for_long),
)


def by_name(name: str) -> Mutant:
    """The mutant of a name.

    Raises:
        ValueError: There is none.
    """
    for mutant in MUTANTS:
        if mutant.name == name:
            return mutant
    raise ValueError(f"there is no mutant {name!r}; there are {', '.join(m.name for m in MUTANTS)}")
