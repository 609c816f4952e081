"""Writes an Excel workbook. Needs XlsxWriter."""

import io
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Sequence
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any, BinaryIO

from .columns import row_of, valid_text
from .exits import FAILED, CommandError, extra
from .times import local_time, written_time

if TYPE_CHECKING:
    from cirrus_ext.calibration_log import CalibrationRecord

MAX_ROWS = 1_048_575  # of a sheet, without the header
MAX_UNITS = 32_767  # of a cell, in 16-bit units
FIRST_YEAR = 1900  # of Excel's calendar
WIDTHS = {"instrument": 16, "time": 32, "UTC offset": 11, "user": 24, "message": 80}


class XLSXWriter:
    """A workbook with the sheets "log" and "without entry".

    A text is never a formula, a link or a number, so serial numbers keep their zeros. Times are
    dates of Excel, in milliseconds; one that Excel cannot hold exactly is a text. Rows go to a
    temporary file, and only the packed workbook is in memory, some 20 bytes for each entry.

    Args:
        stream: Where to write.
        instruments: The requested serial numbers.
        zone: The time zone to show. If it is not UTC, each row has the offset from UTC.

    Raises:
        MissingExtraError: XlsxWriter is not installed.
    """

    def __init__(
        self, stream: BinaryIO, instruments: Sequence[str] = (), zone: tzinfo = UTC
    ) -> None:
        with extra("xlsx", package="xlsxwriter", name="excel"):
            import xlsxwriter  # noqa: PLC0415 - of an extra
        self._zone = zone
        self._without_entry = dict.fromkeys(map(valid_text, instruments))
        self._rows = 0
        folder = tempfile.mkdtemp(prefix="mycirrus.")
        # Packed in memory: a ZipFile whose stream has failed writes to it again when it is deleted.
        self._stream, self._packed = stream, io.BytesIO()
        self._book = xlsxwriter.Workbook(self._packed, {"constant_memory": True, "tmpdir": folder})
        self._text = self._book.add_format({"num_format": "@"})  # stays a text when it is edited
        self._date = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})
        self._columns = [name for name in WIDTHS if zone is not UTC or name != "UTC offset"]
        self._log = self._add_sheet("log", self._columns)
        self._others = self._add_sheet("without entry", ["instrument"])
        # A run that fails leaves no file with personal data, either.
        self._clean = weakref.finalize(self, _remove, folder, self._book.worksheets())

    def _add_sheet(self, name: str, columns: Sequence[str]) -> Any:
        bold = self._book.add_format({"bold": True})
        sheet = self._book.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        sheet.repeat_rows(0)  # when it is printed
        sheet.ignore_errors({"number_stored_as_text": f"A1:E{MAX_ROWS + 1}"})
        for number, column in enumerate(columns):
            sheet.set_column(number, number, WIDTHS[column])
            heading = f"time ({self._zone})" if column == "time" else column
            sheet.write_string(0, number, heading, bold)
        return sheet

    def write(self, records: "Iterable[CalibrationRecord]") -> None:
        """Write a row for each record.

        Raises:
            CommandError: There are more than a sheet can hold.
        """
        for record in records:
            if self._rows == MAX_ROWS:
                raise CommandError(
                    f"a sheet of Excel holds {MAX_ROWS:,} entries at most, and there are more: "
                    "give a shorter range, fewer instruments or --format csv",
                    FAILED,
                )
            self._rows += 1
            self._write_row(record)

    def _write_row(self, record: "CalibrationRecord") -> None:
        instrument, time, user, message = row_of(record)
        self._without_entry.pop(instrument, None)
        moment = local_time(time, self._zone)
        local = moment.replace(tzinfo=None)
        texts = {"instrument": instrument, "user": user, "message": message}
        if local.year < FIRST_YEAR or local.microsecond % 1000:
            texts["time"] = written_time(time, self._zone)
        else:
            self._log.write_datetime(self._rows, self._columns.index("time"), local, self._date)
        if self._zone is not UTC:
            texts["UTC offset"] = moment.isoformat(timespec="seconds")[19:]
        for name, text in texts.items():
            if text:
                self._write_text(self._log, self._rows, self._columns.index(name), text)

    def _write_text(self, sheet: Any, row: int, column: int, text: str) -> None:
        text = _cell(text)
        if text.startswith("<r>") and text.endswith("</r>"):
            # XlsxWriter takes it for XML of its own, unless it is written in two parts.
            sheet.write_rich_string(row, column, text[:1], self._text, text[1:], self._text)
        else:
            sheet.write_string(row, column, text, self._text)

    def finish(self) -> None:
        """Write the second sheet, and put the workbook together."""
        for row, instrument in enumerate(self._without_entry, 1):
            self._write_text(self._others, row, 0, instrument)
        self._log.autofilter(0, 0, self._rows, len(self._columns) - 1)
        self._book.close()
        self._clean()
        self._stream.write(self._packed.getbuffer())
        self._stream.flush()


def _remove(folder: str, sheets: Sequence[Any]) -> None:
    for sheet in sheets:
        sheet.row_data_fh.close()
    shutil.rmtree(folder, ignore_errors=True)


def _cell(text: str) -> str:
    """Return a text that fits a cell; one that does not is cut, and says so."""
    units = text.encode("utf-16-le")
    if len(units) <= 2 * MAX_UNITS:
        return text
    note = f" [cut by Excel's limit of {MAX_UNITS:,} characters; the text has {len(text):,}]"
    return units[: 2 * (MAX_UNITS - len(note))].decode("utf-16-le", "ignore") + note
