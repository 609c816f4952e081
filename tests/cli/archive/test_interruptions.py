"""No entry is lost or doubled, whatever happens to a run."""

import os
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mycirrus_cli.archive import file, writer
from mycirrus_cli.archive.chain import verified
from mycirrus_cli.archive.state import State
from mycirrus_cli.archive.store import Store
from mycirrus_contract.messages import Reply, Request
from mycirrus_contract.standin.adapters import serve
from mycirrus_contract.standin.fleet import Entry, fleet
from tests.support.archive import DAY, NIGHT, Site, at, row, written
from tests.support.command import TIMEOUT, BlockingServer, mycirrus, started
from tests.support.windows import not_on_windows

FIRST = ("QT1", "QT2", "--start", "2023-01-01")
SERIALS = ("QT1", "QT2")


class KilledError(BaseException):
    """The process was killed."""


@contextmanager
def killed_at(number: int, *, before: bool = True) -> Iterator[list[int]]:
    """Kill the command at its Nth commit, before it is on the disk or after.

    Each window is in a transaction of its own. Yields the list of the commits so far.
    """
    commits: list[int] = []
    commit = file.commit

    def counting(connection: sqlite3.Connection) -> None:
        commits.append(len(commits) + 1)
        if commits[-1] == number and before:
            raise KilledError
        commit(connection)
        if commits[-1] == number:
            raise KilledError

    with mock.patch.object(file, "commit", counting), mock.patch.object(writer, "MOST_WAITING", 0):
        yield commits


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, written("a", "b", "c") + written("x", "y", instrument="QT2"))


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_run_that_is_killed_at_any_commit_is_continued(*, before: bool, site: Site) -> None:
    """The next run repeats three requests at most: one that had no answer, one that was answered,
    and one whose answer was about to be written.
    """
    with killed_at(0) as commits:
        site.sync(*FIRST)
    whole, windows = list(commits), len(site.standin.requests)
    expected = site.current()
    for number in whole:
        site.path.unlink()
        site.standin.requests.clear()
        with killed_at(number, before=before), pytest.raises(KilledError):
            site.run("sync", "fleet.db", *FIRST, "--concurrency", "1")
        site.now += timedelta(minutes=5)
        site.sync(*FIRST)

        last = number == whole[-1] and not before
        assert len(site.standin.requests) - windows <= (2 if last else 3)
        assert site.current() == expected
        assert site.query("SELECT count(*) FROM run") == [(2 if last else 1,)]
        site.check()
        assert list(site.folder.iterdir()) == [site.path]


# Processes

WORDS = ("QT123456", "QT234567", "QT345678", "--last", "5y", "--concurrency", "2")
WINDOWS = 18


@pytest.mark.parametrize(
    ("number", "code", "after"),
    [(signal.SIGKILL, -signal.SIGKILL, 1), (signal.SIGTERM, 143, 7)],
)
def test_a_stopped_process_leaves_an_archive_that_the_next_one_completes(
    number: int, code: int, after: int, tmp_path: Path
) -> None:
    path = tmp_path / "fleet.db"
    with (
        serve(standin := BlockingServer(after=after)) as url,
        started("sync", str(path), *WORDS, base_url=url) as process,
    ):
        assert standin.reached.wait(TIMEOUT)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=TIMEOUT)
        standin.released.set()
        again = mycirrus("sync", str(path), *WORDS, base_url=url)
        checked = mycirrus("sync", "--check", str(path), base_url=url)
        requests = len(standin.requests)

    assert process.returncode == code
    if code > 0:
        assert stderr.startswith(b"mycirrus: stopped; ")
        assert stderr.endswith(b" requests are done; the same command goes on from there\n")
    assert (again.returncode, checked.returncode) == (0, 0), again.stderr + checked.stderr
    assert requests <= WINDOWS + 2 + 2  # two under way, two on their way to the disk
    assert list(tmp_path.iterdir()) == [path]
    with closing(sqlite3.connect(path)) as connection:
        rows = list(connection.execute("SELECT instrument, time, user, message FROM log"))
        runs = list(connection.execute("SELECT count(*), count(ended), min(until) FROM run"))
    serials = {word for word in WORDS if word.startswith("QT")}
    until = str(runs[0][2])
    assert runs[0][:2] == (1, 1)
    assert len(rows) == len(set(rows)) > 100
    assert {one for one in rows if one[1] > "2022"} == {
        row(one) for one in fleet() if one.instrument in serials and "2022" < one.time < until
    }


@not_on_windows("there is no pthread_kill")
@pytest.mark.parametrize("commit", ["first", "later"])
def test_a_run_that_waits_for_a_program_that_reads_can_be_stopped(
    commit: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first commit is made in the main thread, later ones in another."""
    site.sync(*FIRST)
    site.now += DAY
    pauses, sleep, handle = list[float](), time.sleep, site.standin.handle

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 1:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        assert len(pauses) < 1000
        sleep(0.001)

    with closing(sqlite3.connect(site.path, check_same_thread=False)) as reader:

        def read() -> None:
            if not reader.in_transaction:
                reader.execute("BEGIN")
                reader.execute("SELECT * FROM entry")

        def reading(request: Request) -> Reply:
            read()
            return handle(request)

        if commit == "first":
            read()
        else:
            monkeypatch.setattr(site.standin, "handle", reading)
        monkeypatch.setattr(time, "sleep", pause)
        done = site.run("sync", "fleet.db", "--concurrency", "1")
        monkeypatch.undo()

    assert (done.returncode, done.stderr.partition(";")[0].strip()) == (130, "mycirrus: stopped")
    assert 0 < len(pauses) < 1000
    assert site.requests() == 2
    site.check()


def test_while_a_run_writes_others_can_read_and_not_write(site: Site) -> None:
    site.sync(*FIRST)
    with file.opened_to_write(site.path) as connection:
        connection.execute("SELECT 1")
        content = site.path.read_bytes()
        done = site.run("sync", "fleet.db")
        read = site.run("log", "--from", "fleet.db", "--format", "csv")
        site.check()

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "mycirrus: fleet.db: another run is writing it; try again later\n"
    assert site.path.read_bytes() == content
    assert len(read.stdout.splitlines()) == 6
    assert site.requests() == 2


def test_of_two_first_runs_at_once_the_second_is_refused_and_leaves_the_file(site: Site) -> None:
    with file.opened_to_write(site.path):
        done = site.run("sync", "fleet.db", *FIRST)
        assert (done.returncode, site.path.exists()) == (3, True)

    assert site.requests(*FIRST) > 2


@not_on_windows("an open file cannot be deleted there")
@pytest.mark.parametrize("step", ["made", "deleted"])
def test_a_run_is_refused_if_another_one_overtakes_it(step: str, site: Site) -> None:
    """The other one makes the file at the same time, or has just deleted it."""
    connect, make = file._connect, os.open

    def made(*arguments: object) -> int:
        patch.stop()
        stack.enter_context(file.opened_to_write(site.path))
        return make(*arguments)  # type: ignore[arg-type]

    def deleted(path: Path, mode: str) -> sqlite3.Connection:
        connection = connect(path, mode)
        path.unlink()
        return connection

    changed = {"made": (os, "open", made), "deleted": (file, "_connect", deleted)}
    patch = mock.patch.object(*changed[step])
    with ExitStack() as stack:
        stack.callback(patch.stop)
        patch.start()
        done = site.run("sync", "fleet.db", *FIRST)

    assert (done.returncode, len(site.standin.requests)) == (3, 0)
    assert done.stderr == "mycirrus: fleet.db: another run is writing it; try again later\n"


@not_on_windows("an open file cannot be deleted there")
def test_no_other_run_can_use_a_file_that_is_about_to_be_deleted(site: Site) -> None:
    codes, unlink = [], Path.unlink

    def delayed(path: Path) -> None:
        codes.append(site.run("sync", "fleet.db", *FIRST).returncode)
        unlink(path)

    with (
        mock.patch.object(file, "_connect", limited(3)),
        mock.patch.object(Path, "unlink", delayed),
    ):
        site.run("sync", "fleet.db", *FIRST)

    assert codes == [3]
    assert not site.path.exists()


def test_a_run_notices_another_one_that_came_between_two_of_its_commits(site: Site) -> None:
    """Between two transactions, nothing is locked."""
    site.sync(*FIRST)
    commit, calls = file.commit, []

    def overtaken(connection: sqlite3.Connection) -> None:
        calls.append(connection)
        if len(calls) != 2:
            commit(connection)
            return
        connection.execute("COMMIT")
        with (
            mock.patch.object(file, "commit", commit),
            file.opened_to_write(site.path) as other,
        ):
            store = Store(other, State(verified(other)))
            with store.transaction():
                store.begin(None, {"QT3": "2025-01-01T00:00:00.000000Z"}, [])
        connection.execute("BEGIN IMMEDIATE")

    with mock.patch.object(file, "commit", overtaken):
        done = site.run("sync", "fleet.db")

    assert done.returncode == 3
    assert done.stderr.startswith("mycirrus: fleet.db: another run is writing it; try again later")
    site.check()
    assert site.current() == site.truth(SERIALS)


# The disk


def limited(pages: int) -> Callable[..., sqlite3.Connection]:
    """Open archives that cannot grow, as on a full disk."""
    connect = file._connect

    def connected(path: Path, mode: str) -> sqlite3.Connection:
        connection = connect(path, mode)
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return connection

    return connected


def test_a_full_disk_stops_the_run_and_keeps_what_was_committed(site: Site) -> None:
    long = "x" * 3000
    site.entries = [Entry("QT1", at(NIGHT - n * DAY), "Ann", long) for n in range(1, 1000, 3)]
    with mock.patch.object(file, "_connect", limited(120)):
        done = site.run("sync", "fleet.db", "QT1", "--last", "3y", "--concurrency", "1")
    kept = site.current()
    site.check()
    site.sync("QT1", "--last", "3y")

    assert done.returncode == 1
    assert done.stderr == (
        "mycirrus: fleet.db: the disk is full; what was committed before is kept\n"
    )
    assert 0 < kept.total() < site.current().total()
    assert site.current() == site.truth(["QT1"])


def test_a_disk_that_is_full_from_the_beginning_leaves_no_file(site: Site) -> None:
    with mock.patch.object(file, "_connect", limited(3)):
        done = site.run("sync", "fleet.db", *FIRST)

    assert done.returncode == 1
    assert len(site.standin.requests) == 0
    assert list(site.folder.iterdir()) == []


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_sent(site: Site) -> None:
    site.sync(*FIRST)
    before, connect = site.path.read_bytes(), file._connect
    with mock.patch.object(file, "_connect", lambda path, mode: connect(path, "ro")):
        sent, done = len(site.standin.requests), site.run("sync", "fleet.db")

    assert (done.returncode, len(site.standin.requests)) == (2, sent)
    assert done.stderr == "mycirrus: fleet.db: cannot be written\n"
    assert site.path.read_bytes() == before


@not_on_windows("a database that is open and locked cannot be read")
def test_a_journal_that_a_killed_run_left_is_rolled_back(site: Site) -> None:
    site.sync(*FIRST)
    content, expected = site.path.read_bytes(), site.current()
    with closing(sqlite3.connect(site.path, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")  # so that it writes before it commits
        connection.execute("BEGIN IMMEDIATE")
        for number in range(100, 1000):
            values = (number, b"x" * 32)
            connection.execute("INSERT INTO chain VALUES (?, ?)", values)
        journal = Path(f"{site.path}-journal")
        hot, half = journal.read_bytes(), site.path.read_bytes()
        connection.execute("ROLLBACK")
    site.path.write_bytes(half)
    journal.write_bytes(hot)
    for words in (["sync", "--check"], ["sync", "--dry-run"], ["log", "--from"]):
        done = site.run(*words, "fleet.db")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("mycirrus: fleet.db: a run was interrupted while it wrote; ")
    site.sync()

    assert half != content
    assert site.current() == expected
    assert list(site.folder.iterdir()) == [site.path]


def test_a_journal_of_another_kind_is_set_back(site: Site) -> None:
    """A write-ahead log would be a second file, which a copy of the archive lacks."""
    site.sync(*FIRST)
    assert site.query("PRAGMA journal_mode = WAL") == [("wal",)]
    site.sync()

    assert site.query("PRAGMA journal_mode") == [("delete",)]
    assert list(site.folder.iterdir()) == [site.path]


# Any sequence of runs and changes

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 700), st.sampled_from("xyz")),
        st.tuples(st.just("change"), st.integers(0, 30), st.sampled_from("xyz")),
        st.tuples(st.just("vanish"), st.integers(0, 30), st.none()),
        st.tuples(st.just("pass"), st.integers(-2, 400), st.none()),
        st.tuples(st.just("kill"), st.integers(1, 6), st.booleans()),
        st.tuples(st.just("sync"), st.none(), st.none()),
    ),
    min_size=3,
    max_size=12,
)


# It takes minutes, and the sequences are short.
NO_SHRINKING = [Phase.explicit, Phase.reuse, Phase.generate]


@settings(max_examples=settings().max_examples // 15, phases=NO_SHRINKING)
@given(OPERATIONS)
def test_after_any_sequence_the_archive_is_what_the_server_has(
    tmp_path_factory: pytest.TempPathFactory, operations: list[tuple[str, int | None, object]]
) -> None:
    """In the days that a run reads again, and everywhere after --verify. No entry is deleted."""
    site = Site(tmp_path_factory.mktemp("any"), written("keep") + written("keep", instrument="QT2"))
    seen = set(site.truth(SERIALS))
    for operation, number, value in operations:
        index = (number or 0) % len(site.entries)
        match operation:
            case "add":
                day = site.now - (1 + (number or 0)) * DAY
                site.entries.append(
                    Entry("QT1", at(max(day, NIGHT - 700 * DAY)), "Ann", str(value))
                )
            case "change" if index > 1:
                site.entries[index] = Entry("QT1", site.entries[index].time, "Eve", str(value))
            case "vanish" if index > 1:
                del site.entries[index]
            case "pass":
                site.now += (number or 0) * DAY
            case "kill":
                with suppress(KilledError), killed_at(number or 1, before=bool(value)):
                    site.run("sync", "fleet.db", *FIRST, "--concurrency", "1")
            case "sync":
                before = runs(site)
                site.run("sync", "fleet.db", *FIRST)
                if runs(site) > before:  # else it continued one that had read before the changes
                    edge = at(site.now - 364 * DAY)
                    seen |= {row for row in site.truth(SERIALS) if row[1] >= edge}
                    assert after(edge, site.current()) == after(edge, site.truth(SERIALS))
    site.now += DAY
    site.run("sync", "fleet.db", *FIRST, "--verify")
    kept = set(site.query("SELECT instrument, time, user, message FROM history"))

    assert site.current() == site.truth(SERIALS)
    assert {row for row in seen if row not in kept} <= {row for row in seen if row[1] < "2023"}
    site.check()


def runs(site: Site) -> int:
    return len(site.query("SELECT id FROM run")) if site.path.exists() else 0


def after(edge: str, rows: Counter[tuple[str, str, str | None, str | None]]) -> Counter[object]:
    return Counter({row: count for row, count in rows.items() if row[1] >= edge})
