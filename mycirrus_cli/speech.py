"""The lines that the command writes to stderr."""

import sys
from contextlib import suppress


def say(text: str) -> None:
    """Write one line to stderr; do nothing if stderr is closed."""
    from mycirrus_contract.text import plain  # noqa: PLC0415 - --help says nothing on stderr

    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"mycirrus: {plain(text, '?')}\n")
        sys.stderr.flush()
