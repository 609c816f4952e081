"""``--from``: ``log`` and ``report`` read an archive, offline."""

import json
import re
import sqlite3
from datetime import timedelta
from pathlib import Path
from zipfile import ZipFile

import pytest

from cirrus_ext import CalibrationRecord
from mycirrus_cli.archive.entries import columns_of, record_of
from mycirrus_contract.standin.fleet import Entry, fleet
from tests.support.archive import DAY, NIGHT, Site, at, written
from tests.support.html_reader import read
from tests.support.paths import ROOT

RANGE = ("--start", "2023-01-01", "--end", "2025-01-01")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An archive of the fleet, from 2022 on."""
    found = Site(tmp_path, list(fleet(NIGHT)))
    found.sync("QT123456", "QT234567", "--start", "2022-01-01")
    return found


def report(site: Site, *words: str) -> str:
    """The text of the report of the archive, which needs no key."""
    done = site.run("report", "--from", "fleet.db", *words, "--output", "report.html", key="")
    assert done.returncode == 0, done.stderr
    return read((site.folder / "report.html").read_text(encoding="utf-8")).text


@pytest.mark.parametrize("form", ["csv", "table"])
def test_the_log_of_an_archive_has_the_same_bytes_as_that_of_the_api(form: str, site: Site) -> None:
    words = ("log", "QT234567", "QT123456", *RANGE, "--format", form)
    online = site.run(*words)
    sent = len(site.standin.requests)
    offline = site.run(*words, "--from", "fleet.db", key="")

    assert (offline.returncode, len(site.standin.requests)) == (0, sent)
    assert offline.stdout == online.stdout
    assert len(offline.stdout.splitlines()) > 40
    assert offline.stderr == online.stderr.replace("6 requests, ", "")


def test_the_defaults_are_all_instruments_and_the_whole_range_of_the_archive(site: Site) -> None:
    done = site.run("log", "--from", "fleet.db", "--format", "ndjson", key="")
    rows = [json.loads(line) for line in done.stdout.splitlines()]

    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert len(rows) == site.current().total()
    assert {row["instrument"] for row in rows} == {"QT123456", "QT234567"}


def test_a_span_ends_where_the_archive_does(site: Site) -> None:
    site.now += 400 * DAY
    done = site.run("log", "--from", "fleet.db", "--last", "90d", "--format", "ndjson")
    times = [json.loads(line)["time"] for line in done.stdout.splitlines()]

    assert times
    assert min(times) > at(NIGHT - 90 * DAY)


def test_entries_after_the_last_run_are_shown_if_its_clock_was_set_back(site: Site) -> None:
    site.entries.append(Entry("QT123456", at(NIGHT - timedelta(minutes=1)), "Ann", "last minute"))
    site.sync()
    site.now -= timedelta(hours=1)
    site.sync()
    done = site.run("log", "--from", "fleet.db", "--format", "csv")

    assert "last minute" in done.stdout
    assert "not read: QT123456 from 2026-01-01T02:00:00Z to 2026-01-01T02:59:01Z" in done.stderr
    assert "last minute" in report(site)


def test_only_current_entries_are_in_the_log_and_the_report_marks_the_others(site: Site) -> None:
    ours = [one for one in site.entries if one.instrument == "QT123456" and one.time > "2025-06"]
    vanished, changed = ours[0], ours[2]
    site.entries.remove(vanished)
    site.entries[site.entries.index(changed)] = Entry("QT123456", changed.time, "Eve", "better")
    site.sync(code=5)
    head = site.head()
    log = site.run("log", "--from", "fleet.db", "--format", "csv").stdout
    page = report(site)

    assert vanished.time not in log
    assert log.count(changed.time) == 1
    assert "2 entries changed or missing since they were archived" in page
    assert "written by 2 runs of mycirrus sync" in page
    assert f"Head: {head}" in page
    assert "an archive of http://127.0.0.1:9/v1" in page
    assert re.search(rf"{re.escape(vanished.message)}\s+missing since 2026-01-01 03:00", page)
    assert re.search(rf"{re.escape(changed.message)}\s+changed since 2026-01-01 03:00", page)
    assert page.count("better") == 1
    assert page.count(changed.time) == 1 + 2  # in the list, and twice in the log


def test_a_report_of_an_archive_without_changes_says_so(site: Site) -> None:
    page = report(site)

    assert "No entry in the range was changed or is missing." in page
    assert "Not read" not in page


@pytest.mark.parametrize(
    ("words", "sheet"),
    [(("report",), ""), (("log", "--format", "xlsx"), "xl/worksheets/sheet1.xml")],
)
def test_a_zone_applies_to_an_archive_too(words: tuple[str, ...], sheet: str, site: Site) -> None:
    output = site.folder / "out.html"
    site.run(*words, "--from", "fleet.db", "--time-zone", "Europe/London", "--output", output.name)
    content = ZipFile(output).read(sheet) if sheet else output.read_bytes()

    assert b"Europe/London" in content
    assert b"+01:00" in content


def test_an_instrument_that_is_no_longer_seen_is_named_in_the_report(site: Site) -> None:
    site.entries = [one for one in site.entries if one.instrument != "QT234567"]
    site.now += DAY
    site.sync(code=5)
    page = report(site)

    assert "1 instrument no longer seen" in page
    assert "QT234567 is no longer seen since 2026-01-02 03:00" in page


def test_the_log_and_the_report_name_what_was_not_read(site: Site) -> None:
    words = ("log", "--from", "fleet.db", "QT123456", "--format", "csv", "--quiet")
    done = site.run(*words[:-1], "--start", "2021-01-01", "--end", "2026-02-01")
    page = report(site, "QT123456", "--last", "6y")

    assert done.returncode == 0
    assert done.stderr.startswith(
        "mycirrus: warning: not read: QT123456 from 2021-01-01T00:00:00Z to 2022-01-01T00:00:00Z, "
        "QT123456 from 2026-01-01T03:00:00Z to 2026-02-01T00:00:00Z\n"
    )
    assert "Not everything in the range was read" in page
    assert "Not read: QT123456 from 2020-01-01T03:00:00Z to 2022-01-01T00:00:00Z." in page
    assert site.run(*words, "--start", "2021-01-01").stderr == ""


def test_a_window_that_failed_is_not_read_and_a_retired_instrument_ends(tmp_path: Path) -> None:
    site = Site(tmp_path, written("a") + written("b", instrument="QT2"))
    site.standin.script = {2: "403"}
    site.sync("QT1", "QT2", "--start", "2023-01-01", "--concurrency", "1", code=1)
    site.now += DAY
    site.standin.script = {}
    site.sync("--retire", "QT2")
    before = site.run("log", "--from", "fleet.db", "--format", "csv").stderr
    site.sync("--verify")
    after = site.run("log", "--from", "fleet.db", "--format", "csv").stderr

    assert before.count("\n") == after.count("\n") == 1  # the run after it has read it
    assert "warning" not in before


def test_an_archive_that_does_not_fit_its_chain_is_not_shown(site: Site) -> None:
    site.change("UPDATE entry SET message = 'x' WHERE id = 1")
    for words in (("log",), ("report", "--output", "report.html")):
        done = site.run(*words, "--from", "fleet.db")

        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("mycirrus: fleet.db: does not fit its chain: ")
        assert done.stderr.count("\n") == 1
    assert list(site.folder.iterdir()) == [site.path]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["QT9"], "fleet.db: has no QT9"),
        (["--dry-run"], "--from sends no request: leave out --dry-run"),
        (["--api-key-file", "key"], "leave out --api-key-file"),
        (["--base-url", "http://127.0.0.1:8/v1"], "leave out --base-url"),
        (["--concurrency", "2"], "leave out --concurrency"),
        (["--output", "fleet.db", "--format", "csv"], "--output fleet.db: is --from as well"),
        (["--start", "2030-01-01"], "not before 2026-01-01T03:00:00Z, when the archive ends"),
        (["--end", "2020-01-01"], ": 2022-01-01T00:00:00Z is not before 2020-01-01"),
        (["--from", "other.db"], "other.db: there is no such file"),
        (["--from", "."], ".: is a folder"),
    ],
)
def test_bad_usage_is_one_line_and_no_file(words: list[str], line: str, site: Site) -> None:
    before = site.path.read_bytes()
    done = site.run("log", "--from", "fleet.db", *words)

    assert (done.returncode, done.stdout) == (2, "")
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
    assert site.path.read_bytes() == before
    assert list(site.folder.iterdir()) == [site.path]


# Other programs


def test_the_queries_of_the_page_about_archives_work(site: Site) -> None:
    site.entries.remove(next(one for one in site.entries if one.time > "2025-06"))
    page = (ROOT / "docs" / "archive.md").read_text(encoding="utf-8")
    users, missing = re.findall(r'^sqlite3 -readonly fleet.db "(.*)"$', page, re.MULTILINE)

    assert sum(int(str(count)) for _, count in site.query(users)) > 10
    assert site.query(missing) == []


def test_the_view_has_the_columns_and_times_of_the_csv(site: Site) -> None:
    site.entries += [
        Entry("QT123456", f"2025-12-01T10:00:00{fraction}Z", "Ann", "x")
        for fraction in ("", ".5", ".25", ".125", ".000001")
    ]
    site.sync()
    csv = site.run("log", "--from", "fleet.db", "--format", "csv").stdout.splitlines()
    rows = site.query("SELECT * FROM log WHERE time LIKE '2025-12-01T10%'")

    assert sorted(f"{one},{time}" for one, time, *_ in rows) == sorted(
        line.rpartition(",Ann,")[0] for line in csv if ",2025-12-01T10" in line
    )
    assert len(rows) == 5


@pytest.mark.parametrize(
    "record",
    [
        CalibrationRecord("QT1", NIGHT, None, ""),
        CalibrationRecord("QT1", NIGHT, "half \ud83d of a character", "\ud83d", {"a": 1}),
        CalibrationRecord("QT1", NIGHT, "a\x00b", "\U0001f600", {"b": [1.0, None, "\udc00"]}),
        CalibrationRecord("QT1", NIGHT + timedelta(microseconds=1), "user", None, {"messages": ""}),
    ],
)
def test_every_text_comes_back_as_it_was(record: CalibrationRecord) -> None:
    """SQLite itself holds no surrogates."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE entry (instrument, time, user, message, extra)")
    connection.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", columns_of(record))
    (row,) = connection.execute("SELECT * FROM entry")
    connection.close()

    assert record_of(row) == record
