"""``mycirrus sync``: one request for each instrument, and an archive that is up to date."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mycirrus_contract.standin.fleet import Entry
from tests.support.archive import DAY, NIGHT, Site, at, written
from tests.support.windows import WINDOWS

YEARS = ("--start", "2021-01-01")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, written("a", "b") + written("c", instrument="QT2"))


def test_the_first_run_reads_all_and_later_ones_send_a_request_each(site: Site) -> None:
    first = site.requests("QT1", "QT2", *YEARS)
    site.now += DAY
    later = [site.requests(), site.requests("QT1"), site.requests("QT1", "QT2", *YEARS)]

    assert first == 2 * 6  # five years and a day, 365 days each
    assert later == [2, 2, 2]
    assert site.current() == site.truth(["QT1", "QT2"])


@pytest.mark.parametrize(("days", "requests"), [(0, 1), (364, 1), (365, 2), (1095, 4)])
def test_a_run_after_a_pause_sends_the_least_requests(days: int, requests: int, site: Site) -> None:
    site.sync("QT1", *YEARS)
    site.now += days * DAY
    site.entries += [Entry("QT1", at(NIGHT + n * DAY), "Bob", str(n)) for n in range(days)]

    assert site.requests(code=0) == requests
    assert site.current() == site.truth(["QT1"])


def test_a_new_instrument_is_read_from_its_start_and_a_retired_one_not_at_all(site: Site) -> None:
    site.sync("QT1", *YEARS)
    added = site.requests("QT2", "--last", "2y")
    retired = site.requests("--retire", "QT1")
    again = site.requests("QT1")

    assert (added, retired, again) == (1 + 3, 1, 2)
    assert site.current() == site.truth(["QT1", "QT2"])


def test_the_last_line_counts_requests_and_entries_and_names_the_head(site: Site) -> None:
    line = site.sync("QT1", "QT2", *YEARS)

    assert line == (
        f"mycirrus: 12 requests, 3 new entries, 0 changed, 0 missing; head {site.head()}\n"
    )
    assert site.sync("--quiet") == ""


def test_an_archive_is_one_file_that_only_its_owner_can_read(site: Site) -> None:
    site.sync("QT1", *YEARS)

    assert list(site.folder.iterdir()) == [site.path]
    assert WINDOWS or stat.S_IMODE(site.path.stat().st_mode) == 0o600
    assert site.query("PRAGMA application_id") == [(0x4D434152,)]
    assert site.query("PRAGMA user_version") == [(2,)]
    assert site.query("PRAGMA journal_mode") == [("delete",)]


def test_a_dry_run_shows_the_requests_of_the_run_and_makes_no_file(site: Site) -> None:
    words = ("QT1", "QT2", *YEARS)
    plan = site.run("sync", "fleet.db", *words, "--dry-run", key="")
    missing = not site.path.exists()
    sent = site.requests(*words)
    before = site.path.read_bytes()
    later = site.run("sync", "fleet.db", "--dry-run", key="")

    assert (plan.returncode, plan.stderr, missing) == (0, "", True)
    head, *lines = plan.stdout.splitlines()
    assert head == "12 requests for 2 instruments, up to 2026-01-01T03:00:00Z"
    assert len(lines) == sent
    assert later.stdout.splitlines() == [
        "2 requests for 2 instruments, up to 2026-01-01T03:00:00Z",
        "QT1  2025-01-02T03:00:00Z  2026-01-01T03:00:00Z",
        "QT2  2025-01-02T03:00:00Z  2026-01-01T03:00:00Z",
    ]
    assert site.path.read_bytes() == before


# What changes


def test_late_changed_and_missing_entries_are_kept_and_reported_once(site: Site) -> None:
    site.entries += written("d", "e", "f", "g", "h")
    site.sync("QT1", *YEARS)
    old = site.current()
    _, changed, vanished, *_ = [one for one in site.entries if one.message in "deg"]
    late = Entry("QT1", at(NIGHT - 30 * DAY), "Bob", "late")
    site.entries[site.entries.index(changed)] = Entry("QT1", changed.time, "Ann", "other")
    site.entries.remove(vanished)
    site.entries.append(late)
    said, again = site.sync(code=5), site.sync()

    assert f"mycirrus: changed: QT1 at {changed.time.replace('.000Z', 'Z')}\n" in said
    assert f"mycirrus: missing: QT1 at {vanished.time.replace('.000Z', 'Z')}\n" in said
    assert ", 1 new entry, 1 changed, 1 missing; head " in said
    assert ", 0 new entries, 0 changed, 0 missing; head " in again
    assert site.current() == site.truth(["QT1"])
    kept = site.query("SELECT message FROM history WHERE missing_since IS NOT NULL ORDER BY time")
    assert kept == [(changed.message,), (vanished.message,)]
    assert old - site.current() != {}


def test_an_entry_that_comes_back_is_a_new_row(site: Site) -> None:
    site.sync("QT1", *YEARS)
    gone = site.entries.pop(0)
    site.sync(code=5)
    site.entries.append(gone)
    said = site.sync()

    assert ", 1 new entry, 0 changed, 0 missing; " in said
    rows = site.query("SELECT missing_since IS NULL FROM entry WHERE message = 'a' ORDER BY id")
    assert rows == [(0,), (1,)]


def test_each_of_several_equal_entries_counts(site: Site) -> None:
    site.entries += [site.entries[0]] * 2
    site.sync("QT1", *YEARS)
    three = site.current()
    site.entries.pop()
    said = site.sync(code=5)

    assert max(three.values()) == 3
    assert ", 0 new entries, 0 changed, 1 missing; " in said
    assert site.current() == site.truth(["QT1"])


def test_a_new_entry_replaces_one_entry_of_its_time_and_no_other(site: Site) -> None:
    """In the counts, the lines and the view."""
    moment = site.entries[0].time
    site.entries += [Entry("QT1", moment, "Ann", "replaced")]
    site.sync("QT1", *YEARS)
    site.entries = [*site.entries[1:2], Entry("QT1", moment, "Eve", "new")]
    said = site.sync(code=5)

    assert ", 0 new entries, 1 changed, 1 missing; " in said
    assert said.count("mycirrus: changed: QT1 at ") == said.count("mycirrus: missing: QT1 at ") == 1
    rows = site.query("SELECT changed, count(*) FROM history GROUP BY changed, missing_since")
    assert rows == [(0, 2), (0, 1), (1, 1)]


def test_an_instrument_whose_entries_all_vanish_keeps_them_and_is_reported(site: Site) -> None:
    """A key without access to it gets the same answer."""
    site.sync("QT1", "QT2", *YEARS)
    before, hidden = site.current(), [one for one in site.entries if one.instrument == "QT1"]
    site.entries = [one for one in site.entries if one not in hidden]
    said, again = site.sync(code=5), site.sync()

    assert "mycirrus: no longer seen, or not with this key: QT1\n" in said
    assert "no longer seen" not in again
    assert site.current() == before

    site.now += 500 * DAY
    for _ in range(3):  # entries of this time are hidden as well
        site.sync()
    site.entries += [*hidden, Entry("QT1", at(NIGHT + 20 * DAY), "Bob", "hidden meanwhile")]
    site.entries.append(Entry("QT1", at(site.now - DAY), "Bob", "seen again"))
    site.sync()
    site.sync()

    assert site.current() == site.truth(["QT1", "QT2"])


def test_all_entries_of_a_year_are_missing_if_another_year_has_some(site: Site) -> None:
    """No matter which of the two windows is answered first."""
    for number in ("1", "4"):  # simultaneous requests
        site.entries = [Entry("QT1", "2022-05-01T00:00:00.000Z", "Ann", "old"), *written("a", "b")]
        site.path.unlink(missing_ok=True)
        site.sync("QT1", *YEARS)
        site.entries.pop(0)
        said = site.sync("--verify", "--concurrency", number, code=5)

        assert "mycirrus: missing: QT1 at 2022-05-01T00:00:00Z\n" in said
        assert site.current() == site.truth(["QT1"])


# What fails


def test_a_failed_request_is_recorded_and_the_others_continue(site: Site) -> None:
    site.standin.script = {2: "403"}
    said = site.sync("QT1", "QT2", *YEARS, code=1)
    missing = site.query("SELECT result FROM window WHERE result LIKE '%Error'")
    later = site.requests()

    assert "mycirrus: 1 request failed, one of them: QT" in said
    assert "mycirrus: 12 requests, " in said
    assert missing == [("PermissionDeniedError",)]
    assert later in {2, 3}  # what failed is due again, and may be of the last 364 days
    assert site.current() == site.truth(["QT1", "QT2"])


def test_requests_that_fail_at_the_same_time_are_sent_once(site: Site) -> None:
    site.standin.script = dict.fromkeys(range(100), "403")

    assert site.requests("QT1", "QT2", *YEARS, code=1) == 12
    assert site.query("SELECT count(*), count(DISTINCT start) FROM window") == [(12, 6)]


@pytest.mark.parametrize(
    ("fault", "code", "requests"), [("401", 1, 1), ("429-wait-1h", 3, 1), ("503-html", 1, 40)]
)
def test_a_run_ends_if_all_others_would_fail(
    fault: str, code: int, requests: int, site: Site
) -> None:
    """The key is refused or limited, or ten requests in a row fail, each after four attempts. The
    next run continues it.
    """
    site.standin.script = dict.fromkeys(range(6, 1000), fault)
    words = ("QT1", "QT2", "--start", "2016-01-01", "--concurrency", "1")
    sent = site.requests(*words, code=code)
    site.standin.script = {}

    assert sent == 5 + requests
    assert site.requests("--concurrency", "1") == 22 - 5
    assert site.current() == site.truth(["QT1", "QT2"])
    assert site.query("SELECT count(*) FROM run") == [(1,)]


def test_failures_that_are_not_in_a_row_do_not_end_a_run(site: Site) -> None:
    """Each second request fails, four times; the others are answered."""
    site.standin.script = {number: "503-html" for number in range(1, 56) if number % 5}
    words = ("QT1", "QT2", "--start", "2016-01-01", "--concurrency", "1")

    assert "mycirrus: 11 requests failed, one of them: QT1 from " in site.sync(*words, code=1)
    assert len(site.standin.requests) == 55


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (datetime(2026, 3, 30, 23, tzinfo=UTC), datetime(2026, 3, 31, 1, tzinfo=UTC)),
        (NIGHT, NIGHT - timedelta(seconds=1)),
    ],
    ids=["the end of a month", "a clock that was set back"],
)
def test_the_same_span_is_never_too_early(first: datetime, second: datetime, site: Site) -> None:
    site.now = first
    site.sync("QT1", "--last", "1m")
    site.now = second
    site.sync("QT1", "--last", "1m")


def test_an_interrupted_run_is_continued_for_half_a_day_with_its_changes(site: Site) -> None:
    site.sync("QT1", "QT2", *YEARS)
    site.entries.pop(0)
    for hours, requests in ((11, 1), (13, 2)):
        site.standin.script = {len(site.standin.requests) + 2: "401"}
        site.sync("--concurrency", "1", code=1)
        site.now += timedelta(hours=hours)
        done = site.run("sync", "fleet.db")

        assert done.stderr.startswith(f"mycirrus: {'missing' if hours == 11 else '2 requests'}")
        assert done.returncode == (5 if hours == 11 else 0)
        assert f"{requests} request" in done.stderr


def test_a_clock_that_was_ahead_for_a_run_leaves_no_gap(site: Site) -> None:
    """The entries of the time ahead did not exist yet when it was read."""
    site.sync("QT1", *YEARS)
    right = site.now
    site.now += 3000 * DAY
    site.sync()
    site.now = right + 900 * DAY
    site.entries += [Entry("QT1", at(NIGHT + n * DAY), "Bob", str(n)) for n in range(900)]
    said = site.sync()

    assert said.startswith("mycirrus: warning: the clock is at 2028-06-19T03:00:00Z, and was at ")
    assert site.current() == site.truth(["QT1"])


@pytest.mark.parametrize(("fault", "code", "days"), [("", 0, 1000), ("403", 1, 250)])
def test_what_a_run_read_ahead_of_its_time_is_read_again(
    fault: str, code: int, days: int, site: Site
) -> None:
    """Also after a longer time than the clock was ahead, and if the next run fails."""
    site.now += 800 * DAY
    site.sync("QT1", *YEARS)
    site.now -= 300 * DAY
    site.standin.script = dict.fromkeys(range(100), fault) if fault else {}
    site.sync(code=code)
    site.standin.script = {}
    first = 1 if fault else 500
    site.entries += [Entry("QT1", at(NIGHT + n * DAY), "Bob", "") for n in range(first, 1500, 9)]
    site.now += days * DAY
    site.sync()

    assert site.current() == site.truth(["QT1"])


def test_a_scope_that_is_lost_and_given_back_during_a_run_leaves_no_gap(site: Site) -> None:
    """Years of which all entries go at once are read again when the instrument has entries."""
    site.entries = [Entry("QT1", at(NIGHT - n * DAY), "Ann", str(n)) for n in range(1, 1700, 50)]
    site.sync("QT1", *YEARS)
    whole, site.entries = site.entries, [one for one in site.entries if one.time < "2023"]
    site.sync("--verify", code=5)
    site.entries = whole
    requests = [site.requests() for _ in range(3)]

    assert requests == [1, 4, 1]
    assert site.current() == site.truth(["QT1"])
