"""The pytest plugin: a fixture with a local MyCirrus API.

pytest loads it wherever the package is installed, so it imports the standard library and pytest
only; the fixture imports the rest, which needs the extra ``contract``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .messages import Request

MARKER = (
    "mycirrus_standin(*faults, **switches): faulty replies such as '429-wait-1@2', and behaviour "
    "such as order='newest first'; 'mycirrus standin --help' lists both"
)


@dataclass(frozen=True)
class MyCirrusStandin:
    """A MyCirrus API on loopback, with the calibration log of a small fleet, made up.

    Attributes:
        url: Its base URL.
        key: An API key that it accepts.
        key_without_scope: An API key that it refuses with 403.
        serials: Serial numbers of its instruments.
        requests: The requests for the log so far; grows with each.
    """

    url: str
    key: str
    key_without_scope: str
    serials: tuple[str, ...]
    requests: list[Request]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def mycirrus_standin(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MyCirrusStandin]:
    """A fresh stand-in for the MyCirrus API; the marker of the same name gives it arguments."""
    try:
        from .standin import adapters, rules  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        pytest.fail(
            f"the fixture mycirrus_standin needs {error.name}: pip install '.[contract]' in a "
            "checkout of the project",
            pytrace=False,
        )
    faults: list[str] = []
    switches: dict[str, Any] = {}
    for mark in request.node.iter_markers("mycirrus_standin"):  # the closest first
        faults += mark.args
        switches = {**mark.kwargs, **switches}
    try:
        standin = adapters.standin_of(faults, switches)
    except (TypeError, ValueError) as error:
        pytest.fail(f"the marker mycirrus_standin is invalid: {error}", pytrace=False)
    monkeypatch.setenv("NO_PROXY", adapters.LOOPBACK)
    monkeypatch.setenv("no_proxy", adapters.LOOPBACK)
    with adapters.serve(standin) as url:
        yield MyCirrusStandin(
            url, rules.DEMO_KEY, rules.KEY_WITHOUT_SCOPE, standin.serials, standin.requests
        )
