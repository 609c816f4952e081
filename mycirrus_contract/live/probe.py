"""Asks the API a few questions and writes down what came back. Judges nothing: see ``checks``.

A guest in somebody else's house: only GET, one request after the other with a pause between, a
budget, no redirects, no retries, and silence from the first 429 on.
"""

import socket
import ssl
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import httpx

from cirrus_ext import (
    CirrusClient,
    CirrusError,
    ConfigurationError,
    InvalidRequestError,
    RetryPolicy,
)
from cirrus_ext.http import translate_errors
from mycirrus_contract.messages import Reply
from mycirrus_contract.model import PATH, tolerant

from .arguments import BUDGET
from .exchange import UNKNOWN_SERIAL, WRONG_KEY, Exchange, Question, middle_of
from .served import difference_of

TIMEOUT = 30.0  # seconds an attempt may wait for data
LONGEST = 120.0  # seconds a body may take
LARGEST = 50_000_000  # bytes it may have
# Longer than every reading of "1 year", and not by much: 367 days.
RULE = tolerant().operation(PATH).known_range_rule()
OVER_LONG = RULE.longest() + timedelta(days=1)
EARLIER = 3  # how many ranges it looks at before the chosen one, if that is empty
GIVE_UP = 2  # requests in a row without an answer

WHOLE = "whole range"
MONTH = "last month of it"
AGAIN = "whole range, through the SDK"
ALONE = "first instrument, through the SDK"
OTHERS = "other instruments"
FIRST_HALF, SECOND_HALF = "first half", "second half"
OVER_LONG_RANGE, REVERSED, NAIVE = "over-long range", "reversed range", "naive range"
NO_KEY, BAD_KEY = "no key", "wrong key"
OFFSETS, JOINED, UNKNOWN = "times with +00:00", "serials with a comma", "unknown serial"
NO_END, LEAP_YEAR, OTHER_YEAR = "no end", "366 days, leap year", "366 days, other year"


# What settles open questions, and is a good question or refused.
SETTLING = (OFFSETS, JOINED, UNKNOWN, NO_END, LEAP_YEAR, OTHER_YEAR)


def earlier(number: int) -> str:
    """What the report calls a range that is looked at because the chosen one is empty."""
    return f"{number} range{'s' if number > 1 else ''} earlier"


class _Enough(Exception):  # noqa: N818 - no error: the interview is over
    """The budget is used up, the API asked for silence, or nobody answers."""


@dataclass
class Probe:
    """Asks questions, politely.

    Attributes:
        base_url: The server.
        api_key: The right key; not shown by ``repr``.
        interval: Seconds between two requests.
        budget: The most requests of its own; one or two more go through the SDK.
        sleep: Waits so many seconds.
        monotonic: The time in seconds.
        transport: Sends through this instead of the network.
    """

    base_url: str
    api_key: str = field(repr=False)
    interval: float = 1.0
    budget: int = BUDGET
    sleep: Callable[[float], object] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    transport: httpx.BaseTransport | None = None

    def ask(self, instruments: list[str], start: datetime, end: datetime) -> list[Exchange]:
        """Ask until the questions or the budget are at an end, a 429 comes, or nobody answers.

        Args:
            instruments: The serial numbers; the first is also asked for alone.
            start: Aware, in UTC.
            end: Aware, in UTC, at most 365 days later.

        Raises:
            ConfigurationError: The environment lets no HTTP client be made.
            InvalidRequestError: No URL can be made of a question.
        """
        with self._clients() as (own, sdk):
            interview = _Interview(self, own, sdk)
            interview.hold(tuple(instruments), start, end)
            return interview.exchanges

    @contextmanager
    def _clients(self) -> Generator[tuple[httpx.Client, CirrusClient]]:
        with translate_errors():
            own = httpx.Client(timeout=TIMEOUT, transport=self.transport)
        with (
            own,
            CirrusClient(
                self.api_key,
                base_url=self.base_url,
                retry=RetryPolicy(max_attempts=1),
                timeout=TIMEOUT,
                transport=self.transport,
            ) as sdk,
        ):
            yield own, sdk


@dataclass
class _Interview:
    """One run of the probe."""

    probe: Probe
    own: httpx.Client
    sdk: CirrusClient
    exchanges: list[Exchange] = field(default_factory=list)
    spent: int = 0
    zero: float | None = None

    def hold(self, instruments: tuple[str, ...], start: datetime, end: datetime) -> None:
        """Ask, the most telling questions first."""
        try:
            whole = self.look_for_items(Question(WHOLE, instruments, start, end))
            if whole.items:
                self.add_up(whole)
            if whole.status in {400, 404, 413, 414, 422}:
                month = max(start, end - timedelta(days=28))
                self.ask(replace(whole.question, name=MONTH, start=month))
            self.be_refused(whole.question)
            self.settle(whole.question)
        except _Enough:
            pass

    def look_for_items(self, chosen: Question) -> Exchange:
        """Ask for the chosen range, and for the ones before it while there is nothing in them."""
        exchange = self.ask(chosen)
        for number in range(1, EARLIER + 1):
            if not exchange.is_empty:
                break
            length = number * (chosen.end - chosen.start)
            if chosen.start - datetime(1900, 1, 1, tzinfo=UTC) < length:
                break
            exchange = self.ask(
                replace(
                    chosen,
                    name=earlier(number),
                    start=chosen.start - length,
                    end=chosen.end - length,
                )
            )
        return exchange

    def add_up(self, whole: Exchange) -> None:
        """Ask again, by instrument, and by halves."""
        question = whole.question
        first, others = question.instruments[:1], question.instruments[1:]
        self.ask(replace(question, name=AGAIN, sdk=True))
        alone = whole
        if others:
            alone = self.ask(replace(question, name=ALONE, instruments=first, sdk=True))
            self.ask(replace(question, name=OTHERS, instruments=others))
        middle = middle_of(alone.items, question.start, question.end)
        if not question.start < middle < question.end:
            return  # there is no room for two halves
        half = replace(question, instruments=first)
        self.ask(replace(half, name=FIRST_HALF, end=middle))
        self.ask(replace(half, name=SECOND_HALF, start=middle))

    def be_refused(self, good: Question) -> None:
        """Ask what has to be refused."""
        self.ask(replace(good, name=OVER_LONG_RANGE, start=good.end - OVER_LONG))
        self.ask(replace(good, name=NO_KEY, key="none"))
        self.ask(replace(good, name=REVERSED, start=good.end, end=good.start))
        self.ask(replace(good, name=NAIVE, zone=""))
        self.ask(replace(good, name=BAD_KEY, key="wrong"))

    def settle(self, good: Question) -> None:
        """Ask what settles open questions, if the budget goes so far."""
        leap, other = datetime(2024, 1, 1, tzinfo=UTC), datetime(2022, 1, 1, tzinfo=UTC)
        span = timedelta(days=366)
        self.ask(replace(good, name=OFFSETS, zone="+00:00"))
        if len(good.instruments) > 1:
            self.ask(replace(good, name=JOINED, joined=True))
        self.ask(replace(good, name=UNKNOWN, instruments=(UNKNOWN_SERIAL,)))
        self.ask(replace(good, name=NO_END, without=RULE.end))
        self.ask(replace(good, name=LEAP_YEAR, start=leap, end=leap + span))
        self.ask(replace(good, name=OTHER_YEAR, start=other, end=other + span))

    def ask(self, question: Question) -> Exchange:
        """Ask one question, after a pause."""
        if not question.sdk and self.spent >= self.probe.budget:
            raise _Enough
        self.spent += not question.sdk
        if self.exchanges:
            self.probe.sleep(self.probe.interval)
        began = self.probe.monotonic()
        self.zero = began if self.zero is None else self.zero
        exchange = self._through_the_sdk(question) if question.sdk else self._by_itself(question)
        exchange = replace(
            exchange, seconds=self.probe.monotonic() - began, began=began - self.zero
        )
        self.exchanges.append(exchange)
        if exchange.status == 429 or self._nobody_answers():
            raise _Enough
        return exchange

    def _nobody_answers(self) -> bool:
        last = self.exchanges[-GIVE_UP:]
        return len(last) == GIVE_UP and all(exchange.reply is None for exchange in last)

    def _by_itself(self, question: Question) -> Exchange:
        self.own.cookies.clear()  # a session that a good key began is no key
        key = {"right": self.probe.api_key, "none": None, "wrong": WRONG_KEY}[question.key]
        try:
            with self.own.stream(
                "GET",
                self.probe.base_url + PATH,
                params=question.parameters,
                headers={} if key is None else {"X-Api-Key": key},
            ) as response:
                body = self._read(response)
        except httpx.InvalidURL as error:
            raise InvalidRequestError(f"no URL can be made of this question: {error}") from error
        except httpx.RequestError as error:
            return Exchange(question, failure=in_words(error))
        return Exchange(question, Reply(response.status_code, dict(response.headers), body))

    def _read(self, response: httpx.Response) -> bytes:
        """Read a body, but not for ever: a byte now and then would keep us here."""
        began, body = self.probe.monotonic(), bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if self.probe.monotonic() - began > LONGEST:
                raise httpx.ReadTimeout(f"no whole answer in {LONGEST:.0f} s")
            if len(body) > LARGEST:
                raise TooLargeError(f"more than {LARGEST} bytes")
        return bytes(body)

    def _through_the_sdk(self, question: Question) -> Exchange:
        responses: list[httpx.Response] = []
        hooks = self.sdk.raw.get_httpx_client().event_hooks["response"]
        hooks.append(responses.append)
        difference = ""
        try:
            items = self.sdk.calibration_log(
                question.instruments, start=question.start, end=question.end
            )
        except (ConfigurationError, InvalidRequestError):
            raise
        except CirrusError as error:
            items, difference = None, f"the SDK raises {type(error).__name__}"
            if not responses or not hasattr(responses[-1], "_content"):
                return Exchange(question, failure=in_words(error))
        finally:
            hooks.remove(responses.append)
        reply = Reply.of(responses[-1])
        if items is not None:
            difference = difference_of(items, reply.json) or ""
        return Exchange(question, reply, sdk=difference)


class TooLargeError(httpx.ReadError):
    """A body has no end, or none that we wait for."""


def in_words(error: BaseException) -> str:
    """What broke the connection, without an address."""
    link: BaseException | None = error
    seen: set[int] = set()  # a mock can raise an error that is its own cause
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        if isinstance(link, socket.gaierror):
            return "the server's name is not known"
        if isinstance(link, ConnectionRefusedError):
            return "connection refused"
        if isinstance(link, ssl.SSLCertVerificationError):
            return "the server's certificate is not trusted"
        if isinstance(link, httpx.TimeoutException | TimeoutError):
            return "no answer in time"
        if isinstance(link, TooLargeError):
            return str(link)
        link = link.__cause__ or link.__context__
    return type(error).__name__
