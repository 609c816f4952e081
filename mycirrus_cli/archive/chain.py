"""The chain: a hash of each commit, which covers the hash before it and what the commit wrote."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cache
from typing import Any, NamedTuple

from .schema import KINDS, SCHEMA

# What one commit wrote: the name of a kind, the number of the commit, and the other values.
Change = tuple[Any, ...]

FIRST = bytes(hashlib.sha256().digest_size)  # stands for the hash before the first commit
_NONE: Change = ("", None)  # after the last one
_STATISTICS = {("table", "sqlite_stat1"), ("table", "sqlite_stat4")}
_ENCODER = json.JSONEncoder(separators=(",", ":"))


class BrokenChainError(Exception):
    """The file does not hold what was committed.

    Attributes:
        number: The first commit that does not fit.
    """

    def __init__(self, number: int, problem: str) -> None:
        super().__init__(problem)
        self.number = number


class Commit(NamedTuple):
    """A commit that fits the chain."""

    number: int
    hash: bytes
    changes: list[Change]


def next_hash(before: bytes, changes: Sequence[Change]) -> bytes:
    """Return the hash of a commit.

    Args:
        before: The hash of the commit before it, `FIRST` if there is none.
        changes: What it wrote, in the order of `KINDS` and of their `read`.

    Raises:
        TypeError: A value is neither a text, a number nor None.
    """
    return hashlib.sha256(before + _ENCODER.encode(changes).encode()).digest()


def verified(connection: sqlite3.Connection) -> Iterator[Commit]:
    """Yield all commits, each after it was verified.

    Raises:
        BrokenChainError: One does not fit, or the tables are not those of `SCHEMA`.
    """
    _check_schema(connection)
    try:
        yield from _commits(connection)
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):
            raise
        # Without the error's own words: it quotes the text.
        raise BrokenChainError(0, "a text is not UTF-8") from None


def _commits(connection: sqlite3.Connection) -> Iterator[Commit]:
    before, number = FIRST, 0
    sources = [connection.execute(kind.read) for kind in KINDS]
    following: list[Change] = [next(source, _NONE) for source in sources]
    chain = connection.execute("SELECT number, hash FROM chain ORDER BY number")
    for number, (found, in_chain) in enumerate(chain, 1):
        changes: list[Change] = []
        for index, source in enumerate(sources):
            while following[index][1] == number:
                changes.append(following[index])
                following[index] = next(source, _NONE)
        try:
            before = next_hash(before, changes)
        except TypeError:
            raise BrokenChainError(number, "a value is of the wrong type") from None
        if found != number or in_chain != before:
            raise BrokenChainError(number, "rows were changed, deleted or added")
        yield Commit(number, before, changes)
    if any(change is not _NONE for change in following):
        raise BrokenChainError(number + 1, "rows were added, or the end of the chain was deleted")


def _check_schema(connection: sqlite3.Connection) -> None:
    if odd := sorted({row[1] for row in _expected_schema() ^ _schema(connection)}):
        raise BrokenChainError(0, f"not as the program makes it: {', '.join(odd)}")


@cache
def _expected_schema() -> set[tuple[str, ...]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        return _schema(connection)


def _schema(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    """Return all tables, indices, views and triggers, except the statistics of ANALYZE."""
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master")
    return {row for row in rows if row[:2] not in _STATISTICS}
