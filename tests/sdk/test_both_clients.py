"""The same script leads both clients to the same trace."""

from typing import Any

import httpx
import pytest

from cirrus_ext import CirrusError, RetryPolicy
from tests.support.clients import ask, copy_of, use
from tests.support.clock import FakeClock

Script = list[httpx.Response | Exception]


def status(code: int, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(code, headers=named, json={"error": "Code", "description": "Words."})


GOOD = httpx.Response(200, json=[{"time": "2023-01-02T03:04:05Z", "user": "U"}])
SCENARIOS: dict[str, tuple[Script, dict[str, Any]]] = {
    "good": ([GOOD], {}),
    "429, then good": ([status(429), GOOD], {}),
    "429 with a wait": ([status(429, retry_after="7"), GOOD], {}),
    "429 with a date": ([status(429, retry_after="Thu, 01 Jan 2026 12:00:30 GMT"), GOOD], {}),
    "429 with too long a wait": ([status(429, retry_after="600")], {}),
    "429 to the end": ([status(429)] * 4, {}),
    "everything at once": (
        [status(503, retry_after="2"), httpx.ReadError("reset"), status(429), GOOD],
        {},
    ),
    "timeouts to the end": ([httpx.ReadTimeout("slow")] * 4, {}),
    "a bug in the protocol": ([httpx.LocalProtocolError("bad header")], {}),
    "refused": ([status(403)], {}),
    "redirect": ([status(302, location="/there")], {}),
    "html": ([httpx.Response(200, html="<p>Hello</p>")], {}),
    "bad item": ([httpx.Response(200, json=[{"time": "x"}])], {}),
    "budget over": ([status(503)] * 9, {"retry": RetryPolicy(max_attempts=9, total_timeout=3)}),
    "one attempt": ([status(503)], {"retry": RetryPolicy(max_attempts=1)}),
    "jitter at its least": ([status(503)] * 4, {"chance": 0.0}),
    "jitter at its most": ([status(429)] * 4, {"chance": 0.999}),
}


def trace(client_kind: str, script: Script, options: dict[str, Any]) -> list[object]:
    options = dict(options)
    clock, seen, remaining = FakeClock(chance=options.pop("chance", 0.5)), [], iter(script)

    def respond(request: httpx.Request) -> httpx.Response:
        headers = {
            name: value
            for name, value in request.headers.items()
            if name in {"host", "accept", "user-agent", "x-api-key"}
        }
        seen.append((request.method, str(request.url), headers, request.extensions["timeout"]))
        result = next(remaining)
        if isinstance(result, Exception):
            raise result
        return copy_of(result)

    try:
        result: object = use(
            client_kind,
            ask,
            transport=httpx.MockTransport(respond),
            _clock=clock.clock(),
            on_event=seen.append,
            **options,
        )
    except CirrusError as error:
        result = (type(error), str(error), vars(error), repr(error.__cause__))
    return [*seen, clock.waits, result, next(remaining, "all played")]


@pytest.mark.parametrize(("script", "options"), SCENARIOS.values(), ids=list(SCENARIOS))
def test_both_clients_leave_the_same_trace(script: Script, options: dict[str, Any]) -> None:
    sync = trace("sync", script, options)

    assert sync == trace("async", script, options)
    if not options.get("retry"):
        assert sync[-1] == "all played"
