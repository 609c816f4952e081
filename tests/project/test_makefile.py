"""The Makefile makes its own environment, makes it again where it must, and touches no other."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import ROOT

MAKING = re.compile(r"-m venv --clear \.venv")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout in which nothing has been made."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "cirrus_ext").mkdir()
    (tmp_path / "cirrus_ext" / "__init__.py").touch()
    return tmp_path


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run make."""
    return subprocess.run(
        ["make", "--no-print-directory", "-C", str(folder), *words],  # noqa: S607 - whose it is
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def finished(folder: Path) -> None:
    """Leave the stamps of an environment that was made here."""
    (folder / ".venv").mkdir(exist_ok=True)
    variables = make(folder, "-pn", "help").stdout
    for name in ("MADE", "CONTRACT", "DEV"):
        stamp = re.search(rf"^{name} := (\S+)$", variables, re.MULTILINE)
        assert stamp is not None
        (folder / stamp[1]).touch()


@pytest.mark.parametrize("target", ["demo", "test", "check", "contract", "standin"])
def test_every_target_makes_what_it_needs(folder: Path, target: str) -> None:
    """In a fresh clone, with no other command before it."""
    assert MAKING.search(make(folder, "-n", target).stdout)


def test_an_environment_that_is_there_is_not_made_again(folder: Path) -> None:
    """Else every command would take half a minute."""
    finished(folder)

    assert not MAKING.search(make(folder, "-n", "test").stdout)


def test_a_half_made_environment_is_made_again(folder: Path) -> None:
    """A Python in it is not enough: pip might be missing, or half of what it installs."""
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to("/bin/true")

    assert MAKING.search(make(folder, "-n", "test").stdout)


def test_a_moved_checkout_gets_a_new_environment(folder: Path) -> None:
    """The scripts of the old one point to where it was."""
    finished(folder)
    moved = folder.with_name("moved")
    folder.rename(moved)

    assert MAKING.search(make(moved, "-n", "test").stdout)


def test_a_python_that_is_too_old_is_refused_in_one_line(folder: Path) -> None:
    """Nothing is made with it."""
    old = folder / "python3.10"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.10.13" && exit 0\nexit 1\n')
    old.chmod(0o755)
    done = make(folder, "demo", f"PYTHON={old}")

    assert done.returncode == 2
    assert "Python 3.11 or later is needed; found: Python 3.10.13" in done.stderr
    assert not (folder / ".venv").exists()


def test_no_python_at_all_is_said_so(folder: Path) -> None:
    """In one line too."""
    done = make(folder, "demo", "PYTHON=")

    assert done.returncode == 2
    assert "Python 3.11 or later is needed; found: none on PATH" in done.stderr


def test_the_makefile_makes_nothing_in_another_folder(folder: Path, tmp_path: Path) -> None:
    """It would remove a .venv that is not its own."""
    other = tmp_path / "other"
    (other / ".venv").mkdir(parents=True)
    done = make(other, "-f", str(folder / "Makefile"), "demo")

    assert done.returncode == 2
    assert "use make -C" in done.stderr
    assert (other / ".venv").exists()


def test_pip_refuses_to_work_outside_the_environment() -> None:
    """Whatever goes wrong, the system's Python is left alone."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")

    assert "export PIP_REQUIRE_VIRTUALENV := 1" in text
    assert not re.search(r"^\t.*(?<!-m )\bpip3? install", text, re.MULTILINE)


def test_help_names_every_target_that_a_person_calls(folder: Path) -> None:
    """It is the default."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^\.PHONY: (\S+)$", text, re.MULTILINE))
    shown = {line.split()[0] for line in make(folder).stdout.splitlines()}

    assert shown == targets
