"""What the SDK takes of httpx and httpcore that is not public: each is there, or is done without.

`_get_proxy_map` has its tests in ``test_wire.py``: NO_PROXY may name IPv6 addresses and networks.
"""

from typing import Any

import pytest

from cirrus_ext import CirrusClient
from cirrus_ext.deadline import BoundedBackend, bound_reads
from tests.support.clients import KEY, ask
from tests.support.faulty_server import answer, faulty


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:9"])
def test_the_reads_of_every_connection_are_bounded(
    proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if proxy is not None:
        monkeypatch.setenv("ALL_PROXY", proxy)
    with CirrusClient(KEY) as client:
        transports: list[Any] = [client._http._transport, *client._http._mounts.values()]
        backends = [one._pool._network_backend for one in transports if one is not None]

    assert len(backends) == (1 if proxy is None else 2)
    assert all(isinstance(backend, BoundedBackend) for backend in backends)


@pytest.mark.parametrize("name", ["_transport", "_mounts"])
def test_a_client_works_where_httpx_has_renamed_what_is_private(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Renamed:
        def __init__(self, client: Any) -> None:
            self.__dict__.update({key: value for key, value in vars(client).items() if key != name})

    monkeypatch.setattr("cirrus_ext.http.bound_reads", lambda client: bound_reads(Renamed(client)))
    with faulty(answer()) as server, CirrusClient(KEY, base_url=server.base_url) as client:
        assert ask(client) == []
