"""What a status and a body become: a value, or the error that they call for.

The status decides which error is raised, and the body explains it.
"""

import asyncio
import gzip
import inspect
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from cirrus_ext import (
    APIResponseError,
    APIStatusError,
    AsyncCirrusClient,
    AuthenticationError,
    BadRequestError,
    CalibrationLogItem,
    CirrusClient,
    CirrusError,
    PermissionDeniedError,
    RateLimitError,
    RetryPolicy,
    ServerError,
)
from contract_tests.spec.page import PAGE
from mycirrus_client.types import UNSET
from tests.support.clients import END, KEY, START, ask, copy_of, use

ONCE = RetryPolicy(max_attempts=1)
REFUSAL = {"error": "Code", "description": "Words."}
ITEM = {"time": "2023-01-02T03:04:05Z", "user": "U", "message": "M"}
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Body:
    """A kind of body, and what is in it.

    Attributes:
        content: The bytes.
        headers: The headers that go with it.
        path: With a 200, the path that the error names; None if the body is a good one.
        explains: Whether it has the documented ``error`` and ``description``.
    """

    content: bytes
    headers: dict[str, str]
    path: str | None = "$"
    explains: bool = False


def as_json(value: object, path: str | None = "$", *, explains: bool = False) -> Body:
    return Body(json.dumps(value).encode(), JSON, path, explains)


BODIES = {
    "items": as_json([ITEM], None),
    "no items": as_json([], None),
    "items as text/plain": Body(json.dumps([ITEM]).encode(), {"content-type": "text/plain"}, None),
    "items without a type": Body(json.dumps([ITEM]).encode(), {}, None),
    "documented refusal": as_json(REFUSAL, explains=True),
    "other object": as_json({"message": "no"}),
    "empty object": as_json({}),
    "item with a null time": as_json([ITEM | {"time": None}], "$[0].time"),
    "item with a list as message": as_json([ITEM, ITEM | {"message": []}], "$[1].message"),
    "object of other types": as_json({"error": 5, "description": {"a": 1}}),
    "item without time": as_json([ITEM, {"user": "U"}], "$[1].time"),
    "item with a naive time": as_json([ITEM | {"time": "2023-01-02T03:04:05"}], "$[0].time"),
    "item with a numeric user": as_json([ITEM, ITEM, ITEM | {"user": 5}], "$[2].user"),
    "text in JSON": as_json("no"),
    "null": as_json(None),
    "empty": Body(b"", {}),
    "html": Body(b"<html><body>no</body></html>", {"content-type": "text/html"}),
    "a long text": Body(b"x" * 3_000, {}),
    "truncated JSON": Body(b'[{"time": "2023-01-0', JSON),
    "deep JSON": Body(b"[" * 50_000, JSON),
    "bad UTF-8": Body(b'["\xff\xfe"]', JSON),
    "unknown charset": Body(b"[5", {"content-type": "application/json; charset=klingon"}),
    "no gzip": Body(b"no gzip", JSON | {"content-encoding": "gzip"}),
    "half a gzip": Body(
        gzip.compress(json.dumps([ITEM] * 50).encode())[:60], JSON | {"content-encoding": "gzip"}
    ),
}
CLASSES = {400: BadRequestError, 401: AuthenticationError, 403: PermissionDeniedError}
CLASSES |= {429: RateLimitError}  # apart: mypy would join the types too narrowly


def check_cell(status: int, body: Body, result: object) -> None:
    if status == 200 and body.path is None:
        assert isinstance(result, list)
        return
    assert isinstance(result, CirrusError), (status, result)
    assert (result.attempts, result.window) == (1, None)
    assert "GET /v1/data/calibrations/log, 1 attempt" in str(result)
    if 200 <= status <= 299:
        assert type(result) is APIResponseError, (status, result)
        assert (result.status_code, result.path) == (status, body.path if status == 200 else "$")
        assert result.stop_reason == "not_retryable"
        assert f"but {result.path} " in str(result)
        assert f"{result.path} None " not in str(result)
    else:
        assert isinstance(result, APIStatusError), (status, result)
        assert type(result) is (
            ServerError if status >= 500 else CLASSES.get(status, APIStatusError)
        )
        assert (result.status_code, result.retry_after) == (status, 7.0)
        explanation = ("Code", "Words.") if body.explains else (None, None)
        assert (result.code, result.description) == explanation
        assert str(result).startswith(f"{status} Code: Words." if body.explains else f"{status}")
        assert ("not followed" in str(result)) == (status <= 399)
        assert ("data.system:read" in str(result)) == (status == 403)
    if "content-encoding" not in body.headers:
        assert result.body == body.content.decode(errors="replace")[:2048]


def check_cells(client_kind: str, cells: Iterable[tuple[int, Body]]) -> None:
    """Let one client of this kind have each of the answers."""
    current: tuple[int, Body]

    def respond(request: httpx.Request) -> httpx.Response:
        del request
        status, body = current
        headers = body.headers | {"retry-after": "7", "location": "/elsewhere"}
        headers["content-length"] = str(len(body.content))
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body.content))

    async def main() -> None:
        nonlocal current
        client_class: Any = {"sync": CirrusClient, "async": AsyncCirrusClient}[client_kind]
        client = client_class(KEY, transport=httpx.MockTransport(respond), retry=ONCE)
        for current in cells:
            try:
                result = ask(client)
                result = await result if inspect.isawaitable(result) else result
            except CirrusError as error:
                result = error
            check_cell(*current, result)

    asyncio.run(main())


@pytest.mark.parametrize("name", ["items", "documented refusal"])
def test_each_status_decides_the_class_of_its_error(client_kind: str, name: str) -> None:
    check_cells(client_kind, ((status, BODIES[name]) for status in range(200, 600)))


@pytest.mark.parametrize("status", [200, 204, 302, 401, 403, 404, 429, 503])
def test_each_body_explains_its_error(client_kind: str, status: int) -> None:
    check_cells(client_kind, ((status, body) for body in BODIES.values()))


def items_of(client_kind: str, items: Any) -> Any:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=items))
    return use(client_kind, ask, transport=transport)


def error_of(client_kind: str, response: httpx.Response) -> Any:
    transport = httpx.MockTransport(lambda request: copy_of(response))
    with pytest.raises(CirrusError) as caught:
        use(client_kind, ask, transport=transport, retry=ONCE)
    return caught.value


@pytest.mark.parametrize("status", [401, 403, 429])
def test_the_examples_of_the_vendors_page_are_read(client_kind: str, status: int) -> None:
    body = PAGE["responses"][str(status)]["example"]
    error = error_of(client_kind, httpx.Response(status, json=body))

    assert (error.code, error.description) == (body["error"], body["description"])


def test_missing_null_and_unknown_fields_are_kept(client_kind: str) -> None:
    items = [
        {"time": "2023-01-02T00:00:00Z"},
        {"time": "2023-01-03T00:00:00Z", "user": None, "message": None},
        {"time": "2023-01-04T00:00:00Z", "user": "U", "message": "M", "level": 93.7},
        {"time": "2023-01-05T00:00:00Z", "user": "V", "message": "N"},
    ]
    parsed = items_of(client_kind, items)

    assert [(item.user, item.message, item.additional_properties) for item in parsed] == [
        (UNSET, UNSET, {}),
        (None, None, {}),
        ("U", "M", {"level": 93.7}),
        ("V", "N", {}),
    ]


LEAP_SECOND = datetime(2016, 12, 31, 23, 59, 59, 999_999, UTC)


@pytest.mark.parametrize("more", [{}, {"site": "Roof"}], ids=["known fields", "another field"])
@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2023-01-02t03:04:05z", datetime(2023, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2023-01-02T03:04:05+01:00", datetime(2023, 1, 2, 2, 4, 5, tzinfo=UTC)),
        ("2023-01-02T03:04:05.1234567Z", datetime(2023, 1, 2, 3, 4, 5, 123_456, UTC)),
        ("2016-12-31T23:59:60Z", LEAP_SECOND),
        ("2016-12-31t23:59:60.5z", LEAP_SECOND),
        ("2016-12-31T15:59:60-08:00", LEAP_SECOND),
        ("2016-12-31T22:59:60Z", None),
        ("2016-12-31T23:59:61Z", None),
        ("2016-12-31T23:59:60", None),
        ("0001-01-01T00:00:60+14:00", None),
        ("9999-12-31T23:59:60-14:00", None),
    ],
)
def test_a_time_is_read_as_rfc_3339_says(
    time: str, expected: datetime | None, more: dict[str, str]
) -> None:
    """Small letters are allowed, and a leap second is the last microsecond of its minute."""
    items = [{"time": time, **more}]
    if expected is None:
        with pytest.raises(APIResponseError):
            items_of("sync", items)
    else:
        assert [item.time for item in items_of("sync", items)] == [expected]


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (httpx.Response(404), "404 Not Found"),
        (httpx.Response(520), "520"),
        (httpx.Response(200, json={}), "200, but $ must be an array: dict"),
        (httpx.Response(200, json=[5]), "200, but $[0] must be an object: int"),
        (httpx.Response(200, json=[{"time": 5}]), "200, but $[0].time must be a string: int"),
        (
            httpx.Response(200, json=[ITEM | {"user": 5}]),
            "200, but $[0].user must be a string or null: int",
        ),
        (httpx.Response(200, json=[{"time": "noon"}]), "200, but $[0].time is not a time: 'noon'"),
        (
            httpx.Response(200, json=[{"time": 300 * "-"}]),
            f"200, but $[0].time is not a time: '{184 * '-'}",
        ),
    ],
)
def test_a_message_names_what_is_wrong_and_where(response: httpx.Response, message: str) -> None:
    error = error_of("sync", response)

    assert str(error) == f"{message} (GET /v1/data/calibrations/log, 1 attempt)"


def test_an_item_that_the_generated_model_refuses_is_named(
    client_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def from_dict(value: dict[str, Any]) -> CalibrationLogItem:
        raise KeyError(value["level"])

    monkeypatch.setattr(CalibrationLogItem, "from_dict", from_dict)
    items = [ITEM, ITEM | {"level": 93.7}]
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=items))
    for job in (
        ask,
        lambda client: client.calibration_history(["QT1"], start=START, end=END),
    ):
        with pytest.raises(APIResponseError) as caught:
            use(client_kind, job, transport=transport)
        assert caught.value.path == "$[1]"
        assert "but $[1] does not fit the generated model: KeyError (" in str(caught.value)


def test_a_servers_words_are_cut_and_contain_no_control_characters(client_kind: str) -> None:
    body = {"error": "\x1b[31mRed" * 1000, "description": "Two\nlines\u202e"}
    error = error_of(client_kind, httpx.Response(400, json=body))

    assert str(error).isprintable()
    assert len(str(error)) < 300
    assert (error.code, error.description) == (body["error"], body["description"])


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
