"""No test reaches anything but loopback."""

import socket
import subprocess
import sys
from collections.abc import Callable

import httpx
import pytest

from cirrus_ext import CirrusClient
from tests.support.clients import KEY, ask

# By its words: a worker of pytest-xdist has the guard twice, and so two classes of one name.
FORBIDDEN = r"tests stay on loopback: .*"


@pytest.mark.parametrize(
    "send",
    [
        lambda plug: plug.connect(("192.0.2.1", 443)),
        lambda plug: plug.sendto(b"x", ("192.0.2.1", 9)),
        lambda plug: plug.sendmsg([b"x"], [], 0, ("192.0.2.1", 9)),
        lambda plug: plug.connect_ex(("192.0.2.1", 9)),
    ],
    ids=["connect", "sendto", "sendmsg", "connect_ex"],
)
def test_nothing_is_sent_to_another_machine(send: Callable[[socket.socket], object]) -> None:
    """192.0.2.0/24 belongs to nobody (RFC 5737)."""
    with (
        socket.socket(type=socket.SOCK_DGRAM) as plug,
        pytest.raises(RuntimeError, match=FORBIDDEN + r"192\.0\.2\.1"),
    ):
        send(plug)


def test_the_look_up_of_a_name_fails() -> None:
    with (
        CirrusClient(KEY) as client,
        pytest.raises(RuntimeError, match=FORBIDDEN + r"api\.mycirrus"),
    ):
        ask(client)


def test_a_child_process_has_the_guard_too() -> None:
    code = "import socket; socket.create_connection(('192.0.2.1', 443), timeout=1)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30
    )

    assert done.returncode == 1
    assert "NetworkForbiddenError" in done.stderr


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("localhost", port), timeout=5):
            pass
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/", timeout=5)
