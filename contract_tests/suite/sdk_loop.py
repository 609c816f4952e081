"""The SDK in the loop: what schemathesis has asked, asked again through ``cirrus_ext``.

schemathesis speaks to the stand-in by itself and never uses the SDK. So its cases are driven
through both clients, and what these return is held against what was served, field by field.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import httpx

from cirrus_ext import AsyncCirrusClient, CalibrationLogItem, CirrusClient, CirrusError, RetryPolicy
from mycirrus_contract.live.served import difference_of
from mycirrus_contract.messages import Reply, Request
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.rules import DEMO_KEY

from .fuzzing import Asked, Complaint

ONCE = RetryPolicy(max_attempts=1)
MOST = 40  # cases; each goes through two clients
BASE_URL = "http://127.0.0.1/v1"


class Recorder:
    """A transport to the stand-in that keeps what was served last."""

    def __init__(self, standin: Standin) -> None:
        self._inner = standin.transport()
        self.transport = httpx.MockTransport(self._handle)
        self.request: Request | None = None
        self.reply: Reply | None = None

    def _handle(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        self.request, self.reply = Request.of(request), Reply.of(response)
        return response


def ask_through_the_sdk(standin: Standin, asked: Iterable[Asked]) -> list[Complaint]:
    """Drive positive cases through both clients.

    Args:
        standin: Answers.
        asked: Cases of schemathesis.
    """
    standin.sleep = lambda seconds: None
    cases = {one.request.query: one.query for one in asked if one.mode == "positive"}
    complaints = []
    for query in list(cases.values())[:MOST]:
        for colour in (_sync, _async):
            recorder = Recorder(standin)
            outcome = colour(recorder.transport, query)
            complaints += _compared(outcome, recorder)
    return complaints


def _sync(transport: httpx.MockTransport, query: dict[str, Any]) -> list[CalibrationLogItem] | str:
    with CirrusClient(DEMO_KEY, base_url=BASE_URL, retry=ONCE, transport=transport) as client:
        try:
            return client.calibration_log(**query)
        except CirrusError as error:
            return type(error).__name__


def _async(transport: httpx.MockTransport, query: dict[str, Any]) -> list[CalibrationLogItem] | str:
    async def ask() -> list[CalibrationLogItem] | str:
        async with AsyncCirrusClient(
            DEMO_KEY, base_url=BASE_URL, retry=ONCE, transport=transport
        ) as client:
            try:
                return await client.calibration_log(**query)
            except CirrusError as error:
                return type(error).__name__

    return asyncio.run(ask())


def _compared(outcome: list[CalibrationLogItem] | str, recorder: Recorder) -> list[Complaint]:
    reply = recorder.reply
    shown = "" if recorder.request is None else f"GET {recorder.request.query}"
    if reply is None:
        return [Complaint("sdk_is_understood", f"the SDK sends nothing: {outcome}", shown)]
    if reply.status != 200:
        text = f"what the SDK sends gets {reply.status}"
        return [Complaint("sdk_is_understood", text, shown)]
    if isinstance(outcome, str):
        text = f"the SDK cannot make items of a 200: {outcome}"
        return [Complaint("sdk_returns_what_was_served", text, shown)]
    difference = difference_of(outcome, reply.json)
    if difference is None:
        return []
    return [Complaint("sdk_returns_what_was_served", difference, shown)]
