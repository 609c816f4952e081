"""The stand-in does what each switch says; ``contract_tests/suite`` holds it to the page."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from mycirrus_contract.messages import Reply, Request
from mycirrus_contract.model import PATH
from mycirrus_contract.standin.adapters import Standin, serve
from mycirrus_contract.standin.faults import FAULTS, parse_script
from mycirrus_contract.standin.fleet import INSTRUMENTS, PAGE_EXAMPLE, Entry, fleet
from mycirrus_contract.standin.rules import (
    DEMO_KEY,
    LOG_PATH,
    ROUTES,
    World,
    answer,
    documented,
    without_route,
)
from mycirrus_contract.standin.switches import Switches
from mycirrus_contract.times import instant

FLEET = fleet(datetime(2026, 1, 1, tzinfo=UTC))
WORLD = World(entries=FLEET)
GOOD: dict[str, Any] = {
    "instruments": ["QT123456"],
    "start": "2022-01-01T00:00:00Z",
    "end": "2023-01-01T00:00:00Z",
}


def ask(
    switches: Switches = Switches(),  # noqa: B008 - frozen
    *,
    key: str | None = DEMO_KEY,
    world: World = WORLD,
    **change: Any,
) -> Reply:
    """Send the good request with a change; None omits a parameter."""
    parameters = {name: value for name, value in (GOOD | change).items() if value is not None}
    request = Request(
        "GET",
        LOG_PATH,
        urlencode(parameters, doseq=True),
        {} if key is None else {"x-api-key": key},
    )
    return answer(request, replace(world, switches=switches))


def items(reply: Reply) -> Any:
    assert reply.status == 200
    return httpx.Response(200, content=reply.body).json()


AT_EDGES = World(
    tuple(
        Entry("QT1", time, "Site operator", time)
        for time in ("2022-01-01T00:00:00Z", "2022-06-01T00:00:00.1234567Z", "2023-01-01T00:00:00Z")
    )
)


def times(switches: Switches, **change: Any) -> list[str]:
    log = items(ask(switches, world=AT_EDGES, **({"instruments": ["QT1"]} | change)))
    return [item["time"][:7] for item in log]


ALL = ["2022-01", "2022-06", "2023-01"]
OFFSET = {"start": "2022-01-01T00:00:00+00:00"}


@pytest.mark.parametrize(
    ("switches", "change", "answered"),
    [
        (Switches(), {}, ALL),
        (Switches(start_inclusive=False), {}, ALL[1:]),
        (Switches(end_inclusive=False), {}, ALL[:2]),
        (Switches(order="newest first"), {}, ALL[::-1]),
        (Switches(naive="utc"), {"start": "2022-05-01T00:00:00"}, ALL[1:]),
        (Switches(offsets="any"), {"start": "2022-05-01T00:00:00+05:00"}, ALL[1:]),
        (Switches(), OFFSET, ALL),
        (Switches(comma_arrays=True), {"instruments": ["QT0,QT1"]}, ALL),
        (Switches(), {"instruments": ["QT0,QT1"]}, []),
        (Switches(), {"instruments": ["QT0"]}, []),
    ],
)
def test_a_switch_changes_what_is_answered(
    switches: Switches, change: dict[str, Any], answered: list[str]
) -> None:
    assert times(switches, **change) == answered


LEAP = {"start": "2024-01-01T00:00:00Z", "end": "2025-01-01T00:00:00Z"}  # 366 days


@pytest.mark.parametrize(
    ("switches", "change", "status"),
    [
        (Switches(over_long_status=422), {"end": "2024-01-01T00:00:00Z"}, 422),
        (Switches(reversed_status=422), {"end": "2021-01-01T00:00:00Z"}, 422),
        (Switches(invalid_status=422), {"end": None}, 422),
        (Switches(offsets="none"), OFFSET, 400),
        (Switches(unknown_instrument="403"), {"instruments": ["QT0"]}, 403),
        (Switches(unknown_instrument="404"), {"instruments": ["QT123456", "QT0"]}, 404),
        (Switches(year="calendar"), LEAP, 200),
        (Switches(year="366 days"), LEAP, 200),
        (Switches(year="365 days"), LEAP, 400),
        (Switches(year="366 days"), {"end": "2023-01-02T00:00:00Z"}, 200),
        (Switches(year="366 days"), {"end": "2023-01-02T00:00:00.001Z"}, 400),
        (Switches(year="365 days"), {"end": "2023-01-01T00:00:00.001Z"}, 400),
        (Switches(year="calendar"), {"end": "2023-01-02T00:00:00Z"}, 400),
    ],
)
def test_a_switch_changes_what_is_refused(
    switches: Switches, change: dict[str, Any], status: int
) -> None:
    assert ask(switches, **change).status == status


def test_items_can_name_their_instrument_and_have_any_number_of_digits() -> None:
    (first, *_) = items(ask(Switches(names_instrument=True, fraction_digits=7)))
    (second, *_) = items(ask(Switches(fraction_digits=0)))

    assert first["instrument"] == "QT123456"
    assert len(first["time"]) == len("2022-06-07T11:18:42.8140000Z")
    assert len(second["time"]) == len("2022-06-07T11:18:42Z")


def test_other_paths_and_methods_are_not_there() -> None:
    post = answer(Request("POST", LOG_PATH, headers={"x-api-key": DEMO_KEY}), WORLD)

    assert answer(Request("GET", "/v1/data/events"), WORLD).status == 404
    assert (post.status, post.headers["allow"]) == (405, "GET")


def test_an_operation_without_a_route_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(ROUTES, PATH)
    reply = ask()

    assert reply.status == 501
    assert "GET /data/calibrations/log, but the stand-in has no route" in reply.json["description"]
    assert "GET /data/calibrations/log" in [str(one) for one in without_route()]


def test_the_fleet_is_plausible_and_the_same_each_day() -> None:
    later = fleet(datetime(2027, 1, 1, tzinfo=UTC))
    log = [instant(entry.time) for entry in FLEET if entry.instrument == "QT123456"]
    gaps = {(other - one) // 86_400_000_000_000 for one, other in pairwise(log)}

    assert PAGE_EXAMPLE in FLEET
    assert {entry.instrument for entry in FLEET} == {
        instrument.serial for instrument in INSTRUMENTS
    }
    assert len({entry.user for entry in FLEET}) > 5
    assert len(gaps) > 10
    assert tuple(entry for entry in later if entry.time < "2026") == FLEET


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_replaces_the_answer_to_the_request_of_its_number(name: str) -> None:
    standin = Standin(WORLD, script=parse_script([f"{name}@2"]))
    with httpx.Client(
        transport=standin.transport(), headers={"X-Api-Key": DEMO_KEY}, follow_redirects=False
    ) as client:
        replies = [client.get(f"http://127.0.0.1{LOG_PATH}", params=GOOD) for _ in range(3)]

    assert replies[0].content == replies[2].content
    fault = FAULTS[name]
    shown = documented(fault.status).body if fault.body is None else fault.body
    assert (replies[1].status_code, replies[1].content) == (fault.status, shown)


def test_on_a_socket_it_answers_what_it_answers_in_process() -> None:
    with serve(Standin(WORLD)) as base_url, httpx.Client(base_url=base_url) as client:
        for key, status in ((DEMO_KEY, 200), ("wrong", 401)):
            reply = client.get("/data/calibrations/log", params=GOOD, headers={"X-Api-Key": key})
            assert reply.status_code == status
            assert reply.content == ask(key=key).body
            assert reply.headers["content-type"] == "application/json"
    with pytest.raises(httpx.ConnectError):
        httpx.get(base_url)
