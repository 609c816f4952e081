"""The files that ``make docs`` writes are up to date."""

import re
from importlib.metadata import version
from xml.etree import ElementTree as ET

import pytest

from docs.generate import FILES
from tests.support.paths import ROOT
from tests.support.windows import skip_on_windows


@pytest.mark.parametrize("name", FILES)
def test_a_generated_file_is_what_make_docs_writes(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the terminal and its colours are; Python 3.13 breaks lines of help elsewhere."""
    if name == "terminal.svg" and version("rich") < "15":
        pytest.skip("rich before 15 draws another picture")
    if name.endswith(".svg"):
        skip_on_windows("the lines in the picture are run by bash")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("FORCE_COLOR", "1")

    assert (ROOT / "docs" / name).read_text(encoding="utf-8").split() == FILES[name]().split()


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".svg")])
def test_a_picture_loads_nothing_from_another_host_and_names_nothing_of_the_machine(
    name: str,
) -> None:
    picture = (ROOT / "docs" / name).read_text(encoding="utf-8")

    assert re.findall(r"@font-face|<script|href=\"(?!#)|127\.0\.0\.1|/tmp\b", picture) == []
    ET.fromstring(picture)  # noqa: S314 - our own file
