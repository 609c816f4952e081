"""What is shipped: both packages, typed, and nothing of the tests."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import cirrus_ext
from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive, built from this tree."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", str(folder)],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=120,
    )
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    """The wheel."""
    (path,) = dist.glob("*.whl")
    return path


def test_the_wheel_has_both_packages_typed_and_nothing_else(wheel: Path) -> None:
    """No tests, no stand-in, no spec, no generator."""
    names = zipfile.ZipFile(wheel).namelist()
    roots = {name.partition("/")[0] for name in names}

    assert wheel.name == f"mycirrus_sdk-{cirrus_ext.__version__}-py3-none-any.whl"
    info = f"mycirrus_sdk-{cirrus_ext.__version__}.dist-info"
    assert roots == {"mycirrus_client", "cirrus_ext", "mycirrus_cli", "mycirrus_contract", info}
    assert {"mycirrus_client/py.typed", "cirrus_ext/py.typed"} <= set(names)
    assert f"{info}/licenses/LICENSE" in names


def test_the_installed_wheel_works_with_the_sources_out_of_the_way(
    wheel: Path, tmp_path: Path
) -> None:
    """Both packages are imported from it, and the command runs."""
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*install, "--target", str(tmp_path), str(wheel)], check=True, timeout=120)
    code = (
        "import mycirrus_client, cirrus_ext\n"
        "print(mycirrus_client.__file__, cirrus_ext.__file__, cirrus_ext.CirrusClient.__module__)"
    )
    path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    client, ext, module = done.stdout.split()
    assert Path(client).parent == tmp_path / "mycirrus_client"
    assert Path(ext).parent == tmp_path / "cirrus_ext"
    assert module == "cirrus_ext.client"
    assert (tmp_path / "bin" / "mycirrus").exists()


def test_the_source_archive_has_the_spec_and_makes_the_same_wheel(
    dist: Path, wheel: Path, tmp_path: Path
) -> None:
    """And no cache, no environment, no test."""
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel"],
        cwd=folder,
        capture_output=True,
        check=True,
        timeout=120,
    )

    again = zipfile.ZipFile(folder / "dist" / wheel.name).namelist()
    assert sorted(again) == sorted(zipfile.ZipFile(wheel).namelist())
    assert {"mycirrus.yaml", "questions.yaml"} <= {one.name for one in folder.glob("openapi/*")}
    assert not (folder / "contract_tests").exists()
    assert not list(folder.rglob("__pycache__"))
