"""Writes Apache Parquet. Needs pyarrow."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from .columns import COLUMNS, Row, row_of
from .exits import extra

if TYPE_CHECKING:
    from cirrus_ext.calibration_log import CalibrationRecord

ROWS_IN_A_GROUP = 65_536
DESCRIPTIONS = {
    "instrument": "requested serial number",
    "time": "when the entry was made, in UTC",
    "user": "who made it; null if the API has no user",
    "message": "its text; null if there is none",
}


class _Gate:
    """Passes bytes to a stream only while it is open.

    When pyarrow's writer is garbage-collected, it ends the file as if it were complete. By then the
    stream may be closed, and an incomplete file must not look complete.
    """

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._is_open = False

    @contextmanager
    def opened(self) -> Generator[None]:
        self._is_open = True
        try:
            yield
        finally:
            self._is_open = False

    def write(self, data: bytes) -> int:
        return self._stream.write(data) if self._is_open else len(data)

    def flush(self) -> None:
        if self._is_open:
            self._stream.flush()


class ParquetWriter:
    """Apache Parquet: texts as strings, times as microseconds in UTC, groups of 65,536 rows.

    The same records become the same bytes with the same version of pyarrow.

    Args:
        stream: Where to write.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """

    def __init__(self, stream: BinaryIO) -> None:
        with extra("parquet", package="pyarrow", name="parquet"):
            import pyarrow as pa  # noqa: PLC0415 - slow to load
            from pyarrow import parquet  # noqa: PLC0415 - likewise
        kinds = (pa.string(), pa.timestamp("us", tz="UTC"), pa.string(), pa.string())
        schema = pa.schema(
            pa.field(
                name,
                kind,
                nullable=name in {"user", "message"},
                metadata={"description": DESCRIPTIONS[name]},
            )
            for name, kind in zip(COLUMNS, kinds, strict=True)
        )
        self._gate = _Gate(stream)
        self._rows: list[Row] = []
        with self._gate.opened():
            # snappy, because every reader has it
            self._file = parquet.ParquetWriter(
                self._gate, schema, version="2.6", compression="snappy"
            )
        self._table_of = pa.Table.from_pydict

    def write(self, records: "Iterable[CalibrationRecord]") -> None:
        """Write a row per record, as soon as a group of rows is full."""
        for record in records:
            self._rows.append(row_of(record))
            if len(self._rows) == ROWS_IN_A_GROUP:
                self._write_group()

    def finish(self) -> None:
        """Write the last group and the footer."""
        if self._rows:
            self._write_group()
        with self._gate.opened():
            self._file.close()
            self._gate.flush()

    def _write_group(self) -> None:
        columns = dict(zip(COLUMNS, map(list, zip(*self._rows, strict=True)), strict=True))
        self._rows.clear()
        with self._gate.opened():
            table = self._table_of(columns, schema=self._file.schema)
            self._file.write_table(table, row_group_size=ROWS_IN_A_GROUP)
