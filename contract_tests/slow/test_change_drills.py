"""A change of the spec costs what it is worth: one edit, and failures that say where to look.

Each drill copies the project, edits the copy as somebody would whom the vendor's page told so,
generates the client, and runs the tests that should notice. "When the vendor changes something" in
the docs describes the same.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.paths import ROOT

SPEC = "openapi/mycirrus.yaml"
STRICT = "openapi/strict.yaml"
PAGE = "contract_tests/spec/pages/getcalibrationslog.yaml"
RULES = "mycirrus_contract/standin/rules.py"
PACKAGES = ("mycirrus_client", "cirrus_ext", "mycirrus_contract", "mycirrus_cli")
FOLDERS = (*PACKAGES[1:], "generated", "openapi", "contract_tests", "tests", "examples", "docs")
FILES = ("pyproject.toml", "conftest.py", "schemathesis.toml", "Makefile", "README.md")
NOTICING = (
    "contract_tests/spec",
    "contract_tests/generated/test_raw.py",
    "contract_tests/generated/test_request.py",
    "contract_tests/mocks",
    "contract_tests/standin/test_standin.py",
    "contract_tests/suite",
    "tests/sdk/test_ranges.py",
    "tests/sdk/test_answers.py",
)


@dataclass(frozen=True)
class Project:
    root: Path

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that is there once, or in the first place that it is at."""
        path = self.root / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {name}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def python(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run Python in the copy, with the packages of the copy."""
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.root,
            env=ENVIRONMENT | {"PYTHONPATH": f"{self.root}:{self.root / 'generated'}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )

    def generate(self) -> None:
        """Write the client that the spec of the copy describes."""
        done = self.python("openapi/generate.py")
        assert done.returncode == 0, done.stderr

    def failures(self, *more: str) -> list[str]:
        """Run the tests that should notice.

        Returns:
            Each failed test with what it says.
        """
        done = self.python(
            *("-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "-rN", *NOTICING, *more)
        )
        assert done.returncode in {0, 1}, done.stdout[-3000:] + done.stderr[-3000:]
        assert re.search(r"\d+ (passed|failed)", done.stdout), done.stdout[-3000:]
        return re.split(r"^_{3,} .+ _{3,}$", done.stdout, flags=re.MULTILINE)[1:]


ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    copy = Project(tmp_path)
    show = f"import {', '.join(PACKAGES)}; print(*(m.__file__ for m in ({', '.join(PACKAGES)})))"
    imported = copy.python("-c", show).stdout.split()
    assert len(imported) == len(PACKAGES)
    assert all(Path(file).is_relative_to(tmp_path) for file in imported), imported
    return copy


OPERATION = """
  /control/instruments:
    get:
      operationId: "getInstruments"
      tags: ["Instruments"]
      summary: "Fetch instruments"
      x-cirrus-scope: "control.instruments:read"
      x-source: "vendor: the page of this operation"
      security:
        - apikey: []
      parameters:
        - name: "limit"
          in: "query"
          schema: {type: "integer", minimum: 1, maximum: 100}
      responses:
        "200":
          description: "OK"
          content:
            application/json:
              schema: {type: "array", items: {$ref: "#/components/schemas/Instrument"}}
              example: [{serialNumber: "QT123456"}]
        "400":
          description: "The request was refused"
          content:
            application/json: {schema: {$ref: "#/components/schemas/ErrorBody"}}
        "401":
          description: "Your access token is invalid or has expired"
          content:
            application/json:
              schema: {$ref: "#/components/schemas/ErrorBody"}
              example: {error: "TokenExpired", description: "Try again."}
        "403":
          description: "You do not have permission to access this data"
          content:
            application/json:
              schema: {$ref: "#/components/schemas/ErrorBody"}
              example: {error: "AccessDenied", description: "No."}
"""
INSTRUMENT = """
    Instrument:
      type: "object"
      x-source: "vendor: the page of this operation"
      required: ["serialNumber"]
      properties: {serialNumber: {type: "string"}}
"""
TESTS_OF_THE_OPERATION = """
import httpx, pytest, respx, schemathesis
from contract_tests.mocks.guard import collected
from contract_tests.suite.test_schemathesis import config
from cirrus_ext import CirrusClient, PermissionDeniedError, RetryPolicy
from mycirrus_client.api.instruments import get_instruments
from mycirrus_contract.model import SPEC_FILE, tolerant
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.rules import ROUTES, Route, without_route

PATH = "/control/instruments"
URL = "https://api.mycirrus.cloud/v1" + PATH

def test_the_raw_client_calls_it_with_key_and_retries_and_raises_typed_errors(respx_mock):
    route = respx_mock.get(URL, headers={"X-Api-Key": "key"}).mock(side_effect=[
        httpx.Response(429, json={"error": "TooManyRequests", "description": "No."},
                       extensions={"off_spec": "the contract has no 429 of this operation"}),
        httpx.Response(200, json=[{"serialNumber": "QT1"}]),
        httpx.Response(403, json={"error": "AccessDenied", "description": "No."}),
    ])
    with CirrusClient("key", retry=RetryPolicy(throttle_base=0)) as client:
        (one,) = get_instruments.sync(client=client.raw, limit=5)
        with pytest.raises(PermissionDeniedError):
            get_instruments.sync(client=client.raw)
    assert (one.serial_number, route.call_count) == ("QT1", 3)

@pytest.mark.parametrize(("query", "body", "says"), [
    ("?limit=many", [], "query limit is not of type integer"),
    ("?start=2023-01-01T00:00:00Z", [], "query has an unknown parameter: start"),
    ("", [{}], "$[0] has no field 'serialNumber'"),
])
def test_a_mock_of_it_off_spec_is_named_with_its_path(query, body, says):
    with collected() as found, respx.mock() as router:
        router.get(URL).respond(200, json=body)
        httpx.get(URL + query, headers={"X-Api-Key": "key"})
    assert len(found) == 1 and says in found[0] and "/control/instruments" in found[0]
    assert "calibrations" not in found[0]

def test_the_stand_in_says_that_it_lacks_it():
    assert "GET /control/instruments" in [str(one) for one in without_route()]

operation = tolerant().operation(PATH)
assert (operation.scope, operation.range_rule) == ("control.instruments:read", None)

@pytest.fixture(scope="module")
def route():
    body = lambda parameters, world: [{"serialNumber": "QT1"}]
    ROUTES[PATH] = Route(operation.scope, frozenset(), body)
    yield
    del ROUTES[PATH]

schema = schemathesis.openapi.from_path(SPEC_FILE, config=config()).include(path=PATH)
schema.app = Standin()

@schema.parametrize()
def test_schemathesis_passes_with_a_route_for_it(case, route):
    case.call_and_validate()
"""


def add_operation(project: Project) -> None:
    project.edit(SPEC, "\ncomponents:\n", f"{OPERATION}\ncomponents:\n")
    project.edit(SPEC, "\n    ErrorBody:\n", f"{INSTRUMENT}\n    ErrorBody:\n")
    test = project.root / "contract_tests" / "spec" / "test_drill.py"
    test.write_text(TESTS_OF_THE_OPERATION, encoding="utf-8")


def add_operation_like_the_log(project: Project) -> None:
    """The same three parameters and the same range rule, at another path."""
    text = (project.root / SPEC).read_text(encoding="utf-8")
    begin, end = text.index("  /data/calibrations/log:"), text.index("\ncomponents:\n")
    twin = text[begin:end].replace("/data/calibrations/log:", "/data/calibrations/summary:")
    twin = twin.replace("getCalibrationsLog", "getCalibrationsSummary")
    mark = '      x-source: "vendor: the page of this operation"\n      summary:'
    project.edit(SPEC, "\ncomponents:\n", twin.replace("      summary:", mark) + "\ncomponents:\n")


def add_status(project: Project) -> None:
    project.edit(
        PAGE,
        '  "429":',
        '  "404":\n    description: "Not found"\n'
        '    example: {error: "NotFound", description: "No."}\n'
        '  "429":',
    )
    project.edit(
        SPEC,
        '        "429":',
        '        "404":\n          description: "Not found"\n          content:\n'
        "            application/json:\n"
        '              schema: {$ref: "#/components/schemas/ErrorBody"}\n'
        '              example: {error: "NotFound", description: "No."}\n'
        '        "429":',
    )


def add_parameter(project: Project) -> None:
    """An optional parameter of the log."""
    project.edit(
        SPEC,
        "      responses:\n",
        '        - name: "limit"\n          in: "query"\n          x-source: "vendor: the page"\n'
        '          schema: {type: "integer", minimum: 1}\n      responses:\n',
    )


def from_the_docs(start: str) -> str:
    """The block of "An example: every entry gets a field" that begins so, without its margin."""
    text = (ROOT / "docs" / "vendor-changes.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^   ```(?:yaml|py)\n(.*?)^   ```$", text, re.MULTILINE | re.DOTALL)
    (block,) = {one for one in map(_without_margin, blocks) if one.startswith(start)}
    return block


def _without_margin(block: str) -> str:
    return "".join(line[3:] for line in block.splitlines(keepends=True))


def add_optional_field(project: Project) -> None:
    """A field of an item that may be absent."""
    project.edit(SPEC, "        user:\n", from_the_docs("        firmware:\n") + "        user:\n")


def add_required_field(project: Project) -> None:
    """A field that every item has: the example of the docs, up to the line of code."""
    add_optional_field(project)
    required = '      required: ["time", "user", "message"]\n'
    project.edit(STRICT, required, from_the_docs("      required:"))
    for name, indent in ((SPEC, 18), (PAGE, 8)):
        line = f'{" " * indent}message: "Installed and working"\n'
        project.edit(name, line, line + from_the_docs(f'{" " * indent}firmware: "2.1"'))


def rename_field(project: Project) -> None:
    project.edit(SPEC, "        message:\n", "        note:\n")
    project.edit(STRICT, '"message"]', '"note"]')
    project.edit(STRICT, "message: {type", "note: {type")
    for name in (SPEC, PAGE):
        project.edit(name, 'message: "Installed', 'note: "Installed')


def double_range(project: Project) -> None:
    project.edit(SPEC, 'max: "P1Y"', 'max: "P2Y"')


def test_what_is_added_needs_no_line_of_code(project: Project) -> None:
    """All at once, as a run of the tests takes minutes."""
    add_operation_like_the_log(project)
    add_operation(project)
    add_status(project)
    add_parameter(project)
    add_optional_field(project)
    project.generate()

    if failures := project.failures():
        pytest.fail("\n".join(failures), pytrace=False)


Change = Callable[[Project], None]
CHANGES: dict[Change, tuple[str, ...]] = {
    rename_field: ("openapi/mycirrus.yaml:", "cirrus_ext/calibration_log.py"),
    add_required_field: ("openapi/strict.yaml:", "mycirrus_contract/standin/rules.py"),
    double_range: ("openapi/mycirrus.yaml:", "cirrus_ext/ranges.py"),
}


@pytest.mark.parametrize(
    ("change", "names"), CHANGES.items(), ids=lambda one: getattr(one, "__name__", "")
)
def test_what_changes_fails_few_tests_that_name_the_place(
    project: Project, change: Change, names: tuple[str, ...]
) -> None:
    change(project)
    project.generate()
    failures = project.failures()

    assert 1 <= len(failures) <= 10
    for failure in failures:
        assert re.search(r"(openapi|cirrus_ext|mycirrus_contract)/\w+(/\w+)?\.(yaml|py)", failure)
    assert all(name in "".join(failures) for name in names)


def test_the_example_of_the_docs_ends_with_no_failure(project: Project) -> None:
    add_required_field(project)
    line = '        "message": entry.message,\n'
    project.edit(RULES, line, line + from_the_docs('        "firmware"'))
    project.generate()

    if failures := project.failures():
        pytest.fail("\n".join(failures), pytrace=False)
