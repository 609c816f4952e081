"""The status decides which error is raised, and the body explains it."""

import pickle
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from cirrus_ext import (
    CirrusError,
    RetryPolicy,
)
from contract_tests.spec.page import PAGE
from mycirrus_client.types import UNSET
from tests.support.clients import KEY, ask, copy_of, use

ONCE = RetryPolicy(max_attempts=1)
DOCUMENTED = {"error": "SomeCode", "description": "Some words."}


def error_of(client_kind: str, response: httpx.Response) -> Any:
    transport = httpx.MockTransport(lambda request: copy_of(response))
    with pytest.raises(CirrusError) as caught:
        use(client_kind, ask, transport=transport, retry=ONCE)
    return caught.value


@pytest.mark.parametrize("status", [401, 403, 429])
def test_the_pages_own_refusals_are_read(client_kind: str, status: int) -> None:
    body = PAGE["responses"][str(status)]["example"]
    error = error_of(client_kind, httpx.Response(status, json=body))

    assert (error.code, error.description) == (body["error"], body["description"])


def test_a_403_names_the_scope_that_the_key_needs(client_kind: str) -> None:
    assert "data.system:read" in str(error_of(client_kind, httpx.Response(403, json=DOCUMENTED)))


@pytest.mark.parametrize(
    "location", ["https://example.invalid/", "http://1.2.3.999/", "http://[", ""]
)
def test_a_redirect_is_an_error_and_is_not_followed(client_kind: str, location: str) -> None:
    error = error_of(client_kind, httpx.Response(302, headers={"location": location}))

    assert error.status_code == 302
    assert "not followed" in str(error)


def test_missing_null_and_unknown_fields_are_taken(client_kind: str) -> None:
    items = [
        {"time": "2023-01-02T00:00:00Z"},
        {"time": "2023-01-03T00:00:00+01:00", "user": None, "message": None},
        {"time": "2023-01-04T00:00:00.1234567Z", "user": "U", "message": "M", "level": 93.7},
        {"time": "2023-01-05T00:00:00Z", "user": "V", "message": "N"},
    ]
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=items))
    parsed = use(client_kind, ask, transport=transport)

    assert [item.time.isoformat() for item in parsed] == [
        "2023-01-02T00:00:00+00:00",
        "2023-01-03T00:00:00+01:00",
        "2023-01-04T00:00:00.123456+00:00",
        "2023-01-05T00:00:00+00:00",
    ]
    assert parsed[2].additional_properties == {"level": 93.7}
    assert [(item.user, item.message) for item in parsed] == [
        (UNSET, UNSET),
        (None, None),
        ("U", "M"),
        ("V", "N"),
    ]


def test_a_servers_words_are_clipped_and_move_no_cursor(client_kind: str) -> None:
    body = {"error": "\x1b[31mRed" * 1000, "description": "Two\nlines\u202e"}
    error = error_of(client_kind, httpx.Response(400, json=body))

    assert str(error).isprintable()
    assert len(str(error)) < 300
    assert (error.code, error.description) == (body["error"], body["description"])


@pytest.mark.parametrize("time", ["2023-01-02T03:04:05z", "2023-01-02t03:04:05Z"])
def test_small_letters_in_a_time_are_as_good_as_capitals(client_kind: str, time: str) -> None:
    """RFC 3339, section 5.6, allows them."""
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=[{"time": time}]))
    (item,) = use(client_kind, ask, transport=transport)

    assert item.time == datetime(2023, 1, 2, 3, 4, 5, tzinfo=UTC)


ALL_ERRORS = {
    "status": httpx.Response(403, json=DOCUMENTED),
    "throttled": httpx.Response(429, json=DOCUMENTED, headers={"retry-after": "3600"}),
    "answer": httpx.Response(200, json=[{"time": 5}]),
}


@pytest.mark.parametrize("name", ALL_ERRORS)
def test_errors_survive_a_trip_to_another_process(client_kind: str, name: str) -> None:
    error = error_of(client_kind, ALL_ERRORS[name])
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own

    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))


def test_a_key_that_the_server_echoes_is_not_in_the_error(client_kind: str) -> None:
    item = httpx.Response(200, json=[{"time": KEY}])
    assert "[API key]" in str(error_of(client_kind, item))
    assert KEY not in str(error_of(client_kind, item))
    body = {"error": f"Bad{KEY}", "description": f"The key {KEY} is not known." * 200}
    error = error_of(client_kind, httpx.Response(401, json=body))

    assert KEY not in repr(error)
    assert KEY not in repr(vars(error))
    assert "canary" not in error.body
    assert len(str(error)) < 600
