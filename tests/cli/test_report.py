"""``mycirrus report``: a page for an audit file, and an exit code for a cron job."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import cirrus_ext
from mycirrus_contract.standin.adapters import Standin, serve
from tests.support.command import mycirrus

# QT345678 was away for almost two years; QT000001 has no entry.
RANGE = ("--start", "2019-01-01", "--end", "2024-01-01")
AWAY = ("QT567890", "QT345678", *RANGE)


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """A stand-in on a socket."""
    with serve(Standin()) as url:
        yield url


def text_of(file: Path) -> str:
    """What the page says, without its markup."""
    page = re.sub(r"<style>.*?</style>", "", file.read_text(encoding="utf-8"), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", page).split()).replace(" ,", ",")


def test_the_page_says_what_was_asked_from_whom_and_with_what(
    base_url: str, tmp_path: Path
) -> None:
    """So that it can stand in a file by itself."""
    file = tmp_path / "report.html"
    done = mycirrus("report", *AWAY, "--output", str(file), base_url=base_url)
    text = text_of(file)

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == (f"mycirrus: 12 requests, 2 instruments, 35 entries; {file} is written\n")
    for words in (
        "2: QT567890, QT345678",
        "from 2019-01-01T00:00:00Z (included) to 2024-01-01T00:00:00Z (not included)",
        f"{base_url}, in 12 requests",
        f"mycirrus-sdk {cirrus_ext.__version__}",
    ):
        assert words in text
    assert text.count("Installed and calibrated") == 0
    assert "<svg" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("serials", "max_gap", "code", "over"),
    [
        (("QT567890", "QT345678"), "400d", 4, "QT345678"),
        (("QT567890", "QT345678"), "57w", 4, "QT345678"),
        (("QT567890", "QT345678"), "800d", 0, None),
        (("QT567890",), "400d", 0, None),
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
    """The page is written all the same; stderr names it, even when quiet."""
    file = tmp_path / "report.html"
    words = ("report", *serials, *RANGE, "--max-gap", max_gap, "--output", str(file), "--quiet")
    done = mycirrus(*words, base_url=base_url)

    assert done.returncode == code
    assert done.stderr == (f"mycirrus: over --max-gap {max_gap}: {over}\n" if over else "")
    assert ("none has a gap over" in text_of(file)) == (over is None)


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
    """As with the log."""
    with serve(standin := Standin()) as url:
        usual = ("report", *AWAY, "--output", "report.html")
        done = mycirrus(*usual, *words, base_url=url, cwd=tmp_path)

    assert (done.returncode, standin.requests, list(tmp_path.iterdir())) == (2, [], [])
    assert line in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_report_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    """An audit file has no half pages."""
    file = tmp_path / "report.html"
    file.write_bytes(b"old")
    with serve(Standin(script={9: "401"})) as url:
        done = mycirrus("report", *AWAY, "--output", str(file), base_url=url)

    assert done.returncode == 1
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_the_requests_that_the_page_tells_are_those_that_were_sent(tmp_path: Path) -> None:
    """Repeated ones too."""
    file = tmp_path / "report.html"
    with serve(standin := Standin(script={3: "503-html"})) as url:
        mycirrus("report", *AWAY, "--output", str(file), base_url=url)

    assert len(standin.requests) == 13
    assert "in 13 requests" in text_of(file)


@pytest.mark.parametrize("package", ["matplotlib", "jinja2"])
def test_without_its_extra_one_line_says_what_to_install(
    package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And nothing is sent."""
    (tmp_path / f"{package}.py").write_text(
        f"raise ModuleNotFoundError('none', name='{package}')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with serve(standin := Standin()) as url:
        done = mycirrus("report", *AWAY, "--output", str(tmp_path / "a.html"), base_url=url)

    assert (done.returncode, standin.requests) == (2, [])
    assert done.stderr == (
        "mycirrus: mycirrus report needs matplotlib and jinja2: pip install "
        "'mycirrus-sdk[report]'\n"
    )
