"""Runs of the live check in process, against a stand-in or anything else."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from mycirrus_contract.live.checks import judge
from mycirrus_contract.live.evidence import Evidence
from mycirrus_contract.live.exchange import Exchange
from mycirrus_contract.live.facts import Observed
from mycirrus_contract.live.probe import Probe
from mycirrus_contract.live.questions import contradictions, open_questions
from mycirrus_contract.live.verdicts import Finding
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.fleet import Entry, fleet
from mycirrus_contract.standin.rules import DEMO_KEY, World
from mycirrus_contract.standin.switches import Switches

END = datetime(2026, 1, 1, tzinfo=UTC)
START = END - timedelta(days=365)
WORLD = World(entries=fleet(END))
SERIALS = ["QT123456", "QT234567"]
ITEM = {"time": "2025-06-01T12:00:00Z", "user": "U", "message": "M"}
REFUSED = {"error": "Any", "description": "Any."}

Change = Callable[[httpx.Request, httpx.Response], httpx.Response]


def exchanges_of(transport: httpx.BaseTransport, **options: Any) -> list[Exchange]:
    """The exchanges of a probe that does not wait."""
    serials = options.pop("instruments", SERIALS)
    start, end = options.pop("start", START), options.pop("end", END)
    probe = Probe(
        "http://127.0.0.1/v1",
        options.pop("api_key", DEMO_KEY),
        transport=transport,
        sleep=options.pop("sleep", lambda seconds: None),
        **options,
    )
    return probe.run(serials, start, end)


def judged(exchanges: list[Exchange]) -> dict[str, Finding]:
    found = [*judge(exchanges), *contradictions(open_questions(Evidence(exchanges)))]
    return {finding.name: finding for finding in found}


def findings(transport: httpx.BaseTransport, **options: Any) -> dict[str, Finding]:
    return judged(exchanges_of(transport, **options))


def verdicts(transport: httpx.BaseTransport, **options: Any) -> dict[str, str]:
    return {name: str(one.verdict) for name, one in findings(transport, **options).items()}


def not_holding(exchanges: list[Exchange]) -> dict[str, str]:
    """The verdicts that are neither holds nor not asked."""
    found = {name: str(one.verdict) for name, one in judged(exchanges).items()}
    return {name: one for name, one in found.items() if one not in {"holds", "not asked"}}


def facts(exchanges: list[Exchange]) -> dict[str, Observed]:
    """The answers of a run to open questions."""
    questions = open_questions(Evidence(exchanges))
    return {one.name: one.observed for one in questions if one.observed is not None}


def standin(**switches: Any) -> httpx.MockTransport:
    return Standin(replace(WORLD, switches=Switches(**switches))).transport()


def changed(change: Change, world: World = WORLD) -> httpx.MockTransport:
    inner = Standin(world).transport()
    return httpx.MockTransport(lambda request: change(request, inner.handle_request(request)))


def with_items(body: Callable[[list[Any]], Any]) -> Change:
    """Change the body of each 200."""

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        del request
        if response.status_code != 200:
            return response
        return httpx.Response(200, json=body(response.json()))

    return change


def kind_of(request: httpx.Request) -> str:
    parameters = request.url.params
    if request.headers.get("X-Api-Key") != DEMO_KEY:
        return "key"
    if parameters["start"] == "2024-12-30T00:00:00Z":
        return "control" if parameters["end"] < "2025-12-31" else "over-long"
    if parameters["start"] == "2026-01-01T00:00:00Z":
        return "reversed"
    if not parameters["start"].endswith("Z"):
        return "naive"
    if parameters.get("end") != "2026-01-01T00:00:00Z":
        return "first half"
    return "good"


def with_status(name: str, status: int, **options: Any) -> Change:
    """Change the answer to one kind of request, or to all."""

    def change(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if name in {kind_of(request), "all"}:
            return httpx.Response(status, **options)
        return response

    return change


def numbered(wanted: int, answer: Callable[[httpx.Request], httpx.Response]) -> httpx.MockTransport:
    """The stand-in with another answer to one request, by its number from 1 on."""
    inner, seen = Standin(WORLD).transport(), iter(range(1, 1000))

    def respond(request: httpx.Request) -> httpx.Response:
        return answer(request) if next(seen) == wanted else inner.handle_request(request)

    return httpx.MockTransport(respond)


def world_of(*times: str, serials: tuple[str, ...] = ("QT123456", "QT234567")) -> World:
    """Instruments with an entry each at some times."""
    entries = [
        Entry(serial, time, "Site operator", f"Checked, {serial[-1]}.{number}")
        for number, time in enumerate(times)
        for serial in serials
    ]
    return replace(WORLD, entries=tuple(entries))
