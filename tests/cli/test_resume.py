"""``--resume``: an interrupted run goes on where it was, and ends with the same file."""

import fcntl
import hashlib
import json
import signal
import time
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mycirrus_cli.resume import _read, written
from mycirrus_contract.standin.adapters import Standin, serve
from tests.support.command import (
    FLEET,
    NOWHERE,
    TIMEOUT,
    WINDOWS,
    YEARS,
    BlockingServer,
    mycirrus,
    started,
)

WORDS = ("log", *FLEET, *YEARS)
DONE = 6  # windows, before the run is interrupted


def resume(output: Path, words: tuple[str, ...] = WORDS) -> tuple[str, ...]:
    return (*words, "--output", str(output), "--resume")


def interrupted(output: Path, *more: str) -> None:
    """Leave an output unfinished."""
    standin = Standin(script={DONE + 1: "401"})
    done = mycirrus(*resume(output), *more, "--concurrency", "1", standin=standin)
    assert (done.returncode, state(output)["done"]) == (1, DONE)


def part(output: Path) -> Path:
    """The entries so far."""
    return output.with_name(output.name + ".part")


def state_file(output: Path) -> Path:
    """What was asked, and how far it is."""
    return output.with_name(output.name + ".state")


def state(output: Path) -> dict[str, int]:
    """What is in it."""
    return dict(json.loads(state_file(output).read_bytes()))


def wait_until_kept(output: Path) -> None:
    """Wait until the windows that are answered are on the disk."""
    end = time.monotonic() + TIMEOUT
    while not state_file(output).exists() or state(output)["done"] < DONE:
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A file that is not there yet, in an empty folder."""
    return tmp_path / "log.csv"


def whole(*words: str) -> bytes:
    """What a run without a break writes."""
    return mycirrus(*WORDS, "--format", "csv", *words).stdout.encode()


@pytest.mark.parametrize(
    ("number", "code", "line"),
    [
        (signal.SIGINT, 130, "mycirrus: stopped; "),
        (signal.SIGKILL, -signal.SIGKILL, ""),
    ],
    ids=["ctrl-c", "kill -9"],
)
def test_a_stopped_run_goes_on_and_ends_with_the_same_file(
    number: int, code: int, line: str, output: Path
) -> None:
    """It asks again at most for the request that was under way."""
    output.write_bytes(b"old")
    with (
        serve(standin := BlockingServer(after=DONE)) as url,
        started(*resume(output), "--concurrency", "1", base_url=url) as process,
    ):
        assert standin.reached.wait(TIMEOUT)
        wait_until_kept(output)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=TIMEOUT)
        was = output.read_bytes()
        standin.released.set()
        second = mycirrus(*resume(output), base_url=url)
        asked = Counter(request.query for request in standin.requests)

    assert (process.returncode, stdout, was) == (code, b"", b"old")
    assert stderr.decode().startswith(line)
    if line:
        end = "; 6 of 12 requests are done; the same command goes on from there\n"
        assert stderr.decode().endswith(end)
    assert second.returncode == 0, second.stderr
    assert output.read_bytes() == whole()
    assert len(asked) == WINDOWS
    assert asked.total() <= WINDOWS + 1
    assert list(output.parent.iterdir()) == [output]


@pytest.mark.parametrize("form", ["csv", "json", "ndjson", "parquet", "table"])
def test_every_format_can_be_resumed(form: str, output: Path, tmp_path: Path) -> None:
    """Byte for byte as without a break, and each window is asked for once."""
    interrupted(output, "--format", form)
    mycirrus(*resume(output), "--format", form, standin=(standin := Standin()))
    mycirrus(*WORDS, "--format", form, "--output", str(tmp_path / "whole"))

    assert len(output.read_bytes()) > 1000
    assert output.read_bytes() == (tmp_path / "whole").read_bytes()
    assert len(standin.requests) == WINDOWS - DONE


def test_a_network_that_goes_away_and_comes_back_loses_nothing(output: Path) -> None:
    interrupted(output)
    gone = mycirrus(*resume(output), base_url=NOWHERE)
    back = mycirrus(*resume(output))

    assert (gone.returncode, back.returncode) == (3, 0)
    assert gone.stderr.endswith(
        "; 6 of 12 requests are done; the same command goes on from there\n"
    )
    assert output.read_bytes() == whole()


def test_with_nothing_to_resume_it_starts_afresh_and_leaves_the_output_alone(output: Path) -> None:
    """So that a script can always give the option."""
    done = mycirrus(*resume(output), standin=(standin := Standin()))

    assert done.returncode == 0
    assert output.read_bytes() == whole()
    assert len(standin.requests) == WINDOWS
    assert list(output.parent.iterdir()) == [output]


def test_a_span_means_the_same_range_on_another_day(output: Path) -> None:
    """The state has the range as it was understood."""
    words = resume(output, ("log", "QT123456", "--last", "3y"))
    mycirrus(*words, "--concurrency", "1", standin=Standin(script={2: "401"}))
    kept = _read(state_file(output).read_bytes())
    # As if the first run had been a while ago.
    start, end = (
        datetime.fromisoformat(text) - timedelta(days=100) for text in (kept.start, kept.end)
    )
    older = replace(kept, start=start.isoformat(), end=end.isoformat())
    state_file(output).write_bytes(written(older))
    plan = mycirrus(*words, "--dry-run")

    assert plan.returncode == 0, plan.stderr
    assert plan.stdout.splitlines()[0].endswith(older.end.replace("+00:00", "Z"))


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("log", *FLEET[:2], *YEARS), "other instruments"),
        (("log", *reversed(FLEET), *YEARS), "other instruments"),
        (("log", *FLEET, *YEARS[:3], "2022-06-02"), "another range"),
        (("log", *FLEET, "--last", "3y"), "another range"),
        ((*WORDS, "--base-url", "http://127.0.0.1:8/v1"), "another server"),
    ],
    ids=["fewer", "order", "end", "last", "server"],
)
def test_the_state_of_another_query_is_refused(
    words: tuple[str, ...], problem: str, output: Path
) -> None:
    """With what to do, and nothing is sent or changed."""
    interrupted(output)
    before = {file: file.read_bytes() for file in output.parent.iterdir()}
    done = mycirrus(*resume(output, words), standin=(standin := Standin()))

    assert done.returncode == 2
    assert done.stderr.startswith(f"mycirrus: log.csv.state is of another query ({problem}): ")
    assert f"delete {state_file(output)} and {part(output)}" in done.stderr
    assert standin.requests == []
    assert {file: file.read_bytes() for file in output.parent.iterdir()} == before


@pytest.mark.parametrize("damage", ["changed", "shorter", "gone"])
def test_a_part_that_was_changed_is_refused(damage: str, output: Path) -> None:
    interrupted(output)
    content = part(output).read_bytes()
    if damage == "gone":
        part(output).unlink()
    else:
        new = content.replace(b"a", b"b", 1) if damage == "changed" else content[:50]
        part(output).write_bytes(new)
    done = mycirrus(*resume(output))

    assert done.returncode == 2
    assert done.stderr.startswith("mycirrus: log.csv.state ")
    assert not output.exists()


def test_what_was_not_yet_whole_in_the_part_is_asked_for_again(output: Path) -> None:
    """As when the machine goes off between two writes."""
    interrupted(output)
    with part(output).open("ab") as file:  # longer than all that is still to come
        file.write(b'{"instrument":"QT12' * 5_000)
    done = mycirrus(*resume(output))

    assert done.returncode == 0, done.stderr
    assert output.read_bytes() == whole()


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "null", '{"version": 1}', "\x00\xff"], ids=repr
)
def test_a_state_that_cannot_be_read_is_refused_and_kept(content: str, output: Path) -> None:
    state_file(output).write_text(content, encoding="latin-1")
    done = mycirrus(*resume(output))

    assert done.returncode == 2
    assert "log.csv.state cannot be read, or was changed" in done.stderr
    assert state_file(output).read_text(encoding="latin-1") == content


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("done", 11),
        ("done", "6"),
        ("of", 1.5),
        ("size", 10**30),
        ("start", "2018-01-01T00:00:00+00:00"),
        ("seal", "0"),
    ],
)
def test_a_state_that_was_changed_is_refused(field: str, value: object, output: Path) -> None:
    """It would lead to a file in which entries are missing."""
    interrupted(output)
    changed = json.loads(state_file(output).read_bytes()) | {field: value}
    state_file(output).write_text(json.dumps(changed))
    done = mycirrus(*resume(output))

    assert done.returncode == 2
    assert "log.csv.state cannot be read, or was changed" in done.stderr


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("version", 2, "another version of this program"),
        ("of", 13, "written by another version of this program"),
    ],
)
def test_a_state_of_another_version_is_refused(
    field: str, value: Any, problem: str, output: Path
) -> None:
    """Its windows may be others."""
    interrupted(output)
    kept = _read(state_file(output).read_bytes())
    state_file(output).write_bytes(written(replace(kept, **{field: value})))
    done = mycirrus(*resume(output))

    assert done.returncode == 2
    assert problem in done.stderr


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_a_part_without_a_state_is_left_alone(kind: str, output: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"" if kind == "link" else b"precious")
    if kind == "file":
        other.rename(part(output))
    elif kind == "link":
        part(output).symlink_to(other)
    else:
        part(output).mkdir()
    before = sorted(tmp_path.iterdir())
    done = mycirrus(*resume(output), standin=(standin := Standin()))

    assert done.returncode == 2
    assert str(part(output)) in done.stderr
    assert standin.requests == []
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("left", ["state", "part and state"])
def test_a_run_that_was_stopped_while_it_cleaned_up_is_done(left: str, output: Path) -> None:
    """The next one starts afresh, or has nothing left to ask for."""
    interrupted(output)
    before = part(output).read_bytes()
    kept = _read(state_file(output).read_bytes())
    content = whole("--format", "ndjson")
    done = replace(kept, done=12, size=len(content), sha256=hashlib.sha256(content).hexdigest())
    state_file(output).write_bytes(written(done))
    part(output).write_bytes(content)
    if left == "state":
        part(output).unlink()
    again = mycirrus(*resume(output), standin=(standin := Standin()))

    assert content.startswith(before)
    assert again.returncode == 0, again.stderr
    assert len(standin.requests) == (WINDOWS if left == "state" else 0)
    assert output.read_bytes() == whole()
    assert list(output.parent.iterdir()) == [output]


def test_the_range_is_kept_before_the_first_answer(output: Path) -> None:
    """Also a run that got nothing yet goes on with the same one."""
    words = resume(output, ("log", "QT123456", "--last", "3y"))
    mycirrus(*words, "--concurrency", "1", standin=Standin(script={1: "401"}))

    assert _read(state_file(output).read_bytes()).done == 0


def test_a_second_run_into_the_same_file_is_kept_away(output: Path) -> None:
    """Two would spoil each other's work."""
    interrupted(output)
    with part(output).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = mycirrus(*resume(output), standin=(standin := Standin()))

    assert (done.returncode, standin.requests) == (2, [])
    assert "another run is writing it" in done.stderr


def test_a_run_without_the_option_keeps_nothing(tmp_path: Path) -> None:
    mycirrus(*WORDS, "--output", "log.csv", standin=Standin(script={7: "401"}), cwd=tmp_path)

    assert list(tmp_path.iterdir()) == []
