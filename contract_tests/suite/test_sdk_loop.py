"""The SDK gives what is served and refuses what the contract forbids, in cases others chose."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from cirrus_ext import CirrusClient, InvalidRequestError, ranges
from mycirrus_contract.live.served import difference_of
from mycirrus_contract.messages import Request
from mycirrus_contract.model import PATH, strict
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.rules import DEMO_KEY, LOG_PATH
from mycirrus_contract.times import TIME
from tests.support.clients import KEY, use

from .fuzzing import WORLD, Asked, fuzz
from .sdk_loop import BASE_URL, MOST, ONCE, Recorder, ask_through_the_sdk

Query = dict[str, Any]


@pytest.fixture(scope="module")
def asked() -> list[Asked]:
    """What schemathesis asks."""
    return fuzz(Standin(WORLD), examples=150).asked


def test_the_sdk_returns_what_was_served(asked: list[Asked]) -> None:
    """Field by field, sync and async, for as many questions as are worth the time."""
    standin = Standin(WORLD)
    complaints = ask_through_the_sdk(standin, asked)

    assert [str(complaint) for complaint in complaints] == []
    assert len(standin.requests) == 2 * MOST


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
    """The comparison can fail, in every field."""
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


def forbidden(query: Query) -> bool:
    """Whether ``x-cirrus-range`` or the rule for instruments forbids a question.

    By the words of DESIGN and the spec, and not by the code of the SDK.
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


def outcome(colour: str, query: Query) -> tuple[bool, Recorder]:
    """Whether the SDK refuses a question, and what went to the stand-in."""
    recorder = Recorder(Standin(replace(WORLD, keys=frozenset({KEY}))))
    try:
        use(
            colour,
            lambda client: client.calibration_log(**query),
            base_url=BASE_URL,
            retry=ONCE,
            transport=recorder.transport,
        )
    except InvalidRequestError:
        return True, recorder
    except Exception:  # noqa: BLE001 - an answer that is no 200: the question was sent
        return False, recorder
    return False, recorder


def negative_cases(asked: list[Asked]) -> Iterator[Query]:
    """What schemathesis asks wrongly, as far as Python can say it: all three parameters."""
    seen = set()
    for one in asked:
        query = {name: one.query.get(name) for name in ("instruments", "start", "end")}
        if one.mode == "negative" and set(one.query) >= set(query) and repr(query) not in seen:
            seen.add(repr(query))
            yield query


def test_the_sdk_refuses_before_sending_exactly_what_the_rules_forbid(asked: list[Asked]) -> None:
    """Cases of schemathesis that are wrong somewhere; some only look wrong."""
    cases = list(negative_cases(asked))
    wrong = [
        query
        for query in cases
        for refused, recorder in [outcome("sync", query)]
        if refused != forbidden(query) or refused != (recorder.request is None)
    ]

    assert len(cases) >= 10
    assert wrong == []


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
def test_at_the_edges_sdk_rules_and_stand_in_agree(colour: str, change: Query) -> None:
    """What the SDK sends the stand-in takes; what it refuses the rules forbid."""
    query = {"instruments": ["QT123456"], "start": YEAR[0], "end": YEAR[1]} | change
    refused, recorder = outcome(colour, query)

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
    colour: str, start: str, end: str
) -> None:
    """It is converted: on the wire it is the page's spelling, whatever the API takes."""
    _, spelt = outcome(colour, {"instruments": ["QT123456"], "start": start, "end": end})
    _, usual = outcome(colour, {"instruments": ["QT123456"], "start": YEAR[0], "end": YEAR[1]})

    assert spelt.request is not None
    assert spelt.request == usual.request
    assert spelt.reply == usual.reply


@pytest.mark.parametrize("start", ["2023-01-01T00:00:00", "2023-01-01", "2023-01-01 00:00:00"])
def test_a_naive_time_is_refused_by_the_sdk_and_by_the_stand_in(colour: str, start: str) -> None:
    """Nobody guesses its zone."""
    query = {"instruments": ["QT123456"], "start": start, "end": YEAR[1]}
    refused, recorder = outcome(colour, query)

    assert refused
    assert recorder.request is None
    sent = Request("GET", LOG_PATH, urlencode(query, doseq=True), {"x-api-key": DEMO_KEY})
    assert Standin(WORLD).handle(sent).status == 400


def test_an_sdk_that_refuses_too_little_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison above can fail: here the SDK's year has a day more than the rule's."""
    query = {"instruments": ["QT123456"], **EDGES["a year and a millisecond"]}
    year = ranges.one_year_after
    monkeypatch.setattr(ranges, "one_year_after", lambda moment: year(moment).replace(day=2))
    refused, recorder = outcome("sync", query)

    assert refused != forbidden(query)
    assert recorder.reply is not None
    assert recorder.reply.status == 400
