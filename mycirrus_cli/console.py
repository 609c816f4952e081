"""The console of rich, for the table and the progress bar."""

import os
from typing import Any

from rich.console import Console


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Let the command end without a message; rich would end with exit code 1."""
        raise BrokenPipeError


def console(**options: Any) -> Console:
    """Return a console without any style if NO_COLOR is set or CLICOLOR is 0.

    rich itself would still write bold and dim.

    Args:
        options: As rich takes them.
    """
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("CLICOLOR") == "0"
    return _Console(color_system=None if is_plain else "auto", **options)
