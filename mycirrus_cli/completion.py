"""``mycirrus completion``: a script for a shell."""

import argparse
from argparse import Namespace
from typing import Any

from .contract import whole_parser
from .exits import DONE, extra

_FILES = {"ARCHIVE", "DIR", "FILE", "OUTPUT"}
_UNKNOWABLE = {"SERIAL"}
# Without it, zsh shows a message where it cannot complete a value, and then does not complete an
# option that could stand there as well.
_NOTHING = {"zsh": "{:}"}


def run(options: Namespace) -> int:
    """Print the script.

    Returns:
        The exit code.

    Raises:
        MissingExtraError: shtab is not installed.
    """
    with extra("mycirrus completion", package="shtab", name="cli"):
        import shtab  # noqa: PLC0415 - of an extra
    command = whole_parser()
    _complete_values(command, shtab.FILE)
    print(shtab.complete(command, options.shell))
    return DONE


def _complete_values(command: argparse.ArgumentParser, files: Any) -> None:
    """Mark the arguments whose values are names of files."""
    for action in command._actions:  # noqa: SLF001 - shtab reads them too; there is no other way
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for below in action.choices.values():
                _complete_values(below, files)
        elif action.metavar in _FILES:
            action.complete = files  # type: ignore[attr-defined]  # shtab looks for it
        elif action.metavar in _UNKNOWABLE:
            action.complete = _NOTHING  # type: ignore[attr-defined]  # likewise
