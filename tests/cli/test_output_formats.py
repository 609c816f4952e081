"""A file holds exactly the records, and no spreadsheet takes a text in it for a formula."""

import csv
import gc
import io
import json
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from cirrus_ext import CalibrationRecord
from mycirrus_cli import parquet as parquet_format
from mycirrus_cli.columns import COLUMNS
from mycirrus_cli.exits import extra
from mycirrus_cli.formats import FORMATS, format_of
from mycirrus_cli.parquet import DESCRIPTIONS, ParquetWriter
from mycirrus_cli.text_formats import guarded
from mycirrus_cli.times import written_time
from tests.support.command import YEARS, mycirrus, refused

LOG = ("log", "QT123456", *YEARS)
TIME = datetime(2022, 6, 7, 11, 18, 42, 814_000, UTC)
FULL = CalibrationRecord("QT123456", TIME, "Zoë", 'said "94 dB", left\r\n')
EMPTY = CalibrationRecord("QT234567", TIME.replace(microsecond=0), None, None)
BLANK = CalibrationRecord("QT234567", TIME.replace(microsecond=7), "", "")

# Each example writes several files, so there are fewer than elsewhere.
EXAMPLES = settings().max_examples // 20

# Text as in JSON: with surrogates, ends of lines and starts of formulas.
odd = st.sampled_from([*"=+-@;,\"'\t\r\n\0 \x85\u2028\ufeff\uff1d\\", "\ud800", "\udfff"])
plain_texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=4)
texts = (
    st.lists(odd | plain_texts, max_size=6)
    .map("".join)
    .filter(
        # in JSON, a pair of surrogates is one character
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
    """The file of records that are written in parts."""
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
    """A text with U+FFFD for each surrogate."""
    return text and re.sub("[\ud800-\udfff]", "\ufffd", text)


def cells_of(data: bytes, **options: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline=""), **options))


# --- times


@pytest.mark.parametrize(
    ("microsecond", "expected"),
    [
        (0, "2022-06-07T11:18:42Z"),
        (814_000, "2022-06-07T11:18:42.814Z"),
        (10, "2022-06-07T11:18:42.000010Z"),
    ],
)
def test_a_time_has_as_many_digits_as_it_takes(microsecond: int, expected: str) -> None:
    assert written_time(TIME.replace(microsecond=microsecond)) == expected


def test_a_time_of_any_zone_is_written_in_utc_and_one_without_a_zone_is_refused() -> None:
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
    ("name", "empty", "expected"),
    [
        ("csv", "instrument,time,user,message\r\n", CSV),
        ("ndjson", "", "".join(f"{line}\n" for line in LINES)),
        ("json", "[]\n", "[\n" + ",\n".join(LINES) + "\n]\n"),
    ],
)
def test_a_text_format_is_these_bytes(name: str, empty: str, expected: str) -> None:
    """In UTF-8 without a byte order mark, with its own line ends on every platform."""
    assert written(name, [FULL, EMPTY, BLANK]) == expected.encode()
    assert written(name) == written(name, []) == empty.encode()


@settings(max_examples=EXAMPLES)
@given(history=histories, cuts=st.lists(st.integers(0, 5), max_size=4))
def test_bytes_do_not_depend_on_the_calls(
    history: list[CalibrationRecord], cuts: list[int]
) -> None:
    edges = [0, *sorted(cuts), len(history)]
    parts = [history[start:end] for start, end in pairwise(edges)]

    for name in set(FORMATS) - {"xlsx"}:  # a workbook says when it was created
        assert written(name, *parts) == written(name, history)


@pytest.mark.parametrize("name", ["csv", "json", "ndjson"])
def test_each_call_of_write_is_flushed(name: str) -> None:
    raw = io.BytesIO()
    writer = FORMATS[name].writer(io.BufferedWriter(cast("io.RawIOBase", raw)))
    for record in (FULL, EMPTY):
        writer.write([record])
        assert record.instrument.encode() in raw.getvalue()


class Nowhere(io.BytesIO):
    def write(self, data: Any) -> int:
        return len(data)


@pytest.mark.parametrize("name", ["csv", "json"])
def test_records_are_not_kept_in_memory(name: str) -> None:
    many = (CalibrationRecord(f"QT{number}", TIME, "U", "M" * 50) for number in range(1_000))
    writer = FORMATS[name].writer(Nowhere())
    writer.write([FULL])  # initialises the writer
    gc.collect()
    tracemalloc.start()
    try:
        writer.write(many)
        writer.finish()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 100_000  # bytes; a list of them takes some 270,000


# --- reading back


@settings(max_examples=EXAMPLES)
@given(histories)
def test_a_text_format_is_read_back_as_the_same_records(history: list[CalibrationRecord]) -> None:
    """With U+FFFD for a surrogate; in CSV with the apostrophe of `guarded`, and "" for None."""
    expected = [{name: whole(text) for name, text in values(one).items()} for one in history]
    array, lines = (written(name, history).decode() for name in ("json", "ndjson"))
    cells = cells_of(written("csv", history), strict=True)

    assert "\\ud" not in array  # not even escaped: strict readers refuse it
    assert json.loads(array) == [json.loads(line) for line in lines.splitlines()] == expected
    assert all(tuple(json.loads(line)) == COLUMNS for line in lines.splitlines())
    # Also where U+0085, U+2028 and U+2029 end a line.
    assert array.splitlines() == array.split("\n")[:-1]
    assert cells == [
        list(COLUMNS),
        *([guarded(text or "") for text in one.values()] for one in expected),
    ]
    assert not [cell for row in cells for cell in row if cell and is_formula(cell)]


@settings(max_examples=EXAMPLES)
@given(histories)
def test_parquet_is_read_back_as_the_same_rows(history: list[CalibrationRecord]) -> None:
    """With U+FFFD for a surrogate: its texts are UTF-8."""
    expected = [
        {name: whole(text) for name, text in values(one).items()} | {"time": one.time}
        for one in history
    ]

    assert parquet.read_table(io.BytesIO(written("parquet", history))).to_pylist() == expected


# --- spreadsheets

FORMULAS = [
    *("=1+1", "+1+1", "-1+1", "@SUM(A1:A9)", "=cmd|'/C calc'!A0"),
    *("\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20SUM(1)"),
    *(f"{start}=1+1" for start in ' \t\r\n\0\ufeff\u00a0"'),
]
# Characters that a reader skips before it looks for a formula, or does not show.
UNSEEN = re.compile(r"[\s\x00-\x20\x7f-\xa0\xad\u200b-\u200f\u2060\ufeff\"]*")


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet may take a cell for a formula."""
    return UNSEEN.sub("", cell, count=1)[:1] in set("=+-@\uff1d\uff0b\uff0d\uff20")


@pytest.mark.parametrize("text", FORMULAS)
def test_a_cell_cannot_become_a_formula_in_any_column(text: str) -> None:
    data = written("csv", [CalibrationRecord(text, TIME, text, text)])
    cells = [cell for row in cells_of(data) for cell in row]

    assert not [cell for cell in cells if cell and is_formula(cell)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0012345",
        "before-after = 0.1",
        "someone@127.0.0.1",
        "'=1",
        "to do:\r\n- wind shield; -0.3 dB",
    ],
)
def test_an_ordinary_text_is_not_changed(text: str) -> None:
    assert guarded(text) == text


def test_a_megabyte_of_blanks_takes_no_longer_than_a_megabyte_of_letters() -> None:
    assert guarded("\t \0" * 300_000) == "'" + "\t \0" * 300_000


# --- Parquet


def test_parquet_has_the_schema_of_the_log() -> None:
    """Also without a row; instrument and time are never null, and each column has a description."""
    schema = parquet.read_schema(io.BytesIO(written("parquet")))

    assert [(one.name, str(one.type), one.nullable) for one in schema] == [
        ("instrument", "string", False),
        ("time", "timestamp[us, tz=UTC]", False),
        ("user", "string", True),
        ("message", "string", True),
    ]
    described = {one.name: one.metadata[b"description"].decode() for one in schema}
    assert described == DESCRIPTIONS


@pytest.mark.parametrize("size", [1, 5, 20])
def test_groups_do_not_depend_on_the_calls(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Full groups and a rest, and the same bytes each time."""
    monkeypatch.setattr(parquet_format, "ROWS_IN_A_GROUP", 4)
    history = [CalibrationRecord(f"QT{number}", TIME, None, "") for number in range(9)]
    data = written("parquet", *(history[at : at + size] for at in range(0, 9, size)))
    file = parquet.ParquetFile(io.BytesIO(data)).metadata

    assert [file.row_group(at).num_rows for at in range(file.num_row_groups)] == [4, 4, 1]
    assert data == written("parquet", history)


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_parquet_file_that_is_not_finished_does_not_look_complete(*, is_closed: bool) -> None:
    """Nothing is written when its writer is garbage-collected; a closed file raises nothing."""
    stream = Nowhere() if is_closed else io.BytesIO()
    writer = ParquetWriter(stream)
    writer.write([FULL])
    if is_closed:
        stream.close()
    del writer
    gc.collect()

    assert is_closed or stream.getvalue() == b"PAR1"


# --- packages


def test_the_text_formats_import_only_the_standard_library() -> None:
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
        ("LOG.CSV", "csv"),
        ("a.b/log.json", "json"),
        ("log.jsonl", "ndjson"),
        ("log.2022.parquet", "parquet"),
        ("log.csv.gz", None),
        (".csv", None),
        ("", None),
    ],
)
def test_the_end_of_a_name_tells_the_format(path: str, expected: str | None) -> None:
    assert format_of(Path(path)) == expected


def hide(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    """Make a package look as if it were not installed."""
    for name in ("mycirrus_cli.table", "mycirrus_cli.bar", "mycirrus_cli.console"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, cast("Any", None))


def test_without_pyarrow_its_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hide(monkeypatch, "pyarrow")

    assert refused(*LOG, "--output", "log.parquet", cwd=tmp_path) == (
        "parquet needs pyarrow: pip install '.[parquet]' in a checkout of the project\n"
    )


def test_without_rich_csv_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hide(monkeypatch, "rich")
    done = mycirrus(*LOG, "--output", "log.csv", tty=True, cwd=tmp_path)

    assert refused(*LOG, tty=True) == (
        "the table needs rich: pip install '.[cli]' in a checkout of the project; "
        "--format csv needs nothing\n"
    )
    assert done.returncode == 0
    assert done.stderr == "mycirrus: 4 requests, 1 instrument, 41 entries; log.csv is written\n"


def test_a_package_whose_dependency_is_missing_is_not_reported_as_missing() -> None:
    """The advice to install it would not help."""
    with pytest.raises(ModuleNotFoundError, match="pygments"), extra("", package="rich", name=""):
        raise ModuleNotFoundError("No module named 'pygments'", name="pygments")
