"""Unusual but valid responses, echoed keys and proxy settings are understood."""

import contextvars
import gzip
import html
import json
import quopri
import traceback
import urllib.parse
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from cirrus_ext import (
    APIConnectionError,
    APIResponseError,
    AuthenticationError,
    CirrusClient,
    CirrusError,
    ConfigurationError,
    RetryPolicy,
)
from cirrus_ext.responses import Gunzip, is_cut_off
from cirrus_ext.settings import Secret
from tests.support import clients
from tests.support.clients import END, START, ask, use
from tests.support.faulty_server import Wire, answer, faulty

ENTRY = {"time": "2023-01-01T10:00:00Z", "user": "A. Nybody", "message": "Calibrated"}
QUICK = RetryPolicy(backoff_base=0.001, throttle_base=0.001)


def log(client_kind: str, **options: Any) -> list[Any]:
    found: list[Any] = use(client_kind, ask, retry=QUICK, **options)
    return found


@pytest.mark.parametrize(
    ("status", "attempts"),
    [
        *[(status, 1) for status in (400, 407, 501)],
        *[(status, 4) for status in (408, 429, 503)],
    ],
)
def test_a_proxy_error_to_connect_is_retried_as_the_same_status_is(
    client_kind: str, status: int, attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faulty(answer(b"", f"{status} Reason")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.base_url.removesuffix("/v1"))
        with pytest.raises(APIConnectionError, match=f"ProxyError: {status} Reason") as caught:
            log(client_kind, base_url="https://api.example.invalid/v1")

    assert (caught.value.attempts, len(proxy.heads)) == (attempts, attempts)


# --- bodies


def body(content: bytes, *headers: str) -> Callable[[Wire], None]:
    head = "\r\n".join(["HTTP/1.1 200 OK", "Connection: close", *headers, "", ""])
    return lambda wire: wire.send(head.encode() + content)


WHOLE = json.dumps([ENTRY, ENTRY]).encode()
MEMBERS = gzip.compress(WHOLE[:30]) + gzip.compress(WHOLE[30:])


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (WHOLE, []),
        (gzip.compress(WHOLE), ["Content-Encoding: x-gzip"]),
        (gzip.compress(WHOLE), ["Content-Encoding: GZIP"]),
        (MEMBERS, ["Content-Encoding: gzip"]),
        (MEMBERS + bytes(100), ["Content-Encoding: gzip", f"Content-Length: {len(MEMBERS) + 100}"]),
    ],
    ids=["no length", "x-gzip", "upper case", "two members", "zeros behind"],
)
def test_a_body_is_decoded_in_every_form(
    client_kind: str, content: bytes, headers: list[str]
) -> None:
    with faulty(body(content, *headers)) as server:
        assert len(log(client_kind, base_url=server.base_url)) == 2


@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (WHOLE[:-1], []),
        (WHOLE[:40], []),
        (gzip.compress(WHOLE)[:-10], ["Content-Encoding: gzip"]),
    ],
    ids=["one byte short", "half", "half a gzip stream"],
)
def test_a_body_without_a_length_that_breaks_off_is_requested_again(
    client_kind: str, content: bytes, headers: list[str]
) -> None:
    with faulty(body(content, *headers), body(WHOLE)) as server:
        assert len(log(client_kind, base_url=server.base_url)) == 2
        assert len(server.heads) == 2

    with faulty(body(content, *headers)) as server, pytest.raises(APIConnectionError) as caught:
        log(client_kind, base_url=server.base_url)
    assert caught.value.attempts == 4


@pytest.mark.parametrize(
    "content",
    [
        '[{"a": "é\\"\\\\", "b": [true, false, null, -1.5e3, {}]}]',
        ' {"a\\u00e9\\"\\/": [1E+5, 0.1e-7]}',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_every_beginning_of_a_json_array_or_object_is_cut_off(content: str, encoding: str) -> None:
    whole = content.encode(encoding)
    start = len(content[: len(content) - len(content.lstrip()) + 1].encode(encoding))

    assert all(is_cut_off(whole[:end]) for end in range(start, len(whole)))
    assert not is_cut_off(whole)
    assert not is_cut_off((content + "]").encode(encoding))


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"tru", b"[1 2]", b"[" * 100_000, b'["\xff"]', b'["\\uXXXX"]']
)
def test_what_is_invalid_is_not_cut_off(content: bytes) -> None:
    assert not is_cut_off(content)


def test_zeros_after_a_member_of_gzip_may_come_in_any_chunk() -> None:
    padded = gzip.compress(b"[1") + bytes(3) + gzip.compress(b"]") + bytes(2)
    for size in (1, 7, len(padded)):
        gunzip = Gunzip()
        chunks = [padded[start : start + size] for start in range(0, len(padded), size)]
        assert b"".join(map(gunzip.decode, chunks)) == b"[1]"
        assert gunzip.is_complete


@pytest.mark.parametrize("content", [b"<html>", b"", WHOLE + b"x", b"tru", b"[" + b"1" * 5_000])
def test_an_invalid_body_that_is_complete_is_not_requested_again(
    client_kind: str, content: bytes
) -> None:
    with faulty(body(content)) as server, pytest.raises(APIResponseError):
        log(client_kind, base_url=server.base_url)

    assert len(server.heads) == 1


# --- the key in an answer

KEY = "AbC/dEf+gHi==&<'\"\\ü"[:-1]
SPELLINGS = {
    "as it is": KEY,
    "JSON": json.dumps(KEY)[1:-1],
    "JSON with an escaped slash": json.dumps(KEY)[1:-1].replace("/", "\\/"),
    "JSON in lower-case escapes": "".join(rf"\u{ord(one):04x}" for one in KEY),
    "JSON in upper-case escapes": "".join(rf"\u{ord(one):04X}" for one in KEY),
    "JSON in JSON": json.dumps(json.dumps(KEY)[1:-1])[1:-1],
    "URL": urllib.parse.quote(KEY, safe=""),
    "URL in lower case": "".join(f"%{ord(one):02x}" for one in KEY),
    "URL twice": urllib.parse.quote(urllib.parse.quote(KEY, safe=""), safe=""),
    "JavaScript": "".join(rf"\x{ord(one):02x}" for one in KEY),
    "quoted-printable": quopri.encodestring(("x" * 64 + KEY).encode()).decode()[64:],
    "HTML": html.escape(KEY),
    "HTML in numbers": "".join(f"&#{ord(one)};" for one in KEY),
    "HTML in hexadecimal": "".join(f"&#x{ord(one):X};" for one in KEY),
    "HTML in names": KEY.replace("+", "&plus;").replace("/", "&sol;").replace("=", "&equals;"),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=list(SPELLINGS))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_the_key_is_removed_in_every_spelling(spelling: str, encoding: str) -> None:
    body = f"before {spelling} after".encode(encoding)
    transport = httpx.MockTransport(lambda _: httpx.Response(401, content=body))
    with (
        CirrusClient(KEY, transport=transport) as client,
        pytest.raises(AuthenticationError) as caught,
    ):
        ask(client)

    assert caught.value.body == "before [API key] after"


@pytest.mark.parametrize(
    "reply",
    [
        f"{clients.KEY} HTTP/1.1",
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{clients.KEY}",
    ],
    ids=["status line", "chunk header"],
)
def test_a_key_that_is_echoed_in_what_is_no_http_is_not_in_the_cause(
    client_kind: str, reply: str
) -> None:
    def echo(wire: Wire) -> None:
        wire.send(f"{reply}\r\n\r\n".encode())

    with faulty(echo) as server, pytest.raises(APIConnectionError) as caught:
        log(client_kind, base_url=server.base_url)

    assert clients.KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("length", [20, 64, 128, 300])
def test_an_error_holds_no_part_of_a_key_that_it_cuts(length: int) -> None:
    key = "k7" * (length // 2)
    for body in ([{"time": key}], {"error": "x" * 90 + key, "more": [key] * 1_000}):
        for status in (200, 401):
            response = httpx.Response(status, json=body)
            with (
                CirrusClient(key, transport=httpx.MockTransport(lambda _, r=response: r)) as client,
                pytest.raises(CirrusError) as caught,
            ):
                ask(client)
            assert "k7" not in str(caught.value) + repr(vars(caught.value))


def test_to_look_for_the_key_takes_a_time_that_grows_with_the_body_alone() -> None:
    for repeated in ("\\", "%25", "&amp;", "&#0"):
        assert Secret("\\" * 40).scrub("x" + repeated * 5_000).startswith("x")


# --- the environment


@pytest.mark.parametrize(
    ("no_proxy", "proxied"),
    [
        ("localhost,fe80::/10", True),
        ("[::1]", True),
        ("127.0.0.1,fd07:b51a:cc66:f0::/64", False),
        ("10.0.0.0/8,127.0.0.1/8", False),
        ("10.0.0.0/8,::1", True),
        ("m\u00fcller.example,host:port,a\tb,\u200b,127.0.0.1", False),
        ("m\u00fcller.example,host:port,a\tb,\u200b", True),
    ],
)
def test_no_proxy_may_name_what_httpx_does_not_know(
    client_kind: str, no_proxy: str, proxied: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faulty(answer()) as proxy, faulty(answer()) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.base_url.removesuffix("/v1"))
        monkeypatch.setenv("NO_PROXY", no_proxy)
        log(client_kind, base_url=server.base_url)

    assert (len(proxy.heads), len(server.heads)) == ((1, 0) if proxied else (0, 1))
    assert not proxied or proxy.heads[0].startswith(f"GET {server.base_url}/data/".encode())


@pytest.mark.parametrize(
    "base_url",
    ["https://api..example.invalid", "http://.example", f"http://{'a' * 64}.invalid"],
)
def test_a_host_that_cannot_be_looked_up_is_refused(base_url: str) -> None:
    with pytest.raises(ConfigurationError, match="base_url must be an address"):
        CirrusClient("key", base_url=base_url)


def test_a_host_that_is_invalid_punycode_is_a_cirrus_error(client_kind: str) -> None:
    with pytest.raises(CirrusError):
        log(client_kind, base_url="http://xn--/")


def test_on_event_sees_the_context_variables_of_the_caller() -> None:
    job: contextvars.ContextVar[str] = contextvars.ContextVar("job", default="lost")
    seen: list[str] = []
    with (
        faulty(answer(b"", "503 Away"), answer()) as server,
        CirrusClient(
            "key", base_url=server.base_url, retry=QUICK, on_event=lambda _: seen.append(job.get())
        ) as client,
    ):
        job.set("job 7")
        list(client.calibration_history(["QT1"], start=START, end=END))

    assert seen == ["job 7"]
