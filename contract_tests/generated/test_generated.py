"""The client on disk is what the spec generates, and the gate that says so can fail."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.paths import ROOT

CLIENT = Path("generated", "mycirrus_client")
ENDPOINT = CLIENT / "api" / "system_health_data" / "get_calibrations_log.py"


def generate(root: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the generator on a project folder."""
    return subprocess.run(
        [sys.executable, str(ROOT / "openapi" / "generate.py"), "--root", str(root), *words],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what the generator reads and writes."""
    for name in ("openapi", "generated"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_client_on_disk_is_what_the_spec_generates() -> None:
    """Byte for byte."""
    done = generate(ROOT, "--check")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def _edit_a_file(root: Path) -> None:
    path = root / ENDPOINT
    path.write_text(path.read_text(encoding="utf-8").replace("get_httpx", "get_my_httpx", 1))


def _leave_a_stale_file(root: Path) -> None:
    (root / CLIENT / "models" / "old.py").touch()


def _lose_a_file(root: Path) -> None:
    (root / CLIENT / "py.typed").unlink()


def _rename_the_operation(root: Path) -> None:
    _replace_in_spec(root, '"getCalibrationsLog"', '"getCalibrationLog"')


def _change_a_parameters_schema(root: Path) -> None:
    _replace_in_spec(root, 'format: "date-time"', 'format: "date"')


def _add_a_field(root: Path) -> None:
    _replace_in_spec(root, "        user:\n", '        id: {type: "integer"}\n        user:\n')


def _replace_in_spec(root: Path, old: str, new: str) -> None:
    path = root / "openapi" / "mycirrus.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


CHANGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "an edited file": (_edit_a_file, "-    response = client.get_my_httpx"),
    "a stale file": (_leave_a_stale_file, "not generated from the spec: generated/mycirrus_client"),
    "a lost file": (_lose_a_file, "missing: generated/mycirrus_client/py.typed"),
    "a renamed operation": (_rename_the_operation, "get_calibration_log.py"),
    "a changed parameter": (_change_a_parameters_schema, "+    start: datetime.date"),
    "a new field": (_add_a_field, "+    id: int | Unset = UNSET"),
}


@pytest.mark.parametrize(("change", "shows"), CHANGES.values(), ids=list(CHANGES))
def test_the_gate_catches(project: Path, change: Callable[[Path], None], shows: str) -> None:
    """It names the file or the line, and changes nothing."""
    change(project)
    before = contents(project)
    done = generate(project, "--check")

    assert done.returncode == 1
    assert shows in done.stdout
    assert "run `make generate`" in done.stdout
    assert contents(project) == before


def test_generating_mends_what_the_gate_catches(project: Path) -> None:
    """Edited, stale and lost files together."""
    for change in (_edit_a_file, _leave_a_stale_file, _lose_a_file):
        change(project)
    done = generate(project)

    assert done.returncode == 0
    assert contents(project / CLIENT) == contents(ROOT / CLIENT)


def test_the_bytes_do_not_depend_on_what_is_around(project: Path, tmp_path: Path) -> None:
    """A foreign ruff first on PATH, settings of ruff around, another locale, another hash seed."""
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "ruff").write_text("#!/bin/sh\nexit 0\n")
    (foreign / "ruff").chmod(0o755)
    (project / "ruff.toml").write_text('line-length = 40\nlint.select = ["ALL"]\n')
    shutil.rmtree(project / CLIENT)
    done = generate(
        project,
        PATH=f"{foreign}{os.pathsep}{os.environ['PATH']}",
        LC_ALL="C",
        PYTHONHASHSEED="7",
        RUFF_CONFIG=str(project / "ruff.toml"),
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert contents(project / CLIENT) == contents(ROOT / CLIENT)


def test_a_spec_that_cannot_be_generated_leaves_the_old_client(project: Path) -> None:
    """The generator would drop an endpoint that it does not understand, with exit code 0."""
    _replace_in_spec(
        project, 'format: "date-time"', 'format: "date-time"\n            default: "x"'
    )
    before = contents(project / CLIENT)
    done = generate(project)

    assert done.returncode == 1
    assert "generated/ is as it was" in done.stderr
    assert contents(project / CLIENT) == before


@pytest.mark.parametrize("pin", ["ruff==0.0.1", "ruff>=0.17"])
def test_a_tool_that_is_not_the_pinned_one_is_refused(project: Path, pin: str) -> None:
    """Another formatter writes other bytes, and says nothing."""
    path = project / "pyproject.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("ruff==0.17.6", pin))
    done = generate(project, "--check")

    assert done.returncode == 1
    assert "ruff" in done.stderr


def test_a_pin_is_moved_where_it_stands(project: Path) -> None:
    """Here to the version that is installed, so that no byte changes."""
    shutil.copy(ROOT / "constraints.txt", project)
    for name in ("pyproject.toml", "constraints.txt"):
        path = project / name
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("ruff==0.17.6", "ruff==0.17.5"), encoding="utf-8")
    done = generate(project, "--pin", "ruff==0.17.6")

    assert (done.returncode, done.stdout) == (0, "ruff==0.17.6: no byte changes\n"), done.stderr
    for name in ("pyproject.toml", "constraints.txt"):
        assert (project / name).read_bytes() == (ROOT / name).read_bytes()


@pytest.mark.parametrize("pin", ["ruff", "ruff>=1", "httpx==0.28.1", "ruff==; rm"])
def test_a_pin_that_is_none_moves_nothing(project: Path, pin: str) -> None:
    done = generate(project, "--pin", pin)

    assert done.returncode == 1
    assert done.stderr.startswith("--pin must be one of openapi-python-client, ruff, then ==")
