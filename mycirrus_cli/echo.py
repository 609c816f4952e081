"""Writes the messages of the command to stderr."""

import os
import sys
from contextlib import suppress


def echo(text: str) -> None:
    """Write one line to stderr; do nothing if stderr is closed or full."""
    from mycirrus_contract.text import plain  # noqa: PLC0415 - --help writes nothing to stderr

    try:
        sys.stderr.write(f"mycirrus: {plain(text, '?')}\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        discard("stderr")


def discard(name: str) -> None:
    """Drop what a standard stream still holds; otherwise Python writes it at exit, and fails.

    Args:
        name: ``stdout`` or ``stderr``.
    """
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), getattr(sys, name).fileno())
