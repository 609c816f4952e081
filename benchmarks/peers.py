"""The peers, each a small function.

For single calls, a peer is a context manager that yields the call that is measured: all send the
same request and check the status, and each returns what its user would work with. For histories, a
peer does the whole work.
"""

import asyncio
import importlib
import shutil
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
from httpx_retries import Retry, RetryTransport

from cirrus_ext import AsyncCirrusClient, CirrusClient, HistoryWindow, plan_history
from mycirrus_client import AuthenticatedClient
from mycirrus_client.api.system_health_data import get_calibrations_log

ROOT = Path(__file__).parents[1]
KEY = "benchmark-key"
HEADERS = {"X-Api-Key": KEY, "Accept": "application/json"}
PATH = "/data/calibrations/log"
INSTRUMENTS = ["QT123456"]
START, END = datetime(2022, 1, 1, tzinfo=UTC), datetime(2023, 1, 1, tzinfo=UTC)
PARAMS = {
    "instruments": INSTRUMENTS,
    "start": "2022-01-01T00:00:00Z",
    "end": "2023-01-01T00:00:00Z",
}
RANGE: Any = {"instruments": INSTRUMENTS, "start": START, "end": END}
TIMEOUT = httpx.Timeout(30.0)

IN_FLIGHT = 8
FLEET = [f"QT{number:06}" for number in range(100)]
YEARS: Any = {"start": "2019-01-01T00:00:00Z", "end": "2024-01-01T00:00:00Z"}
WINDOWS = plan_history(FLEET, **YEARS)
MANY = [*WINDOWS, *WINDOWS][:1000]

Ask = Callable[[], Any]
AsyncAsk = Callable[[], Awaitable[Any]]

# The client of OpenAPI Generator, and its folder.
GENERATOR = "OpenAPI Generator"
WRITTEN = ROOT / ".build" / "bench" / "openapi_generator"


@contextmanager
def cirrus_ext(base_url: str) -> Generator[Ask]:
    with CirrusClient(KEY, base_url=base_url) as client:
        yield lambda: client.calibration_log(INSTRUMENTS, start=START, end=END)


@contextmanager
def bare_httpx(base_url: str) -> Generator[Ask]:
    with httpx.Client(base_url=base_url, headers=HEADERS) as client:
        yield lambda: client.get(PATH, params=PARAMS).raise_for_status().json()


@contextmanager
def raw_client(base_url: str) -> Generator[Ask]:
    with _raw(base_url) as client:
        yield lambda: get_calibrations_log.sync(client=client, **RANGE)


class Item(msgspec.Struct):  # type: ignore[misc]  # mypy runs without the group bench
    time: datetime
    user: str | None = None
    message: str | None = None


@contextmanager
def httpx_msgspec(base_url: str) -> Generator[Ask]:
    """The fastest parser into objects that Python has."""
    decode = msgspec.json.Decoder(list[Item]).decode
    with httpx.Client(base_url=base_url, headers=HEADERS) as client:
        yield lambda: decode(client.get(PATH, params=PARAMS).raise_for_status().content)


@contextmanager
def openapi_generator(base_url: str) -> Generator[Ask]:
    """The client that OpenAPI Generator writes from the same spec; it uses urllib3."""
    rival: Any = importlib.import_module("openapi_client")
    settings = rival.Configuration(host=base_url, api_key={"apikey": KEY})
    with rival.ApiClient(settings) as client:
        api = rival.SystemHealthDataApi(client)
        yield lambda: api.get_calibrations_log(**RANGE)


@asynccontextmanager
async def cirrus_ext_async(base_url: str) -> AsyncGenerator[AsyncAsk]:
    async with AsyncCirrusClient(KEY, base_url=base_url, max_concurrency=IN_FLIGHT) as client:
        yield lambda: client.calibration_log(INSTRUMENTS, start=START, end=END)


@asynccontextmanager
async def bare_httpx_async(base_url: str) -> AsyncGenerator[AsyncAsk]:
    async with httpx.AsyncClient(base_url=base_url, headers=HEADERS) as client:

        async def ask() -> Any:
            return (await client.get(PATH, params=PARAMS)).raise_for_status().json()

        yield ask


@asynccontextmanager
async def raw_client_async(base_url: str) -> AsyncGenerator[AsyncAsk]:
    async with _raw(base_url) as client:
        yield lambda: get_calibrations_log.asyncio(client=client, **RANGE)


def history(base_url: str) -> int:
    """The history of the fleet, with a new client.

    Returns:
        The number of requests: each is answered with one record.
    """
    with CirrusClient(KEY, base_url=base_url, max_concurrency=IN_FLIGHT) as client:
        return sum(1 for _ in client.calibration_history(FLEET, **YEARS))


def history_async(base_url: str) -> int:
    async def count() -> int:
        client = AsyncCirrusClient(KEY, base_url=base_url, max_concurrency=IN_FLIGHT)
        async with client:
            return len([one async for one in client.calibration_history(FLEET, **YEARS)])

    return asyncio.run(count())


def windows(client: CirrusClient, *, ordered: bool) -> int:
    return sum(1 for _ in client.history_windows(MANY, ordered=ordered))


async def windows_async(client: AsyncCirrusClient, *, ordered: bool) -> int:
    return len([one async for one in client.history_windows(MANY, ordered=ordered)])


def loop(base_url: str) -> int:
    """A tenth of the requests, one after the other, with the raw client."""
    with _raw(base_url) as client:
        return sum(_ask_raw(client, window) for window in WINDOWS[::10])


def threads_with_httpx_retries(base_url: str) -> int:
    """Eight threads, and a transport that waits as a 429 asks.

    With its default of 10 attempts, some requests meet a 429 at each of them.
    """
    transport = RetryTransport(retry=Retry(total=100))
    client = _raw(base_url, httpx_args={"transport": transport})
    with client, ThreadPoolExecutor(IN_FLIGHT) as pool:
        return sum(pool.map(partial(_ask_raw, client), WINDOWS))


def _ask_raw(client: AuthenticatedClient, window: HistoryWindow) -> int:
    items = get_calibrations_log.sync(
        client=client, instruments=[window.instrument], start=window.start, end=window.end
    )
    if not isinstance(items, list):
        raise TypeError(f"no items: {items!r}")
    return len(items)


def _raw(base_url: str, **options: Any) -> AuthenticatedClient:
    return AuthenticatedClient(
        base_url, KEY, prefix="", auth_header_name="X-Api-Key", timeout=TIMEOUT, **options
    )


def write_openapi_generator_client() -> str:
    """Make the client of OpenAPI Generator importable.

    Returns:
        Why it cannot be measured; empty if it can.
    """
    if shutil.which("java") is None:
        return "needs Java"
    spec, log = ROOT / "openapi" / "mycirrus.yaml", WRITTEN.with_suffix(".log")
    shutil.rmtree(WRITTEN, ignore_errors=True)
    WRITTEN.parent.mkdir(parents=True, exist_ok=True)
    command = Path(sys.executable).with_name("openapi-generator-cli")
    words = [str(word) for word in (command, "generate", "-g", "python", "-i", spec, "-o", WRITTEN)]
    with log.open("w", encoding="utf-8") as output:
        code = subprocess.run(words, stdout=output, stderr=output, check=False).returncode
    if code != 0:
        return f"its generator failed: see {log.relative_to(ROOT)}"
    sys.path.append(str(WRITTEN))
    return ""
