"""The chain: a hash for each commit, over the hash before it and over what the commit wrote."""

import hashlib
import heapq
import json
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby, zip_longest
from operator import itemgetter
from typing import Any, NamedTuple

from .schema import KINDS, SCHEMA, Kind

# What one commit wrote: the name of a kind, the number of the commit, and the other values.
Change = tuple[Any, ...]

FIRST = bytes(hashlib.sha256().digest_size)  # stands for the hash before the first commit
_ENCODER = json.JSONEncoder(separators=(",", ":"))


class BrokenChainError(Exception):
    """What is in the file is not what was committed.

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


def next_hash(before: bytes, changes: Iterable[Change]) -> bytes:
    """Return the hash of a commit.

    Args:
        before: The hash of the commit before it, `FIRST` if there is none.
        changes: What it wrote, in any order.

    Raises:
        TypeError: A value is neither a text, a number nor None.
    """
    lines = sorted(map(_ENCODER.encode, changes))
    return hashlib.sha256(before + "\n".join(lines).encode()).digest()


def verified(connection: sqlite3.Connection) -> Iterator[Commit]:
    """Yield all commits, each after it was found to fit the chain.

    Raises:
        BrokenChainError: One does not fit, or the tables are not those of `SCHEMA`.
    """
    _check_schema(connection)
    before, number = FIRST, 0
    rows = connection.execute("SELECT number, hash FROM chain ORDER BY number")
    sources = [_changes(connection, kind) for kind in KINDS]
    groups = groupby(heapq.merge(*sources, key=itemgetter(1)), key=itemgetter(1))
    for number, (row, group) in enumerate(zip_longest(rows, groups), 1):
        if row is None or group is None or row[0] != number or group[0] != number:
            raise BrokenChainError(number, "rows were deleted or added")
        changes = list(group[1])
        try:
            expected = next_hash(before, changes)
        except TypeError:
            raise BrokenChainError(number, "a value is of the wrong type") from None
        if row[1] != expected:
            raise BrokenChainError(number, "rows were changed, deleted or added")
        before = expected
        yield Commit(number, before, changes)


def _changes(connection: sqlite3.Connection, kind: Kind) -> Iterator[Change]:
    try:
        for row in connection.execute(kind.read):
            if not isinstance(row[0], int):
                raise BrokenChainError(0, f"a row of {kind.name!r} is of no commit")
            yield (kind.name, *row)
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):
            raise
        # Without the error's own words: it quotes the text.
        raise BrokenChainError(0, f"a text of {kind.name!r} is not UTF-8") from None


def _check_schema(connection: sqlite3.Connection) -> None:
    with sqlite3.connect(":memory:") as fresh:
        fresh.executescript(SCHEMA)
        expected, found = _schema(fresh), _schema(connection)
    fresh.close()
    if odd := sorted({row[1] for row in expected ^ found}):
        raise BrokenChainError(0, f"not as the program makes it: {', '.join(odd)}")


def _schema(connection: sqlite3.Connection) -> set[tuple[str, ...]]:
    """Return all tables, indices, views and triggers, but for the statistics of ANALYZE."""
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master")
    return {row for row in rows if not row[1].startswith("sqlite_stat")}
