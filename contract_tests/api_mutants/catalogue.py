"""The wrong behaviours of the stand-in by kind and name: what the checks have to notice."""

import json
from dataclasses import replace

from mycirrus_contract.messages import json_reply
from mycirrus_contract.standin.rules import API_KEY_HEADER, documented
from mycirrus_contract.standin.switches import Switches
from mycirrus_contract.times import instant

from . import changes
from .mutant import (
    DAY,
    HOUR,
    OTHER,
    YEAR,
    Change,
    Mutant,
    accepting,
    body,
    ends,
    has_key,
    is_good,
    item,
    items,
    length,
    page,
    raw,
    requesting,
    time,
    typed,
    when,
)

CHANGES: dict[str, dict[str, Change]] = {
    "shape": {
        "list in an object": items(lambda items: {"items": items}),
        "object for a list of one": items(lambda xs: xs[0] if len(xs) == 1 else xs),
        "null for an empty list": items(lambda items: items or None),
        "no time": item(lambda item: {k: item[k] for k in ("user", "message")}),
        "no user": item(lambda item: {k: item[k] for k in ("time", "message")}),
        "names in capitals": item(lambda item: {k.title(): v for k, v in item.items()}),
        "null message": item(lambda item: item | {"message": None}),
        "user is an object": item(lambda item: item | {"user": {"name": item["user"]}}),
        "user is a number": item(lambda item: item | {"user": 17}),
        "extra field": item(lambda item: item | {"level": 93.7}),
        "items are texts": item(lambda item: item["time"]),
        "error without a description": body(lambda error: {"error": error["error"]}, 401),
        "error code is a number": body(lambda error: error | {"error": 401}, 401),
        "error is a text": body(lambda error: error["description"], 400),
        "one item without a user": items(lambda items: [*items[:-1], changes.userless(items)]),
        "lists by instrument": items(lambda items: [items]),
        "lines instead of a list": raw(changes.as_lines),
        "JSON in a text": items(json.dumps),
        "byte order mark": raw(lambda reply: replace(reply, body=changes.BOM + reply.body)),
        "truncated JSON": raw(lambda reply: replace(reply, body=reply.body[:-1])),
        "empty body": raw(lambda reply: replace(reply, body=b"")),
        "Latin-1": raw(lambda reply: replace(reply, body=reply.body.replace(b" dB", b" \xb0 dB"))),
    },
    "status": {
        "201 for 200": raw(lambda reply: replace(reply, status=201)),
        "404 for an empty list": raw(
            lambda reply: json_reply(404, OTHER) if reply.body == b"[]" else reply
        ),
        "error in a 200": raw(lambda reply: replace(reply, status=200), 400),
        "500 for what is no time": when(changes.has_no_z, lambda received: json_reply(500, OTHER)),
        "500 for an over-long range": changes.over_long(lambda received: json_reply(500, OTHER)),
        "400 for milliseconds": when(
            lambda received: is_good(received) and "." in "".join(received.parameters["start"]),
            lambda received: json_reply(400, OTHER),
        ),
        "to the sign-in page": raw(lambda reply: page(302).with_headers(location="/sign-in"), 401),
    },
    "media type": {
        "JSON as text": typed("text/plain"),
        "no media type": typed(None),
        "HTML for 200": raw(lambda reply: page(200)),
        "HTML for 401": raw(lambda reply: page(401), 401),
        "HTML for 400": raw(lambda reply: page(400), 400),
        "problem+json for 400": typed("application/problem+json", 400),
        "UTF-16 by name": typed("application/json; charset=utf-16"),
    },
    "authentication": {
        "no key needed": when(
            lambda received: (
                changes.let_in(received) and API_KEY_HEADER not in received.request.headers
            ),
            lambda received: received.correct(received.with_key()),
        ),
        "any key will do": when(
            lambda received: (
                changes.let_in(received) and API_KEY_HEADER in received.request.headers
            ),
            lambda received: received.correct(received.with_key()),
        ),
        "no key needed after one good answer": changes.after_one_good_answer,
        "no scope needed": lambda received: received.correct(
            keys=received.world.keys | received.world.keys_without_scope,
            keys_without_scope=frozenset(),
        ),
        "401 is a 403": raw(lambda reply: documented(403), 401),
        "400 without a key": raw(lambda reply: json_reply(400, OTHER), 401),
        "empty list without a key": raw(lambda reply: json_reply(200, []), 401),
        "other code for 401": raw(lambda reply: json_reply(401, OTHER), 401),
    },
    "parameters": {
        "first instrument only": requesting(
            lambda received: received.asking(
                instruments=received.parameters.get("instruments", [])[:1]
            )
        ),
        "last instrument only": requesting(
            lambda received: received.asking(
                instruments=received.parameters.get("instruments", [])[-1:]
            )
        ),
        "what is missing has a default": requesting(changes.with_defaults),
        "last of two starts": requesting(changes.last_of_several),
        "any time will do": requesting(changes.any_time),
    },
    "range": {
        "no longest range": changes.over_long(changes.whole),
        "over-long range is cut": changes.over_long(changes.capped),
        "over-long range is empty": changes.over_long(lambda received: json_reply(200, [])),
        "a minute over the year": when(
            lambda received: has_key(received) and 0 < length(received) - YEAR // 366 * 365 < HOUR,
            changes.whole,
        ),
        "at most a month": when(
            lambda received: is_good(received) and length(received) > 31 * DAY,
            lambda received: json_reply(
                400, {"error": "RangeTooLong", "description": "A month at most."}
            ),
        ),
        "reversed range is turned round": changes.any_order,
        "reversed range is empty": when(
            lambda received: has_key(received) and any(ends(received)) and length(received) <= 0,
            lambda received: json_reply(200, []),
        ),
        "naive is UTC": accepting(Switches(naive="utc")),
        "naive is local time": requesting(changes.local_time),
        "zone is passed over": requesting(changes.zone_ignored),
    },
    "window": {
        "a month before the start": changes.moved(start=-30 * DAY),
        "a month after the end": changes.moved(end=30 * DAY),
        "a day and a half late": changes.moved(start=36 * HOUR, end=36 * HOUR),
        "whole days": changes.to_midnight,
        "range is passed over": changes.everything,
    },
    "completeness": {
        "always empty": items(lambda items: []),
        "first item is lost": items(lambda items: items[1:]),
        "last item is lost": items(lambda items: items[:-1]),
        "ten items at most": items(lambda items: items[:10]),
        "long ranges are thinned": when(
            lambda received: is_good(received) and length(received) > 300 * DAY,
            items(lambda items: items[::2]),
        ),
        "items of one user are lost": items(
            lambda items: [item for item in items if item["user"] != "Site operator"]
        ),
        "messages are cut": item(lambda item: item | {"message": item["message"][:12]}),
    },
    "duplicates": {
        "first item twice": items(lambda items: items[:1] + items),
        "all items twice": items(lambda items: [item for item in items for _ in range(2)]),
        "last item twice with two instruments": when(
            lambda received: is_good(received) and len(received.parameters["instruments"]) > 1,
            items(lambda items: items + items[-1:]),
        ),
    },
    "order": {
        "newest first": items(lambda items: items[::-1]),
        "shuffled": items(changes.shuffled),
        "last two exchanged": items(lambda items: items[:-2] + items[-2:][::-1]),
    },
    "repetition": {
        "one less every second time": changes.every_second_time(lambda items: items[:-1]),
        "other order every second time": changes.every_second_time(lambda xs: xs[::-1]),
        "range of the first request": changes.first_range,
        "last answer again": changes.remembered,
    },
    "attribution": {
        "all instruments": changes.other_instruments_too,
        "neighbour's log": changes.neighbours,
        "one item of another": changes.one_of_another,
        "serial is a prefix": changes.by_prefix,
        "users moved on by one": items(changes.users_moved_on),
    },
    "time format": {
        "+00:00 for Z": time(lambda text: text.replace("Z", "+00:00")),
        "naive times": time(lambda text: text.removesuffix("Z")),
        "local times": time(lambda text: changes.later(text).replace("Z", "+01:00")),
        "blank for T": time(lambda text: text.replace("T", " ")),
        "comma for the point": time(lambda text: text.replace(".", ",")),
        "small z": time(lambda text: text.replace("Z", "z")),
        "one naive time": items(
            lambda items: [*items[:-1], *(one | {"time": one["time"][:-1]} for one in items[-1:])]
        ),
        "date only": time(lambda text: text[:10]),
        "seconds since 1970": time(lambda text: instant(text) // 10**9),
        "local time with a Z": time(changes.later),
    },
    "throttling": {
        "429 from the first request on": changes.throttling(documented(429), 0),
        "HTML for 429": changes.throttling(page(429)),
        "429 without a body": changes.throttling(changes.BARE_429),
        "other code for 429": changes.throttling(json_reply(429, OTHER)),
        "Retry-After in words": changes.throttling(
            documented(429).with_headers(retry_after="in a minute")
        ),
    },
    "methods": {
        "POST is answered too": changes.methods("POST", changes.as_get),
        "Allow says too much": raw(lambda reply: reply.with_headers(allow="GET, POST"), 405),
    },
    "speed": {
        "slow": changes.slow,
        "slow for long ranges": changes.slow_for_long,
    },
}
MUTANTS = tuple(
    Mutant(name, kind, change) for kind, named in CHANGES.items() for name, change in named.items()
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
