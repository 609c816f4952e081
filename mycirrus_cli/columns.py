"""What all formats have in common."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cirrus_ext.calibration_log import CalibrationRecord

# The keys and columns of every format, in this order.
COLUMNS = ("instrument", "time", "user", "message")

Row = tuple[str, datetime, str | None, str | None]

_SURROGATES = re.compile("[\ud800-\udfff]")


class Writer(Protocol):
    """Writes records to the stream that it was made with, which it does not close."""

    def write(self, records: "Iterable[CalibrationRecord]") -> None:
        """Write records in this order; can be called any number of times."""

    def finish(self) -> None:
        """Write what comes after the last record; called once."""


def valid_text(text: str) -> str:
    r"""Return a text that UTF-8 can hold: JSON may contain a surrogate, such as ``\ud800``."""
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def row_of(record: "CalibrationRecord") -> Row:
    """Return the values of the columns, as valid texts."""
    return (
        valid_text(record.instrument),
        record.time,
        record.user and valid_text(record.user),
        record.message and valid_text(record.message),
    )
