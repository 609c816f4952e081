"""The terminal, as rich writes on it."""

import os
from typing import Any

from rich.console import Console


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the command, which ends in silence; rich would end with exit code 1."""
        raise BrokenPipeError


def console(**options: Any) -> Console:
    """A console that keeps to NO_COLOR; rich itself would still write bold and dim.

    Args:
        options: As rich takes them.
    """
    return _Console(color_system=None if os.environ.get("NO_COLOR") else "auto", **options)
