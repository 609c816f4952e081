"""The key comes from the argument or the environment, and is shown nowhere."""

import pickle
from typing import Any

import httpx
import pytest

from cirrus_ext import AsyncCirrusClient, CirrusClient, ConfigurationError
from cirrus_ext.settings import Secret
from tests.support.clients import KEY, ask, frames_of

CLIENTS = [CirrusClient, AsyncCirrusClient]


@pytest.mark.parametrize("client_class", CLIENTS)
def test_a_client_without_a_key_is_refused_with_what_to_do(client_class: type) -> None:
    with pytest.raises(ConfigurationError, match="pass api_key, or set MYCIRRUS_API_KEY"):
        client_class()


def test_the_key_is_taken_from_the_environment_when_the_client_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["X-Api-Key"])
        return httpx.Response(200, json=[])

    monkeypatch.setenv("MYCIRRUS_API_KEY", "from-the-environment")
    for arguments in ((), ("from-the-argument",)):
        with CirrusClient(*arguments, transport=httpx.MockTransport(answer)) as client:
            ask(client)

    assert seen == ["from-the-environment", "from-the-argument"]


@pytest.mark.parametrize("client_class", CLIENTS)
@pytest.mark.parametrize(
    "key",
    ["", "canary key", "canary\n", "canary\x00", "canärý", b"canary", 5, '"canary"', "'canary'"],
    ids=repr,
)
def test_a_key_that_is_no_valid_header_is_refused_and_not_shown(
    client_class: type, key: Any
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        client_class(key)

    assert "api_key" in str(caught.value)
    assert "canary" not in frames_of(caught.value)


def test_a_secret_refuses_to_be_pickled() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Secret(KEY))


@pytest.mark.parametrize("client_class", CLIENTS)
def test_a_client_refuses_to_be_pickled_and_says_what_to_do(client_class: type) -> None:
    with pytest.raises(TypeError, match=r"Make one in each worker, from the environment"):
        pickle.dumps(client_class(KEY))
