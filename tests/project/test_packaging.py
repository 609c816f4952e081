"""The wheel has the four packages, their types and the data of the contract, and no tests."""

import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.metadata import Distribution, PathDistribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import cirrus_ext
from tests.support.paths import ROOT
from tests.support.windows import not_on_windows

PACKAGES = ("generated/mycirrus_client", "cirrus_ext", "mycirrus_contract", "mycirrus_cli")
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SDIST = SETTINGS["tool"]["hatch"]["build"]["targets"]["sdist"]
INFO = f"mycirrus_sdk-{cirrus_ext.__version__}.dist-info"
CONTRACT_FILES = ("mycirrus.yaml", "questions.yaml", "strict.yaml")


def build(root: Path, *words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", *words],
        cwd=root,
        capture_output=True,
        check=True,
        timeout=120,
    )


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder with the wheel and the source archive; the workers of a session share it."""
    folder = tmp_path_factory.getbasetemp()
    shared = (folder.parent if hasattr(request.config, "workerinput") else folder) / "dist"
    if not shared.exists():
        built = tmp_path_factory.mktemp("built")
        build(ROOT, "--directory", str(built))
        with suppress(OSError):  # the other worker was faster
            built.rename(shared)
    return shared


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    return dist / f"mycirrus_sdk-{cirrus_ext.__version__}-py3-none-any.whl"


@pytest.fixture(scope="session")
def sdist(dist: Path) -> Path:
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
    names = zipfile.ZipFile(wheel).namelist()
    ours = {name for package in PACKAGES for name in files_of(package)}

    assert len(names) == len(set(names))
    assert {name for name in names if not name.startswith(f"{INFO}/")} == {
        *ours,
        *(f"mycirrus_contract/openapi/{name}" for name in CONTRACT_FILES),
    }
    assert {f"{Path(package).name}/py.typed" for package in PACKAGES} <= ours
    assert f"{INFO}/licenses/LICENSE" in names


def test_an_index_accepts_the_metadata(wheel: Path, sdist: Path) -> None:
    words = [sys.executable, "-m", "twine", "check", "--strict", str(wheel), str(sdist)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 0, done.stdout


def test_no_dependency_group_installs_the_project() -> None:
    """It could only come from an index, where its name is free."""
    for name, group in SETTINGS["dependency-groups"].items():
        packages = {Requirement(one).name for one in group if isinstance(one, str)}
        assert SETTINGS["project"]["name"] not in packages, name


def test_nothing_installs_the_project_by_its_name_alone() -> None:
    folders = ("docs", "examples", ".github", "cirrus_ext", "mycirrus_contract", "mycirrus_cli")
    paths = [ROOT / "Makefile", *ROOT.glob("*.md")]
    paths += [path for name in folders for path in (ROOT / name).rglob("*") if path.is_file()]
    texts = [path.read_text("utf-8") for path in paths if "__pycache__" not in path.parts]
    by_name = re.compile(r"\binstall\b[^\n]*\bmycirrus-sdk\b(?!\S* @ )")

    assert [match[0] for text in texts for match in by_name.finditer(text)] == []


# --- the installed wheel

WRITER = "import io; from mycirrus_cli.formats import FORMATS; FORMATS['{}'].writer(io.BytesIO())"
PROGRAM = (
    "from importlib.metadata import entry_points as all; "
    "all(group='console_scripts', name='mycirrus')['mycirrus'].load()()"
)
COMMAND = ["-m", "mycirrus_cli"]
CASES: dict[str, list[tuple[list[str], str]]] = {
    "": [
        (["-c", PROGRAM, "--version"], f"mycirrus {cirrus_ext.__version__}\n"),
        (["-c", "import cirrus_ext as c; print(c)"], "site-packages/cirrus_ext"),
    ],
    "cli": [([*COMMAND, "completion", "bash"], "mycirrus")],
    "contract": [([*COMMAND, "contract", "--standin"], "promises hold.\n")],
    "excel": [(["-c", WRITER.format("xlsx")], "")],
    "parquet": [(["-c", WRITER.format("parquet")], "")],
    "report": [(["-c", "import mycirrus_cli.report.rendering"], "")],
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


@pytest.fixture
def environment(wheel: Path, extra: str, tmp_path: Path) -> Path:
    """An environment with the wheel, what it requires with an extra, and nothing else."""
    folder = tmp_path / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    metadata = PathDistribution(zipfile.Path(wheel, f"{INFO}/"))
    site = link(folder, *applicable(metadata, [extra]))
    shutil.unpack_archive(wheel, site, "zip")
    return folder


def link(environment: Path, *requirements: Requirement) -> Path:
    """Add to an environment what is installed here for some requirements.

    Returns:
        The folder where its packages are.
    """
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(environment)}))
    for one in needed(requirements).values():
        for name in {path.parts[0] for path in one.files or ()} - {"..", "__pycache__"}:
            if not (site / name).exists():
                (site / name).symlink_to(Path(str(one.locate_file(name))))
    return site


def run_in(environment: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run the Python of an environment in an empty folder, and see that the folder stays empty."""
    empty = environment.with_name("empty")
    empty.mkdir(exist_ok=True)
    done = subprocess.run(
        [str(environment / "bin" / "python"), *words],
        cwd=empty,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert not list(empty.iterdir())
    return done


needs_links = not_on_windows("few users may make symbolic links")


@needs_links
@pytest.mark.parametrize("extra", CASES)
def test_the_wheel_does_what_its_extra_promises(extra: str, environment: Path) -> None:
    for words, expected in CASES[extra]:
        done = run_in(environment, *words)
        assert (done.returncode, done.stderr) == (0, "")
        assert expected in done.stdout


TESTS = """\
def test_of_another_project(): pass
def test_with_the_fixture(mycirrus_standin): pass
"""


@needs_links
@pytest.mark.parametrize("extra", [""])
def test_without_the_extra_the_command_and_the_fixture_say_what_to_install(
    environment: Path, tmp_path: Path
) -> None:
    """And the pytest plugin warns of nothing."""
    install = "pip install '.[contract]' in a checkout of the project\n"
    for name in ("contract", "standin"):
        done = run_in(environment, *COMMAND, name)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"mycirrus: mycirrus {name} needs ")
        assert done.stderr.endswith(f": {install}")
    link(environment, Requirement("pytest"))
    tests = tmp_path / "test_it.py"
    tests.write_text(TESTS)
    words = ("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "--rootdir", tmp_path)
    done = run_in(environment, *map(str, words), str(tests))
    assert "1 passed, 1 error in" in done.stdout
    assert install in done.stdout


# --- the source archive


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no repository")
def test_the_source_archive_leaves_out_no_file_of_the_repository() -> None:
    listed = subprocess.run(
        ["git", "ls-files"],  # noqa: S607 - whichever git there is
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = {name.partition("/")[0] for name in listed.splitlines()}

    assert names - set(SDIST["only-include"]) == {".gitattributes", ".gitignore", "pyproject.toml"}


def test_the_source_archive_has_the_sources_and_the_tests_and_makes_the_same_wheel(
    wheel: Path, sdist: Path, tmp_path: Path
) -> None:
    """Byte for byte; and it has no environment, cache or report of the checkout."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    listed = set(SDIST["only-include"]) | {"pyproject.toml", "PKG-INFO", ".gitignore"}
    build(folder, "--target", "wheel", "--directory", str(tmp_path))

    assert {path.name for path in folder.iterdir()} == listed
    assert not list(folder.rglob("__pycache__"))
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()
