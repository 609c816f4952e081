"""The private names of httpx that the SDK uses: each exists, or the SDK works without it.

`_get_proxy_map` has its tests in ``test_wire.py``: NO_PROXY may name IPv6 addresses and networks.
"""

from typing import Any

import httpx
import pytest

from cirrus_ext import AsyncCirrusClient, CirrusClient
from cirrus_ext.deadline import BoundedBackend, LookUpBackend, wrap_backends
from tests.support.clients import KEY, ask, use
from tests.support.faulty_server import answer, faulty


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:9"])
@pytest.mark.parametrize(
    ("client_class", "backend"),
    [(CirrusClient, BoundedBackend), (AsyncCirrusClient, LookUpBackend)],
)
def test_every_connection_is_made_where_it_can_be_stopped(
    client_class: Any, backend: type, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if proxy is not None:
        monkeypatch.setenv("ALL_PROXY", proxy)
    client = client_class(KEY)._http
    transports = [one for one in (client._transport, *client._mounts.values()) if one is not None]

    assert len(transports) == (1 if proxy is None else 2)
    assert all(isinstance(one._pool._network_backend, backend) for one in transports)


@pytest.mark.parametrize("name", ["_transport", "_mounts"])
def test_a_client_works_where_httpx_has_renamed_what_is_private(
    client_kind: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Renamed:
        def __init__(self, client: Any) -> None:
            self.__dict__.update({key: value for key, value in vars(client).items() if key != name})

    monkeypatch.setattr(
        "cirrus_ext.deadline.wrap_backends",
        lambda client, wrapper: wrap_backends(Renamed(client), wrapper),
    )
    with faulty(answer()) as server:
        assert use(client_kind, ask, base_url=server.base_url) == []


def test_a_transport_of_the_caller_is_left_as_it_is() -> None:
    transport: Any = httpx.HTTPTransport()
    CirrusClient(KEY, transport=transport)

    assert not isinstance(transport._pool._network_backend, BoundedBackend)
