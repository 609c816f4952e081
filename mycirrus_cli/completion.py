"""``mycirrus completion``: a script for a shell."""

import argparse
from argparse import Namespace
from typing import Any

from .contract import whole_parser
from .exits import DONE, MissingExtraError

_FILES = {"DIR", "FILE", "OUTPUT"}
_UNKNOWABLE = {"SERIAL"}
# In place of what zsh does with what it has no way to complete: it shows a message about it, and
# then does not finish an option that could stand there too.
_NOTHING = {"zsh": "{:}"}


def run(options: Namespace) -> int:
    """Print the script.

    Returns:
        The exit code.

    Raises:
        MissingExtraError: shtab is not installed.
    """
    try:
        import shtab  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtraError("mycirrus completion", package="shtab", extra="cli") from None
    command = whole_parser()
    _complete_values(command, shtab.FILE)
    print(shtab.complete(command, options.shell))
    return DONE


def _complete_values(command: argparse.ArgumentParser, files: Any) -> None:
    """Have the arguments that are files completed as such."""
    for action in command._actions:  # noqa: SLF001 - shtab reads them too; there is no other way
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for below in action.choices.values():
                _complete_values(below, files)
        elif action.metavar in _FILES:
            action.complete = files  # type: ignore[attr-defined]  # shtab looks for it
        elif action.metavar in _UNKNOWABLE:
            action.complete = _NOTHING  # type: ignore[attr-defined]  # likewise
