"""The command behaves as commands do: help that can be read, and colour on a terminal alone."""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cirrus_ext import __version__
from mycirrus_cli.arguments import parser
from mycirrus_cli.exits import EXIT_CODES
from mycirrus_contract.standin.adapters import Standin, serve
from mycirrus_contract.standin.rules import DEMO_KEY
from tests.support.parsers import PARSERS
from tests.support.terminal import BIN, terminal

COMMANDS = ["", "log", "report", "doctor", "completion"]
ESCAPE = "\x1b"
LOG = ["log", "QT123456", "--start", "2022-01-01", "--end", "2023-01-01"]

# What `main` may load before it knows which command is meant.
AT_START = {"cirrus_ext", "cirrus_ext.errors", "mycirrus_cli"} | {
    f"mycirrus_cli.{name}" for name in ("arguments", "exits", "main", "speech")
}
# Of the standard library, what takes more than a millisecond and --help has no use for.
SLOW = {"asyncio", "dataclasses", "email", "inspect", "json", "logging", "socket", "ssl"}
SLOW |= {"datetime", "decimal", "pathlib", "subprocess", "tempfile", "traceback", "urllib"}


def python(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with its output in a pipe."""
    return subprocess.run(
        [sys.executable, *words],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def help_of(command: str, **environment: str) -> str:
    """What a command says about itself."""
    done = python("-m", "mycirrus_cli", *command.split(), "--help", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture(autouse=True)
def _no_wishes_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR", "PYTHON_COLORS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """The address of a stand-in."""
    with serve(Standin()) as address:
        yield address


# --- help


@pytest.mark.parametrize("environment", [{}, {"COLUMNS": "80"}, {"COLUMNS": "200"}], ids=str)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_line_of_the_help_is_too_long(command: str, environment: dict[str, str]) -> None:
    """In a pipe and on a usual terminal; what is not filled by argparse is so anywhere."""
    lines = help_of(command, **environment).splitlines()
    widest = 80 if environment.get("COLUMNS") != "200" else 200

    assert [line for line in lines if len(line) > widest] == []


@pytest.mark.parametrize("command", PARSERS.values(), ids=list(PARSERS))
def test_every_argument_has_help(command: argparse.ArgumentParser) -> None:
    """And none that begins or ends like a sentence among others that do not."""
    texts = {
        " ".join(action.option_strings) or str(action.metavar or action.dest): action.help or ""
        for action in command._actions
        if not isinstance(action, argparse._SubParsersAction)
    }

    assert [name for name, text in texts.items() if not text] == []
    assert [name for name, text in texts.items() if text.endswith(".")] == []


@pytest.mark.parametrize("command", PARSERS.values(), ids=list(PARSERS))
def test_every_command_says_what_it_does_in_a_sentence(command: argparse.ArgumentParser) -> None:
    """With a capital letter and a full stop."""
    assert re.fullmatch(r"[A-Z].+\.", command.description or "", re.DOTALL)


@pytest.mark.parametrize("command", ["", "log", "report", "completion"])
def test_the_help_has_an_example(command: str) -> None:
    """One that can be pasted: it begins with the name of the command."""
    assert re.search(r"^  (eval \"\$\()?mycirrus .+$", help_of(command), re.MULTILINE)


@pytest.mark.parametrize("command", PARSERS.values(), ids=list(PARSERS))
def test_every_example_is_accepted_by_the_parser(command: argparse.ArgumentParser) -> None:
    """As it stands."""
    for words in re.findall(r"^  mycirrus (.+)$", command.epilog or "", re.MULTILINE):
        assert parser().parse_args(words.split()).command == words.split()[0]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_lists_the_exit_codes(command: str) -> None:
    """All of them, for whoever writes a script."""
    _, _, listed = help_of(command).partition("exit codes:\n")

    assert re.findall(r"^  (\d+)\b", listed, re.MULTILINE) == [str(code) for code in EXIT_CODES]


def test_the_version_is_that_of_the_package() -> None:
    """On standard output."""
    done = python("-m", "mycirrus_cli", "--version")

    assert (done.returncode, done.stdout) == (0, f"mycirrus {__version__}\n")
    assert done.stderr == ""


@pytest.mark.parametrize(
    "words",
    [["--version"], ["--help"], ["log", "--help"], [], ["lag"], ["log", "QT123456"]],
    ids=" ".join,
)
def test_the_module_is_the_command(words: list[str]) -> None:
    """To the last byte, whichever of the two is called."""
    module = python("-m", "mycirrus_cli", *words)
    command = subprocess.run(
        [str(BIN / "mycirrus"), *words], capture_output=True, text=True, check=False, timeout=60
    )

    assert (module.returncode, module.stdout, module.stderr) == (
        command.returncode,
        command.stdout,
        command.stderr,
    )


# --- what --help waits for


def loaded_by(*words: str) -> set[str]:
    """The modules that are there when `main` is done, and were not before."""
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from mycirrus_cli.main import main\n"
        "try:\n"
        f"    main({list(words)!r})\n"
        "except SystemExit:\n"
        "    pass\n"
        "sys.stderr.write(' '.join(set(sys.modules) - before))\n"
    )
    # without site and its .pth files, which load what they like
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return set(python("-S", "-c", code, PYTHONPATH=path).stderr.split())


@pytest.mark.parametrize("words", [["--help"], ["log", "--help"], ["--version"]], ids=" ".join)
def test_help_loads_the_parser_and_nothing_else_of_the_package(words: list[str]) -> None:
    """No httpx, no rich, nothing that is installed."""
    foreign = {
        name
        for name in loaded_by(*words)
        if name.partition(".")[0] not in sys.stdlib_module_names | {"cirrus_ext", "mycirrus_cli"}
    }

    assert foreign == set()
    assert {
        name for name in loaded_by(*words) if name.startswith(("cirrus_ext", "mycirrus"))
    } <= AT_START


def test_help_loads_nothing_slow_of_the_standard_library() -> None:
    """Most of what a command that does little takes is the loading of modules."""
    assert loaded_by("--help") & SLOW == set()


# --- colour


@pytest.mark.parametrize(
    "environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"NO_COLOR": "1", "TERM": "dumb"}], ids=str
)
@pytest.mark.parametrize("words", [["--help"], ["log", "--help"], LOG], ids=" ".join)
def test_a_terminal_that_wants_no_colour_gets_none(
    base_url: str, words: list[str], environment: dict[str, str]
) -> None:
    """Neither in the output nor in what is said beside it."""
    with terminal(
        [sys.executable, "-m", "mycirrus_cli", *words],
        MYCIRRUS_BASE_URL=base_url,
        MYCIRRUS_API_KEY=DEMO_KEY,
        **environment,
    ) as window:
        code = window.to_the_end()

    assert code == 0
    assert re.findall(r"\x1b\[[\d;]*m", window.raw) == []
    if environment.get("TERM") == "dumb":
        assert ESCAPE not in window.raw


def test_a_terminal_gets_colour(base_url: str) -> None:
    """Else the test above could not fail."""
    with terminal(
        [sys.executable, "-m", "mycirrus_cli", *LOG],
        MYCIRRUS_BASE_URL=base_url,
        MYCIRRUS_API_KEY=DEMO_KEY,
        NO_COLOR="",
    ) as window:
        code = window.to_the_end()

    assert code == 0
    assert re.search(r"\x1b\[[\d;]+m", window.raw)


@pytest.mark.parametrize("words", [["--help"], LOG, ["log", "QT123456"]], ids=" ".join)
def test_a_pipe_gets_no_escape(base_url: str, words: list[str]) -> None:
    """Whatever the terminal that the pipe was typed in can show."""
    done = python(
        *("-m", "mycirrus_cli", *words),
        MYCIRRUS_BASE_URL=base_url,
        MYCIRRUS_API_KEY=DEMO_KEY,
        TERM="xterm-256color",
    )

    assert ESCAPE not in done.stdout + done.stderr


def test_what_is_typed_wrongly_is_said_in_one_line_without_colour(tmp_path: Path) -> None:
    """On a terminal too."""
    with terminal([sys.executable, "-m", "mycirrus_cli", "log"], tmp_path) as window:
        code = window.to_the_end()

    assert code == 2
    assert window.raw.count("\n") == 1
    assert ESCAPE not in window.raw
