"""The exchanges of a run by name, and what each of them can show.

An answer that fails (an outage, an undocumented status, a body that breaks the page) says nothing
about the API, unless another answer fails in the same way.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from mycirrus_contract.messages import Reply
from mycirrus_contract.problems import Problem

from . import plan
from .exchange import KNOWN_TYPES, OUTAGES, Exchange

NOT_THE_API = {*range(300, 400), 400, 404, 405, 410}


class Evidence:
    """The exchanges of a run."""

    def __init__(self, exchanges: Iterable[Exchange]) -> None:
        self.exchanges = list(exchanges)
        self._by_name = {exchange.request.name: exchange for exchange in self.exchanges}

    def get(self, name: str) -> Exchange | None:
        """The exchange of a name; None if it was not sent."""
        return self._by_name.get(name)

    def all(self, names: Iterable[str]) -> list[Exchange]:
        """The exchanges of these names that were sent."""
        return [self._by_name[name] for name in names if name in self._by_name]

    def repeat(self, exchange: Exchange) -> Exchange | None:
        """The same request, sent a second time; None if it was not."""
        return self.get(plan.again(exchange.request.name))

    def label(self, *exchanges: Exchange) -> str:
        """Name exchanges by their numbers, and a single one by its name as well."""
        numbers = sorted({self.exchanges.index(one) + 1 for one in exchanges})
        if len(numbers) == 1:
            return f"request {numbers[0]}, {exchanges[0].request.name}"
        runs: list[list[int]] = []
        for number in numbers:
            if runs and runs[-1][-1] == number - 1:
                runs[-1].append(number)
            else:
                runs.append([number])
        shown = [
            f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs
        ]
        return f"requests {', '.join(shown)}"

    @property
    def whole(self) -> Exchange | None:
        """The whole range that all other requests are about: the last one that was tried."""
        return next(iter(self.all(plan.WHOLES)), None)

    @property
    def good(self) -> list[Exchange]:
        """The requests that are answered with items."""
        return self.all(plan.GOOD)

    @property
    def is_up(self) -> bool:
        """Whether the API answered the whole range with a list."""
        return self.whole is not None and self.whole.is_answered

    @property
    def is_elsewhere(self) -> bool:
        """Whether all requests that were answered got one status that says: this is not the API."""
        told = [one.status for one in self.exchanges if one.status not in OUTAGES | {None}]
        return len(told) > 1 and len(set(told)) == 1 and told[0] in NOT_THE_API

    @property
    def halves(self) -> tuple[Exchange, Exchange, Exchange] | None:
        """The first instrument alone, and its two halves; None unless all three were sent."""
        alone = self.get(plan.ALONE) or self.whole
        first, second = self.get(plan.FIRST_HALF), self.get(plan.SECOND_HALF)
        if alone is None or first is None or second is None:
            return None
        return alone, first, second

    def reaches(self, exchange: Exchange) -> bool:
        """Whether a shorter range that starts as early was answered.

        Otherwise a refusal may be about the age of the data and not about the length.
        """
        start = exchange.request.start
        return any(
            one.is_answered and one.request.start <= start and one.request.start < one.request.end
            for one in self.exchanges
            if one is not exchange and one.request.key == "right"
        )

    def is_sure(self, exchange: Exchange) -> bool:
        """Whether an answer is not in doubt, or is confirmed."""
        return not doubt_of(exchange) or self.is_confirmed(exchange)

    def is_confirmed(self, exchange: Exchange) -> bool:
        """Whether another answer is in doubt for the same reason, while the server was up."""
        doubt, repeat = doubt_of(exchange), self.repeat(exchange)
        if repeat is not None and doubt_of(repeat) == doubt:
            return exchange.status is not None and (
                exchange.status < 500 or self._is_up_after(exchange)
            )
        is_taken = exchange.status == 200 and exchange.request.key == "right"
        if is_passing(exchange) or (is_taken and not failure_of(exchange)):
            return False  # the answer to another request says nothing about this one
        others = (one for one in self.exchanges if one not in (exchange, repeat))
        return any(doubt_of(one) == doubt for one in others)

    def _is_up_after(self, exchange: Exchange) -> bool:
        later = self.exchanges[self.exchanges.index(exchange) + 1 :]
        return any(one.status is not None and one.status < 500 for one in later)


def is_passing(exchange: Exchange) -> bool:
    """Whether an answer says nothing about the request: none, an outage, the key, the load."""
    status = exchange.status
    if status is None or status >= 500 or status in {408, 429}:
        return True
    may_tell = status == 403 and exchange.request.name in {plan.UNKNOWN, plan.JOINED}
    return exchange.request.key == "right" and status in {401, 403} and not may_tell


def failure_of(exchange: Exchange) -> str:
    """Say why an answer fails; empty if it does not.

    Returns:
        The same text for the same failure.
    """
    reply = exchange.reply
    if reply is None:
        return f"no answer: {exchange.failure}"
    if problems := exchange.documented_problems:
        return summary(reply, problems[:1])
    unreadable = 400 <= reply.status <= 499 and not reply.is_json
    undocumented = reply.status != 200 and not 400 <= reply.status <= 499
    name = exchange.request.name.removesuffix(plan.again(""))
    refused = name in plan.GOOD and reply.status != 200
    # A control may be refused for the age of its data, but not as if nothing were there.
    refused |= name in plan.CONTROLS and reply.status == 404
    if is_passing(exchange) or unreadable or undocumented or refused:
        return f"answered {reply.status}" + (", not in JSON" if unreadable else "")
    return ""


def doubt_of(exchange: Exchange) -> str:
    """Say why an answer needs another one that confirms it; empty if it needs none.

    It fails, or its status is not the expected one.
    """
    expected = plan.EXPECTED.get(exchange.request.name.removesuffix(plan.again("")))
    is_odd = expected is not None and exchange.status != expected
    return failure_of(exchange) or (f"answered {exchange.status}" if is_odd else "")


def can_be_confirmed(exchange: Exchange) -> bool:
    """Whether a second answer to the same request could confirm an answer in doubt.

    It could not for no answer, an outage, the key, the load.
    """
    reply = exchange.reply
    if not doubt_of(exchange) or reply is None or reply.status in OUTAGES | {429}:
        return False
    return reply.status >= 500 or not is_passing(exchange) or bool(exchange.documented_problems)


def summary(reply: Reply, problems: Sequence[Problem]) -> str:
    """What is wrong with a reply, in a line: ``200, but $ is not of type array``."""
    first = str(problems[0])
    if problems[0].path == "content-type" and "charset" not in first:
        kind = reply.media_type if reply.media_type in KNOWN_TYPES else "another media type"
        first += f" but {kind if reply.media_type else 'nothing'}"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{reply.status}, but {first}{more}"


def bag_of(exchanges: Iterable[Exchange]) -> Counter[str]:
    """The items of several answers together."""
    return sum((exchange.bag for exchange in exchanges), Counter())
