"""``--resume``: an interrupted run goes on where it was, and ends with the same file."""

import hashlib
import json
import signal
import subprocess
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mycirrus_cli.resume import _read, written
from mycirrus_contract.standin.adapters import Standin, serve
from tests.support.command import (
    FLEET,
    MYCIRRUS,
    PATIENCE,
    WINDOWS,
    YEARS,
    Held,
    environment,
    mycirrus,
)

CONCURRENCY = 4
WORDS = ("log", *FLEET, *YEARS)


@dataclass(frozen=True)
class Stop:
    """A way to interrupt a run."""

    number: int
    code: int


KILLED = Stop(signal.SIGKILL, -signal.SIGKILL)
STOPS = {
    "ctrl-c": Stop(signal.SIGINT, 130),
    "terminated": Stop(signal.SIGTERM, 143),
    "kill -9": KILLED,
}


def interrupted(
    standin: Held, url: str, output: Path, stop: Stop, *words: str
) -> subprocess.CompletedProcess[bytes]:
    """Run until the stand-in holds a request, then stop it."""
    process = subprocess.Popen(
        [MYCIRRUS, *WORDS, *words, "--output", str(output), "--resume"],
        env=environment(url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert standin.reached.wait(PATIENCE)
    wait_until_kept(output, standin.after - CONCURRENCY)
    process.send_signal(stop.number)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    standin.released.set()
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def wait_until_kept(output: Path, windows: int) -> None:
    """Wait until so many windows are on the disk; they are soon after they are answered."""
    import time  # noqa: PLC0415 - for this alone

    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if state_file(output).exists() and state(output)["done"] >= windows:
            return
        time.sleep(0.01)
    raise AssertionError("nothing is kept")


def port_of(url: str) -> int:
    """Where the stand-in was, so that another can take its place."""
    return urlsplit(url).port or 0


def part(output: Path) -> Path:
    """The entries so far."""
    return output.with_name(output.name + ".part")


def state_file(output: Path) -> Path:
    """What was asked, and how far it is."""
    return output.with_name(output.name + ".state")


def state(output: Path) -> dict[str, int]:
    """What is in it."""
    return dict(json.loads(state_file(output).read_bytes()))


@pytest.mark.parametrize("after", [1, 6, 11])
@pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)
def test_a_stopped_run_goes_on_and_ends_with_the_same_file(
    stop: Stop, after: int, tmp_path: Path
) -> None:
    """And asks again at most for the requests that were under way."""
    output, whole = tmp_path / "log.csv", tmp_path / "whole.csv"
    output.write_bytes(b"old")
    with serve(standin := Held(after=after)) as url:
        first = interrupted(standin, url, output, stop)
        was = output.read_bytes()
        done_before = state(output)["done"]
        second = mycirrus(*WORDS, "--output", str(output), "--resume", base_url=url)
        asked = Counter(request.query for request in standin.requests)
        mycirrus(*WORDS, "--output", str(whole), base_url=url)

    assert (first.returncode, first.stdout, was) == (stop.code, b"", b"old")
    assert second.returncode == 0, second.stderr
    assert output.read_bytes() == whole.read_bytes()
    assert len(asked) == WINDOWS
    assert sum(asked.values()) <= WINDOWS + CONCURRENCY
    assert done_before >= after - CONCURRENCY
    assert sorted(tmp_path.iterdir()) == [output, whole]


@pytest.mark.parametrize("form", ["csv", "json", "ndjson", "parquet", "table"])
def test_every_format_can_be_resumed(form: str, tmp_path: Path) -> None:
    """Byte for byte as without a break."""
    output, whole = tmp_path / f"log.{form}", tmp_path / f"whole.{form}"
    with serve(standin := Held(after=6)) as url:
        interrupted(standin, url, output, KILLED, "--format", form)
        words = (*WORDS, "--format", form, "--output")
        mycirrus(*words, str(output), "--resume", base_url=url)
        mycirrus(*words, str(whole), base_url=url)

    assert len(whole.read_bytes()) > 1000
    assert output.read_bytes() == whole.read_bytes()


def test_whoever_is_interrupted_is_told_how_far_it_is(tmp_path: Path) -> None:
    """By Ctrl-C, and by an API that fails for good."""
    with serve(standin := Held(after=6)) as url:
        first = interrupted(standin, url, tmp_path / "a.csv", STOPS["ctrl-c"])
    with serve(Standin(script={7: "401"})) as url:
        words = (*WORDS, "--output", "b.csv", "--resume", "--concurrency", "1")
        second = mycirrus(*words, base_url=url, cwd=tmp_path)
    advice = "of 12 requests are done; the same command goes on from there\n"

    assert first.stderr.decode().startswith("mycirrus: stopped; ")
    assert first.stderr.decode().endswith(advice)
    assert second.returncode == 1
    assert second.stderr.endswith(f"; 6 {advice}")


def test_a_network_that_goes_away_and_comes_back_loses_nothing(tmp_path: Path) -> None:
    """Exit code 3, and the same command goes on."""
    output, whole = tmp_path / "log.json", tmp_path / "whole.json"
    words = (*WORDS, "--output", str(output), "--resume")
    with serve(standin := Held(after=6)) as url:
        interrupted(standin, url, output, KILLED)
    gone = mycirrus(*words, base_url=url)
    with serve(Standin(), port_of(url)) as url:
        back = mycirrus(*words, base_url=url)
        mycirrus(*WORDS, "--output", str(whole), base_url=url)

    assert (gone.returncode, back.returncode) == (3, 0)
    assert output.read_bytes() == whole.read_bytes()


def test_with_nothing_to_resume_it_starts_afresh_and_leaves_the_output_alone(
    tmp_path: Path,
) -> None:
    """So that a script can always give the option."""
    output, whole = tmp_path / "log.csv", tmp_path / "whole.csv"
    with serve(standin := Standin()) as url:
        done = mycirrus(*WORDS, "--output", str(output), "--resume", base_url=url)
        mycirrus(*WORDS, "--output", str(whole), base_url=url)

    assert done.returncode == 0
    assert output.read_bytes() == whole.read_bytes()
    assert len(standin.requests) == 2 * WINDOWS
    assert sorted(tmp_path.iterdir()) == [output, whole]


def test_the_last_so_and_so_long_means_the_same_range_on_another_day(tmp_path: Path) -> None:
    """The state has the range as it was understood."""
    output = tmp_path / "log.csv"
    words = ("log", "QT123456", "--last", "3y", "--output", str(output), "--resume")
    with serve(Standin(script={2: "401"})) as url:
        mycirrus(*words, "--concurrency", "1", base_url=url)
        kept = _read(state_file(output).read_bytes())
        # As if the first run had been a while ago.
        start, end = (
            datetime.fromisoformat(text) - timedelta(days=100) for text in (kept.start, kept.end)
        )
        older = replace(kept, start=start.isoformat(), end=end.isoformat())
        state_file(output).write_bytes(written(older))
        plan = mycirrus(*words, "--dry-run", base_url=url)

    assert plan.returncode == 0, plan.stderr
    assert plan.stdout.splitlines()[0].endswith(older.end.replace("+00:00", "Z"))


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("log", *FLEET[:2], *YEARS), "other instruments"),
        (("log", *reversed(FLEET), *YEARS), "other instruments"),
        (("log", *FLEET, *YEARS[:3], "2022-06-02"), "another range"),
        (("log", *FLEET, "--last", "3y"), "another range"),
        ((*WORDS, "--base-url", "http://127.0.0.1:9/v1"), "another server"),
    ],
    ids=["fewer", "order", "end", "last", "server"],
)
def test_the_state_of_another_query_is_refused(
    words: tuple[str, ...], problem: str, tmp_path: Path
) -> None:
    """With what to do, and nothing is sent or changed."""
    output = tmp_path / "log.csv"
    with serve(standin := Held(after=6)) as url:
        interrupted(standin, url, output, KILLED)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with serve(other := Standin(), port_of(url)) as url:
        done = mycirrus(*words, "--output", str(output), "--resume", base_url=url)

    assert done.returncode == 2
    assert done.stderr.startswith(f"mycirrus: log.csv.state is of another query ({problem}): ")
    assert f"delete {state_file(output)} and {part(output)}" in done.stderr
    assert other.requests == []
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize("damage", ["changed", "shorter", "gone"])
def test_a_part_that_was_changed_is_refused(damage: str, tmp_path: Path) -> None:
    """Evidence that somebody has edited is none."""
    output = tmp_path / "log.csv"
    with serve(standin := Held(after=6)) as url:
        interrupted(standin, url, output, KILLED)
        content = part(output).read_bytes()
        if damage == "gone":
            part(output).unlink()
        else:
            new = content.replace(b"a", b"b", 1) if damage == "changed" else content[:50]
            part(output).write_bytes(new)
        done = mycirrus(*WORDS, "--output", str(output), "--resume", base_url=url)

    assert done.returncode == 2
    assert done.stderr.startswith("mycirrus: log.csv.state ")
    assert not output.exists()


def test_what_was_not_yet_whole_in_the_part_is_asked_for_again(tmp_path: Path) -> None:
    """As when the machine goes off between two writes."""
    output, whole = tmp_path / "log.csv", tmp_path / "whole.csv"
    with serve(standin := Held(after=6)) as url:
        interrupted(standin, url, output, KILLED)
        with part(output).open("ab") as file:  # longer than all that is still to come
            file.write(b'{"instrument":"QT12' * 5_000)
        done = mycirrus(*WORDS, "--output", str(output), "--resume", base_url=url)
        mycirrus(*WORDS, "--output", str(whole), base_url=url)

    assert done.returncode == 0, done.stderr
    assert output.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "null", '{"version": 1}', "\x00\xff"], ids=repr
)
def test_a_state_that_cannot_be_read_is_refused(content: str, tmp_path: Path) -> None:
    """It is not overwritten either."""
    output = tmp_path / "log.csv"
    state_file(output).write_text(content, encoding="latin-1")
    done = mycirrus(*WORDS, "--output", str(output), "--resume", base_url="http://127.0.0.1:9/v1")

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
def test_a_state_that_was_changed_is_refused(field: str, value: object, tmp_path: Path) -> None:
    """It would lead to a file in which entries are missing."""
    output = tmp_path / "log.csv"
    with serve(standin := Held(after=6)) as url:
        interrupted(standin, url, output, KILLED)
        changed = json.loads(state_file(output).read_bytes()) | {field: value}
        state_file(output).write_text(json.dumps(changed))
        done = mycirrus(*WORDS, "--output", str(output), "--resume", base_url=url)

    assert done.returncode == 2
    assert "log.csv.state cannot be read, or was changed" in done.stderr


def test_a_state_of_another_version_is_refused(tmp_path: Path) -> None:
    """Its windows may be others."""
    output = tmp_path / "log.csv"
    for field, value, problem in (
        ("version", 2, "another version of this program"),
        ("of", 13, "written by another version of this program"),
    ):
        with serve(Standin(script={7: "401"})) as url:
            words = (*WORDS, "--output", str(output), "--resume")
            mycirrus(*words, "--concurrency", "1", base_url=url)
            kept = _read(state_file(output).read_bytes())
            other: Any = {field: value}
            state_file(output).write_bytes(written(replace(kept, **other)))
            done = mycirrus(*words, base_url=url)

        assert done.returncode == 2
        assert problem in done.stderr
        state_file(output).unlink()
        part(output).unlink()


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_a_part_that_is_somebody_elses_is_left_alone(kind: str, tmp_path: Path) -> None:
    """Without a state it is of no run that can go on."""
    output, other = tmp_path / "log.csv", tmp_path / "other"
    other.write_bytes(b"" if kind == "link" else b"precious")
    if kind == "file":
        other.rename(part(output))
    elif kind == "link":
        part(output).symlink_to(other)
    else:
        part(output).mkdir()
    before = sorted(tmp_path.iterdir())
    with serve(standin := Standin()) as url:
        done = mycirrus(*WORDS, "--output", str(output), "--resume", base_url=url)

    assert done.returncode == 2
    assert str(part(output)) in done.stderr
    assert standin.requests == []
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("left", ["state", "part and state"])
def test_a_run_that_was_stopped_while_it_cleaned_up_is_done(left: str, tmp_path: Path) -> None:
    """The next one starts afresh, or has nothing left to ask for."""
    output, whole = tmp_path / "log.csv", tmp_path / "whole.csv"
    words = (*WORDS, "--output", str(output), "--resume")
    with serve(standin := Held(after=6)) as url:
        interrupted(standin, url, output, KILLED)
        before = part(output).read_bytes()
        spool = _read(state_file(output).read_bytes())
        mycirrus(*WORDS, "--format", "ndjson", "--output", str(whole), base_url=url)
        content = whole.read_bytes()
        done = replace(
            spool, done=12, size=len(content), sha256=hashlib.sha256(content).hexdigest()
        )
        state_file(output).write_bytes(written(done))
        part(output).write_bytes(content)
        if left == "state":
            part(output).unlink()
        standin.requests.clear()
        again = mycirrus(*words, base_url=url)
        asked = len(standin.requests)
        mycirrus(*WORDS, "--output", str(whole), base_url=url)

    assert content.startswith(before)
    assert again.returncode == 0, again.stderr
    assert asked == (WINDOWS if left == "state" else 0)
    assert output.read_bytes() == whole.read_bytes()
    assert sorted(tmp_path.iterdir()) == [output, whole]


def test_the_range_is_kept_before_the_first_answer(tmp_path: Path) -> None:
    """Also a run that got nothing yet goes on with the same one."""
    output = tmp_path / "log.csv"
    words = ("log", "QT123456", "--last", "3y", "--output", str(output), "--resume")
    with serve(Standin(script={1: "401"})) as url:
        mycirrus(*words, "--concurrency", "1", base_url=url)

    assert _read(state_file(output).read_bytes()).done == 0


def test_a_second_run_into_the_same_file_is_kept_away(tmp_path: Path) -> None:
    """Two would spoil each other's work."""
    output = tmp_path / "log.csv"
    words = (*WORDS, "--output", str(output), "--resume")
    with serve(standin := Held(after=6)) as url:
        process = subprocess.Popen([MYCIRRUS, *words, "--quiet"], env=environment(url))
        assert standin.reached.wait(PATIENCE)
        second = mycirrus(*words, base_url=url)
        standin.released.set()
        first = process.wait(PATIENCE)

    assert (first, second.returncode) == (0, 2)
    assert "another run is writing it" in second.stderr


def test_a_run_without_the_option_keeps_nothing(tmp_path: Path) -> None:
    """The two files are there with it only."""
    with serve(Standin(script={7: "401"})) as url:
        mycirrus(*WORDS, "--output", "log.csv", base_url=url, cwd=tmp_path)

    assert list(tmp_path.iterdir()) == []
