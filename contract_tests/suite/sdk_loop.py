"""The SDK in the loop: what schemathesis generates, requested through ``cirrus_ext``.

schemathesis sends its requests by itself and never uses the SDK. So its cases go through both
clients, and what these return is compared with what was served, field by field.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import httpx

from cirrus_ext import (
    AsyncCirrusClient,
    CalibrationLogItem,
    CirrusClient,
    CirrusError,
    RetryPolicy,
    ranges,
)
from mycirrus_contract.live.served import difference_of
from mycirrus_contract.messages import Reply, Request
from mycirrus_contract.model import PATH, strict
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.rules import DEMO_KEY
from mycirrus_contract.times import TIME

from .complaints import Complaint

Query = dict[str, Any]

ONCE = RetryPolicy(max_attempts=1)
MOST = 40  # cases; each goes through two clients
BASE_URL = "http://127.0.0.1/v1"


class Recorder:
    """A transport to the stand-in that keeps the last exchange."""

    def __init__(self, standin: Standin) -> None:
        self._inner = standin.transport()
        self.transport = httpx.MockTransport(self._handle)
        self.request: Request | None = None
        self.reply: Reply | None = None

    def _handle(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        self.request, self.reply = Request.of(request), Reply.of(response)
        return response


def forbidden(query: Query) -> bool:
    """Whether ``x-cirrus-range`` or the SDK's rule for instruments forbids a query.

    Written from the docs and the spec, and not from the code of the SDK.
    """
    return not _are_serials(query["instruments"]) or not _is_range(query["start"], query["end"])


def _are_serials(serials: Any) -> bool:
    if not isinstance(serials, list) or not serials or len(set(map(repr, serials))) < len(serials):
        return False
    return all(
        isinstance(serial, str) and serial and serial == serial.strip() and serial.isprintable()
        for serial in serials
    )


def _is_range(start: Any, end: Any) -> bool:
    moments = []
    for text in (start, end):
        match = TIME.fullmatch(text.upper()) if isinstance(text, str) else None
        if match is None or match["offset"] is None:
            return False
        try:
            moments.append(datetime.fromisoformat(match[0]))
        except ValueError:
            return False
    first = moments[0].replace(microsecond=moments[0].microsecond // 1000 * 1000)
    last = ranges.ceil_ms(moments[1])
    return strict().operation(PATH).known_range_rule().violation(first, last) is None


def send_through_the_sdk(standin: Standin, queries: Iterable[Query]) -> list[Complaint]:
    """Send queries that keep the rules through both clients.

    Args:
        standin: Answers.
        queries: The first `MOST` different ones that the SDK allows are sent.
    """
    standin.sleep = lambda seconds: None
    different = {repr(query): query for query in queries if not forbidden(query)}
    complaints = []
    for query in list(different.values())[:MOST]:
        for client in (_sync, _async):
            recorder = Recorder(standin)
            outcome = client(recorder.transport, query)
            complaints += _compared(outcome, recorder)
    return complaints


def _sync(transport: httpx.MockTransport, query: Query) -> list[CalibrationLogItem] | str:
    with CirrusClient(DEMO_KEY, base_url=BASE_URL, retry=ONCE, transport=transport) as client:
        try:
            return client.calibration_log(**query)
        except CirrusError as error:
            return type(error).__name__


def _async(transport: httpx.MockTransport, query: Query) -> list[CalibrationLogItem] | str:
    async def send() -> list[CalibrationLogItem] | str:
        async with AsyncCirrusClient(
            DEMO_KEY, base_url=BASE_URL, retry=ONCE, transport=transport
        ) as client:
            try:
                return await client.calibration_log(**query)
            except CirrusError as error:
                return type(error).__name__

    return asyncio.run(send())


def _compared(outcome: list[CalibrationLogItem] | str, recorder: Recorder) -> list[Complaint]:
    reply = recorder.reply
    if reply is None:
        return [
            Complaint.of("sdk_is_understood", f"the SDK sends nothing: {outcome}", recorder.request)
        ]
    if reply.status != 200:
        text = f"what the SDK sends gets {reply.status}"
        return [Complaint.of("sdk_is_understood", text, recorder.request)]
    if isinstance(outcome, str):
        text = f"the SDK cannot make items of a 200: {outcome}"
        return [Complaint.of("sdk_returns_what_was_served", text, recorder.request)]
    difference = difference_of(outcome, reply.json)
    if difference is None:
        return []
    return [Complaint.of("sdk_returns_what_was_served", difference, recorder.request)]
