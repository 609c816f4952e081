"""Numbers and lists for messages, and the text of files that people give."""

import codecs
from collections.abc import Sequence


def quantity(number: int, noun: str) -> str:
    """``1 entry``, ``1,234 entries``, ``2 days``."""
    plural = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def first_few(serials: Sequence[str], most: int = 5) -> str:
    """The first few of a list, and how many more there are."""
    more = len(serials) - most
    return ", ".join(serials[:most]) + (f" and {more:,} more" if more > 0 else "")


def decoded(content: bytes) -> str:
    """Decode UTF-8, or UTF-16 with a byte order mark, as PowerShell writes it.

    The encoding of the terminal plays no part: it is another one than that of most files.

    Raises:
        ValueError: It is neither.
    """
    marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    text = content.decode("utf-16" if content.startswith(marks) else "utf-8-sig")
    if "\0" in text:  # UTF-16 without a mark, or UTF-32
        raise ValueError("a NUL character")
    return text
