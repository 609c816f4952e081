"""mypy fails where the code and the generated model disagree, after `make generate`."""

import shutil
from pathlib import Path

import pytest
from mypy import api

from tests.support.paths import ROOT

MODEL = Path("generated/mycirrus_client/models/calibration_log_item.py")
MODULES = [str(MODEL), str(MODEL.with_name("__init__.py")), "generated/mycirrus_client/types.py"]
USER = "    user: None | str | Unset = UNSET\n"

CHANGES = {
    "a field is renamed": (USER, USER.replace("user", "operator"), '"user"'),
    "a field has another type": (USER, USER.replace("str", "int"), '"user"'),
    "a required field is added": (
        "    time: datetime.datetime\n",
        "    time: datetime.datetime\n    serial: str\n",
        '"serial"',
    ),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("project")
    for name in ("cirrus_ext", "generated"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    assert complaints(copy) == ""
    return copy


def complaints(project: Path) -> str:
    options = ["--config-file=pyproject.toml", "--cache-dir=.cache"]
    options += ["--follow-imports=skip", "--no-warn-return-any"]  # a third of the time
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        output, problems, status = api.run([*options, "cirrus_ext/calibration_log.py", *MODULES])
    assert not problems
    return output if status else ""


@pytest.mark.parametrize(("before", "after", "named"), CHANGES.values(), ids=list(CHANGES))
def test_mypy_fails_where_the_generated_model_has_changed(
    project: Path, before: str, after: str, named: str
) -> None:
    text = (ROOT / MODEL).read_text("utf-8")
    assert before in text
    (project / MODEL).write_text(text.replace(before, after), "utf-8")

    assert f"{named} " in complaints(project)
