"""Plausible backends, as stand-ins, and the verdicts that the live check gives them.

Each does what the vendor's page documents, and fills what the page leaves open in a way of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from mycirrus_contract.messages import Reply, Request, json_reply
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.fleet import fleet
from mycirrus_contract.standin.rules import World, answer
from mycirrus_contract.standin.switches import Switches
from mycirrus_contract.times import instant, instant_of

# Two years before it there is no 366-day year to ask for, and three years before it there is.
END = datetime(2026, 11, 1, tzinfo=UTC)
WORLD = World(entries=fleet(END))

Rules = Callable[[Request, World], Reply]


@dataclass(frozen=True)
class Profile:
    """A plausible backend.

    Attributes:
        name: As in ``docs/contract-checks.md``.
        switches: What it does where the page is silent.
        rules: How it answers; the stand-in's rules by default.
        expected: The verdicts of a run with the largest budget, without those that hold.
    """

    name: str
    expected: dict[str, str]
    switches: dict[str, Any] = field(default_factory=dict)
    rules: Rules = answer

    def answer(self, request: Request, world: World, earlier: tuple[Reply, ...]) -> Reply:
        del earlier
        return self.rules(request, world)

    def standin(self) -> Standin:
        return Standin(replace(WORLD, switches=Switches(**self.switches)), behaviour=self)


def _aspnet(request: Request, world: World) -> Reply:
    """Problem details (RFC 9457) for a bad request, and an empty list for a reversed range."""
    reply = answer(request, world)
    if reply.status != 400:
        return reply
    if reply.json["error"] == "InvalidRange":
        return json_reply(200, [])
    problem = {
        "type": "https://tools.ietf.org/html/rfc9110#section-15.5.1",
        "title": "One or more validation errors occurred.",
        "status": 400,
        "errors": {"end": [reply.json["description"]]},
        "traceId": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
    }
    return json_reply(400, problem).with_headers(content_type="application/problem+json")


def _fastapi(request: Request, world: World) -> Reply:
    """422 for parameters that cannot be read."""
    reply = answer(request, world)
    if reply.status != 400 or reply.json["error"] not in {"MissingParam", "InvalidParam"}:
        return reply
    detail = {"loc": ["query", "end"], "msg": reply.json["description"], "type": "missing"}
    return json_reply(422, {"detail": [detail]})


def _two_years(request: Request, world: World) -> Reply:
    """Data older than two years is gone, and a request for it is refused."""
    reply = answer(request, world)
    oldest = instant_of(END - timedelta(days=730))
    if reply.status != 200 or instant(request.parameters["start"][0]) >= oldest:
        return reply
    return json_reply(400, {"error": "TooOld", "description": "Data is kept for two years."})


PROFILES = (
    Profile("as assumed", {}),
    Profile(
        "ASP.NET",
        {
            "over-long-refused": "drift",
            "reversed-refused": "drift",
            "naive-refused": "drift",
            "others-fit": "drift",
        },
        {"naive": "utc", "offsets": "any", "fraction_digits": 7},
        _aspnet,
    ),
    Profile(
        "FastAPI",
        {"naive-refused": "drift", "invalid-status": "drift"},
        {"naive": "utc", "offsets": "any"},
        _fastapi,
    ),
    Profile("newest first", {"in-order": "drift"}, {"order": "newest first"}),
    Profile("sorted by instrument", {"in-order": "drift"}, {"order": "by instrument"}),
    Profile("exclusive end", {"end-inclusive": "drift"}, {"end_inclusive": False}),
    Profile("items name their instrument", {"items-fit": "drift"}, {"names_instrument": True}),
    Profile("retention of two years", {}, {}, _two_years),
    Profile("a year of 365 days", {"year": "drift"}, {"year": "365 days"}),
    Profile(
        "404 for unknown serials", {"unknown-instrument": "drift"}, {"unknown_instrument": "404"}
    ),
)
