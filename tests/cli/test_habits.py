"""The conventions of commands: help that fits a terminal, and colour on a terminal only."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cirrus_ext import __version__
from mycirrus_cli.arguments import PASSED_ON, parser
from mycirrus_cli.exits import EXIT_CODES
from tests.support.command import MYCIRRUS, YEARS, environment, mycirrus, refused
from tests.support.parsers import PARSERS

# What `main` may load before it knows which command is meant.
AT_START = {"mycirrus_cli"} | {
    f"mycirrus_cli.{name}" for name in ("arguments", "echo", "exits", "help", "main")
}
# Modules of the standard library that take more than a millisecond, and that --help does not need.
SLOW = {"asyncio", "dataclasses", "email", "inspect", "json", "logging", "socket", "ssl"}
SLOW |= {"datetime", "decimal", "pathlib", "subprocess", "tempfile", "traceback", "urllib"}

COLOUR = re.compile(r"\x1b\[[\d;]*m")


@pytest.mark.parametrize("prog", PARSERS)
def test_the_help_fits_a_terminal_and_shows_exit_codes_and_examples_that_work(prog: str) -> None:
    done = mycirrus(*prog.split()[1:], "--help", COLUMNS="80")
    examples = re.findall(r"^  mycirrus (.+)$", done.stdout, re.MULTILINE)

    assert (done.returncode, done.stderr) == (0, "")
    assert [line for line in done.stdout.splitlines() if len(line) > 80] == []
    if prog.partition(" ")[2] not in PASSED_ON:
        listed = done.stdout.partition("exit codes:\n")[2]
        codes = re.findall(r"^  (\d+)\b", listed, re.MULTILINE)
        assert [int(code) for code in codes] == [*EXIT_CODES]
    for words in examples:
        assert parser().parse_args(words.split()).command == words.split()[0]


@pytest.mark.parametrize("prog", PARSERS)
def test_every_argument_has_help(prog: str) -> None:
    without = {action.dest for action in PARSERS[prog]._actions if not action.help}

    assert without <= {"command"}


@pytest.mark.parametrize(
    ("program", "ends"),
    [
        ([MYCIRRUS, "--version"], (0, f"mycirrus {__version__}\n", "")),
        (
            [sys.executable, "-m", "mycirrus_cli", "log"],
            (2, "", "mycirrus: no range: give --start TIME, or --last SPAN such as 18m\n"),
        ),
    ],
    ids=["script", "module"],
)
def test_the_script_and_the_module_run_it(program: list[str], ends: tuple[int, str, str]) -> None:
    done = subprocess.run(
        program, env=environment(), capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stdout, done.stderr) == ends


@pytest.mark.parametrize("words", [["log", "--help"], ["--version"]], ids=" ".join)
def test_help_and_version_load_neither_the_sdk_nor_anything_installed(words: list[str]) -> None:
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from mycirrus_cli.main import main\n"
        "try:\n"
        f"    main({words!r})\n"
        "except SystemExit:\n"
        "    pass\n"
        "sys.stderr.write(' '.join(set(sys.modules) - before))\n"
    )
    # Without site, whose .pth files may load anything.
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    loaded = set(done.stderr.split())
    foreign = {name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names}

    assert "mycirrus_cli.main" in foreign
    assert foreign <= AT_START
    if words != ["--version"]:  # which reads the metadata of the package
        assert loaded & SLOW == set()


# Colour

LOG = ("log", "QT123456", "QT000001", *YEARS)


def test_a_terminal_gets_colour_in_the_table_and_in_the_bar() -> None:
    done = mycirrus(*LOG, tty=True)

    assert COLOUR.search(done.stdout)
    assert COLOUR.search(done.stderr)


@pytest.mark.parametrize(
    "variables", [{"NO_COLOR": "1"}, {"CLICOLOR": "0"}, {"TERM": "dumb"}], ids=str
)
def test_a_terminal_that_wants_no_colour_gets_none(variables: dict[str, str]) -> None:
    done = mycirrus(*LOG, tty=True, **dict[str, Any](variables))

    assert "No entry: QT000001" in done.stdout
    assert COLOUR.findall(done.stdout + done.stderr) == []
    assert "TERM" not in variables or "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("form", "variable"),
    [("table", "FORCE_COLOR"), ("table", "TTY_COMPATIBLE"), ("csv", "FORCE_COLOR")],
)
def test_a_file_gets_no_escape_if_colours_are_forced(
    form: str, variable: str, tmp_path: Path
) -> None:
    words = (*LOG, "--format", form, "--output", "log")
    done = mycirrus(*words, cwd=tmp_path, **dict[str, Any]({variable: "1"}))
    content = (tmp_path / "log").read_bytes()

    assert (done.returncode, len(content) > 500) == (0, True)
    assert b"\x1b" not in content + done.stderr.encode()


@pytest.mark.parametrize("words", [LOG, ("--help",), ("log", "QT123456")], ids=" ".join)
def test_a_pipe_gets_no_escape(words: tuple[str, ...]) -> None:
    done = mycirrus(*words, TERM="xterm-256color")

    assert len(done.stdout + done.stderr) > 50
    assert "\x1b" not in done.stdout + done.stderr


def test_bad_usage_is_one_line_without_colour_on_a_terminal_too() -> None:
    assert "\x1b" not in refused("log", tty=True)
