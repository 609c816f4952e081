"""The table shows each text as it is, and names the instruments without an entry."""

import cProfile
import io
import pstats
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from cirrus_ext import CalibrationRecord
from mycirrus_cli.formats import table_writer
from mycirrus_cli.table import NARROW, NO_PROOF, printable
from tests.support.command import mycirrus

TIME = datetime(2022, 6, 7, 11, 18, 42, 814_000, UTC)
CERTIFICATE = CalibrationRecord(
    "QT123456", TIME, "Zoë", "Calibrated at 94.0 dB, certificate 2022/0815 is attached."
)
BARE = CalibrationRecord("QT345678", TIME, None, None)
NASTY = "[red]a[/] :bug: \x1b[31mb\x9b2Jc\u202ed\u2066e\x00f\x07g\x7fh\ud800i\u200bj"
EXAMPLES = settings().max_examples // 10


@pytest.fixture(autouse=True)
def _no_terminal_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture(params=[20, NARROW - 1, NARROW, 200])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("COLUMNS", str(request.param))
    return int(request.param)


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def shown(
    records: Sequence[CalibrationRecord],
    instruments: Sequence[str] = (),
    *,
    encoding: str = "utf-8",
    tty: bool = False,
) -> str:
    """The output in a pipe or on a terminal."""
    raw = io.BytesIO()
    stream = (Terminal if tty else io.TextIOWrapper)(raw, encoding=encoding, newline="")
    writer = table_writer(stream, instruments)
    writer.write(records)
    writer.finish()
    stream.flush()
    return raw.getvalue().decode(encoding)


def without_blanks(text: str) -> str:
    return "".join(text.split())


def test_a_row_has_instrument_time_user_and_message() -> None:
    lines = [line.rstrip() for line in shown([CERTIFICATE, BARE]).splitlines()]

    assert lines[:4] == [
        "Instrument  Time (UTC)                User  Message",
        "QT123456    2022-06-07T11:18:42.814Z  Zoë   Calibrated at 94.0 dB, certificate",
        "                                            2022/0815 is attached.",
        "QT345678    2022-06-07T11:18:42.814Z",
    ]


def test_a_narrow_terminal_gets_paragraphs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = [line.rstrip() for line in shown([CERTIFICATE, BARE]).splitlines()]

    assert lines[:5] == [
        "QT123456  2022-06-07T11:18:42.814Z",
        "  Zoë",
        "  Calibrated at 94.0 dB, certificate",
        "  2022/0815 is attached.",
        "QT345678  2022-06-07T11:18:42.814Z",
    ]


LETTERS = "".join(chr(ord("a") + number % 26) for number in range(300))
WIDE = "較正しました山田太郎" * 9


@pytest.mark.usefixtures("width")
@pytest.mark.parametrize("text", [LETTERS, WIDE, f"{LETTERS} x {LETTERS}"], ids=len)
@pytest.mark.parametrize("column", ["instrument", "user", "message"])
def test_nothing_of_a_long_text_is_lost(column: str, text: str) -> None:
    """Long words are folded in each column, also those of wide characters."""
    words: dict[str, Any] = {"instrument": "1", "user": None, "message": None, column: text}
    entries, _, summary = shown([CalibrationRecord(time=TIME, **words)]).partition("\n\n")
    _, _, after = entries.rpartition("Message")  # the paragraphs have no headings

    assert re.sub("[0-9:TZ.-]", "", without_blanks(after)) == without_blanks(text)
    assert without_blanks(words["instrument"]) in without_blanks(summary)


def test_no_line_of_the_entries_is_wider_than_the_terminal(width: int) -> None:
    """The summary is not folded in a pipe."""
    entries = shown([CalibrationRecord("1", TIME, LETTERS, f"{WIDE} {LETTERS}")])

    assert all(cell_len(line) <= width for line in entries.partition("\n\n")[0].splitlines())


@pytest.mark.usefixtures("width")
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
def test_a_text_of_the_server_cannot_control_the_terminal(encoding: str) -> None:
    """No escape sequence, no control character, no change of direction; markup is text."""
    text = shown([CalibrationRecord(NASTY, TIME, NASTY, NASTY)], [NASTY], encoding=encoding)

    assert all(character.isprintable() or character == "\n" for character in text)
    assert "[red]a[/]" in without_blanks(text)
    assert "?[31mb?2Jc?d?e?f?g?h?i?j" in without_blanks(text)


@settings(max_examples=EXAMPLES)
@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_no_line_of_a_cell_is_blank_and_the_stream_can_encode_each(text: str) -> None:
    for encoding in ("utf-8", "ascii"):
        for line in printable(text, encoding).split("\n"):
            assert line.strip() or printable(text, encoding) == ""
            line.encode(encoding)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\u2028", "\n\n \n"])
def test_a_line_break_folds_the_message(end: str) -> None:
    """The text stays in its column, and empty lines are left out."""
    text = shown([CalibrationRecord("QT1", TIME, "U", f"one{end}two")])
    lines = [line.rstrip() for line in text.splitlines()]

    assert lines[1:4] == [
        "QT1         2022-06-07T11:18:42.814Z  U     one",
        "                                            two",
        "",
    ]


@pytest.mark.parametrize("columns", ["0", "-1", "\u00b2", "9" * 20, " 80"])
def test_an_invalid_width_of_the_terminal_is_ignored(columns: str) -> None:
    words = ("log", "QT123456", "--start", "2022-01-01", "--end", "2022-07-01")
    table = mycirrus(*words, COLUMNS="80").stdout

    assert "Installed and working" in table
    for tty in (False, True):
        done = mycirrus(*words, COLUMNS=columns, LINES=columns, tty=tty)
        assert re.sub(r"\x1b\[[\d;]*m", "", done.stdout) == table


@pytest.mark.parametrize(("letters", "calls"), [(20, 200), (90, 400)], ids=["fits", "folded"])
def test_a_table_of_20_000_rows_takes_seconds(letters: int, calls: int) -> None:
    """Counted in function calls for each row: a table of rich takes 2,000."""
    records = [
        CalibrationRecord(f"QT{number % 50}", TIME + timedelta(minutes=number), "U", "M" * letters)
        for number in range(200)
    ]
    profile = cProfile.Profile()
    profile.runcall(shown, records)

    assert pstats.Stats(profile).total_calls / len(records) < calls  # type: ignore[attr-defined]  # typeshed lacks it


# --- the summary


def summary(*names: str, asked: Sequence[str]) -> list[str]:
    """The lines after the entries, for one entry per name."""
    text = shown([CalibrationRecord(name, TIME, None, None) for name in names], asked)
    return [line.rstrip() for line in text.rpartition("\n\n")[2].splitlines()]


@pytest.mark.parametrize(
    ("names", "asked", "expected"),
    [
        (
            ["QT1", "QT3", "QT1"],
            ["QT1", "QT2", "QT3", "QT4"],
            ["3 entries from 2 of 4 instruments:", "QT1 2   QT3 1", "No entry: QT2, QT4", NO_PROOF],
        ),
        (["QT1"], ["QT1"], ["1 entry from 1 of 1 instrument:", "QT1 1"]),
        (["QT1"], ["QT1", "QT1"], ["1 entry from 1 of 1 instrument:", "QT1 1"]),
        ([], ["QT1", "QT2"], ["No entries from 2 instruments.", "No entry: QT1, QT2", NO_PROOF]),
    ],
)
def test_the_summary_counts_entries_and_names_the_instruments_without_any(
    names: list[str], asked: list[str], expected: list[str]
) -> None:
    """In the order of the request; without entries there is no table."""
    assert summary(*names, asked=asked) == expected


HUNDRED = [f"QT{number}" for number in range(100_000, 100_100)]


def test_the_instruments_without_an_entry_are_on_one_line_of_a_pipe() -> None:
    assert f"No entry: {', '.join(HUNDRED[1:])}" in summary(HUNDRED[0], asked=HUNDRED)


def test_a_hundred_instruments_have_several_counts_a_line() -> None:
    lines = summary(*HUNDRED, asked=HUNDRED)

    assert lines[0] == "100 entries from 100 of 100 instruments:"
    assert re.findall(r"QT\d{6} 1", " ".join(lines)) == [f"{name} 1" for name in HUNDRED]
    assert len(lines) <= 20


# --- a terminal


@pytest.mark.parametrize("columns", [40, 80])
def test_a_terminal_gets_colour_and_no_other_escape(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    record = CalibrationRecord("QT1", TIME, "U", "\x1b]0;title\x07" + "word " * 20)
    text = shown([record], ["QT1", "QT2"], tty=True)
    bare = re.sub(r"\x1b\[[\d;]*m", "", text)

    assert "\x1b[1m" in text
    assert "\x1b" not in bare
    assert "?]0;title?" in bare
    assert max(map(len, bare.splitlines())) <= columns
    assert without_blanks(bare).count("word") == 20
