"""Bad input causes one line on stderr, no request and no change of a file."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from tests.support.archive import Site, written
from tests.support.command import NOWHERE, mycirrus
from tests.support.windows import not_on_windows

FIRST = ("QT1", "--start", "2023-01-01")


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE run (id)")


def of_version(version: int, path: Path) -> None:
    Site(path.parent, written("a")).sync(*FIRST)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "folder": (Path.mkdir, "fleet.db: is a folder; give the name of a file"),
    "pipe": (os.mkfifo, "fleet.db: is not a file"),
    "device": (lambda path: path.symlink_to("/dev/null"), "fleet.db: is not a file"),
    "link": (lambda path: path.symlink_to(path), "fleet.db: is a link that leads nowhere"),
    "text": (lambda path: path.write_text("x" * 5000), "fleet.db: is not an archive"),
    "foreign": (foreign, "fleet.db: is not an archive of mycirrus sync"),
    "older": (
        partial(of_version, 1),
        "fleet.db: is an archive of version 1, and this program knows version 2: begin",
    ),
    "newer": (
        partial(of_version, 3),
        "fleet.db: is an archive of version 3, and this program knows version 2: install",
    ),
}
COMMANDS = {
    "sync": ("sync", "fleet.db", *FIRST),
    "dry run": ("sync", "fleet.db", *FIRST, "--dry-run"),
    "check": ("sync", "--check", "fleet.db"),
    "log": ("log", "--from", "fleet.db"),
    "report": ("report", "--from", "fleet.db", "--output", "report.html"),
}


def refused(site: Site, *words: str) -> str:
    """Run a command that must fail, and return its message."""
    before = {
        path: path.read_bytes() if path.is_file() and not path.is_symlink() else None
        for path in site.folder.iterdir()
    }
    sent = len(site.standin.requests)
    done = site.run(*words)

    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert len(site.standin.requests) == sent
    assert set(site.folder.iterdir()) == set(before)
    for path, content in before.items():
        assert content is None or path.read_bytes() == content
    return done.stderr.removeprefix("mycirrus: ")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_no_archive_is_not_changed(kind: str, command: str, tmp_path: Path) -> None:
    make, line = FILES[kind]
    make(tmp_path / "fleet.db")

    assert refused(Site(tmp_path), *COMMANDS[command]).startswith(line)


@pytest.mark.parametrize("command", ["check", "log", "report"])
def test_a_missing_or_an_empty_file_cannot_be_read(command: str, tmp_path: Path) -> None:
    site = Site(tmp_path)
    missing = refused(site, *COMMANDS[command])
    site.path.touch()
    empty = refused(site, *COMMANDS[command])

    assert missing == "fleet.db: there is no such file\n"
    assert empty == "fleet.db: is not an archive of mycirrus sync\n"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["fleet.db"], "fleet.db: is new: give serial numbers, or --instruments-file\n"),
        (["fleet.db", "QT1"], "QT1 is new in fleet.db: give --start TIME or --last SPAN\n"),
        (["fleet.db", "QT1", "--start", "2030-01-01"], "--start must be before now: 2030-01-01\n"),
        (["fleet.db", "QT1", "--start", "soon"], "--start must be a date such as 2023-01-01"),
        (["fleet.db", "QT1", "QT1", "--last", "1y"], "QT1 is named 2 times"),
        (["fleet.db", "--retire", "QT1", "--last", "1y"], "fleet.db: is new: give serial numbers"),
        (["fleet.db", *FIRST, "--retire", "QT1"], "--retire QT1: is also named to be requested\n"),
        (["fleet.db", *FIRST, "--retire", "QT2"], "--retire QT2: fleet.db does not request it\n"),
        (["no/fleet.db", *FIRST], "no/fleet.db: there is no folder "),
        (["x" * 248, *FIRST], f"{'x' * 248}: the name is longer than 247 bytes\n"),
        (["", *FIRST], ".: is a folder; give the name of a file\n"),
        (["n" * 300 + ".db", *FIRST], "n" * 300 + ".db: File name too long\n"),
        (["QT123456", "QT234567", "--last", "1y"], "QT123456: there is no such archive, and it "),
        (["fleet.db", *FIRST, "--head", "ab"], "--head needs --check\n"),
        (["fleet.db", *FIRST, "--base-url", "x"], "base_url must be an address"),
        (["fleet.db", *FIRST, "--api-key-file", "no"], "--api-key-file: No such file"),
        (["--check"], "the following arguments are required: ARCHIVE; see mycirrus sync --help\n"),
    ],
)
def test_an_invalid_first_run_makes_no_file(words: list[str], line: str, tmp_path: Path) -> None:
    assert refused(Site(tmp_path), "sync", *words).startswith(line)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--start", "2020-01-01"], "fleet.db: has QT1 from 2023-01-01T00:00:00Z on: "),
        (["QT1", "--last", "9y"], "fleet.db: has QT1 from 2023-01-01T00:00:00Z on: "),
        (["QT2"], "QT2 is new in fleet.db: give --start TIME or --last SPAN\n"),
        (["--base-url", "http://127.0.0.1:8/v1"], f"fleet.db: is an archive of {NOWHERE}, not of "),
        (["--retire", "QT7"], "--retire QT7: fleet.db does not request it\n"),
    ],
)
def test_a_contradicting_run_changes_nothing(words: list[str], line: str, tmp_path: Path) -> None:
    site = Site(tmp_path, written("a"))
    site.sync(*FIRST)

    assert refused(site, "sync", "fleet.db", *words).startswith(line)
    assert refused(site, "sync", "fleet.db", *words, "--dry-run").startswith(line)


@pytest.mark.parametrize("name", [":memory:", "file:a.db?mode=memory", "a?b#c%20.db", "-.db"])
def test_a_name_always_means_a_file(name: str, tmp_path: Path) -> None:
    site = Site(tmp_path, written("a"))
    site.run("sync", *FIRST[1:], "--", name, *FIRST[:1])
    done = site.run("sync", "--check", "--", name)

    assert done.stdout.startswith(f"{name} fits its chain: 1 run, 1 entry, head ")
    assert list(tmp_path.iterdir()) == [tmp_path / name]


@not_on_windows("a folder that is in use cannot be removed")
def test_in_a_folder_that_was_removed_no_name_means_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    done = mycirrus("sync", "fleet.db", *FIRST)

    assert (done.returncode, done.stderr) == (2, "mycirrus: fleet.db: No such file or directory\n")


def test_a_link_to_an_archive_is_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    site = Site(tmp_path / "elsewhere", written("a"))
    link = tmp_path / "link.db"
    link.symlink_to(site.path)
    done = site.run("sync", str(link), *FIRST)

    assert done.returncode == 0, done.stderr
    assert link.is_symlink()
    assert site.check() != ""


def test_a_clock_before_all_starts_changes_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path, written("a"))
    site.sync(*FIRST)
    site.now = datetime(1970, 1, 1, tzinfo=UTC)

    assert refused(site, "sync", "fleet.db") == (
        "the clock is at 1970-01-01T00:00:00Z, before all that fleet.db is to have: set the clock\n"
    )


def test_a_later_start_applies_to_new_instruments_only(tmp_path: Path) -> None:
    site = Site(tmp_path, written("a") + written("b", instrument="QT2"))
    site.sync(*FIRST)
    site.sync("QT1", "QT2", "--start", "2025-01-01")
    starts = site.query("SELECT serial, start FROM instrument")

    assert starts == [
        ("QT1", "2023-01-01T00:00:00.000000Z"),
        ("QT2", "2025-01-01T00:00:00.000000Z"),
    ]
