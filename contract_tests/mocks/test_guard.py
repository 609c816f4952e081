"""No mock of respx in these tests says what the contract does not, unless it says why."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from contract_tests.spec.page import PAGE
from tests.support.paths import ROOT

from . import guard as mocks
from .guard import collected

URL = PAGE["curl_url"].partition("?")[0]
QUERY = PAGE["curl_url"].partition("?")[2]
HEADERS = {"X-Api-Key": "key"}
ITEM = PAGE["responses"]["200"]["example"][0]
REFUSED = {"error": "RangeTooLong", "description": "The longest range is 1 year."}
JSON = {"content-type": "application/json"}
CLIENT = httpx.Client()  # one for all: a new one reads all certificates of the machine


def documented(status: int, **options: Any) -> httpx.Response:
    return httpx.Response(status, json=PAGE["responses"][str(status)]["example"], **options)


def violations(
    outcome: httpx.Response | Exception,
    query: str = QUERY,
    *,
    method: str = "GET",
    url: str = URL,
    headers: dict[str, str] = HEADERS,
) -> list[str]:
    """What the guard says about one exchange."""
    with collected() as found, respx.mock(assert_all_mocked=False) as router:
        router.route().mock(side_effect=[outcome])
        with suppress(httpx.ConnectError):
            CLIENT.request(method, f"{url}?{query}", headers=headers)
    return found


ON_SPEC: dict[str, tuple[httpx.Response | Exception, dict[str, Any]]] = {
    "the page's 200": (documented(200), {}),
    "an empty 200": (httpx.Response(200, json=[]), {}),
    "the page's 401, without a key": (documented(401), {"headers": {}}),
    "the page's 403": (documented(403), {}),
    "a 429 with seconds": (documented(429, headers={"Retry-After": "3"}), {}),
    "a 429 with a date": (
        documented(429, headers={"Retry-After": "Sun, 22 Nov 2026 10:00:00 GMT"}),
        {},
    ),
    "a charset": (
        httpx.Response(
            200, content=b"[]", headers={"content-type": "application/json; charset=utf-8"}
        ),
        {},
    ),
    "a reversed range, refused": (
        httpx.Response(400, json=REFUSED),
        {"query": "instruments=A&start=2023-01-31T00:00:00Z&end=2023-01-01T00:00:00Z"},
    ),
    "+00:00, which is UTC too": (
        documented(200),
        {"query": "instruments=A&start=2023-01-01T00:00:00%2B00:00&end=2023-01-31T00:00:00Z"},
    ),
    "a broken connection": (httpx.ConnectError("reset"), {}),
}


@pytest.mark.parametrize(("outcome", "options"), ON_SPEC.values(), ids=list(ON_SPEC))
def test_a_mock_on_spec_passes(outcome: httpx.Response | Exception, options: Any) -> None:
    assert violations(outcome, **options) == []


RANGE = "start=2023-01-01T00:00:00Z&end=2023-01-31T00:00:00Z"
REPLIES: dict[str, tuple[httpx.Response, str]] = {
    "undocumented status": (httpx.Response(503), "status 503 is not in the contract"),
    "redirect": (httpx.Response(302), "status 302 is not in the contract"),
    "no content type": (httpx.Response(200, content=b"[]"), "content-type is not application/json"),
    "media type": (httpx.Response(200, text="[]"), "content-type is not application/json"),
    "charset": (
        httpx.Response(
            200, content=b"[]", headers={"content-type": "application/json; Charset=latin-1"}
        ),
        "content-type has another charset than UTF-8",
    ),
    "truncated": (httpx.Response(200, content=b"[{", headers=JSON), "body is not JSON"),
    "latin-1": (httpx.Response(200, content=b'["\xfc"]', headers=JSON), "body is not JSON"),
    "not a number": (httpx.Response(200, content=b"[NaN]", headers=JSON), "body is not JSON"),
    "wrapped": (httpx.Response(200, json={"items": []}), "$ is not of type array"),
    "no time": (
        httpx.Response(200, json=[{"user": "U", "message": "M"}]),
        "$[0] has no field 'time'",
    ),
    "naive time": (
        httpx.Response(200, json=[ITEM | {"time": "2022-06-07T11:18:42"}]),
        "$[0].time is not in the format date-time",
    ),
    "no such day": (
        httpx.Response(200, json=[ITEM | {"time": "2022-02-30T11:18:42Z"}]),
        "$[0].time is not in the format date-time",
    ),
    "other offset": (
        httpx.Response(200, json=[ITEM | {"time": "2022-06-07T11:18:42+01:00"}]),
        "$[0].time does not end with Z",
    ),
    "null user": (httpx.Response(200, json=[ITEM | {"user": None}]), "$[0].user is not of type"),
    "unknown field": (
        httpx.Response(200, json=[ITEM | {"level": 94}]),
        "$[0] has a field that the contract does not know: 'level'",
    ),
    "error code": (
        httpx.Response(403, json={"error": "Nope", "description": "No."}),
        "$.error is not 'AccessDenied'",
    ),
    "no description": (
        httpx.Response(429, json={"error": "TooManyRequests"}),
        "$ has no field 'description'",
    ),
    "Retry-After": (documented(429, headers={"Retry-After": "soon"}), "retry-after is neither"),
    "needless refusal": (httpx.Response(400, json=REFUSED), "status 400 refuses a request that"),
}


@pytest.mark.parametrize(("response", "says"), REPLIES.values(), ids=list(REPLIES))
def test_a_reply_off_spec_is_named(response: httpx.Response, says: str) -> None:
    violation, *_ = violations(response)

    assert violation.startswith(f"GET {URL}?")
    assert f" -> {response.status_code}: {says}" in violation


REQUESTS: dict[str, tuple[str, str]] = {
    "unknown parameter": (f"instruments=A&{RANGE}&page=1", "query has an unknown parameter: page"),
    "no instruments": (RANGE, "query instruments is missing"),
    "blank serial": (f"instruments=A&instruments=&{RANGE}", "query instruments is shorter than 1"),
    "no end": ("instruments=A&start=2023-01-01T00:00:00Z", "query end is missing"),
    "repeated": (f"instruments=A&{RANGE}&end=2023-02-01T00:00:00Z", "query end is given more than"),
    "date": ("instruments=A&start=2023-01-01&end=2023-01-31T00:00:00Z", "query start is not in"),
    "naive": (
        "instruments=A&start=2023-01-01T00:00:00&end=2023-01-31T00:00:00Z",
        "query start is not in the format date-time",
    ),
    "not UTC": (
        "instruments=A&start=2023-01-01T00:00:00%2B05:00&end=2023-01-31T00:00:00Z",
        "query start does not match (Z|",
    ),
    "small letters": (
        "instruments=A&start=2023-01-01T00:00:00z&end=2023-01-31T00:00:00Z",
        "query start does not match (Z|",
    ),
    "reversed": (
        "instruments=A&start=2023-01-31T00:00:00Z&end=2023-01-01T00:00:00Z",
        "range start is not before end",
    ),
    "empty": (
        "instruments=A&start=2023-01-01T00:00:00Z&end=2023-01-01T00:00:00Z",
        "range start is not before end",
    ),
    "over-long by less than a microsecond": (
        "instruments=A&start=2023-01-01T00:00:00Z&end=2024-01-01T00:00:00.000001Z",
        "range end is more than P1Y after start",
    ),
}


@pytest.mark.parametrize(("query", "says"), REQUESTS.values(), ids=list(REQUESTS))
def test_a_request_that_the_api_would_refuse_is_named(query: str, says: str) -> None:
    """A mock may refuse it with 400, and must not answer it with items."""
    found = violations(httpx.Response(200, json=[]), query)

    assert any(f"-> 200: {says}" in violation for violation in found)
    assert violations(httpx.Response(400, json=REFUSED), query) == []
    assert any(f"-> 403: {says}" in violation for violation in violations(documented(403), query))
    assert any(f"-> 429: {says}" in violation for violation in violations(documented(429), query))
    assert any(says in violation for violation in violations(httpx.ConnectError("reset"), query))


def test_another_method_another_path_and_a_missing_key_are_named() -> None:
    assert "method POST is not" in violations(documented(200), method="POST")[0]
    for url in (URL.replace("/v1", "/v2"), URL.replace("/v1", ""), f"{URL}/other"):
        assert "path is not in" in violations(documented(200), url=url)[0]
    assert "X-Api-Key is missing" in violations(documented(200), headers={})[0]


def test_a_request_without_a_mock_is_named_even_if_the_error_is_caught() -> None:
    with collected() as found, respx.mock(assert_all_called=False) as router:
        router.get("https://example.invalid/")
        with suppress(AssertionError):
            CLIENT.get(f"{URL}?{QUERY}", headers=HEADERS)
        with respx.mock() as inner:
            inner.get(URL).mock(return_value=documented(200))
            CLIENT.get(f"{URL}?{QUERY}", headers=HEADERS)

    assert found == [f"GET {URL}?{QUERY} -> no mock: the test goes on without an answer"]


def test_violations_are_notes_on_the_error_of_a_failing_test() -> None:
    outer = mocks._checked()
    next(outer)
    with collected() as found:
        violations(documented(200), method="POST")
    assert found == []  # `violations` has its own account
    with respx.mock() as router:
        router.get(URL).mock(return_value=httpx.Response(503))
        CLIENT.get(f"{URL}?{QUERY}", headers=HEADERS)
    with collected():
        pass
    with pytest.raises(ValueError, match="mine") as caught:
        outer.throw(ValueError("mine"))
    assert "503 is not in the contract" in caught.value.__notes__[0]


def test_a_violation_with_a_reason_passes() -> None:
    outage = httpx.Response(503, extensions={"off_spec": "an outage"})
    odd = documented(200, extensions={"off_spec_request": "the raw client sends it"})

    assert violations(outage) == []
    assert violations(odd, RANGE) == []


@pytest.mark.parametrize(
    ("extensions", "says"),
    [
        ({"off_spec": "an outage"}, "'off_spec' is not needed: an outage"),
        ({"off_spec_request": "an odd one"}, "'off_spec_request' is not needed: an odd one"),
        ({"off_spec": ""}, "'off_spec' has no reason"),
        ({"off_spec": None}, "'off_spec' has no reason"),
        ({"off_spec": True}, "'off_spec' has no reason"),
        ({"off_spec": "."}, "'off_spec' has no reason"),
    ],
)
def test_a_reason_that_is_stale_or_empty_fails(extensions: dict[str, Any], says: str) -> None:
    (violation,) = violations(documented(200, extensions=extensions))

    assert says in violation


def test_a_reason_for_the_reply_does_not_cover_the_request() -> None:
    for name in ("off_spec", "off_spec_request"):
        assert len(violations(httpx.Response(503, extensions={name: "an outage"}), RANGE)) == 1


def chunks(*parts: bytes) -> Iterator[bytes]:
    yield from parts


async def achunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def test_a_streamed_body_is_judged_and_can_still_be_read() -> None:
    async def ask() -> bytes:
        async with respx.mock() as router, httpx.AsyncClient() as client:
            router.get(URL).respond(200, stream=achunks(b"[6", b"]"), headers=JSON)  # type: ignore[arg-type]
            return (await client.get(f"{URL}?{QUERY}", headers=HEADERS)).content

    with collected() as found, respx.mock() as router:
        router.get(URL).respond(200, stream=chunks(b"[", b"5]"), headers=JSON)  # type: ignore[arg-type]
        assert CLIENT.get(f"{URL}?{QUERY}", headers=HEADERS).content == b"[5]"
    with collected() as found_too:
        assert asyncio.run(ask()) == b"[6]"

    assert found == found_too
    assert "$[0] is not of type object" in found[0]


FILE = '''
"""Violations of every kind of router."""
import httpx, pytest, respx
URL = "{url}?{query}"
BARE = URL.partition("?")[0]
HEADERS = {{"X-Api-Key": "key"}}
CLIENT = httpx.Client(headers=HEADERS)
OUTSIDE = respx.mock(assert_all_called=False)
OUTSIDE.get(BARE).respond(503)

@respx.mock
def test_off_spec_decorator():
    respx.get(BARE).respond(503)
    CLIENT.get(URL)

@respx.mock(assert_all_mocked=False)
def test_off_spec_decorator_with_parentheses_and_no_route(respx_mock):
    CLIENT.get(URL)

def test_off_spec_context_manager():
    with respx.mock as router:
        router.get(BARE).respond(200, text="[]")
        CLIENT.get(URL)

def test_off_spec_fixture(respx_mock):
    respx_mock.get(BARE).respond(503)
    CLIENT.get(URL)

def test_off_spec_nested_inner(respx_mock):
    with respx.mock() as inner:
        inner.get(BARE).respond(503)
        respx_mock.get("https://example.invalid/")
        CLIENT.get(URL)
    respx_mock.clear()

def test_off_spec_router_of_the_module():
    with OUTSIDE:
        CLIENT.get(URL)

def test_off_spec_router_as_transport():
    router = respx.Router()
    router.get(BARE).respond(503)
    httpx.Client(transport=httpx.MockTransport(router.handler)).get(URL, headers=HEADERS)

def test_off_spec_async():
    import asyncio
    async def ask():
        async with respx.mock() as router, httpx.AsyncClient() as client:
            router.get(BARE).respond(503)
            await client.get(URL, headers=HEADERS)
    asyncio.run(ask())

def test_off_spec_side_effect():
    with respx.mock() as router:
        router.get(BARE).mock(side_effect=lambda request: httpx.Response(503))
        CLIENT.get(URL)

def test_off_spec_that_the_code_under_test_swallows():
    with respx.mock() as router:
        router.get(BARE).respond(200, json=[{{}}])
        try:
            raise ValueError(CLIENT.get(URL).json())
        except Exception:
            pass

def test_off_spec_error_that_the_code_under_test_swallows():
    with respx.mock() as router:
        router.get(BARE).mock(side_effect=ValueError("of the mock"))
        try:
            CLIENT.get(URL)
        except Exception:
            pass

def test_on_spec_mock_transport_is_outside():
    transport = httpx.MockTransport(lambda request: httpx.Response(503))
    httpx.Client(transport=transport).get(URL, headers=HEADERS)

@pytest.fixture
def asked(respx_mock):
    respx_mock.get(BARE).respond(503)
    CLIENT.get(URL)

def test_off_spec_of_a_fixture(asked):
    pass

def test_on_spec(respx_mock):
    respx_mock.get(BARE).respond(200, json=[])
    CLIENT.get(URL)

def test_on_spec_with_a_reason(respx_mock):
    reply = httpx.Response(503, extensions={{"off_spec": "an outage"}})
    respx_mock.get(BARE).mock(return_value=reply)
    CLIENT.get(URL)
'''


PACKAGES = (str(ROOT), str(ROOT / "generated"), os.environ["PYTHONPATH"])


def test_every_kind_of_router_is_checked_without_an_import(tmp_path: Path) -> None:
    """In a new file: each violation fails its test, and the other tests pass."""
    shutil.copy(ROOT / "conftest.py", tmp_path)
    text = FILE.format(url=URL, query=QUERY)
    (tmp_path / "test_new.py").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-p", "respx.plugin", "test_new.py"),
        ],
        cwd=tmp_path,
        env=os.environ
        | {"COLUMNS": "200", "PYTHONPATH": os.pathsep.join(PACKAGES)}
        | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    red = set(
        re.findall(r"^(?:FAILED|ERROR) \S+::(\w+) - .*ContractViolation", done.stdout, re.MULTILINE)
    )

    assert red == set(re.findall(r"def (test_off_spec\w*)", text)), done.stdout
    assert re.search(r"\b3 passed", done.stdout)
    assert f"1 {mocks.OUTSIDE}" in done.stdout
