"""The SDK returns what is served and refuses what the rules forbid, in cases that others chose."""

import copy
from dataclasses import replace
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis import Case

from cirrus_ext import CirrusClient, InvalidRequestError, ranges
from mycirrus_contract.live.served import difference_of
from mycirrus_contract.model import PATH, tolerant
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.rules import DEMO_KEY
from tests.support.clients import KEY, use

from .checks import WORLD
from .sdk_loop import BASE_URL, ONCE, Query, Recorder, forbidden, send_through_the_sdk
from .test_schemathesis import config

log = schemathesis.openapi.from_dict(
    copy.deepcopy(dict(tolerant().document)), config=config()
).include(path=PATH)


@log.parametrize()
@hypothesis.settings(max_examples=40)
def test_the_sdk_sends_what_the_rules_allow_and_returns_what_was_served(case: Case[Any]) -> None:
    """Valid and invalid cases, if they have all three parameters."""
    query = {name: case.query.get(name) for name in ("instruments", "start", "end")}
    if set(case.query) < set(query):
        return
    if forbidden(query):
        refused, recorder = outcome("sync", query)
        assert refused
        assert recorder.request is None
    else:
        assert [str(one) for one in send_through_the_sdk(Standin(WORLD), [query])] == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"time": "2022-06-07T11:18:42.815Z"}, "$[0].time is not what was served"),
        ({"user": None}, "$[0].user is not what was served"),
        ({"message": "installed and working"}, "$[0].message is not what was served"),
        ({"level": 94}, "$[0].(another field) is not what was served"),
    ],
)
def test_a_difference_is_found_and_named(change: Query, says: str) -> None:
    item = {
        "time": "2022-06-07T11:18:42.814Z",
        "user": "Quantum Demo",
        "message": "Installed and working",
    }
    client = CirrusClient(DEMO_KEY, base_url=BASE_URL, transport=Standin(WORLD).transport())
    with client:
        returned = client.calibration_log(
            ["QT123456"], start="2022-06-07T11:18:42.814Z", end="2022-06-07T11:18:42.815Z"
        )

    assert difference_of(returned, [item]) is None
    assert difference_of(returned, [item | change]) == says
    assert difference_of(returned, [item, item]) is not None
    assert difference_of(returned, {"items": [item]}) is not None


def outcome(client_kind: str, query: Query) -> tuple[bool, Recorder]:
    """Whether the SDK refuses a query, and what went to the stand-in."""
    recorder = Recorder(Standin(replace(WORLD, keys=frozenset({KEY}))))
    try:
        use(
            client_kind,
            lambda client: client.calibration_log(**query),
            base_url=BASE_URL,
            retry=ONCE,
            transport=recorder.transport,
        )
    except InvalidRequestError:
        return True, recorder
    except Exception:  # noqa: BLE001 - an answer that is no 200: the query was sent
        return False, recorder
    return False, recorder


YEAR = ("2023-01-01T00:00:00Z", "2024-01-01T00:00:00Z")
EDGES: dict[str, Query] = {
    "a year": {"start": YEAR[0], "end": YEAR[1]},
    "a year and a millisecond": {"start": YEAR[0], "end": "2024-01-01T00:00:00.001Z"},
    "a year, and less than a millisecond": {"start": YEAR[0], "end": "2024-01-01T00:00:00.0001Z"},
    "a leap day on": {"start": "2024-02-29T00:00:00Z", "end": "2025-03-01T00:00:00Z"},
    "a leap day and a day on": {"start": "2024-02-29T00:00:00Z", "end": "2025-03-02T00:00:00Z"},
    "reversed": {"start": YEAR[1], "end": YEAR[0]},
    "of no length": {"start": YEAR[0], "end": YEAR[0]},
    "a millisecond": {"start": YEAR[0], "end": "2023-01-01T00:00:00.001Z"},
    "twice the same serial": {"instruments": ["QT123456", "QT123456"]},
    "a blank serial": {"instruments": ["QT123456", " "]},
    "no serial": {"instruments": []},
    "a text for a list": {"instruments": "QT123456"},
    "a comma": {"instruments": ["QT123456,QT234567"]},
}


@pytest.mark.parametrize("change", EDGES.values(), ids=list(EDGES))
def test_at_the_edges_sdk_rules_and_stand_in_agree(client_kind: str, change: Query) -> None:
    query = {"instruments": ["QT123456"], "start": YEAR[0], "end": YEAR[1]} | change
    refused, recorder = outcome(client_kind, query)

    assert refused == forbidden(query) == (recorder.request is None)
    if not refused:
        assert recorder.reply is not None
        assert recorder.reply.status == 200


SPELLINGS = [
    ("2023-01-01T01:00:00+01:00", "2023-12-31T19:00:00-05:00"),
    ("2023-01-01T00:00:00+00:00", "2024-01-01T00:00:00-00:00"),
    ("2023-01-01T00:00:00z", "2024-01-01t00:00:00z"),
    ("2023-01-01T00:00:00.0000000Z", "2024-01-01T00:00:00.000Z"),
]


@pytest.mark.parametrize(("start", "end"), SPELLINGS)
def test_another_spelling_of_the_same_time_gets_the_same_answer(
    client_kind: str, start: str, end: str
) -> None:
    _, spelt = outcome(client_kind, {"instruments": ["QT123456"], "start": start, "end": end})
    _, usual = outcome(client_kind, {"instruments": ["QT123456"], "start": YEAR[0], "end": YEAR[1]})

    assert spelt.request is not None
    assert spelt.request == usual.request
    assert spelt.reply == usual.reply


def test_an_sdk_that_refuses_too_little_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the SDK's year has a day more than the rule's."""
    query = {"instruments": ["QT123456"], **EDGES["a year and a millisecond"]}
    year = ranges.one_year_after
    monkeypatch.setattr(ranges, "one_year_after", lambda moment: year(moment).replace(day=2))
    refused, recorder = outcome("sync", query)

    assert refused != forbidden(query)
    assert recorder.reply is not None
    assert recorder.reply.status == 400
