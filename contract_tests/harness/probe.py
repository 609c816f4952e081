"""Asks the API a few questions and writes down what came back. Judges nothing: see ``checks``.

A guest in somebody else's house: only GET, one request after the other with a pause between, a
budget, no redirects, no retries, and silence from the first 429 on.
"""

import json
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import httpx

from cirrus_ext import InvalidRequestError
from cirrus_ext.http import explained
from cirrus_ext.ranges import wire_time
from contract_tests.contract import PATH, tolerant

TIMEOUT = 30.0  # seconds an attempt may wait for data
# Longer than every reading of "1 year", and not by much: 367 days.
OVER_LONG = tolerant().range_rule.longest() + timedelta(days=1)

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
        naive: Whether the times go without their ``Z``.
    """

    name: str
    instruments: tuple[str, ...]
    start: datetime
    end: datetime
    key: KeyKind = "right"
    naive: bool = False

    @property
    def parameters(self) -> dict[str, str | tuple[str, ...]]:
        """The query, as the vendor's page writes it; httpx repeats the key of a tuple."""
        rule = tolerant().range_rule
        start, end = wire_time(self.start), wire_time(self.end)
        if self.naive:
            start, end = start.removesuffix("Z"), end.removesuffix("Z")
        return {"instruments": self.instruments, rule.start: start, rule.end: end}


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
        Question("reversed range", serials, end, start),
        Question("naive range", serials, start, end, naive=True),
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
        """Ask in order, until the questions or the budget are at an end, or a 429 comes.

        Raises:
            ConfigurationError: The environment lets no HTTP client be made.
            InvalidRequestError: No URL can be made of a question.
        """
        exchanges: list[Exchange] = []
        with explained():
            connection = httpx.Client(timeout=TIMEOUT, transport=self.transport)
        with connection as client:
            for question in questions[: self.budget]:
                if exchanges:
                    self.sleep(self.interval)
                exchanges.append(self._ask(client, question))
                if exchanges[-1].status == 429:
                    break
        return exchanges

    def _ask(self, client: httpx.Client, question: Question) -> Exchange:
        client.cookies.clear()  # a session that a good key began is no key
        keys = {"right": self.api_key, "none": None, "wrong": WRONG_KEY}
        key = keys[question.key]
        began = time.monotonic()
        try:
            response = client.get(
                self.base_url + PATH,
                params=question.parameters,
                headers={} if key is None else {"X-Api-Key": key},
            )
        except httpx.InvalidURL as error:
            raise InvalidRequestError(f"no URL can be made of this question: {error}") from error
        except httpx.RequestError as error:
            return Exchange(question, failure=_in_words(error), seconds=time.monotonic() - began)
        is_json, body = _parsed(response)
        return Exchange(
            question,
            status=response.status_code,
            media_type=response.headers.get("content-type", "").split(";")[0].strip().lower(),
            body=body,
            is_json=is_json,
            seconds=time.monotonic() - began,
        )


def _in_words(error: httpx.RequestError) -> str:
    """What broke the connection, without an address."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, socket.gaierror):
            return "the server's name is not known"
        if isinstance(link, ConnectionRefusedError):
            return "connection refused"
        if isinstance(link, ssl.SSLCertVerificationError):
            return "the server's certificate is not trusted"
        link = link.__cause__ or link.__context__
    return type(error).__name__


def _parsed(response: httpx.Response) -> tuple[bool, Any]:
    try:
        return True, json.loads(response.content)
    except (ValueError, RecursionError):
        return False, None
