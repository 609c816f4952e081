"""One request of the probe, and what was answered."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from cirrus_ext.ranges import wire_time
from mycirrus_contract.conformity import reply_problems
from mycirrus_contract.messages import Reply, Request
from mycirrus_contract.model import PATH, strict, tolerant
from mycirrus_contract.problems import Problem
from mycirrus_contract.times import TIME, instant

TOLERANT, STRICT = tolerant().operation(PATH), strict().operation(PATH)

KeyKind = Literal["right", "none", "wrong"]
Spelling = Literal["Z", "", "+00:00"]
# Of the shape of the example on the vendor's authentication page; no account has it.
WRONG_KEY = "mycirrus-000000-0000000000000000"

# From a proxy or gateway in front of the API, which reports that it is down or slow.
OUTAGES = {408, 502, 503, 504, *range(520, 531)}

# Media types that may be shown; any other could contain something secret.
KNOWN_TYPES = {"text/html", "text/plain", "application/xml", "application/problem+json"}

# Headers with which the vendor finds a request in its logs.
TRACE_HEADERS = (
    *("x-request-id", "request-id", "x-correlation-id", "correlation-id", "x-trace-id"),
    *("traceparent", "x-ms-request-id", "apigw-requestid", "x-amzn-requestid", "x-amzn-trace-id"),
    *("x-azure-ref", "x-amz-cf-id", "x-b3-traceid", "x-cloud-trace-context", "cf-ray"),
)
# The texts of an error body: those of the spec, and those of RFC 9457.
ERROR_TEXTS = ("error", "description", "title", "detail", "errors")
NOT_SHOWN = "(not shown)"  # replaces an error text that contains something secret


@dataclass(frozen=True)
class ProbeRequest:
    """One request that the probe can send.

    Attributes:
        name: What the report calls it.
        instruments: The serial numbers.
        start: Aware, in UTC.
        end: Aware, in UTC.
        key: Which key is sent.
        zone: How the times end: ``Z``, ``+00:00``, or empty for a time without offset.
        joined: Whether the serial numbers are sent as one value with commas.
        without: A parameter that is left out.
        sdk: Whether the SDK sends it, instead of the probe's own client.
    """

    name: str
    instruments: tuple[str, ...]
    start: datetime
    end: datetime
    key: KeyKind = "right"
    zone: Spelling = "Z"
    joined: bool = False
    without: str = ""
    sdk: bool = False

    @property
    def parameters(self) -> dict[str, str | tuple[str, ...]]:
        """The query, as on the vendor's page; httpx repeats the key for each value of a tuple."""
        rule = TOLERANT.known_range_rule()
        start, end = (_written(moment) + self.zone for moment in (self.start, self.end))
        serials = (",".join(self.instruments),) if self.joined else self.instruments
        parameters: dict[str, str | tuple[str, ...]] = {
            "instruments": serials,
            rule.start: start,
            rule.end: end,
        }
        parameters.pop(self.without, None)
        return parameters


def _written(moment: datetime) -> str:
    if moment.microsecond % 1000:
        return moment.isoformat(timespec="microseconds").removesuffix("+00:00")
    return wire_time(moment).removesuffix("Z")


@dataclass(frozen=True)
class Exchange:
    """A request, and what was answered.

    Attributes:
        request: What the probe was to send.
        reply: What was answered; None if there was no complete answer.
        failure: Why there was none: the kind of the error, without addresses.
        seconds: How long it took.
        began: Seconds from the start of the run to this request.
        sdk: How the items of the SDK differ from the answer; empty if they do not, or if the SDK
            did not send the request.
        sent: What was sent, with the path after the base URL, and the kind of the key instead of
            the key; None if nothing was sent.
    """

    request: ProbeRequest
    reply: Reply | None = None
    failure: str = ""
    seconds: float = 0.0
    began: float = 0.0
    sdk: str = ""
    sent: Request | None = None

    @property
    def status(self) -> int | None:
        """The status; None if there was no complete answer."""
        return None if self.reply is None else self.reply.status

    @property
    def is_answered(self) -> bool:
        """Whether the answer is a 200 with a list."""
        return self.reply is not None and self.status == 200 and isinstance(self.reply.json, list)

    @property
    def is_empty(self) -> bool:
        """Whether the answer is a 200 with an empty list."""
        return self.is_answered and self.reply is not None and self.reply.json == []

    @property
    def is_refused(self) -> bool:
        """Whether the answer is a 4xx about the request, and not about the key or the load."""
        status = self.status
        return status is not None and 400 <= status <= 499 and status not in {401, 403, 408, 429}

    @property
    def items(self) -> list[dict[str, Any]]:
        """The items of a 200, without elements that are not objects."""
        return list(self.reply.objects()) if self.reply and self.status == 200 else []

    @property
    def bag(self) -> Counter[str]:
        """The elements of the list of a 200, in any order; empty if the answer is another one."""
        return self.reply.bag if self.reply is not None and self.is_answered else Counter()

    @cached_property
    def documented_problems(self) -> list[Problem]:
        """How the reply breaks what the vendor's page documents, and not what we infer from it."""
        # What fits the strict reading fits the tolerant one.
        if not self.assumed_problems or self.reply is None or _is_inferred(self.reply.status):
            return []
        return [one for one in reply_problems(self.reply, TOLERANT) if not _is_assumed(one)]

    @cached_property
    def assumed_problems(self) -> list[Problem]:
        """How the reply breaks the strict reading; empty for an undocumented status."""
        if self.reply is None or self.status not in STRICT.statuses:
            return []
        return reply_problems(self.reply, STRICT)

    @property
    def error_code(self) -> str | None:
        """The field ``error`` of a 4xx, if it is a text that may be shown."""
        body = (
            None if self.reply is None or not 400 <= self.reply.status <= 499 else self.reply.json
        )
        code = body.get("error") if isinstance(body, dict) else None
        return code if isinstance(code, str) and code != NOT_SHOWN else None

    @property
    def error_text(self) -> str:
        """The texts of an error body; empty if it has none."""
        body = None if self.reply is None or self.reply.status < 400 else self.reply.json
        if not isinstance(body, dict):
            return ""
        texts = (text for name in ERROR_TEXTS for text in texts_in(body.get(name)))
        return "; ".join(text.rstrip(".") for text in texts)

    @property
    def trace(self) -> str:
        """The header with which the vendor finds the request: ``x-request-id: 17``; or empty."""
        headers = {} if self.reply is None else self.reply.headers
        return next((f"{name}: {headers[name]}" for name in TRACE_HEADERS if name in headers), "")


def _is_inferred(status: int) -> bool:
    return "x-source" in TOLERANT.definition["responses"][str(status)]


def _is_assumed(problem: Problem) -> bool:
    """Whether the spec infers the rule; the page mentions neither Retry-After nor charsets."""
    is_silent = problem.path == "retry-after" or "charset" in problem.text
    return is_silent or problem.source.startswith("inferred")


def texts_in(value: Any) -> Iterator[str]:
    """The texts in a value, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts_in(part)


@dataclass(frozen=True)
class Stamp:
    """The time of an item, with the digits that are shown.

    Attributes:
        instant: Nanoseconds since the year 1; the true time may be later, if digits are cut off.
        unit: The unit of the last digit, in nanoseconds.
        digits: The number of digits after the second.
    """

    instant: int
    unit: int
    digits: int


def stamps(items: list[dict[str, Any]]) -> Iterator[Stamp]:
    """The times of items, without those that cannot be parsed."""
    for item in items:
        text = item.get("time")
        match = TIME.fullmatch(text) if isinstance(text, str) else None
        if match is None or match["offset"] is None:
            continue
        digits = len(match["fraction"] or "")
        try:
            yield Stamp(instant(match[0]), 10 ** max(0, 9 - digits), digits)
        except ValueError:
            continue


def instants(exchange: Exchange) -> list[int]:
    """The times of the items of an answer, in its order."""
    return [stamp.instant for stamp in stamps(exchange.items)]


def spelling(text: str) -> str:
    """A text without case, blanks and punctuation: equal for all spellings of a serial number."""
    return re.sub(r"[\W_]", "", text).casefold()
