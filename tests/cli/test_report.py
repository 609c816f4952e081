"""``mycirrus report``: an HTML report for an audit file, and an exit code for a cron job."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import cirrus_ext
from mycirrus_cli.main import main
from mycirrus_contract.standin.adapters import Standin, serve
from tests.support.command import mycirrus
from tests.support.html_reader import read

# QT345678 was away for almost two years; QT000001 has no entry.
RANGE = ("--start", "2019-01-01", "--end", "2024-01-01")
AWAY = ("QT567890", "QT345678", *RANGE)


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    with serve(Standin()) as url:
        yield url


def text_of(file: Path) -> str:
    return read(file.read_text(encoding="utf-8")).text


def test_the_report_says_what_was_requested_from_which_server(
    base_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    done = mycirrus("report", *AWAY, "--output", str(file), base_url=base_url)

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == (f"mycirrus: 12 requests, 2 instruments, 35 entries; {file} is written\n")
    for words in (
        "2 instruments, 35 entries",
        "From 2019-01-01T00:00:00Z (included) to 2024-01-01T00:00:00Z (not included)",
        f"with mycirrus-sdk {cirrus_ext.__version__} from {base_url}, in 12 requests",
    ):
        assert words in text_of(file)


@pytest.mark.parametrize(
    ("serials", "max_gap", "code", "over"),
    [
        (("QT567890", "QT345678"), "400d", 4, "QT345678"),
        (("QT567890", "QT345678"), "57w", 4, "QT345678"),
        (("QT567890", "QT345678"), "800d", 0, None),
        (("QT567890", "QT000001"), "400d", 4, "QT000001"),
    ],
)
def test_an_instrument_over_the_longest_gap_is_marked_and_is_exit_code_4(
    serials: tuple[str, ...],
    max_gap: str,
    code: int,
    over: str | None,
    base_url: str,
    tmp_path: Path,
) -> None:
    """The report is written, and stderr names the instrument, with --quiet too."""
    file = tmp_path / "report.html"
    words = ("report", *serials, *RANGE, "--max-gap", max_gap, "--output", str(file), "--quiet")
    done = mycirrus(*words, base_url=base_url)

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
    with serve(standin := Standin()) as url:
        usual = ("report", *AWAY, "--output", "report.html")
        done = mycirrus(*usual, *words, base_url=url, cwd=tmp_path)

    assert (done.returncode, standin.requests, list(tmp_path.iterdir())) == (2, [], [])
    assert line in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_report_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_bytes(b"old")
    with serve(Standin(script={9: "401"})) as url:
        done = mycirrus("report", *AWAY, "--output", str(file), base_url=url)

    assert done.returncode == 1
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_the_report_counts_repeated_requests_too(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    with serve(standin := Standin(script={3: "503-html"})) as url:
        mycirrus("report", *AWAY, "--output", str(file), base_url=url)

    assert len(standin.requests) == 13
    assert "in 13 requests" in text_of(file)


def test_without_its_extra_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for name in ("mycirrus_cli.report.rendering", "mycirrus_contract.html"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    code = main(["report", *AWAY, "--output", str(tmp_path / "report.html")])

    assert (code, list(tmp_path.iterdir())) == (2, [])
    assert capsys.readouterr().err == (
        "mycirrus: mycirrus report needs jinja2: pip install '.[report]' "
        "in a checkout of the project\n"
    )
