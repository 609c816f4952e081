"""Proxies and certificates of the environment are honoured, and ``verify`` is not lost."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest
import trustme

from cirrus_ext import APIConnectionError, RetryPolicy
from tests.support.clients import KEY, ask, use
from tests.support.faulty_server import LOOPBACK, answer, faulty, hang_up


@contextmanager
def proxy() -> Iterator[tuple[str, list[bytes]]]:
    """A proxy on loopback: CONNECT makes a tunnel, anything else it answers itself.

    Yields:
        Its address, and the heads of the requests that have come.
    """
    listener, heads, threads = socket.create_server((LOOPBACK, 0)), [], []

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def serve(plug: socket.socket) -> None:
        with plug, suppress(OSError):
            head = plug.recv(65536)
            heads.append(head)
            if not head.startswith(b"CONNECT "):
                plug.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]")
                return
            host, _, port = head.split()[1].decode().rpartition(":")
            with socket.create_connection((host, int(port))) as target:
                plug.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                back = threading.Thread(target=pump, args=(target, plug))
                back.start()
                pump(plug, target)
                back.join()

    def accept() -> None:
        with suppress(OSError):
            while True:
                threads.append(threading.Thread(target=serve, args=(listener.accept()[0],)))
                threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield f"http://{LOOPBACK}:{listener.getsockname()[1]}", heads
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in [accepting, *threads]:
            thread.join()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """An unknown certificate authority."""
    return trustme.CA()


@pytest.fixture
def server_context(authority: trustme.CA) -> ssl.SSLContext:
    """The TLS context of a server with a certificate of the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(LOOPBACK).configure_cert(context)
    return context


def test_a_server_that_speaks_no_tls_or_another_version_is_asked_once(
    client_kind: str, server_context: ssl.SSLContext
) -> None:
    with proxy() as (address, heads):
        with pytest.raises(APIConnectionError, match="WRONG_VERSION_NUMBER"):
            use(client_kind, ask, base_url=address.replace("http:", "https:"))
        assert len(heads) == 1

    server_context.maximum_version = ssl.TLSVersion.TLSv1_2
    newer = ssl.create_default_context()
    newer.minimum_version = ssl.TLSVersion.TLSv1_3
    with faulty(answer(), context=server_context) as server:
        with pytest.raises(APIConnectionError, match="ALERT_PROTOCOL_VERSION"):
            use(client_kind, ask, base_url=server.base_url, verify=newer)
        assert server.connections == 1


def test_a_connection_that_breaks_in_the_tls_handshake_is_tried_again(client_kind: str) -> None:
    with faulty(hang_up, context=cast("Any", ClosingContext())) as server:
        with pytest.raises(APIConnectionError):
            use(client_kind, ask, base_url=server.base_url, retry=RetryPolicy(backoff_base=0.01))
        assert server.connections == 4


class ClosingContext:
    """Closes each connection, and does no handshake."""

    def wrap_socket(self, plug: socket.socket, *, server_side: bool) -> socket.socket:
        del server_side
        plug.recv(65536)
        plug.close()
        raise OSError


def test_ssl_cert_file_names_further_authorities(
    client_kind: str,
    authority: trustme.CA,
    server_context: ssl.SSLContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with faulty(answer(), context=server_context) as server:
        assert use(client_kind, ask, base_url=server.base_url) == []


def test_verify_takes_a_context_or_turns_the_check_off(
    client_kind: str, authority: trustme.CA, server_context: ssl.SSLContext
) -> None:
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with faulty(answer(), context=server_context) as server:
        assert use(client_kind, ask, base_url=server.base_url, verify=trusting) == []
        assert use(client_kind, ask, base_url=server.base_url, verify=False) == []


def test_https_proxy_is_used_through_a_tunnel_and_does_not_see_the_key(
    client_kind: str,
    authority: trustme.CA,
    server_context: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with proxy() as (address, heads), faulty(answer(), context=server_context) as server:
        monkeypatch.setenv("HTTPS_PROXY", address)
        assert use(client_kind, ask, base_url=server.base_url, verify=trusting) == []
        with pytest.raises(APIConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
            use(client_kind, ask, base_url=server.base_url)

    assert [head.split()[0] for head in heads] == [b"CONNECT"] * 2
    assert KEY.encode() not in b"".join(heads)
    assert KEY.encode() in server.heads[0]
