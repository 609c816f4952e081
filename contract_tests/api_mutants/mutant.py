"""A wrong behaviour of the stand-in, and what most of them are made of.

A mutant takes the place of the stand-in's rules. It knows the request, the world and how many
requests came before, and may ask the correct rules what they would have answered.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from mycirrus_contract.messages import Reply, Request, json_reply
from mycirrus_contract.standin.rules import (
    API_KEY_HEADER,
    LOG_PATH,
    World,
    answer,
)
from mycirrus_contract.standin.switches import Switches
from mycirrus_contract.times import instant


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
        return self.request.parameters

    def asking(self, **change: list[str] | None) -> Request:
        """The request with other parameters; None leaves one out."""
        parameters = self.parameters | change
        kept = {name: values for name, values in parameters.items() if values is not None}
        return replace(self.request, query=urlencode(kept, doseq=True))

    def with_key(self) -> Request:
        (key,) = self.world.keys
        return replace(self.request, headers=self.request.headers | {API_KEY_HEADER: key})


Change = Callable[[Received], Reply]
Item = dict[str, Any]
OTHER = {"error": "InvalidToken", "description": "Try again."}
DAY = 86_400 * 10**9
HOUR = 3_600 * 10**9
YEAR = 366 * DAY


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
        """Answer wrongly; a request that the mutant is not about, correctly."""
        received = Received(request, world, earlier)
        concerns = request.path == LOG_PATH and (request.method == "GET" or self.kind == "methods")
        return self.change(received) if concerns else received.correct()


def body(change: Callable[[Any], Any], status: int = 200) -> Change:
    def changed(received: Received) -> Reply:
        reply = received.correct()
        if reply.status != status:
            return reply
        return replace(json_reply(status, change(reply.json)), headers=reply.headers)

    return changed


def items(change: Callable[[list[Item]], Any]) -> Change:
    return body(change)


def item(change: Callable[[Item], Any]) -> Change:
    return body(lambda items: [change(item) for item in items])


def time(change: Callable[[str], Any]) -> Change:
    return item(lambda item: item | {"time": change(item["time"])})


def raw(change: Callable[[Reply], Reply], status: int = 200) -> Change:
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
    return Reply(status, {"content-type": "text/html"}, b"<html><p>Sign in</p></html>")


def requesting(change: Callable[[Received], Request]) -> Change:
    """The correct answer to another request."""
    return lambda received: received.correct(change(received))


def accepting(switch: Switches) -> Change:
    """The rules with another switch."""
    return lambda received: received.correct(switches=switch)


def when(condition: Callable[[Received], bool], change: Change) -> Change:
    return lambda received: change(received) if condition(received) else received.correct()


def is_good(received: Received) -> bool:
    return received.correct().status == 200


def has_key(received: Received) -> bool:
    return received.request.headers.get(API_KEY_HEADER) in received.world.keys


def ends(received: Received) -> tuple[int, int]:
    """Start and end of a query, in nanoseconds; 0 and 0 if they cannot be parsed."""
    try:
        return instant(received.parameters["start"][0]), instant(received.parameters["end"][0])
    except (KeyError, ValueError):
        return 0, 0


def length(received: Received) -> int:
    """The length of a range, in nanoseconds; 0 if it cannot be parsed."""
    start, end = ends(received)
    return end - start


def when_good(change: Change) -> Change:
    """A change of the answers that would be 200."""
    return when(is_good, change)
