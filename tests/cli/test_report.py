"""``mycirrus report``: an HTML report for an audit file, and an exit code for a cron job."""

import sys
from pathlib import Path

import pytest

import cirrus_ext
from mycirrus_contract.standin.adapters import Standin
from tests.support.command import NOWHERE, mycirrus, refused
from tests.support.html_reader import read

# QT345678 was away for almost two years; QT000001 has no entry.
RANGE = ("--start", "2019-01-01", "--end", "2024-01-01")
AWAY = ("report", "QT567890", "QT345678", *RANGE, "--output", "report.html")


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "report.html"


def text_of(file: Path) -> str:
    return read(file.read_text(encoding="utf-8")).text


def test_the_report_says_what_was_requested_from_which_server(file: Path) -> None:
    """Retries count."""
    done = mycirrus(*AWAY, standin=Standin(script={3: "503-html"}))

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == (
        "mycirrus: 13 requests, 2 instruments, 35 entries; report.html is written\n"
    )
    for words in (
        "2 instruments, 35 entries",
        "From 2019-01-01T00:00:00Z (included) to 2024-01-01T00:00:00Z (not included), 1,826 days",
        "All times are in UTC. Created 20",
        f"with mycirrus-sdk {cirrus_ext.__version__} from {NOWHERE}, in 13 requests",
    ):
        assert words in text_of(file)


@pytest.mark.parametrize(
    ("serials", "max_gap", "code", "over"),
    [
        (("QT567890", "QT345678"), "400d", 4, "QT345678"),
        (("QT567890", "QT345678"), "100w", 4, "QT345678"),
        (("QT567890", "QT345678"), "800d", 0, None),
        (("QT567890", "QT000001"), "400d", 4, "QT000001"),
    ],
)
def test_an_instrument_over_the_longest_gap_is_marked_and_is_exit_code_4(
    serials: tuple[str, ...], max_gap: str, code: int, over: str | None, file: Path
) -> None:
    """The report is written, and stderr names the instrument, with --quiet too."""
    words = ("report", *serials, *RANGE, "--max-gap", max_gap, "--output", str(file), "--quiet")
    done = mycirrus(*words)

    assert done.returncode == code
    assert done.stderr == (f"mycirrus: over --max-gap {max_gap}: {over}\n" if over else "")
    assert ("no gap is over" in text_of(file)) == (over is None)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--max-gap", "13m"], "--max-gap must be in days or weeks, such as 400d or 57w: '13m'"),
        (["--max-gap", "400"], "--max-gap must be in days or weeks, such as 400d or 57w: '400'"),
        (["--output", "report.pdf"], "the report is HTML; give a name such as report.html"),
        (["--output", "no/where.html"], "there is no folder"),
    ],
)
def test_bad_usage_of_the_report_sends_nothing(words: list[str], line: str, tmp_path: Path) -> None:
    assert line in refused(*AWAY, *words, cwd=tmp_path)


def test_a_run_that_fails_leaves_the_old_report(file: Path) -> None:
    file.write_bytes(b"old")
    done = mycirrus(*AWAY, standin=Standin(script={9: "401"}))

    assert done.returncode == 1
    assert file.read_bytes() == b"old"
    assert list(file.parent.iterdir()) == [file]


def test_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("mycirrus_cli.report.rendering", "mycirrus_contract.html"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "jinja2", None)

    assert refused(*AWAY, cwd=tmp_path) == (
        "mycirrus report needs jinja2: pip install '.[report]' in a checkout of the project\n"
    )
