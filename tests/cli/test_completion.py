"""The scripts of ``mycirrus completion`` work in real shells, as its help says."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mycirrus_cli.arguments import FORMATS
from tests.support.paths import ROOT
from tests.support.terminal import Terminal, terminal

SHELLS = ["bash", "zsh"]
COMMANDS = {"log", "report", "doctor", "completion"}
TAB, CLEAR = "\t", "\x15"

STARTS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}
# What a person's settings may well be, so that one TAB shows all.
SETTINGS = {
    "bash": "bind 'set show-all-if-ambiguous on'",
    "zsh": "autoload -U compinit; compinit -u; setopt no_list_beep",
}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    """A shell that is installed here."""
    name = str(request.param)
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    return name


def script(shell: str) -> str:
    """What ``mycirrus completion`` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "mycirrus_cli", "completion", shell],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def line_in_help(shell: str) -> str:
    """What the help says to put into the settings of a shell."""
    done = subprocess.run(
        [sys.executable, "-m", "mycirrus_cli", "completion", "--help"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found = re.search(rf"^for {shell}, .*:\n  (.+)$", done.stdout, re.MULTILINE)
    assert found is not None
    return found[1]


@contextmanager
def session(shell: str, folder: Path) -> Iterator[Terminal]:
    """A shell in a folder, with completion turned on by the line that the help gives."""
    with terminal(
        STARTS[shell], folder, HOME=str(folder), INPUTRC="/dev/null", PS1="ready> "
    ) as window:
        window.wait_for(r"ready>$")
        window.type(f"{SETTINGS[shell]}; {line_in_help(shell)}; clear; echo 'set' up\n")
        window.wait_for(r"^set up\n.*ready>$")
        yield window


@pytest.fixture
def window(shell: str, tmp_path: Path) -> Iterator[Terminal]:
    """A shell with completion, in a folder with a file."""
    (tmp_path / "fleet_of_2024.csv").touch()
    with session(shell, tmp_path) as window:
        yield window


def shown(text: str) -> set[str]:
    """The words below the line that is being typed, or above it where the shell repeats it."""
    lines = text.splitlines()
    return {word for line in lines if not line.startswith("ready> ") for word in line.split()}


MANY = {
    "commands": ("mycirrus ", COMMANDS, {"--help", "fleet_of_2024.csv"}),
    "options": (
        "mycirrus log --",
        {"--start", "--last", "--end", "--format", "--output", "--resume", "--api-key-file"},
        {"--max-gap", "--version", "log"},
    ),
    "options of another command": (
        "mycirrus report --",
        {"--max-gap", "--output", "--quiet"},
        {"--format", "--resume"},
    ),
    "options after arguments": (
        "mycirrus log QT123456 --start 2023-01-01 --",
        {"--end", "--output", "--resume"},
        {"--max-gap", "--version"},
    ),
    "choices": ("mycirrus log --format ", set(FORMATS), {"--end", "fleet_of_2024.csv"}),
    "shells": ("mycirrus completion ", set(SHELLS), {"log", "fleet_of_2024.csv"}),
}


@pytest.mark.parametrize(("typed", "wanted", "unwanted"), MANY.values(), ids=list(MANY))
def test_a_tab_shows_what_can_follow(
    window: Terminal, typed: str, wanted: set[str], unwanted: set[str]
) -> None:
    """And nothing that cannot."""
    window.type(typed + TAB)
    text = window.wait_until(lambda text: wanted <= shown(text))

    assert not unwanted & shown(text)


ONE = {
    "a command": ("mycirrus comp", "mycirrus completion"),
    "an option": ("mycirrus log --resu", "mycirrus log --resume"),
    "a choice": ("mycirrus log --format nd", "mycirrus log --format ndjson"),
    "a file": ("mycirrus log --output fl", "mycirrus log --output fleet_of_2024.csv"),
    "a file of serial numbers": (
        "mycirrus log --instruments-file fl",
        "mycirrus log --instruments-file fleet_of_2024.csv",
    ),
    "the file of the key": (
        "mycirrus doctor QT123456 --api-key-file fl",
        "mycirrus doctor QT123456 --api-key-file fleet_of_2024.csv",
    ),
}


@pytest.mark.parametrize(("typed", "becomes"), ONE.values(), ids=list(ONE))
def test_a_tab_finishes_what_can_be_only_one_thing(
    window: Terminal, typed: str, becomes: str
) -> None:
    """Files too, where an option takes one."""
    window.type(typed + TAB)

    window.wait_for(rf"^ready> {re.escape(becomes)}\s*$")


def test_a_shell_that_has_the_script_says_nothing_about_it(window: Terminal) -> None:
    """No complaint at each start of a terminal."""
    assert window.text == "set up\nready>"


def test_the_script_names_no_path_of_the_machine(shell: str, tmp_path: Path) -> None:
    """It can be put beside others' settings."""
    text = script(shell)

    for path in (ROOT, Path.home(), Path(sys.prefix), tmp_path):
        assert str(path) not in text or path == Path("/")
    assert sys.executable not in text


def test_the_script_is_the_same_each_time(shell: str) -> None:
    """So that it can be kept in a file."""
    assert script(shell) == script(shell)
