"""Entries as rows of an archive, and the changes that an answer causes."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cirrus_ext.calibration_log import CalibrationRecord
from mycirrus_cli.columns import valid_text

from .ranges import text_of, time_of

# instrument, time, user, message, extra
Columns = tuple[str, str, str | None, str | None, str]


def columns_of(record: CalibrationRecord) -> Columns:
    """Return the columns of an entry.

    SQLite cannot hold surrogates, which JSON may contain. A text with one is unchanged in
    ``extra``, and has U+FFFD instead in its column.
    """
    texts, extra = {"user": record.user, "message": record.message}, dict(record.extra)
    for name, text in texts.items():
        if text is not None and text != valid_text(text):
            extra[name], texts[name] = text, valid_text(text)
    in_json = json.dumps(extra, sort_keys=True)
    return record.instrument, text_of(record.time), texts["user"], texts["message"], in_json


def record_of(columns: Columns) -> CalibrationRecord:
    """Return the entry of a row."""
    instrument, time, user, message, in_json = columns
    extra: dict[str, Any] = json.loads(in_json)
    texts = {name: extra.pop(name, text) for name, text in (("user", user), ("message", message))}
    return CalibrationRecord(instrument, time_of(time), **texts, extra=extra)


@dataclass(frozen=True)
class Difference:
    """What an answer changes.

    Attributes:
        added: Entries that the archive does not have.
        gone: The ids of entries that are no longer in the answer.
        changed: How many of both have the same time: one replaces the other.
    """

    added: list[Columns]
    gone: list[int]
    changed: int


def difference(before: Iterable[tuple[int, Columns]], answer: Iterable[Columns]) -> Difference:
    """Compare, as multisets, the current entries of a window with the answer.

    Args:
        before: The current entries, each with its id.
        answer: The entries of the answer.
    """
    known: defaultdict[Columns, list[int]] = defaultdict(list)
    for row, columns in before:
        known[columns].append(row)
    added = [one for one in answer if not (known[one] and known[one].pop(0))]
    gone = {row: columns[1] for columns, rows in known.items() for row in rows}
    both = Counter(columns[1] for columns in added) & Counter(gone.values())
    return Difference(added, sorted(gone), both.total())
