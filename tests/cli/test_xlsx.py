"""A workbook holds the log as texts and dates: no formula, no link, and no number."""

import io
import re
import tempfile
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from zipfile import ZipFile
from zoneinfo import ZoneInfo

import pytest

from cirrus_ext import CalibrationRecord
from mycirrus_cli import xlsx
from mycirrus_cli.exits import CommandError
from mycirrus_cli.xlsx import MAX_UNITS, XLSXWriter
from tests.support.command import YEARS, mycirrus

TIME = datetime(2022, 6, 7, 11, 18, 42, 814_000, UTC)
EXCEL_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 - Excel's dates have no zone
NAMESPACE = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    path = tmp_path / "temporary"
    path.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    return path


def written(
    records: Sequence[CalibrationRecord], instruments: Sequence[str] = (), zone: tzinfo = UTC
) -> ZipFile:
    stream = io.BytesIO()
    writer = XLSXWriter(stream, instruments, zone)
    for record in records:
        writer.write([record])
    writer.finish()
    return ZipFile(stream)


def sheet(book: ZipFile, number: int = 1) -> ET.Element:
    return ET.fromstring(book.read(f"xl/worksheets/sheet{number}.xml"))  # noqa: S314 - made here


def rows(book: ZipFile, number: int = 1) -> list[dict[str, Any]]:
    """The rows of a sheet: the values by the letter of the column."""
    return [
        {cell.attrib["r"][0]: value(cell) for cell in row}
        for row in sheet(book, number).iterfind(".//x:row", NAMESPACE)
    ]


def value(cell: ET.Element) -> str | float:
    if cell.get("t") == "inlineStr":
        return "".join(cell.itertext())
    assert [one.tag.rpartition("}")[2] for one in cell] == ["v"]
    return float("".join(cell.itertext()))


def days(moment: datetime) -> float:
    return (moment.replace(tzinfo=None) - EXCEL_EPOCH).total_seconds() / 86_400


def test_a_row_has_the_columns_of_the_log_and_the_header_is_frozen_and_filtered() -> None:
    book = written([CalibrationRecord("0012345", TIME, "Zoë", "94 dB")])

    assert rows(book) == [
        {"A": "instrument", "B": "time (UTC)", "C": "user", "D": "message"},
        {"A": "0012345", "B": pytest.approx(days(TIME), abs=1e-9), "C": "Zoë", "D": "94 dB"},
    ]
    (pane,) = sheet(book).iterfind(".//x:pane", NAMESPACE)
    (found,) = sheet(book).iterfind("x:autoFilter", NAMESPACE)
    assert (pane.get("state"), pane.get("ySplit"), found.get("ref")) == ("frozen", "1", "A1:D2")


def test_instruments_without_an_entry_are_on_the_second_sheet() -> None:
    book = written([CalibrationRecord("QT2", TIME, None, None)], ["QT1", "QT2", "0003"])

    assert [tuple(row.values()) for row in rows(book, 2)] == [("instrument",), ("QT1",), ("0003",)]
    assert re.findall(r'<sheet name="([^"]+)"', book.read("xl/workbook.xml").decode()) == [
        "log",
        "without entry",
    ]


@pytest.mark.parametrize(
    "text",
    [
        '=HYPERLINK("http://127.0.0.1/")',
        "mailto:a@127.0.0.1",
        "{=1}",
        "00",
        "TRUE",
        " a\nb ",
        "<b>&amp;",
        "<r><t>a</t></r>",
        "_x0041_",
        "日本 🎤",
    ],
)
def test_a_text_is_that_text_in_each_column(text: str) -> None:
    book = written([CalibrationRecord(text, TIME, text, text)], [])
    (_, row) = rows(book)

    assert [row[column].replace("_x005F_", "_") for column in "ACD"] == [text] * 3
    assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")
    assert not [name for name in book.namelist() if "_rels/sheet" in name]


def test_a_workbook_with_control_characters_and_surrogates_is_valid() -> None:
    text = "a\x00\x01\x0b\ud800\ufffe\uffffb"

    assert len(rows(written([CalibrationRecord(text, TIME, text, text)]))) == 2


@pytest.mark.parametrize(
    ("text", "is_cut"),
    [
        ("x" * MAX_UNITS, False),
        ("x" * (MAX_UNITS + 1), True),
        ("🎤" * (MAX_UNITS // 2), False),
        ("🎤" * MAX_UNITS, True),
    ],
    ids=["fits", "cut", "wide fits", "wide cut"],
)
def test_a_text_that_no_cell_can_hold_is_cut_and_says_so(text: str, *, is_cut: bool) -> None:
    """Excel counts a character outside the basic plane as two."""
    (_, row) = rows(written([CalibrationRecord("QT1", TIME, None, text)]))
    message = row["D"]

    assert len(message.encode("utf-16-le")) <= 2 * MAX_UNITS
    assert (message == text) == (not is_cut)
    assert message.endswith(f"; the text has {len(text):,}]") == is_cut


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (datetime(1899, 12, 31, tzinfo=UTC), "1899-12-31T00:00:00Z"),
        (TIME.replace(microsecond=7), "2022-06-07T11:18:42.000007Z"),
    ],
)
def test_a_time_that_excel_cannot_hold_is_a_text(time: datetime, text: str) -> None:
    assert rows(written([CalibrationRecord("QT1", time, None, None)]))[1]["B"] == text


def test_a_zone_has_local_dates_and_the_offset_of_each() -> None:
    summer, winter = TIME, TIME.replace(month=12)
    records = [CalibrationRecord("QT1", time, None, None) for time in (summer, winter)]
    head, *others = rows(written(records, zone=ZoneInfo("Europe/London")))

    assert head["B"] == "time (Europe/London)"
    assert head["C"] == "UTC offset"
    assert [row["C"] for row in others] == ["+01:00", "+00:00"]
    assert [row["B"] for row in others] == [
        pytest.approx(days(summer.replace(hour=12)), abs=1e-9),
        pytest.approx(days(winter), abs=1e-9),
    ]


def test_too_many_rows_are_an_error_and_leave_no_file(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr(xlsx, "MAX_ROWS", 2)
    writer = XLSXWriter(io.BytesIO())
    writer.write([CalibrationRecord("QT1", TIME, None, None)] * 2)
    with pytest.raises(CommandError, match="holds 2 entries at most, and there are more: give a"):
        writer.write([CalibrationRecord("QT1", TIME, None, None)])
    assert list(folder.iterdir())
    del writer

    assert list(folder.iterdir()) == []


def test_the_command_writes_a_workbook_and_no_other_file(tmp_path: Path, folder: Path) -> None:
    words = ("log", "QT123456", "QT000001", *YEARS, "--output", "log.xlsx")
    done = mycirrus(*words, cwd=tmp_path)
    book = ZipFile(tmp_path / "log.xlsx")

    assert (done.returncode, done.stderr) == (
        0,
        "mycirrus: 8 requests, 2 instruments, 41 entries, none of QT000001; log.xlsx is written\n",
    )
    assert (len(rows(book)), rows(book, 2)[1]) == (42, {"A": "QT000001"})
    assert list(folder.iterdir()) == []


def test_rows_are_not_kept_in_memory() -> None:
    writer = XLSXWriter(io.BytesIO())
    writer.write([CalibrationRecord("QT1", TIME, "U", "M")])
    tracemalloc.start()
    try:
        writer.write(CalibrationRecord(f"QT{n}", TIME, "U", f"{n:04}" * 50) for n in range(1_000))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    writer.finish()

    assert peak < 150_000  # bytes; the messages alone take 250,000
