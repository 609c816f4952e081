"""A client with invalid settings is not made."""

import traceback
from typing import Any, cast

import httpx
import pytest

from cirrus_ext import AsyncCirrusClient, CirrusClient, ConfigurationError
from cirrus_ext.settings import DEFAULT_BASE_URL, find_base_url
from mycirrus_contract.model import tolerant
from tests.support.clients import KEY, ask, frames_of, use

BAD: list[tuple[dict[str, Any], str]] = [
    ({"base_url": "api.mycirrus.cloud/v1"}, "base_url must be an address such as https://"),
    ({"base_url": "ftp://127.0.0.1"}, "'ftp://127.0.0.1'"),
    ({"base_url": "https://"}, "base_url must be an address"),
    ({"base_url": "http://127.0.0.1:99999"}, "base_url must be an address"),
    ({"base_url": "http://127.0.0.1/ v1"}, "base_url must be an address"),
    ({"base_url": "http://127.0.0.1/?x=1"}, "no user, password, query or fragment"),
    ({"base_url": "http://127.0.0.1/v1?"}, "no user, password, query or fragment"),
    ({"base_url": "http://127.0.0.1/v1#"}, "no user, password, query or fragment"),
    ({"base_url": "http://1.2.3.999/v1"}, "look at base_url"),
    ({"base_url": 5}, "base_url must be a str: int"),
    ({"timeout": 0}, "timeout must be a number of seconds, more than 0: 0"),
    ({"timeout": None}, "timeout must be a number of seconds, more than 0: None"),
    ({"timeout": float("inf")}, "timeout must be a number of seconds, at most 1000000: inf"),
    ({"timeout": 9.3e9}, "timeout must be a number of seconds, at most 1000000: 9300000000.0"),
    ({"timeout": True}, "timeout must be a number of seconds, more than 0: True"),
    ({"max_concurrency": 0}, "max_concurrency must be a whole number from 1 to 1000: 0"),
    ({"max_concurrency": 2.0}, "max_concurrency must be a whole number from 1 to 1000: 2.0"),
    ({"max_concurrency": 2**62}, "max_concurrency must be a whole number from 1 to 1000: 46116"),
    ({"transport": object()}, "must have handle_"),
    ({"retry": 3}, "retry must be a RetryPolicy: 3"),
    ({"retry": None}, "retry must be a RetryPolicy: None"),
    ({"verify": "ca.pem"}, "verify must be True, False or an ssl.SSLContext: 'ca.pem'"),
    ({"on_event": "print"}, "on_event must be callable: 'print'"),
]


@pytest.mark.parametrize("client_class", [CirrusClient, AsyncCirrusClient])
@pytest.mark.parametrize(("options", "says"), BAD)
def test_a_bad_setting_is_refused_with_name_bound_and_value(
    client_class: type, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        client_class(KEY, **options)

    assert says in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_a_transport_of_the_other_client_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="must have handle_request: AsyncHTTPTransport"):
        CirrusClient(KEY, transport=cast("Any", httpx.AsyncHTTPTransport()))
    with pytest.raises(ConfigurationError, match="must have handle_async_request: HTTPTransport"):
        AsyncCirrusClient(KEY, transport=cast("Any", httpx.HTTPTransport()))


@pytest.mark.parametrize(
    "base_url",
    [
        "https://me:hunter2@127.0.0.1/v1",
        "https://:hunter2@127.0.0.1/v1",
        "https://hunter2@127.0.0.1/v1",
        "https://me:hunter2@127.0.0.1:99999",
        "https://me:hunter2@a..b",
        "https://me:hunter2@[::1",
        "https://me:hunter2/x@127.0.0.1",
        "https://me:1/hunter2@127.0.0.1",
        "https://me:hunter2%40127.0.0.1",
        "https://127.0.0.1:port?key=hunter2",
        "me:hunter2@127.0.0.1",
        "ftp://me:hunter2@127.0.0.1",
        b"https://me:hunter2@127.0.0.1",
    ],
)
def test_a_password_in_the_address_is_refused_and_not_shown(base_url: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"no user, password|must be a str") as caught:
        CirrusClient(KEY, base_url=base_url)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("client_class", [CirrusClient, AsyncCirrusClient])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_PROXY", "foo://127.0.0.1:1"),
        ("HTTP_PROXY", "foo://hunter2@127.0.0.1:1"),
        ("HTTP_PROXY", "http://1.2.3.999:1"),
        ("HTTPS_PROXY", "http://me:hunter2/x@127.0.0.1:1"),
        ("HTTPS_PROXY", "http://me:hunter2#@127.0.0.1:1"),
        ("ALL_PROXY", "socks5://127.0.0.1:1"),
        pytest.param(
            "SSL_CERT_FILE",
            "/nonexistent/ca.pem",
            marks=pytest.mark.skipif(
                httpx.__version__.startswith("0.27"), reason="httpx 0.27 passes over such a file"
            ),
        ),
    ],
)
def test_an_invalid_environment_is_refused_without_showing_its_secrets(
    client_class: type, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="variables of the environment") as caught:
        client_class(KEY)

    assert KEY not in frames_of(caught.value)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_the_default_server_is_the_specs() -> None:
    """The generated client does not know it, so it is written twice."""
    assert tolerant().base_url == DEFAULT_BASE_URL


@pytest.mark.parametrize(
    ("spelling", "address"),
    [
        ("HTTP://Localhost:80/V1/", "http://localhost/V1"),
        ("https://[::1]:443/v1", "https://[::1]/v1"),
        ("http://localhost:443", "http://localhost:443"),
    ],
)
def test_all_spellings_of_an_address_are_the_same(spelling: str, address: str) -> None:
    assert find_base_url(spelling) == address


def test_the_server_is_taken_from_argument_then_environment_then_spec(
    client_kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url).partition("/data/")[0])
        return httpx.Response(200, json=[])

    transport = httpx.MockTransport(answer)
    use(client_kind, ask, transport=transport)
    monkeypatch.setenv("MYCIRRUS_BASE_URL", "http://127.0.0.1:1/a/")
    use(client_kind, ask, transport=transport)
    use(client_kind, ask, transport=transport, base_url="http://127.0.0.1:2/b")

    assert seen == [DEFAULT_BASE_URL, "http://127.0.0.1:1/a", "http://127.0.0.1:2/b"]
    monkeypatch.setenv("MYCIRRUS_BASE_URL", "127.0.0.1")
    with pytest.raises(ConfigurationError, match="MYCIRRUS_BASE_URL must be an address"):
        use(client_kind, ask, transport=transport)


def test_a_bad_timeout_for_one_call_is_refused(client_kind: str) -> None:
    with pytest.raises(
        ConfigurationError, match="timeout must be a number of seconds, more than 0: -1"
    ):
        use(
            client_kind,
            lambda client: client.calibration_log(
                ["QT1"], start="2023-01-01T00:00:00Z", end="2023-01-02T00:00:00Z", timeout=-1
            ),
        )
