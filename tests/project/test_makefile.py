"""The Makefile makes its own environment, makes it again where it must, and touches no other."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.windows import not_on_windows

pytestmark = not_on_windows("the Makefile is for POSIX shells")

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
MAKING = re.compile(r"-m venv --clear \.venv")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout in which nothing has been made."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "cirrus_ext").mkdir()
    (tmp_path / "cirrus_ext" / "__init__.py").touch()
    return tmp_path


def make(
    folder: Path, *words: str, python: str | Path = sys.executable
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", "-C", str(folder), *words, f"PYTHON={python}"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def finish(folder: Path) -> None:
    """Leave the stamps of a complete environment."""
    (folder / ".venv").mkdir(exist_ok=True)
    variables = make(folder, "-pn", "help").stdout
    for name in ("MADE", "CONTRACT", "DEV"):
        stamp = re.search(rf"^{name} := (\S+)$", variables, re.MULTILINE)
        assert stamp is not None
        (folder / stamp[1]).touch()


@pytest.mark.parametrize("target", ["demo", "test", "check", "contract", "standin"])
def test_every_target_makes_the_environment_that_it_needs(folder: Path, target: str) -> None:
    assert MAKING.search(make(folder, "-n", target).stdout)


def test_a_complete_environment_is_not_made_again(folder: Path) -> None:
    finish(folder)

    assert not MAKING.search(make(folder, "-n", "test").stdout)


def test_an_incomplete_environment_is_made_again(folder: Path) -> None:
    """A Python in it is not enough: pip might be missing, or half of what it installs."""
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to("/bin/true")

    assert MAKING.search(make(folder, "-n", "test").stdout)


def test_a_moved_checkout_gets_a_new_environment(folder: Path) -> None:
    """The scripts in the old one name the old folder."""
    finish(folder)
    moved = folder.with_name("moved")
    folder.rename(moved)

    assert MAKING.search(make(moved, "-n", "test").stdout)


@pytest.mark.parametrize(
    ("name", "found"), [("python3.10", "Python 3.10.13"), ("", "none on PATH")]
)
def test_without_a_python_that_is_new_enough_nothing_is_made(
    name: str, found: str, folder: Path
) -> None:
    old = folder / "python3.10"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.10.13" && exit 0\nexit 1\n')
    old.chmod(0o755)
    done = make(folder, "demo", python=name and old)

    assert done.returncode == 2
    assert f"Python 3.11 or later is needed; found: {found}" in done.stderr
    assert not (folder / ".venv").exists()


def test_the_makefile_makes_nothing_in_another_folder(folder: Path, tmp_path: Path) -> None:
    """It would remove a .venv that is not its own."""
    other = tmp_path / "other"
    (other / ".venv").mkdir(parents=True)
    done = make(other, "-f", str(folder / "Makefile"), "demo")

    assert done.returncode == 2
    assert "use make -C" in done.stderr
    assert (other / ".venv").exists()


def test_pip_refuses_to_work_outside_the_environment() -> None:
    assert "export PIP_REQUIRE_VIRTUALENV := 1" in MAKEFILE
    assert not re.search(r"^\t.*(?<!-m )\bpip3? install", MAKEFILE, re.MULTILINE)


def test_help_is_the_default_and_lists_every_target(folder: Path) -> None:
    targets = set(re.findall(r"^\.PHONY: (\S+)$", MAKEFILE, re.MULTILINE))

    assert {line.split()[0] for line in make(folder).stdout.splitlines()} == targets
