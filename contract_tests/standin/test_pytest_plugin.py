"""The pytest plugin serves the stand-in to other people's tests, and costs the others nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from mycirrus_contract.pytest_plugin import MyCirrusStandin
from tests.support.paths import ROOT

INVALID = {
    "'503@1'": "the marker mycirrus_standin is invalid: there is no fault '503'",
    "'429'": "a fault needs the number of its request, as in 429@2: '429'",
    "year='decade'": "year must be one of calendar, 365 days, 366 days: 'decade'",
    "years=1": "unexpected keyword argument 'years'",
}


def test_in_another_project_the_example_passes_and_an_invalid_marker_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no other plugin, and with a proxy that cannot reach loopback."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    shutil.copy(ROOT / "examples" / "test_standin.py", tmp_path)
    program = "import pytest\n"
    for number, marker in enumerate(INVALID):
        program += f"""
@pytest.mark.mycirrus_standin({marker})
def test_{number}(mycirrus_standin): pass
"""
    (tmp_path / "test_invalid.py").write_text(program, encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-W", "error", "--strict-markers"),
            *("-p", "mycirrus_contract.pytest_plugin", "--tb=line"),
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (1, "")
    assert f"\n2 passed, {len(INVALID)} errors in " in done.stdout
    assert [line for line in INVALID.values() if line not in done.stdout] == []
    assert "Traceback" not in done.stdout


def test_the_plugin_imports_the_standard_library_and_pytest_only() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import mycirrus_contract.pytest_plugin;"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert set(done.stdout.split()) - set(sys.stdlib_module_names) == {"mycirrus_contract"}


@pytest.mark.mycirrus_standin(names_instrument=True, order="newest first")
class TestMarkers:
    """The markers of a class and of a test add up; a value of the test comes first."""

    @pytest.mark.mycirrus_standin("429@1", order="by instrument")
    def test_a_marker_adds_to_that_of_its_class(self, mycirrus_standin: MyCirrusStandin) -> None:
        query = {
            "instruments": mycirrus_standin.serials,
            "start": "2022-01-01T00:00:00Z",
            "end": "2023-01-01T00:00:00Z",
        }
        with httpx.Client(headers={"X-Api-Key": mycirrus_standin.key}) as client:
            url = f"{mycirrus_standin.url}/data/calibrations/log"
            first, second = (client.get(url, params=query) for _ in range(2))
        serials = [item["instrument"] for item in second.json()]

        assert (first.status_code, second.status_code) == (429, 200)
        assert serials == sorted(serials)
        assert [request.parameters["start"] for request in mycirrus_standin.requests] == [
            ["2022-01-01T00:00:00Z"]
        ] * 2


def test_a_key_without_scope_is_refused(mycirrus_standin: MyCirrusStandin) -> None:
    answer = httpx.get(
        f"{mycirrus_standin.url}/data/calibrations/log",
        headers={"X-Api-Key": mycirrus_standin.key_without_scope},
    )

    assert answer.status_code == 403
