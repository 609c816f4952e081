"""Settings and fixtures of all tests: no network, no key or server from the environment."""

import functools
import gc
import os
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from contract_tests.mocks import guard as mocks
from contract_tests.spec import follow
from tests.support import browser
from tests.support.clock import FakeClock
from tests.support.offline import sitecustomize

# The same examples in every run of `make test`; more of them, and fresh ones, on demand.
settings.register_profile("usual", max_examples=100, derandomize=True, deadline=None)
settings.register_profile("brief", max_examples=60, derandomize=True, deadline=None)
settings.register_profile("thorough", max_examples=10_000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "usual"))

# Ctrl-C is ignored in what a script runs in the background, and tests of Ctrl-C would hang.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The keyring of the user who runs the tests is left alone.
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"

# Child processes have the same guard.
os.environ["PYTHONPATH"] = str(Path(sitecustomize.__file__).parent)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where the code does not follow the spec, run only the tests that say so."""
    problems = follow.problems()
    if problems and not any("test_follow" in item.nodeid for item in items):
        raise pytest.UsageError("the code does not follow the spec:\n" + "\n".join(problems))
    for item in items if problems else ():
        if not item.nodeid.startswith("contract_tests/spec/"):
            reason = "the code does not follow the spec: contract_tests/spec/test_follow.py"
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish() -> None:
    """Exclude what was imported and collected from all later garbage collections."""
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    """Let the guard of the mocks see every test."""
    config.pluginmanager.register(mocks)


@pytest.fixture(autouse=True)
def _no_settings_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = ("MYCIRRUS_API_KEY", "MYCIRRUS_BASE_URL", "MYCIRRUS_INSTRUMENTS")
    for name in (*ours, "GITHUB_ACTIONS", "GITHUB_OUTPUT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="session", autouse=True)
def _load_certificates_once() -> Iterator[None]:
    """Each client of httpx loads the same file, which takes 50 ms."""
    create, cached = ssl.create_default_context, functools.cache(ssl.create_default_context)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            ssl,
            "create_default_context",
            lambda *args, **options: (cached if "cafile" in options else create)(*args, **options),
        )
        yield


@pytest.fixture
def clock() -> FakeClock:
    """A clock that moves only when a test waits."""
    return FakeClock()


@pytest.fixture(params=["sync", "async"])
def client_kind(request: pytest.FixtureRequest) -> str:
    """Each of the two clients."""
    return str(request.param)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a browser of this machine."""
    found = browser.found()
    if found is None:
        pytest.skip(f"no browser here: none of {', '.join(browser.CHROMIUM)} is on the PATH")
    return found
