"""``make peer-check``: run the SDK against a server that this project did not write.

The server is Prism, a mock server from the npm registry. It reads ``openapi/mycirrus.yaml`` with a
parser of its own, judges every request by it, and answers with the examples in it: a second opinion
on the spec and the SDK. It checks neither the length and order of ranges nor the value of a key,
and does not distinguish a repeated ``instruments`` from one with commas.

Exit codes: 0 all is ok, or skipped; 1 something is not; 2 Prism did not start.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from cirrus_ext import (
    APIStatusError,
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

PRISM = "@stoplight/prism-cli@5.14.2"  # 5.16 needs a newer Node
START_LIMIT = 300.0  # seconds; npx may have to download it first
LOOPBACK = "127.0.0.1"

LOG = tolerant().operation(PATH)
API_KEY = "peer-check"  # Prism accepts any
CALL: dict[str, Any] = {one["name"]: one["example"] for one in LOG.definition["parameters"]}
THREE_YEARS = {"start": "2021-01-01T00:00:00Z", "end": "2024-01-01T00:00:00Z"}


class Wire(httpx.HTTPTransport):
    """The network without proxies; asks Prism for a status, and keeps its answers."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.answers: list[httpx.Response] = []
        self._status = status

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["Prefer"] = f"code={self._status}"
        self.answers.append(response := super().handle_request(request))
        return response


def violations(response: httpx.Response) -> list[str]:
    """What Prism finds wrong with a request, or with its own answer."""
    return [each["message"] for each in json.loads(response.headers.get("sl-violations", "[]"))]


def values(item: CalibrationLogItem | CalibrationRecord) -> tuple[datetime, object, object]:
    return item.time, item.user, item.message


def log(client: CirrusClient) -> object:
    return [values(item) for item in client.calibration_log(**CALL)]


def raw(client: CirrusClient) -> object:
    start, end = (datetime.fromisoformat(CALL[name]) for name in ("start", "end"))
    items = get_calibrations_log.sync(
        client=client.raw, instruments=CALL["instruments"], start=start, end=end
    )
    return [values(item) for item in items] if isinstance(items, list) else items


def history(client: CirrusClient) -> object:
    """Prism answers every window with the example; the window that it lies in keeps it."""
    records = client.calibration_history(CALL["instruments"], **THREE_YEARS)
    return [(record.instrument, *values(record)) for record in records]


def refusal(client: CirrusClient) -> object:
    try:
        return client.calibration_log(**CALL)
    except APIStatusError as error:
        return type(error), {"error": error.code, "description": error.description}


@dataclass(frozen=True)
class Check:
    """One check of the SDK.

    Attributes:
        name: In the output.
        send: Sends requests, and returns what the SDK makes of the answers.
        expected: What it has to return.
        status: The status that Prism has to answer with.
        requests: How many requests it takes.
    """

    name: str
    send: Callable[[CirrusClient], object]
    expected: object
    status: int = 200
    requests: int = 1

    def problems(self, base_url: str) -> list[str]:
        """Send the requests, and say what is wrong; empty if nothing is."""
        wire = Wire(self.status)
        once = RetryPolicy(max_attempts=1)  # so that what goes wrong once is seen
        with CirrusClient(API_KEY, base_url=base_url, retry=once, transport=wire) as client:
            try:
                got = self.send(client)
            except Exception as error:  # noqa: BLE001 - any exception of the SDK is a finding
                got = error
        found = [] if got == self.expected else [f"{got!r} is not {self.expected!r}"]
        if [one.status_code for one in wire.answers] != [self.status] * self.requests:
            found.append(f"answers: {wire.answers}")
        return found + [f"Prism: {text}" for one in wire.answers for text in violations(one)]


(ITEM,) = LOG.example(200)
EXAMPLE = (datetime.fromisoformat(ITEM["time"]), ITEM["user"], ITEM["message"])
SERIALS = CALL["instruments"]
CHECKS = (
    Check("calibration_log", log, [EXAMPLE]),
    Check("the raw client", raw, [EXAMPLE]),
    Check(
        "calibration_history",
        history,
        [(serial, *EXAMPLE) for serial in SERIALS],
        requests=len(plan_history(SERIALS, **THREE_YEARS)),
    ),
    *(
        Check(str(status), refusal, (kind, LOG.example(status)), status)
        for status, kind in (
            (401, AuthenticationError),
            (403, PermissionDeniedError),
            (429, RateLimitError),
        )
    ),
)
KEY = {"X-Api-Key": API_KEY}
# A request against the spec: its name, the change, its headers, and what Prism's reason names.
OFF_SPEC: tuple[tuple[str, dict[str, Any], dict[str, str], str], ...] = (
    ("no instruments", {"instruments": []}, KEY, "'instruments'"),
    ("a naive start", {"start": "2023-01-01T00:00:00"}, KEY, "parameter start"),
    ("no key", {}, {}, "security"),
)


def refused(base_url: str, change: dict[str, Any], headers: dict[str, str], about: str) -> bool:
    """Whether Prism refuses the example call with one thing wrong, and for that thing."""
    with httpx.Client(base_url=base_url, headers=headers, trust_env=False) as client:
        response = client.get(PATH, params=CALL | change)
    reasons = violations(response)
    return response.is_client_error and bool(reasons) and all(about in one for one in reasons)


def failures(base_url: str) -> Iterator[str]:
    """Run all checks, print a line for each, and name those that fail."""
    results = {check.name: check.problems(base_url) for check in CHECKS}
    for name, change, headers, about in OFF_SPEC:
        is_refused = refused(base_url, change, headers, about)
        results[name] = [] if is_refused else ["not refused for that reason"]
    for name, problems in results.items():
        print("; ".join([f"{'NOT OK' if problems else 'ok'}  {name}", *problems]))
        if problems:
            yield name


@contextmanager
def serve(npx: str) -> Iterator[str | None]:
    """Serve the spec by Prism on loopback, and stop it when the block ends.

    Yields:
        The base URL, without the path of the spec's server; None if Prism did not start.
    """
    with socket.create_server((LOOPBACK, 0)) as free:
        port = free.getsockname()[1]
    command = [npx, "--yes", PRISM, "mock", "--host", LOOPBACK, "--port", f"{port}", str(SPEC_FILE)]
    # A foreign program gets no API key.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MYCIRRUS_")}
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=kept,
        start_new_session=True,  # npx starts Prism in a process of its own
    ) as process:
        try:
            yield f"http://{LOOPBACK}:{port}" if _is_up(process, port) else None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)


def _is_up(process: "subprocess.Popen[bytes]", port: int) -> bool:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection((LOOPBACK, port)):
            return True
        time.sleep(0.1)
    return False


def main() -> int:
    """Serve and check.

    Returns:
        The exit code: as above, or 130 after Ctrl-C.
    """
    npx = shutil.which("npx")
    if npx is None:
        print("skipped: Prism needs npx, and there is none on PATH")
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that Prism is stopped then too
    try:
        with serve(npx) as base_url:
            if base_url is None:
                print(f"peer-check: {PRISM} did not start", file=sys.stderr)
                return 2
            return 1 if list(failures(base_url)) else 0
    except KeyboardInterrupt:
        print("\nStopped.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
