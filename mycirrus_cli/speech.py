"""What the command says on stderr."""

import sys
from contextlib import suppress


def say(text: str) -> None:
    """Print a line on stderr, with nothing in it that moves a cursor.

    Whoever closed stderr does not want to know.
    """
    line = "".join(letter if letter.isprintable() else "?" for letter in text)
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"mycirrus: {line}\n")
        sys.stderr.flush()
