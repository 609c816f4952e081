"""What the reference of the command says is what the parser says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from docs.generate import FILE, main
from tests.support.parsers import PARSERS
from tests.support.paths import ROOT

PAGE = (ROOT / FILE).read_text(encoding="utf-8")


def test_the_reference_on_disk_is_what_the_parser_generates(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """If not, run make docs."""
    assert (main(["--check"]), capsys.readouterr().out) == (0, "")


def test_the_check_shows_the_line_and_what_to_do_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / FILE
    path.parent.mkdir()
    path.write_text(PAGE.replace("default 4", "default 5", 1), encoding="utf-8")
    edited = path.read_bytes()

    assert main(["--check", "--root", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert "default 5 |\n" in shown
    assert shown.endswith("run make docs.\n")
    assert path.read_bytes() == edited


def test_the_check_says_what_to_do_when_there_is_no_reference(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check", "--root", str(tmp_path)]) == 1
    assert "run make docs" in capsys.readouterr().out


def test_the_bytes_do_not_depend_on_terminal_locale_or_hash_seed(tmp_path: Path) -> None:
    environment = {"COLUMNS": "40", "FORCE_COLOR": "1", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
    subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--root", str(tmp_path)],
        env=os.environ | environment,
        check=True,
        timeout=60,
    )

    assert (tmp_path / FILE).read_bytes() == (ROOT / FILE).read_bytes()


@pytest.mark.parametrize("prog", list(PARSERS))
def test_the_reference_says_all_that_the_help_says(prog: str) -> None:
    """Every option with its help, every paragraph, every line of an example."""
    page = words_of(PAGE).lower()
    command = PARSERS[prog]
    texts = [command.description or "", *(command.epilog or "").splitlines()]
    texts += [one for action in command._actions for one in action.option_strings]
    texts += [action.help or "" for action in command._actions]
    texts = [re.sub(r"^ {2}(\d+) +", r"\1 ", text) for text in texts if text != "exit codes:"]

    assert [text for text in texts if words_of(text).lower() not in page] == []


def words_of(text: str) -> str:
    """A text without its markup and its line breaks."""
    return " ".join(re.sub(r"[`\\]", "", text).replace("|", " ").split())


def test_github_shows_every_group_as_a_table_and_no_text_as_markup() -> None:
    page = MarkdownIt("commonmark").enable("table").render(PAGE)
    groups = sum(
        bool(group._group_actions) for one in PARSERS.values() for group in one._action_groups
    )

    assert page.count("<table>") == groups + PAGE.count("| exit code | meaning |")
    assert not re.search(r"<(em|strong|img|del)\b", page)
