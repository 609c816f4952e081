"""The generated client that a client hands out has its key, its retries and its typed errors."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from mycirrus_client.api.system_health_data import get_calibrations_log
from cirrus_ext import APIResponseError, AsyncCirrusClient, CirrusClient, CirrusError, ConfigurationError, RateLimitError

from tests.support.clock import FakeClock
from tests.support.clients import KEY, use
from contract_tests.spec.page import PAGE
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.rules import World

QUESTION: dict[str, Any] = {
    "instruments": ["QT123456"],
    "start": datetime(2022, 1, 1, tzinfo=UTC),
    "end": datetime(2022, 12, 31, tzinfo=UTC),
}


def ask_raw(client: CirrusClient | AsyncCirrusClient) -> Any:
    if isinstance(client, AsyncCirrusClient):
        return get_calibrations_log.asyncio_detailed(client=client.raw, **QUESTION)
    return get_calibrations_log.sync_detailed(client=client.raw, **QUESTION)


def test_the_raw_client_sends_the_key_and_retries(client_kind: str, clock: FakeClock) -> None:
    standin = Standin(
        World(Standin().world.entries, keys=frozenset({KEY})),
        script={1: "429-wait-1", 2: "503-html"},
    )
    response = use(client_kind, ask_raw, transport=standin.transport(), _clock=clock.clock())

    assert response.status_code == 200
    assert "Installed and working" in [item.message for item in response.parsed]
    assert len(standin.requests) == 3


@pytest.mark.parametrize("status", [429, 520])
def test_the_raw_client_raises_typed_errors_for_statuses(
    client_kind: str, clock: FakeClock, status: int
) -> None:
    """The generated code by itself returns the body, or raises a ValueError."""
    transport = httpx.MockTransport(lambda request: httpx.Response(status, html="<p>no</p>"))
    with pytest.raises(CirrusError) as caught:
        use(client_kind, ask_raw, transport=transport, _clock=clock.clock())

    assert isinstance(caught.value, RateLimitError) == (status == 429)
    assert caught.value.attempts == 4


def test_the_raw_client_raises_a_typed_error_for_a_200_that_is_not_json(client_kind: str) -> None:
    """The generated code by itself raises a JSONDecodeError."""
    transport = httpx.MockTransport(lambda request: httpx.Response(200, html="<p>Hello</p>"))
    with pytest.raises(APIResponseError, match=r"\$ is not JSON"):
        use(client_kind, ask_raw, transport=transport)


def test_the_raw_client_of_the_other_kind_is_refused() -> None:
    """It has neither key nor retries."""
    with CirrusClient(KEY) as client, pytest.raises(ConfigurationError, match="AsyncCirrusClient"):
        asyncio.run(get_calibrations_log.asyncio(client=client.raw, **QUESTION))
    other = AsyncCirrusClient(KEY)
    with pytest.raises(ConfigurationError, match=r"use CirrusClient\(\)\.raw"):
        get_calibrations_log.sync(client=other.raw, **QUESTION)


def test_the_generated_client_works_by_itself() -> None:
    from mycirrus_client import AuthenticatedClient  # noqa: PLC0415 - what this test is about

    transport = Standin().transport()
    client = AuthenticatedClient(
        "http://127.0.0.1/v1",
        token="nobody's key",  # noqa: S106 - nobody's
        prefix="",
        auth_header_name="X-Api-Key",
        httpx_args={"transport": transport},
    )
    refused = get_calibrations_log.sync(client=client, **QUESTION)

    assert refused is not None
    assert not isinstance(refused, list)
    assert refused.error == PAGE["responses"]["401"]["example"]["error"]
