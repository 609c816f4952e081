"""What is shipped: the four packages, typed, with the contract's data, and nothing of the tests."""

import fcntl
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import cirrus_ext
from tests.support.paths import ROOT

PACKAGES = ("generated/mycirrus_client", "cirrus_ext", "mycirrus_contract", "mycirrus_cli")
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SDIST = SETTINGS["tool"]["hatch"]["build"]["targets"]["sdist"]
INFO = f"mycirrus_sdk-{cirrus_ext.__version__}.dist-info"
CONTRACT_FILES = ("mycirrus.yaml", "questions.yaml", "strict.yaml")


def build(root: Path, *words: str) -> None:
    """Run the build backend in a folder that holds the sources."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", *words],
        cwd=root,
        capture_output=True,
        check=True,
        timeout=120,
    )


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive; the workers of a session share it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    target = folder / "dist"
    with (folder / "dist.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            build(ROOT, "--directory", str(target))
    return target


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    """The wheel."""
    return dist / f"mycirrus_sdk-{cirrus_ext.__version__}-py3-none-any.whl"


@pytest.fixture(scope="session")
def sdist(dist: Path) -> Path:
    """The source archive."""
    return dist / f"mycirrus_sdk-{cirrus_ext.__version__}.tar.gz"


def files_of(package: str) -> Iterator[str]:
    """The files of a package in the checkout, as the wheel names them."""
    folder = ROOT / package
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(folder.parent).as_posix()


def test_the_wheel_holds_all_files_of_the_packages_and_the_contract_and_nothing_else(
    wheel: Path,
) -> None:
    """No tests, no generator."""
    names = zipfile.ZipFile(wheel).namelist()
    ours = {name for package in PACKAGES for name in files_of(package)}

    assert len(names) == len(set(names))
    assert {name for name in names if not name.startswith(f"{INFO}/")} == {
        *ours,
        *(f"mycirrus_contract/openapi/{name}" for name in CONTRACT_FILES),
    }
    assert {f"{Path(package).name}/py.typed" for package in PACKAGES} <= ours
    assert f"{INFO}/licenses/LICENSE" in names


def test_the_metadata_is_what_an_index_takes(wheel: Path, sdist: Path) -> None:
    """As twine judges it, warnings included."""
    done = subprocess.run(
        [sys.executable, "-m", "twine", "--no-color", "check", "--strict", str(wheel), str(sdist)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stdout.count("PASSED")) == (0, 2), done.stdout + done.stderr


def test_no_dependency_group_installs_the_project() -> None:
    """It could only come from an index, and it is on none."""
    for name, group in SETTINGS["dependency-groups"].items():
        packages = {Requirement(one).name for one in group if isinstance(one, str)}
        assert SETTINGS["project"]["name"] not in packages, name


def test_nothing_installs_the_project_by_its_name_alone() -> None:
    """Neither a page, a message, a workflow nor the Makefile."""
    folders = ("docs", "examples", ".github", "cirrus_ext", "mycirrus_contract", "mycirrus_cli")
    paths = [ROOT / "Makefile", *ROOT.glob("*.md")]
    paths += [path for name in folders for path in (ROOT / name).rglob("*") if path.is_file()]
    texts = [path.read_text("utf-8") for path in paths if "__pycache__" not in path.parts]
    by_name = re.compile(r"\binstall\b[^\n]*\bmycirrus-sdk\b(?!\S* @ )")

    assert [match[0] for text in texts for match in by_name.finditer(text)] == []


# --- the installed wheel

PARQUET = (
    "import io; from mycirrus_cli.formats import FORMATS; FORMATS['parquet'].writer(io.BytesIO())"
)
CASES: dict[str, list[tuple[list[str], str]]] = {
    "": [
        (["mycirrus", "--version"], f"mycirrus {cirrus_ext.__version__}\n"),
        (["python", "-c", "import cirrus_ext as c; print(c)"], "site-packages/cirrus_ext"),
        (["python", "-c", "import mycirrus_client as c; print(c)"], "site-packages/mycirrus_cl"),
    ],
    "cli": [(["mycirrus", "completion", "bash"], "mycirrus")],
    "contract": [
        (["mycirrus", "contract", "--standin"], "promises hold.\n"),
        (["mycirrus", "standin", "--help"], "--fault NAME@N"),
        (["python", "-m", "mycirrus_contract", "--standin"], "promises hold.\n"),
    ],
    "parquet": [(["python", "-c", PARQUET], "")],
    "report": [(["python", "-c", "import mycirrus_cli.report.rendering"], "")],
}


def needed(requirements: Iterable[Requirement]) -> dict[str, Distribution]:
    """The distributions that are installed here for some requirements, and for theirs."""
    found: dict[str, Distribution] = {}
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name not in found or requirement.extras:
            found[name] = distribution(name)
            waiting += applicable(found[name], requirement.extras)
    return found


def applicable(one: Distribution, extras: Iterable[str]) -> list[Requirement]:
    """What a distribution requires here, with some of its extras."""
    return [
        requirement
        for requirement in map(Requirement, one.requires or ())
        if requirement.marker is None
        or any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras))
    ]


def environment(folder: Path, wheel: Path, extra: str) -> Path:
    """Install the wheel beside what it requires with an extra, and nothing else, without a network.

    Returns:
        The folder of the programs.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
    metadata = PathDistribution(zipfile.Path(wheel, f"{INFO}/"))
    for one in needed(applicable(metadata, [extra])).values():
        for name in {path.parts[0] for path in one.files or ()} - {"..", "__pycache__"}:
            (site / name).symlink_to(Path(str(one.locate_file(name))))
    install = [sys.executable, "-m", "pip", "--isolated", "--python", str(folder), "install"]
    subprocess.run(
        [*install, "--quiet", "--no-index", f"{wheel}[{extra}]" if extra else str(wheel)],
        check=True,
        timeout=120,
    )
    return folder / "bin"


def run_in(folder: Path, program: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run an installed program in a folder."""
    return subprocess.run(
        [str(program), *words], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("extra", CASES)
def test_an_installed_wheel_does_what_its_extra_promises(
    extra: str, wheel: Path, tmp_path: Path
) -> None:
    """Away from the sources, with the packages that the extra installs and no others."""
    programs = environment(tmp_path / "venv", wheel, extra)
    empty = tmp_path / "empty"
    empty.mkdir()
    for (program, *words), expected in CASES[extra]:
        done = run_in(empty, programs / program, *words)
        assert (done.returncode, done.stderr) == (0, "")
        assert expected in done.stdout
    assert not list(empty.iterdir())


def test_without_the_extra_the_command_has_its_help_and_says_what_to_install(
    wheel: Path, tmp_path: Path
) -> None:
    program = environment(tmp_path / "venv", wheel, "") / "mycirrus"
    for name in ("contract", "standin"):
        assert run_in(tmp_path, program, name, "--help").stdout.startswith(
            f"usage: mycirrus {name}"
        )
        done = run_in(tmp_path, program, name)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"mycirrus: mycirrus {name} needs ")
        assert done.stderr.endswith(": pip install '.[contract]' in a checkout of the project\n")


# --- the source archive


def test_the_source_archive_has_the_sources_and_the_tests_and_makes_the_same_wheel(
    wheel: Path, sdist: Path, tmp_path: Path
) -> None:
    """Byte for byte; and no environment, cache or report that lies in the checkout."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    listed = set(SDIST["only-include"]) | {"pyproject.toml", "PKG-INFO", ".gitignore"}
    build(folder, "--target", "wheel", "--directory", str(tmp_path))

    assert {path.name for path in folder.iterdir()} == listed
    assert not list(folder.rglob("__pycache__"))
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()
