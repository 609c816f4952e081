"""A file holds what the records hold, however they came, and no spreadsheet runs any of it."""

import csv
import gc
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from cirrus_ext import CalibrationRecord
from mycirrus_cli import formats
from mycirrus_cli.exits import MissingExtraError
from mycirrus_cli.formats import (
    COLUMNS,
    DESCRIPTIONS,
    FORMATS,
    ParquetWriter,
    format_of,
    guarded,
    records_of,
    table_writer,
)
from mycirrus_cli.times import written_time

TIME = datetime(2022, 6, 7, 11, 18, 42, 814_000, UTC)
FULL = CalibrationRecord("QT123456", TIME, "Zoë", 'said "94 dB", left\r\n')
EMPTY = CalibrationRecord("QT234567", TIME.replace(microsecond=0), None, None)
BLANK = CalibrationRecord("QT234567", TIME.replace(microsecond=7), "", "")

# Files take some time each, so fewer examples than elsewhere.
EXAMPLES = settings().max_examples // 4

# Text as JSON can have it: with halves of characters, and whatever ends a line or begins a formula.
odd = st.sampled_from([*"=+-@;,\"'\t\r\n\0 \x85\u2028\ufeff\uff1d\\", "\ud800", "\udfff"])
plain_texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=4)
texts = (
    st.lists(odd | plain_texts, max_size=6)
    .map("".join)
    .filter(
        # what two halves make in JSON is one character, so no text that came as JSON has this
        lambda text: not re.search("[\ud800-\udbff][\udc00-\udfff]", text)
    )
)
records = st.builds(
    CalibrationRecord,
    texts,
    st.datetimes(timezones=st.just(UTC)),
    st.none() | texts,
    st.none() | texts,
)
histories = st.lists(records, max_size=5)


def written(name: str, *parts: Sequence[CalibrationRecord]) -> bytes:
    """What a format makes of records that come in parts."""
    stream = io.BytesIO()
    writer = FORMATS[name].writer(stream)
    for part in parts:
        writer.write(part)
    writer.finish()
    return stream.getvalue()


def values(record: CalibrationRecord) -> dict[str, Any]:
    """A record as JSON has it."""
    time = written_time(record.time)
    return dict(zip(COLUMNS, (record.instrument, time, record.user, record.message), strict=True))


def whole(text: str | None) -> str | None:
    """A text with U+FFFD for each half of a character."""
    return text and re.sub("[\ud800-\udfff]", "\ufffd", text)


def cells_of(data: bytes, **options: Any) -> list[list[str]]:
    """The cells of a CSV file."""
    return list(csv.reader(io.StringIO(data.decode(), newline=""), **options))


# --- times


@pytest.mark.parametrize(
    ("microsecond", "expected"),
    [
        (0, "2022-06-07T11:18:42Z"),
        (814_000, "2022-06-07T11:18:42.814Z"),
        (1_000, "2022-06-07T11:18:42.001Z"),
        (814_001, "2022-06-07T11:18:42.814001Z"),
        (10, "2022-06-07T11:18:42.000010Z"),
    ],
)
def test_a_time_has_as_many_digits_as_it_takes(microsecond: int, expected: str) -> None:
    """None, three or six."""
    assert written_time(TIME.replace(microsecond=microsecond)) == expected


def test_a_time_of_any_zone_is_written_in_utc() -> None:
    """And one without a zone is refused, because the machine's own would be guessed."""
    eastern = datetime(2022, 6, 7, 6, 18, 42, tzinfo=timezone(-timedelta(hours=5)))

    assert written_time(eastern) == "2022-06-07T11:18:42Z"
    with pytest.raises(ValueError, match=r"time must have a zone: 2022-06-07T11:18:42\.814000;"):
        written_time(TIME.replace(tzinfo=None))


# --- the bytes

CSV = (
    "instrument,time,user,message\r\n"
    'QT123456,2022-06-07T11:18:42.814Z,Zoë,"said ""94 dB"", left\r\n"\r\n'
    "QT234567,2022-06-07T11:18:42Z,,\r\n"
    "QT234567,2022-06-07T11:18:42.000007Z,,\r\n"
)
LINES = (
    (
        '{"instrument":"QT123456","time":"2022-06-07T11:18:42.814Z","user":"Zoë",'
        r'"message":"said \"94 dB\", left\r\n"}'
    ),
    '{"instrument":"QT234567","time":"2022-06-07T11:18:42Z","user":null,"message":null}',
    '{"instrument":"QT234567","time":"2022-06-07T11:18:42.000007Z","user":"","message":""}',
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("csv", CSV),
        ("ndjson", "".join(f"{line}\n" for line in LINES)),
        ("json", "[\n" + ",\n".join(LINES) + "\n]\n"),
    ],
)
def test_a_text_format_is_these_bytes(name: str, expected: str) -> None:
    """In UTF-8 without a mark, with its own line ends on every platform."""
    assert written(name, [FULL, EMPTY, BLANK]) == expected.encode()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("csv", b"instrument,time,user,message\r\n"), ("ndjson", b""), ("json", b"[]\n")],
)
def test_no_records_make_a_valid_file_too(name: str, expected: bytes) -> None:
    """A header, nothing, an empty array."""
    assert written(name) == written(name, []) == expected


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=EXAMPLES)
@given(history=histories, cuts=st.lists(st.integers(0, 5), max_size=4))
def test_the_bytes_do_not_depend_on_the_calls(
    name: str, history: list[CalibrationRecord], cuts: list[int]
) -> None:
    """One call, many, or some with nothing in them."""
    edges = [0, *sorted(cuts), len(history)]
    parts = [history[start:end] for start, end in pairwise(edges)]

    assert written(name, *parts) == written(name, history)
    assert written(name, *([one] for one in history)) == written(name, history)


class Raw(io.RawIOBase):
    """A file that knows what has reached it."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.data += bytes(data)
        return len(data)


@pytest.mark.parametrize("name", ["csv", "json", "ndjson"])
def test_a_reader_sees_what_was_written_before_the_next_call(name: str) -> None:
    """Nothing stays in the buffer of the stream."""
    raw = Raw()
    writer = FORMATS[name].writer(io.BufferedWriter(raw))
    writer.write([FULL])
    assert b"QT123456" in raw.data
    writer.write([EMPTY])
    assert b"QT234567" in raw.data


class Nowhere(io.BytesIO):
    """Keeps nothing."""

    def write(self, data: Any) -> int:
        return len(data)


@pytest.mark.parametrize("name", ["csv", "json", "ndjson"])
def test_records_are_not_kept(name: str) -> None:
    """What is written takes no memory, however many come in one call."""
    many = (CalibrationRecord(f"QT{number}", TIME, "U", "M" * 50) for number in range(30_000))
    writer = FORMATS[name].writer(Nowhere())
    writer.write([FULL])  # what is made once is made now
    gc.collect()
    tracemalloc.start()
    try:
        writer.write(many)
        writer.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 100_000  # bytes; a list of them takes some 8,000,000


# --- reading back


@settings(max_examples=EXAMPLES)
@given(histories)
def test_ndjson_is_read_back_as_the_same_records(history: list[CalibrationRecord]) -> None:
    """None is not an empty text, and no digit and no half of a character is lost."""
    assert list(records_of(io.BytesIO(written("ndjson", history)))) == history


@settings(max_examples=EXAMPLES)
@given(histories)
def test_json_and_ndjson_hold_the_same_objects(history: list[CalibrationRecord]) -> None:
    """The names of the columns in their order, and the texts unchanged."""
    expected = [values(record) for record in history]
    lines = written("ndjson", history).decode().split("\n")[:-1]

    assert json.loads(written("json", history)) == expected
    assert [json.loads(line) for line in lines] == expected
    assert all(tuple(json.loads(line)) == COLUMNS for line in lines)


@pytest.mark.parametrize("name", ["json", "ndjson"])
@settings(max_examples=EXAMPLES)
@given(history=histories)
def test_a_line_of_json_has_one_line_by_every_rule(
    name: str, history: list[CalibrationRecord]
) -> None:
    """Also where U+0085, U+2028 and U+2029 end one, as for str.splitlines."""
    text = written(name, history).decode()

    assert text.splitlines() == text.split("\n")[:-1]


@settings(max_examples=EXAMPLES)
@given(histories)
def test_csv_is_read_back_as_the_same_cells(history: list[CalibrationRecord]) -> None:
    """By a strict reader; with the guard, and an empty cell for None."""
    expected = [
        [guarded(whole(text) or "") for text in values(record).values()] for record in history
    ]

    assert cells_of(written("csv", history), strict=True) == [list(COLUMNS), *expected]


@settings(max_examples=EXAMPLES)
@given(histories)
def test_parquet_is_read_back_as_the_same_rows(history: list[CalibrationRecord]) -> None:
    """With U+FFFD for half a character: its texts are UTF-8."""
    expected = [
        {
            "instrument": whole(record.instrument),
            "time": record.time,
            "user": whole(record.user),
            "message": whole(record.message),
        }
        for record in history
    ]

    assert parquet.read_table(io.BytesIO(written("parquet", history))).to_pylist() == expected


GOOD = written("ndjson", [EMPTY])


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (GOOD[:40], "line 2 holds no record: Unterminated string"),
        (b"\n", "line 2 holds no record: Expecting value"),
        (b"\xff\n", "line 2 holds no record: .*codec can't decode"),
        (b"[]", "must be an object with instrument, time, user, message: b'\\[\\]'"),
        (GOOD.replace(b"user", b"User"), "must be an object with"),
        (GOOD.replace(b"null", b"1"), "must hold strings: int"),
        (GOOD.replace(b'"QT234567"', b"null"), "must hold strings: NoneType"),
        (GOOD.replace(b"2022-", b"2022/"), "Invalid isoformat string"),
        (GOOD.replace(b"42Z", b"42"), "time must be in UTC"),
    ],
)
def test_a_line_that_holds_no_record_is_named(bad: bytes, problem: str) -> None:
    """A file that broke off is not taken for a shorter one."""
    back = records_of([GOOD, bad])

    assert next(back) == EMPTY
    with pytest.raises(ValueError, match=problem):
        next(back)


# --- spreadsheets

FORMULAS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(A1:A9)",
    '=HYPERLINK("http://127.0.0.1/","x")',
    "=cmd|'/C calc'!A0",
    "\uff1d1+1",
    "\uff0b1",
    "\uff0d1",
    "\uff20SUM(1)",
    " =1+1",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "\0=1+1",
    "\ufeff=1+1",
    "\u00a0=1+1",
    '"=1+1"',
]
# What a reader skips before it looks for a formula, or does not show.
UNSEEN = re.compile(r"[\s\x00-\x20\x7f-\xa0\xad\u200b-\u200f\u2060\ufeff\"]*")


def is_formula(cell: str) -> bool:
    """Whether some spreadsheet may take a cell for one."""
    return UNSEEN.sub("", cell, count=1)[:1] in set("=+-@\uff1d\uff0b\uff0d\uff20")


@pytest.mark.parametrize("text", FORMULAS)
def test_a_cell_cannot_become_a_formula(text: str) -> None:
    """In no column."""
    data = written("csv", [CalibrationRecord(text, TIME, text, text)])
    cells = [cell for row in cells_of(data) for cell in row]

    assert not [cell for cell in cells if cell and is_formula(cell)]


@settings(max_examples=EXAMPLES)
@given(history=histories)
def test_no_text_at_all_becomes_a_formula(history: list[CalibrationRecord]) -> None:
    """Whatever comes before it."""
    cells = [cell for row in cells_of(written("csv", history)) for cell in row]

    assert not [cell for cell in cells if cell and is_formula(cell)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "QT123456",
        "0012345",
        "94.0 dB",
        "before-after = 0.1",
        "someone@127.0.0.1",
        "O'Neil; Zoë",
        "'=1",
        "a\r\nb",
        "offset; -0.3 dB",
        "to do:\n- wind shield\n- battery",
    ],
)
def test_an_ordinary_text_is_not_touched(text: str) -> None:
    """Only what could be run is."""
    assert guarded(text) == text


def test_a_long_run_of_blanks_is_looked_at_once() -> None:
    """A megabyte of them takes no longer than a megabyte of letters, not a day."""
    assert guarded("\t \0" * 300_000) == "'" + "\t \0" * 300_000


# By the names that the format has for them.
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"


def opened(file: Path, *options: str) -> tuple[list[list[str]], list[str]]:
    """What LibreOffice shows of a CSV file: the cells as text, and the formulas."""
    program = shutil.which("soffice")
    if program is None:
        pytest.skip("no LibreOffice here: soffice is not on the PATH")
    command = [program, f"-env:UserInstallation={(file.parent / 'profile').as_uri()}", "--headless"]
    command += [*options, "--convert-to", "fods", "--outdir", str(file.parent), str(file)]
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            process.wait(timeout=100)  # its first start makes a profile
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    root = ET.parse(file.with_suffix(".fods")).getroot()  # noqa: S314 - made by the line above
    cells = [
        [
            "\n".join("".join(line.itertext()) for line in cell.iter(f"{TEXT}p"))
            for cell in row.iter(f"{TABLE}table-cell")
        ]
        for row in root.iter(f"{TABLE}table-row")
    ]
    formulas = [cell.attrib.get(f"{TABLE}formula", "") for cell in root.iter(f"{TABLE}table-cell")]
    return cells, list(filter(None, formulas))


# XML has no name for a control character, so the file to look into has none.
IN_XML = [text for text in FORMULAS if not re.search("[\0\r]", text)]
COMMA = "--infilter=CSV:44,34,76,1"  # separator, quote, UTF-8, first line
# What its dialogue proposes: commas, semicolons and tabs.
USUAL = "--infilter=CSV:44/59/9,34,76,1"


def test_libreoffice_finds_no_formula(tmp_path: Path) -> None:
    """And would find one in the same texts without the guard, so that it is seen to look."""
    guarded_file, bare_file = tmp_path / "guarded.csv", tmp_path / "bare.csv"
    history = [CalibrationRecord(text, TIME, text, text) for text in IN_XML]
    guarded_file.write_bytes(written("csv", history))
    with bare_file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([text, "T", text, text] for text in IN_XML)

    assert opened(guarded_file, COMMA)[1] == []
    assert opened(bare_file, COMMA)[1] != []


def test_libreoffice_shows_the_texts(tmp_path: Path) -> None:
    """Quotes, commas, line ends, tabs and umlauts; only a number's zeros are lost, as we say."""
    file = tmp_path / "log.csv"
    messages = ['said "94 dB", left', "two\nlines", "a;b", "Größe 日本 🎤", "=1+1", "tab\there"]
    history = [CalibrationRecord("QT123456", TIME, "Zoë", message) for message in messages]
    digits = CalibrationRecord("0012345", TIME, None, None)
    file.write_bytes(written("csv", [*history, digits]))
    cells, _ = opened(file, USUAL)

    assert cells[0] == list(COLUMNS)
    assert [row[:3] for row in cells[1:7]] == [["QT123456", "2022-06-07T11:18:42.814Z", "Zoë"]] * 6
    assert [row[3] for row in cells[1:5]] == messages[:4]
    assert cells[5][3] == "'=1+1"
    assert cells[6][3].replace("\t", "") in {"tabhere", "tab here"}
    assert cells[7][0] == "12345"


# --- Parquet


def test_parquet_has_the_schema_of_the_log() -> None:
    """Also without a row; instrument and time are never null, and each column says what it is."""
    schema = parquet.read_schema(io.BytesIO(written("parquet")))

    assert [(one.name, str(one.type), one.nullable) for one in schema] == [
        ("instrument", "string", False),
        ("time", "timestamp[us, tz=UTC]", False),
        ("user", "string", True),
        ("message", "string", True),
    ]
    described = {one.name: one.metadata[b"description"].decode() for one in schema}
    assert described == DESCRIPTIONS


@pytest.mark.parametrize("size", [1, 2, 5, 9, 20])
def test_groups_of_rows_do_not_depend_on_the_calls(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full ones and a rest, and the same bytes each time."""
    monkeypatch.setattr(formats, "ROWS_IN_A_GROUP", 4)
    history = [CalibrationRecord(f"QT{number}", TIME, None, "") for number in range(9)]
    data = written("parquet", *(history[at : at + size] for at in range(0, 9, size)))
    file = parquet.ParquetFile(io.BytesIO(data)).metadata

    assert [file.row_group(at).num_rows for at in range(file.num_row_groups)] == [4, 4, 1]
    assert data == written("parquet", history)


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_parquet_file_that_is_given_up_does_not_look_whole(*, is_closed: bool) -> None:
    """Nothing is written when its writer is forgotten, and nothing is said about a closed file."""
    stream = Nowhere() if is_closed else io.BytesIO()
    writer = ParquetWriter(stream)
    writer.write([FULL])
    if is_closed:
        stream.close()
    del writer
    gc.collect()

    assert is_closed or stream.getvalue() == b"PAR1"


# --- which there are


def test_the_formats_need_nothing_but_python_to_be_listed() -> None:
    """The command can show its help, and write three of them, without what it did not ask for."""
    code = (
        "import io, sys\n"
        "from mycirrus_cli.formats import FORMATS\n"
        "for name in ('csv', 'json', 'ndjson'):\n"
        "    FORMATS[name].writer(io.BytesIO()).finish()\n"
        "print(*{'httpx', 'rich', 'pyarrow', 'mycirrus_client'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("log.csv", "csv"),
        ("LOG.CSV", "csv"),
        (Path("a.b") / "log.json", "json"),
        ("log.ndjson", "ndjson"),
        ("log.jsonl", "ndjson"),
        ("log.2022.parquet", "parquet"),
        ("log.csv.gz", None),
        ("log.txt", None),
        ("csv", None),
        (".csv", None),
        ("", None),
    ],
)
def test_the_end_of_a_name_tells_the_format(path: str | Path, expected: str | None) -> None:
    """And what it does not tell is not guessed."""
    assert format_of(path) == expected


def test_only_parquet_needs_a_file() -> None:
    """Bytes on a terminal are of no use; all else can go into a pipe."""
    assert {name for name, one in FORMATS.items() if one.needs_file} == {"parquet"}


def halted(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Make a package look as if it were not installed."""
    monkeypatch.delitem(sys.modules, "mycirrus_cli.table", raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, cast("Any", None))


def test_a_missing_pyarrow_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line, with where it can be installed from."""
    halted(monkeypatch, "pyarrow")
    with pytest.raises(MissingExtraError) as caught:
        FORMATS["parquet"].writer(io.BytesIO())

    assert str(caught.value) == (
        "parquet needs pyarrow: pip install '.[parquet]' in a checkout of the project"
    )
    assert caught.value.code == 2


def test_a_missing_rich_is_named_with_what_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a format to go on with."""
    halted(monkeypatch, "rich")
    with pytest.raises(MissingExtraError) as caught:
        table_writer(io.StringIO(), [])

    assert str(caught.value) == (
        "the table needs rich: pip install '.[cli]' in a checkout of the project; "
        "--format csv needs nothing"
    )


def test_a_package_that_lacks_another_is_not_called_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The advice to install it would not help."""
    monkeypatch.delitem(sys.modules, "mycirrus_cli.table", raising=False)
    monkeypatch.setitem(sys.modules, "rich.columns", cast("Any", None))
    monkeypatch.setattr("sys.meta_path", [Lacking(), *sys.meta_path])
    monkeypatch.delitem(sys.modules, "rich.columns")
    with pytest.raises(ModuleNotFoundError, match="pygments") as caught:
        table_writer(io.StringIO(), [])

    assert not isinstance(caught.value, MissingExtraError)


class Lacking:
    """Finds no pygments when rich looks for it."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "rich.columns":
            raise ModuleNotFoundError("No module named 'pygments'", name="pygments")
