"""The client on disk is what the spec generates, and the gate that says so can fail."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT

CLIENT = Path("generated", "mycirrus_client")
ENDPOINT = CLIENT / "api" / "system_health_data" / "get_calibrations_log.py"
PROGRAM = ROOT / "openapi" / "generate.py"


def loaded() -> Any:
    specification = importlib.util.spec_from_file_location("generate", PROGRAM)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


program = loaded()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("openapi", "generated"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


@pytest.fixture
def spec_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not run the generator: what it writes for this spec is on disk."""
    monkeypatch.setattr(
        program, "generate", lambda source, target: shutil.copytree(ROOT / CLIENT, target) and None
    )


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def edit_a_file(root: Path) -> None:
    replace(root / ENDPOINT, "get_httpx", "get_my_httpx")


def leave_a_stale_file(root: Path) -> None:
    (root / CLIENT / "models" / "old.py").touch()


def lose_a_file(root: Path) -> None:
    (root / CLIENT / "py.typed").unlink()


CHANGES: dict[Callable[[Path], None], str] = {
    edit_a_file: "-    response = client.get_my_httpx",
    leave_a_stale_file: "not generated from the spec: generated/mycirrus_client/models/old.py",
    lose_a_file: "missing: generated/mycirrus_client/py.typed",
}


@pytest.mark.usefixtures("spec_unchanged")
def test_the_gate_names_what_differs_and_generating_mends_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["--check", "--root", str(project)]) == 0
    for change in CHANGES:
        change(project)
    before = contents(project)

    assert program.main(["--check", "--root", str(project)]) == 1
    assert contents(project) == before
    shown = capsys.readouterr().out
    assert [line for line in (*CHANGES.values(), "run `make generate`") if line not in shown] == []

    assert program.main(["--root", str(project)]) == 0
    assert contents(project / CLIENT) == contents(ROOT / CLIENT)


def test_the_gate_names_what_a_change_of_the_spec_changes(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = project / "openapi" / "mycirrus.yaml"
    replace(spec, '"getCalibrationsLog"', '"getCalibrationLog"')
    replace(spec, "        user:\n", '        id: {type: "integer"}\n        user:\n')

    assert program.main(["--check", "--root", str(project)]) == 1
    shown = capsys.readouterr().out
    assert "missing: generated/mycirrus_client/api/system_health_data/get_calibration_log" in shown
    assert "+    id: int | Unset = UNSET" in shown


def test_a_spec_that_cannot_be_generated_leaves_the_old_client(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By itself the generator skips an endpoint that it does not support, with exit code 0."""
    replace(
        project / "openapi" / "mycirrus.yaml",
        'format: "date-time"',
        'format: "date-time"\n            default: "x"',
    )
    before = contents(project / CLIENT)

    assert program.main(["--root", str(project)]) == 1
    assert "generated/ is as it was" in capsys.readouterr().err
    assert contents(project / CLIENT) == before


def test_the_bytes_are_those_on_disk_whatever_the_environment(
    project: Path, tmp_path: Path
) -> None:
    """Another ruff first on PATH, settings of ruff, another locale, another hash seed."""
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "ruff").write_text("#!/bin/sh\nexit 0\n")
    (foreign / "ruff").chmod(0o755)
    (project / "ruff.toml").write_text('line-length = 40\nlint.select = ["ALL"]\n')
    shutil.rmtree(project / CLIENT)
    environment = {
        "PATH": f"{foreign}{os.pathsep}{os.environ['PATH']}",
        "LC_ALL": "C",
        "PYTHONHASHSEED": "7",
        "RUFF_CONFIG": str(project / "ruff.toml"),
    }
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--root", str(project)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert contents(project / CLIENT) == contents(ROOT / CLIENT)


@pytest.mark.parametrize("pin", ["ruff==0.0.1", "ruff>=0.17"])
def test_a_tool_that_is_not_the_pinned_one_is_refused(
    project: Path, pin: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another formatter would silently write other bytes."""
    replace(project / "pyproject.toml", "ruff==0.17.6", pin)

    assert program.main(["--check", "--root", str(project)]) == 1
    assert "ruff" in capsys.readouterr().err


@pytest.mark.usefixtures("spec_unchanged")
def test_a_new_pin_is_installed_and_written_into_both_files(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed: list[str] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        installed.append(command[-1])
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    for name in ("pyproject.toml", "constraints.txt"):
        replace(project / name, "ruff==0.17.6", "ruff==0.17.5")

    assert program.main(["--pin", "ruff==0.17.6", "--root", str(project)]) == 0
    assert installed == ["ruff==0.17.6"]
    assert capsys.readouterr().out == "ruff==0.17.6: no byte changes\n"
    for name in ("pyproject.toml", "constraints.txt"):
        assert (project / name).read_bytes() == (ROOT / name).read_bytes()


@pytest.mark.parametrize("pin", ["ruff", "ruff>=1", "httpx==0.28.1", "ruff==; rm"])
def test_an_invalid_pin_changes_nothing(
    project: Path, pin: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(project)

    assert program.main(["--pin", pin, "--root", str(project)]) == 1
    assert "--pin must be one of openapi-python-client, ruff, then ==" in capsys.readouterr().err
    assert contents(project) == before
