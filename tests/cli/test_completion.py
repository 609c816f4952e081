"""The scripts of ``mycirrus completion`` work in real shells, as the help says."""

import re
import shutil
from functools import partial
from pathlib import Path

import pytest

from mycirrus_cli.arguments import COMMANDS, FORMATS
from tests.support.command import mycirrus
from tests.support.terminal import Terminal, terminal

SHELLS = ["bash", "zsh"]
FILE = "fleet_of_2024.csv"
TAB, CLEAR_LINE = "\t", "\x15"

STARTS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}
# Common settings of users, with which one TAB shows all.
SETTINGS = {
    "bash": "bind 'set show-all-if-ambiguous on'",
    "zsh": "autoload -U compinit; compinit -u; setopt no_list_beep",
}

# What is typed before a TAB, which words are then shown, and which are not.
MANY: dict[str, tuple[set[str], set[str]]] = {
    "mycirrus ": (set(COMMANDS), {"--help", FILE}),
    "mycirrus log --": (
        {"--start", "--last", "--end", "--format", "--output", "--api-key-file"},
        {"--max-gap", "--version", "log"},
    ),
    "mycirrus log QT123456 --start 2023-01-01 --": ({"--end", "--output"}, {"--max-gap"}),
    "mycirrus log --format ": (set(FORMATS), {"--end", FILE}),
}
# What is typed before a TAB, and what it becomes.
ONE = {
    "mycirrus comp": "mycirrus completion",
    "mycirrus contract --accept fl": f"mycirrus contract --accept {FILE}",
    "mycirrus standin --unkn": "mycirrus standin --unknown-instrument",
    "mycirrus log --format nd": "mycirrus log --format ndjson",
    "mycirrus doctor QT123456 --api-key-file fl": f"mycirrus doctor QT123456 --api-key-file {FILE}",
}


def line_in_help(shell: str) -> str:
    """The line that the help gives for the settings of a shell."""
    text = mycirrus("completion", "--help").stdout
    found = re.search(rf"^for {shell}, .*:\n  (.+)$", text, re.MULTILINE)
    assert found is not None
    return found[1]


def clear(window: Terminal) -> None:
    window.type(f"{CLEAR_LINE}clear\n")
    window.wait_until(lambda text: text == "ready>")


def shown(text: str) -> set[str]:
    """The words on the screen besides the line that is being typed."""
    lines = text.splitlines()
    return {word for line in lines if not line.startswith("ready> ") for word in line.split()}


def shows(wanted: set[str], text: str) -> bool:
    return wanted <= shown(text)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_tab_shows_what_can_follow_and_completes_a_unique_word(
    shell: str, tmp_path: Path
) -> None:
    """After the line that the help gives, which itself prints nothing."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / FILE).touch()
    variables = {"HOME": str(tmp_path), "INPUTRC": "/dev/null", "PS1": "ready> "}
    with terminal(STARTS[shell], tmp_path, **variables) as window:
        window.wait_for(r"ready>$")
        window.type(f"{SETTINGS[shell]}; clear; {line_in_help(shell)}; echo 'set' up\n")
        assert window.wait_for(r"^set up\n.*ready>$") == "set up\nready>"
        for typed, (wanted, unwanted) in MANY.items():
            clear(window)
            window.type(typed + TAB)
            text = window.wait_until(partial(shows, wanted))
            assert not unwanted & shown(text), typed
        for typed, becomes in ONE.items():
            clear(window)
            window.type(typed + TAB)
            window.wait_for(rf"^ready> {re.escape(becomes)}\s*$")
