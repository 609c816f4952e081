"""``make peer-check``: run the SDK against a server that this project did not write.

The server is Prism, a mock server from the npm registry. It reads ``openapi/mycirrus.yaml`` with a
parser of its own, judges every request by it, and answers with the examples in it: a second opinion
on the spec and the SDK. It has none on the length and order of ranges, nor on the value of a key,
and does not tell a repeated ``instruments`` from one with commas.

Exit codes: 0 all is ok, or skipped; 1 something is not; 2 Prism could not be installed or started.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from cirrus_ext import (
    APIStatusError,
    AsyncCirrusClient,
    AuthenticationError,
    CalibrationLogItem,
    CalibrationRecord,
    CirrusClient,
    PermissionDeniedError,
    RateLimitError,
    RetryPolicy,
    plan_history,
)
from mycirrus_client.api.system_health_data import get_calibrations_log
from mycirrus_contract.model import PATH, SPEC_FILE, tolerant
from tests.support.paths import ROOT

PACKAGE, VERSION = "@stoplight/prism-cli", "5.14.2"  # 5.16 wants a newer Node
FOLDER = ROOT / ".build" / "prism"
PROGRAM = FOLDER / "node_modules" / ".bin" / "prism"
STAMP = FOLDER / "installed"  # holds the version; written when the installation is whole

INSTALL_LIMIT = 300.0  # seconds
START_LIMIT = 60.0
STOP_LIMIT = 5.0

LOOPBACK = "127.0.0.1"
LISTENING = re.compile(rf"listening on (http://{re.escape(LOOPBACK)}:\d+)\s")

LOG = tolerant().operation(PATH)
API_KEY = "peer-check"  # Prism takes any
ONCE = RetryPolicy(max_attempts=1)
THREE_YEARS = {"start": "2021-01-01T00:00:00Z", "end": "2024-01-01T00:00:00Z"}

Facts = tuple[datetime, object, object]


class PrismError(Exception):
    """Prism could not be installed or started, so there is nothing to say about the SDK."""


@dataclass(frozen=True)
class Finding:
    """What a check has seen, and whether it should be so."""

    ok: bool
    seen: str


@dataclass
class Peer:
    """Prism, as one check sees it.

    Attributes:
        base_url: Where it is.
        prefer: The status that it is asked to answer with; None leaves it to Prism.
        answers: What the SDK got from it.
    """

    base_url: str
    prefer: int | None = None
    answers: list[httpx.Response] = field(default_factory=list)

    def connect(self) -> CirrusClient:
        """Make a client that does not retry: what goes wrong once is to be seen."""
        return CirrusClient(API_KEY, base_url=self.base_url, retry=ONCE, transport=Wire(self))

    def connect_async(self) -> AsyncCirrusClient:
        """The same as `connect`, for an event loop."""
        return AsyncCirrusClient(
            API_KEY, base_url=self.base_url, retry=ONCE, transport=AsyncWire(self)
        )

    def prepare(self, request: httpx.Request) -> None:
        """Ask for the status, in Prism's way."""
        if self.prefer:
            request.headers["Prefer"] = f"code={self.prefer}"

    def problems(self) -> list[str]:
        """What is wrong with the answers, if the SDK asks as the spec wants it; each thing once."""
        wanted = self.prefer or 200
        odd = [f"answered {got}" for each in self.answers if (got := each.status_code) != wanted]
        against = [f"Prism: {text}" for each in self.answers for text in violations(each)]
        return list(dict.fromkeys(odd + against))


class Wire(httpx.HTTPTransport):
    """The network, with a memory. Goes around proxies: Prism is on loopback."""

    def __init__(self, peer: Peer) -> None:
        super().__init__()
        self._peer = peer

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and keep the answer."""
        self._peer.prepare(request)
        self._peer.answers.append(response := super().handle_request(request))
        return response


class AsyncWire(httpx.AsyncHTTPTransport):
    """The same as `Wire`, in an event loop."""

    def __init__(self, peer: Peer) -> None:
        super().__init__()
        self._peer = peer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and keep the answer."""
        self._peer.prepare(request)
        self._peer.answers.append(response := await super().handle_async_request(request))
        return response


def violations(response: httpx.Response) -> list[str]:
    """What Prism has against a request, or against its own answer."""
    return [each["message"] for each in json.loads(response.headers.get("sl-violations", "[]"))]


def example_call() -> dict[str, Any]:
    """The page's example call: the arguments by name."""
    return {each["name"]: each["example"] for each in LOG.definition["parameters"]}


def example_facts() -> Facts:
    """The page's example item: time, user and message."""
    [item] = LOG.example(200)
    return datetime.fromisoformat(item["time"]), item["user"], item["message"]


def facts(item: CalibrationLogItem | CalibrationRecord) -> Facts:
    """Time, user and message."""
    return item.time, item.user, item.message


def check_log(peer: Peer) -> Finding:
    """One request of the sync client gives the example."""
    with peer.connect() as client:
        return _is_example(client.calibration_log(**example_call()))


def check_async_log(peer: Peer) -> Finding:
    """One request of the async client gives the example."""
    return asyncio.run(_check_async_log(peer))


async def _check_async_log(peer: Peer) -> Finding:
    async with peer.connect_async() as client:
        return _is_example(await client.calibration_log(**example_call()))


def check_raw(peer: Peer) -> Finding:
    """The generated client by itself, which writes times in another way, gives the example."""
    call = example_call()
    start, end = (datetime.fromisoformat(call[name]) for name in ("start", "end"))
    with peer.connect() as client:
        items = get_calibrations_log.sync(
            client=client.raw, instruments=call["instruments"], start=start, end=end
        )
    return _is_example(items) if isinstance(items, list) else Finding(ok=False, seen=repr(items))


def _is_example(items: Iterable[CalibrationLogItem]) -> Finding:
    got = [facts(item) for item in items]
    lines = [f"{_moment(moment)}, {user}, {message}" for moment, user, message in got]
    return Finding(got == [example_facts()], "; ".join(lines) or "no items")


def check_history(peer: Peer) -> Finding:
    """A long history takes the planned requests, and gives each instrument its item once.

    Prism answers every window with the example; the one window that it lies in keeps it.
    """
    serials = example_call()["instruments"]
    planned = len(plan_history(serials, **THREE_YEARS))
    with peer.connect() as client:
        records = list(client.calibration_history(serials, **THREE_YEARS))
    got = [(record.instrument, facts(record)) for record in records]
    once_each = got == [(serial, example_facts()) for serial in serials]
    kept = [f"{record.instrument} {_moment(record.time)}" for record in records]
    seen = "; ".join([f"{len(peer.answers)} requests, {planned} planned", *kept])
    return Finding(once_each and len(peer.answers) == planned, seen)


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def check_refusal(peer: Peer, *, status: int, kind: type[APIStatusError]) -> Finding:
    """An error status becomes its exception, with the words of the page's example."""
    peer.prefer, page = status, LOG.example(status)
    with peer.connect() as client:
        try:
            items = client.calibration_log(**example_call())
        except APIStatusError as error:
            as_on_page = (error.code, error.description) == (page["error"], page["description"])
            seen = f"{type(error).__name__} {error.code}: {error.description}"
            return Finding(type(error) is kind and as_on_page, seen)
    return Finding(ok=False, seen=f"no error, but {items!r}")


def check_off_spec(
    peer: Peer, *, change: dict[str, Any], about: str, with_key: bool = True
) -> Finding:
    """The example call with one thing wrong is refused, and for that thing.

    Args:
        peer: Prism.
        change: What is put in the place of the example's arguments.
        about: What Prism's reason must speak of.
        with_key: Whether a key is sent.
    """
    headers = {"X-Api-Key": API_KEY} if with_key else {}
    with httpx.Client(base_url=peer.base_url, headers=headers, trust_env=False) as client:
        response = client.get(PATH, params=example_call() | change)
    reasons = violations(response)
    ok = response.is_client_error and len(reasons) == 1 and about in reasons[0]
    return Finding(ok, f"{response.status_code}; Prism: {'; '.join(reasons) or 'nothing'}")


CHECKS: dict[str, Callable[[Peer], Finding]] = {
    "calibration_log, sync": check_log,
    "calibration_log, async": check_async_log,
    "calibration_history": check_history,
    "the raw client": check_raw,
    "401": partial(check_refusal, status=401, kind=AuthenticationError),
    "403": partial(check_refusal, status=403, kind=PermissionDeniedError),
    "429": partial(check_refusal, status=429, kind=RateLimitError),
    "no instruments": partial(check_off_spec, change={"instruments": []}, about="'instruments'"),
    "a naive start": partial(
        check_off_spec, change={"start": "2023-01-01T00:00:00"}, about="parameter start"
    ),
    "no key": partial(check_off_spec, change={}, about="security", with_key=False),
}


def run(base_url: str) -> bool:
    """Make all checks and print a line for each.

    Returns:
        Whether all are ok.
    """
    all_ok = True
    for name, check in CHECKS.items():
        peer = Peer(base_url)
        try:
            finding = check(peer)
        except Exception as error:  # noqa: BLE001 - whatever comes out of the SDK is a finding
            finding = Finding(ok=False, seen=f"{type(error).__name__}: {error}")
        problems = peer.problems()
        ok = finding.ok and not problems
        print("; ".join([f"{'ok' if ok else 'NOT OK'}  {name}: {finding.seen}", *problems]))
        all_ok = all_ok and ok
    return all_ok


def install(npm: str) -> None:
    """Install Prism below the repository, unless it is there.

    Raises:
        PrismError: npm failed.
    """
    if PROGRAM.exists() and STAMP.exists() and STAMP.read_text(encoding="utf-8") == VERSION:
        return
    print(f"Installing {PACKAGE} {VERSION} into {FOLDER.relative_to(ROOT)} ...", flush=True)
    shutil.rmtree(FOLDER, ignore_errors=True)  # another version, or a half-made one
    FOLDER.mkdir(parents=True)
    options = ["--ignore-scripts", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]
    command = [npm, "install", "--prefix", str(FOLDER), *options, f"{PACKAGE}@{VERSION}"]
    try:
        subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=INSTALL_LIMIT, env=_env()
        )
    except subprocess.SubprocessError as error:
        output = getattr(error, "stderr", None) or error
        raise PrismError(f"Prism could not be installed: {output}") from error
    STAMP.write_text(VERSION, encoding="utf-8")


@contextmanager
def serve(node: str) -> Iterator[str]:
    """Let Prism serve the spec on a free port of loopback, and stop it when the block ends.

    Yields:
        The base URL. Prism leaves out the path of the spec's server.

    Raises:
        PrismError: It did not start.
    """
    command = [node, str(PROGRAM), "mock", "--host", LOOPBACK, "--port", "0", str(SPEC_FILE)]
    with (
        tempfile.NamedTemporaryFile(prefix="prism-", suffix=".log") as log,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_env(),
            start_new_session=True,  # so that Ctrl-C is ours to handle
        ) as process,
    ):
        try:
            yield _address(process, Path(log.name))
        finally:
            _stop(process)


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Wait until Prism listens, and take the address from what it prints then."""
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        if match := LISTENING.search(log.read_text(encoding="utf-8", errors="replace")):
            return match[1]
        time.sleep(0.05)
    output = log.read_text(encoding="utf-8", errors="replace")
    raise PrismError(f"Prism did not start (exit code {process.poll()}):\n{output}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End the process group of Prism: politely, then not."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        os.killpg(process.pid, number)
        try:
            process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            continue


def _env() -> dict[str, str]:
    """Our environment without the API key, which is nothing to foreign programs; no colours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MYCIRRUS_")}
    return kept | {"FORCE_COLOR": "0"}


def main() -> int:
    """Install, serve, check.

    Returns:
        The exit code: as above, or 130 after Ctrl-C.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        print(f"skipped: Prism needs node and npm, and {'npm' if node else 'node'} is not on PATH")
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that Prism is stopped then too
    began = time.monotonic()
    try:
        install(npm)
        with serve(node) as base_url:
            print(f"Prism {VERSION} serves {SPEC_FILE.relative_to(ROOT)} at {base_url}", flush=True)
            all_ok = run(base_url)
    except PrismError as error:
        print(f"peer-check: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped.")
        return 130
    verdict = "all ok" if all_ok else "not all ok"
    print(f"{len(CHECKS)} checks, {verdict}, {time.monotonic() - began:.1f} s")
    return 0 if all_ok else 1


if __name__ == "__main__":
    sys.exit(main())
