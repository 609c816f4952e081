"""The status decides which error is raised, and the body explains it."""

import pickle
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from cirrus_ext import (
    APIResponseError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    CirrusError,
    PermissionDeniedError,
    RateLimitError,
    RetryPolicy,
    ServerError,
)
from contract_tests.spec.page import PAGE
from tests.support.clients import KEY, ask, copy_of, use

ONCE = RetryPolicy(max_attempts=1)
DOCUMENTED = {"error": "SomeCode", "description": "Some words."}


def error_of(colour: str, response: httpx.Response) -> Any:
    """The error that an answer becomes."""
    transport = httpx.MockTransport(lambda request: copy_of(response))
    with pytest.raises(CirrusError) as caught:
        use(colour, ask, transport=transport, retry=ONCE)
    return caught.value


CLASSES = {
    301: APIStatusError,
    302: APIStatusError,
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: APIStatusError,
    408: APIStatusError,
    409: APIStatusError,
    418: APIStatusError,
    429: RateLimitError,
    500: ServerError,
    501: ServerError,
    502: ServerError,
    503: ServerError,
    520: ServerError,
    599: ServerError,
}


@pytest.mark.parametrize(("status", "kind"), CLASSES.items())
def test_each_status_has_its_class_and_carries_what_the_body_says(
    colour: str, status: int, kind: type[APIStatusError]
) -> None:
    """Statuses that Python has no name for included."""
    error = error_of(colour, httpx.Response(status, json=DOCUMENTED))

    assert type(error) is kind
    assert (error.status_code, error.code, error.description) == (
        status,
        "SomeCode",
        "Some words.",
    )
    assert str(error).startswith(f"{status} SomeCode: Some words.")
    assert "GET /v1/data/calibrations/log, 1 attempt" in str(error)


@pytest.mark.parametrize("status", [401, 403, 429])
def test_the_pages_own_refusals_are_read(colour: str, status: int) -> None:
    """Code and description to the letter."""
    body = PAGE["responses"][str(status)]["example"]
    error = error_of(colour, httpx.Response(status, json=body))

    assert (error.code, error.description) == (body["error"], body["description"])


ODD_BODIES = {
    "html": httpx.Response(429, html="<h1>Slow down</h1>"),
    "empty": httpx.Response(429),
    "list": httpx.Response(429, json=["error"]),
    "null": httpx.Response(429, content=b"null"),
    "other fields": httpx.Response(429, json={"message": "no"}),
    "other types": httpx.Response(429, json={"error": 5, "description": ["no"]}),
    "truncated": httpx.Response(429, content=b'{"error": "TooMa'),
    "bad UTF-8": httpx.Response(429, content=b'{"error": "\xff"}'),
    "deep": httpx.Response(429, content=b"[" * 100_000),
}


@pytest.mark.parametrize("name", ODD_BODIES)
def test_an_odd_body_does_not_hide_the_status(colour: str, name: str) -> None:
    """There is no code then, and the beginning of the body is kept."""
    response = ODD_BODIES[name]
    error = error_of(colour, response)

    assert isinstance(error, RateLimitError)
    assert (error.code, error.description) == (None, None)
    assert error.body == response.content.decode(errors="replace")[:2048]


def test_a_403_names_the_scope_that_the_key_needs(colour: str) -> None:
    """That is what the reader has to ask for."""
    assert "data.system:read" in str(error_of(colour, httpx.Response(403, json=DOCUMENTED)))


@pytest.mark.parametrize(
    "location", ["https://example.invalid/", "http://1.2.3.999/", "http://[", ""]
)
def test_a_redirect_is_an_error_and_is_not_followed(colour: str, location: str) -> None:
    """Wherever it leads: the key would go with it."""
    error = error_of(colour, httpx.Response(302, headers={"location": location}))

    assert error.status_code == 302
    assert "not followed" in str(error)


BAD_ANSWERS = {
    "html": (httpx.Response(200, html="<h1>Hello</h1>"), "$"),
    "empty": (httpx.Response(200), "$"),
    "null": (httpx.Response(200, content=b"null"), "$"),
    "object": (httpx.Response(200, json={}), "$"),
    "truncated": (httpx.Response(200, content=b'[{"time": "20'), "$"),
    "bad UTF-8": (httpx.Response(200, content=b'["\xff"]'), "$"),
    "deep": (httpx.Response(200, content=b"[" * 100_000), "$"),
    "204": (httpx.Response(204), "$"),
    "item is text": (httpx.Response(200, json=["time"]), "$[0]"),
    "no time": (httpx.Response(200, json=[{"user": "x"}]), "$[0].time"),
    "null time": (httpx.Response(200, json=[{"time": None}]), "$[0].time"),
    "garbage": (httpx.Response(200, json=[{"time": "yesterday"}]), "$[0].time"),
    "naive": (httpx.Response(200, json=[{"time": "2022-06-07T11:18:42"}]), "$[0].time"),
    "user is number": (
        httpx.Response(200, json=[{"time": "2022-06-07T11:18:42Z", "user": 5}]),
        "$[0].user",
    ),
    "second message is list": (
        httpx.Response(
            200,
            json=[
                {"time": "2022-06-07T11:18:42Z"},
                {"time": "2022-06-07T11:18:42Z", "message": []},
            ],
        ),
        "$[1].message",
    ),
}


@pytest.mark.parametrize(("response", "path"), BAD_ANSWERS.values(), ids=list(BAD_ANSWERS))
def test_a_2xx_that_does_not_fit_is_an_error_that_says_where(
    colour: str, response: httpx.Response, path: str
) -> None:
    """It is not tried again: the same question would get the same answer."""
    error = error_of(colour, response)

    assert type(error) is APIResponseError
    assert (error.path, error.status_code) == (path, response.status_code)
    assert (error.attempts, error.stop_reason) == (1, "not_retryable")


def test_missing_null_and_unknown_fields_are_taken(colour: str) -> None:
    """Tolerant to parse: a customer's own log is not refused over a guess of ours."""
    items = [
        {"time": "2023-01-02T00:00:00Z"},
        {"time": "2023-01-03T00:00:00+01:00", "user": None, "message": None},
        {"time": "2023-01-04T00:00:00.1234567Z", "user": "U", "message": "M", "level": 93.7},
    ]
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=items))
    parsed = use(colour, ask, transport=transport)

    assert [item.time.isoformat() for item in parsed] == [
        "2023-01-02T00:00:00+00:00",
        "2023-01-03T00:00:00+01:00",
        "2023-01-04T00:00:00.123456+00:00",
    ]
    assert parsed[2].additional_properties == {"level": 93.7}


def test_a_servers_words_are_clipped_and_move_no_cursor(colour: str) -> None:
    """In the message; the attributes have them as they came."""
    body = {"error": "\x1b[31mRed" * 1000, "description": "Two\nlines\u202e"}
    error = error_of(colour, httpx.Response(400, json=body))

    assert str(error).isprintable()
    assert len(str(error)) < 300
    assert (error.code, error.description) == (body["error"], body["description"])


@pytest.mark.parametrize("time", ["2023-01-02T03:04:05z", "2023-01-02t03:04:05Z"])
def test_small_letters_in_a_time_are_as_good_as_capitals(colour: str, time: str) -> None:
    """RFC 3339, section 5.6, allows them."""
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=[{"time": time}]))
    (item,) = use(colour, ask, transport=transport)

    assert item.time == datetime(2023, 1, 2, 3, 4, 5, tzinfo=UTC)


ALL_ERRORS = {
    "status": httpx.Response(403, json=DOCUMENTED),
    "throttled": httpx.Response(429, json=DOCUMENTED, headers={"retry-after": "3600"}),
    "answer": httpx.Response(200, json=[{"time": 5}]),
}


@pytest.mark.parametrize("name", ALL_ERRORS)
def test_errors_survive_a_trip_to_another_process(colour: str, name: str) -> None:
    """With all that is written on them."""
    error = error_of(colour, ALL_ERRORS[name])
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own

    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))


def test_a_key_that_the_server_echoes_is_not_in_the_error(colour: str) -> None:
    """Neither in the message nor in the parts."""
    item = httpx.Response(200, json=[{"time": KEY}])
    assert "[API key]" in str(error_of(colour, item))
    assert KEY not in str(error_of(colour, item))
    body = {"error": f"Bad{KEY}", "description": f"The key {KEY} is not known." * 200}
    error = error_of(colour, httpx.Response(401, json=body))

    assert KEY not in repr(error)
    assert KEY not in repr(vars(error))
    assert "canary" not in error.body
    assert len(str(error)) < 600
