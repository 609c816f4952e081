"""Asks the API a few questions and writes down what came back. Judges nothing: see ``checks``.

A guest in somebody else's house: only GET, one request after the other with a pause between, a
budget, no redirects, no retries, and silence from the first 429 on.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import httpx

from cirrus_ext.ranges import wire_time
from contract_tests.contract import PATH

TIMEOUT = 30.0  # seconds an attempt may wait for data
# Longer than every reading of "1 year", and not by much.
OVER_LONG = timedelta(days=367)

KeyKind = Literal["right", "none", "wrong"]
# Of the shape of the example on the vendor's authentication page, and nobody's key.
WRONG_KEY = "mycirrus-000000-0000000000000000"


@dataclass(frozen=True)
class Question:
    """One request that the probe can send.

    Attributes:
        name: What the report calls it.
        instruments: The serial numbers.
        start: Aware, in UTC.
        end: Aware, in UTC.
        key: Which key goes with it.
    """

    name: str
    instruments: tuple[str, ...]
    start: datetime
    end: datetime
    key: KeyKind = "right"

    @property
    def parameters(self) -> dict[str, str | tuple[str, ...]]:
        """The query, as the vendor's page writes it; httpx repeats the key of a tuple."""
        return {
            "instruments": self.instruments,
            "start": wire_time(self.start),
            "end": wire_time(self.end),
        }


@dataclass(frozen=True)
class Exchange:
    """A question, and what came back.

    Attributes:
        question: What was asked.
        status: The status; None if no whole answer came.
        media_type: Of the answer, without parameters.
        body: The parsed body; None if it is not JSON.
        is_json: Whether the body is JSON.
        failure: Why no whole answer came: the kind of the error, without addresses.
        seconds: How long it took.
    """

    question: Question
    status: int | None = None
    media_type: str = ""
    body: Any = None
    is_json: bool = False
    failure: str = ""
    seconds: float = 0.0


def plan(instruments: list[str], start: datetime, end: datetime) -> list[Question]:
    """The questions, the most telling first.

    Args:
        instruments: The serial numbers.
        start: Aware, in UTC.
        end: Aware, in UTC, at most 365 days later.
    """
    serials = tuple(instruments)
    return [
        Question("whole range", serials, start, end),
        Question("over-long range", serials, end - OVER_LONG, end),
        Question("no key", serials, start, end, key="none"),
        Question("wrong key", serials, start, end, key="wrong"),
    ]


@dataclass
class Probe:
    """Sends questions, politely.

    Attributes:
        base_url: The server.
        api_key: The right key; not shown by ``repr``.
        interval: Seconds between two requests.
        budget: The most requests to send.
        sleep: Waits so many seconds.
        transport: Sends through this instead of the network.
    """

    base_url: str
    api_key: str = field(repr=False)
    interval: float = 1.0
    budget: int = 9
    sleep: Callable[[float], object] = time.sleep
    transport: httpx.BaseTransport | None = None

    def ask(self, questions: list[Question]) -> list[Exchange]:
        """Ask in order, until the questions or the budget are at an end, or a 429 comes."""
        exchanges: list[Exchange] = []
        with httpx.Client(timeout=TIMEOUT, transport=self.transport) as client:
            for question in questions[: self.budget]:
                if exchanges:
                    self.sleep(self.interval)
                exchanges.append(self._ask(client, question))
                if exchanges[-1].status == 429:
                    break
        return exchanges

    def _ask(self, client: httpx.Client, question: Question) -> Exchange:
        keys = {"right": self.api_key, "none": None, "wrong": WRONG_KEY}
        key = keys[question.key]
        began = time.monotonic()
        try:
            response = client.get(
                self.base_url + PATH,
                params=question.parameters,
                headers={} if key is None else {"X-Api-Key": key},
            )
        except httpx.RequestError as error:
            return Exchange(
                question, failure=type(error).__name__, seconds=time.monotonic() - began
            )
        is_json, body = _parsed(response)
        return Exchange(
            question,
            status=response.status_code,
            media_type=response.headers.get("content-type", "").split(";")[0].strip().lower(),
            body=body,
            is_json=is_json,
            seconds=time.monotonic() - began,
        )


def _parsed(response: httpx.Response) -> tuple[bool, Any]:
    try:
        return True, json.loads(response.content)
    except (ValueError, RecursionError):
        return False, None
