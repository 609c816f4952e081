"""Sends the planned requests, then controls and repeats, and keeps the answers.

Only GET, one request at a time with a pause between, no more than the budget allows, no redirects,
no retries, and nothing after the first 429.
"""

import socket
import ssl
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import urlsplit

import httpx

from cirrus_ext import (
    CirrusClient,
    CirrusError,
    ConfigurationError,
    InvalidRequestError,
    RetryPolicy,
)
from cirrus_ext.http import EnvironmentProxies
from cirrus_ext.problems import translate_errors
from mycirrus_contract.messages import Reply, Request
from mycirrus_contract.model import PATH

from .arguments import BUDGET, CONTROLS
from .controls import next_control
from .evidence import Evidence
from .exchange import WRONG_KEY, Exchange, ProbeRequest
from .plan import WHOLE, plan
from .served import difference_of

TIMEOUT = 30.0  # seconds an attempt may wait for data
LONGEST = 120.0  # seconds a body may take
LARGEST = 50_000_000  # bytes it may have
GIVE_UP = 2  # requests in a row without an answer


class _Client(EnvironmentProxies, httpx.Client):
    """An httpx client that takes the same proxies as the SDK, and has nothing else of it."""

    def __init__(self, base_url: str, transport: httpx.BaseTransport | None) -> None:
        self._host = urlsplit(base_url).hostname or ""
        super().__init__(timeout=TIMEOUT, transport=transport)


class _StopError(Exception):
    """The API throttles or does not answer."""


@dataclass
class Probe:
    """Sends requests, one at a time.

    Attributes:
        base_url: The server.
        api_key: The valid key; not shown by ``repr``.
        interval: Seconds between two requests.
        budget: The most requests of its own; one or two more are sent through the SDK, and up to
            `CONTROLS` are controls and repeats.
        sleep: Waits a number of seconds.
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

    def run(self, instruments: list[str], start: datetime, end: datetime) -> list[Exchange]:
        """Send the plan, until the budget is spent, a 429 is answered, or two answers fail to come.

        Args:
            instruments: The serial numbers; the first is also requested alone.
            start: Aware, in UTC.
            end: Aware, in UTC, at most 365 days later.

        Raises:
            ConfigurationError: The environment has invalid settings for an HTTP client.
            InvalidRequestError: A request has no valid URL.
        """
        with self._clients() as (own, sdk):
            sender = _Sender(self, own, sdk, self.monotonic())
            with suppress(_StopError):
                self._send_plan(sender, ProbeRequest(WHOLE, tuple(instruments), start, end))
                for _ in range(CONTROLS):
                    if (control := next_control(Evidence(sender.exchanges))) is not None:
                        sender.send(control)
            return sender.exchanges

    def _send_plan(self, sender: "_Sender", chosen: ProbeRequest) -> None:
        spent = 0
        planned = plan(chosen)
        with suppress(StopIteration):
            request = next(planned)
            while request.sdk or spent < self.budget:
                spent += not request.sdk
                request = planned.send(sender.send(request))

    @contextmanager
    def _clients(self) -> Generator[tuple[httpx.Client, CirrusClient]]:
        with translate_errors():
            own = _Client(self.base_url, self.transport)
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
class _Sender:
    """Sends one request at a time, and keeps the exchanges."""

    probe: Probe
    own: httpx.Client
    sdk: CirrusClient
    started: float
    exchanges: list[Exchange] = field(default_factory=list)

    def send(self, request: ProbeRequest) -> Exchange:
        """Send one request, after a pause.

        Raises:
            _StopError: No other may follow.
        """
        if self.exchanges:
            self.probe.sleep(self.probe.interval)
        began = self.probe.monotonic()
        exchange = self._through_the_sdk(request) if request.sdk else self._by_itself(request)
        seconds = self.probe.monotonic() - began
        exchange = replace(exchange, seconds=seconds, began=began - self.started)
        self.exchanges.append(exchange)
        last = self.exchanges[-GIVE_UP:]
        if exchange.status == 429 or (len(last) == GIVE_UP and not any(one.reply for one in last)):
            raise _StopError
        return exchange

    def _by_itself(self, request: ProbeRequest) -> Exchange:
        self.own.cookies.clear()  # the cookie of a valid key may be as good as the key
        key = {"right": self.probe.api_key, "none": None, "wrong": WRONG_KEY}[request.key]
        try:
            built = self.own.build_request(
                "GET",
                self.probe.base_url + PATH,
                params=request.parameters,
                headers={} if key is None else {"X-Api-Key": key},
            )
        except httpx.InvalidURL as error:
            raise InvalidRequestError(f"no URL can be made of this request: {error}") from error
        sent = self._without_key(built)
        try:
            response = self.own.send(built, stream=True)
            try:
                body = self._read(response)
            finally:
                response.close()
        except httpx.RequestError as error:
            return Exchange(request, failure=in_words(error), sent=sent)
        reply = Reply(response.status_code, dict(response.headers), body)
        return Exchange(request, reply, sent=sent)

    def _read(self, response: httpx.Response) -> bytes:
        """Read a body, within limits of time and size."""
        began, body = self.probe.monotonic(), bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if self.probe.monotonic() - began > LONGEST:
                raise httpx.ReadTimeout(f"no whole answer in {LONGEST:.0f} s")
            if len(body) > LARGEST:
                raise TooLargeError(f"more than {LARGEST} bytes")
        return bytes(body)

    def _without_key(self, request: httpx.Request) -> Request:
        """What is sent, with the kind of the key instead of the key."""
        key = request.headers.get("X-Api-Key")
        kind = {None: "none", WRONG_KEY: "wrong", self.probe.api_key: "right"}.get(key, "other")
        base = urlsplit(self.probe.base_url).path
        path = request.url.path.removeprefix(base)
        return Request(request.method, path, request.url.query.decode("ascii"), {"x-api-key": kind})

    def _through_the_sdk(self, request: ProbeRequest) -> Exchange:
        requests: list[httpx.Request] = []
        responses: list[httpx.Response] = []
        hooks = self.sdk.raw.get_httpx_client().event_hooks
        hooks["request"].append(requests.append)
        hooks["response"].append(responses.append)
        items, difference = None, ""
        failure = ""
        try:
            items = self.sdk.calibration_log(
                request.instruments, start=request.start, end=request.end
            )
        except (ConfigurationError, InvalidRequestError):
            raise
        except CirrusError as error:
            difference, failure = f"the SDK raises {type(error).__name__}", in_words(error)
        finally:
            hooks["request"].remove(requests.append)
            hooks["response"].remove(responses.append)
        sent = self._without_key(requests[-1]) if requests else None
        if not responses or not hasattr(responses[-1], "_content"):
            return Exchange(request, failure=failure, sent=sent)
        reply = Reply.of(responses[-1])
        if items is not None:
            difference = difference_of(items, reply.json) or ""
        return Exchange(request, reply, sdk=difference, sent=sent)


class TooLargeError(httpx.ReadError):
    """A body is longer than the limit."""


def in_words(error: BaseException) -> str:
    """Why the connection failed, without an address."""
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
