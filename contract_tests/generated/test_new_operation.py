"""An operation that is added to the spec works through the raw client as it comes."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from .test_generated import generate

# A second operation, as somebody would add it who has read another of the vendor's pages.
OPERATION = """
  /control/instruments/{serial}:
    get:
      operationId: "getInstrument"
      tags: ["Instruments"]
      security:
        - apikey: []
      parameters:
        - name: "serial"
          in: "path"
          required: true
          schema: {type: "string"}
      responses:
        "200":
          description: "OK"
          content:
            application/json:
              schema:
                $ref: "#/components/schemas/Instrument"
"""
SCHEMA = """
    Instrument:
      type: "object"
      required: ["serialNumber"]
      properties:
        serialNumber: {type: "string"}
"""
PROGRAM = """
import asyncio, httpx
from mycirrus_client.api.instruments import get_instrument
from cirrus_ext import *

good = lambda: httpx.Response(200, json={"serialNumber": "QT1"})

def playing(*script):
    remaining = list(script)
    def respond(request):
        assert request.headers["X-Api-Key"] == "canary"
        assert request.url.path == "/v1/control/instruments/QT1"
        assert request.extensions["timeout"]["read"] == 30.0
        return remaining.pop(0)
    return httpx.MockTransport(respond)

def ask(*script, policy=RetryPolicy(backoff_base=0, throttle_base=0)):
    with CirrusClient("canary", transport=playing(*script), retry=policy) as client:
        return get_instrument.sync(serial="QT1", client=client.raw)

async def ask_async(*script):
    policy = RetryPolicy(backoff_base=0, throttle_base=0)
    async with AsyncCirrusClient("canary", transport=playing(*script), retry=policy) as client:
        return await get_instrument.asyncio(serial="QT1", client=client.raw)

def error(*script):
    try:
        return ask(*script)
    except CirrusError as error:
        return type(error).__name__, error.attempts

bad = lambda status: httpx.Response(status, html="<p>no</p>")
print(ask(bad(503), bad(429), good()).serial_number)
print(asyncio.run(ask_async(bad(520), good())).serial_number)
print(error(bad(403)), error(*[bad(429) for _ in range(4)]), error(bad(404)))
print(error(bad(200)))
"""


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose spec has a second operation, and its client."""
    root = tmp_path_factory.mktemp("extended")
    for name in ("openapi", "generated", "cirrus_ext"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    spec = root / "openapi" / "mycirrus.yaml"
    text = spec.read_text(encoding="utf-8")
    text = text.replace("\ncomponents:\n", f"{OPERATION}\ncomponents:\n")
    spec.write_text(text.rstrip("\n") + SCHEMA, encoding="utf-8")
    done = generate(root)
    assert done.returncode == 0, done.stderr
    return root


def test_an_added_operation_has_key_timeouts_retries_and_typed_errors(extended: Path) -> None:
    """With no hand-written line for it."""
    program = extended / "program.py"
    path = f"import sys; sys.path[:0] = [{str(extended)!r}, {str(extended / 'generated')!r}]\n"
    program.write_text(path + PROGRAM, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "QT1",
        "QT1",
        "('PermissionDeniedError', 1) ('RateLimitError', 4) ('APIStatusError', 1)",
        "('APIResponseError', 1)",
    ]


def test_the_first_operation_is_as_it_was(extended: Path) -> None:
    """Its file does not change when another comes."""
    path = Path("generated/mycirrus_client/api/system_health_data/get_calibrations_log.py")

    assert (extended / path).read_bytes() == (ROOT / path).read_bytes()
