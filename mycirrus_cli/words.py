"""Numbers and lists in words."""

from collections.abc import Sequence


def counted(number: int, noun: str) -> str:
    """``1 entry``, ``1,234 entries``, ``2 days``."""
    return f"{number:,} {noun if number == 1 else _plural(noun)}"


def _plural(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}s"


def shortened(serials: Sequence[str], most: int = 5) -> str:
    """The first few of a list, and how many more."""
    more = len(serials) - most
    return ", ".join(serials[:most]) + (f" and {more:,} more" if more > 0 else "")
