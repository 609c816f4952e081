"""How far a run is: on a terminal, on stderr, and nowhere else."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pytest

from cirrus_ext import RetryEvent
from mycirrus_cli.bar import wait_in_words
from mycirrus_contract.messages import Reply, Request
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

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@dataclass
class Slow(Standin):
    """A stand-in that takes a while for each request."""

    seconds: float = 0.1

    def handle(self, request: Request) -> Reply:
        """Answer, after a while."""
        time.sleep(self.seconds)
        return super().handle(request)


@contextmanager
def terminal(url: str, *words: str, **more: str) -> Iterator["pexpect.spawn[str]"]:
    """The command on a terminal of 100 columns."""
    child = pexpect.spawn(
        MYCIRRUS,
        list(words),
        env=environment(url, COLUMNS="", **more),
        dimensions=(24, 100),
        encoding="utf-8",
        timeout=PATIENCE,
    )
    try:
        yield child
    finally:
        child.close(force=True)


def shown(url: str, *words: str, **more: str) -> str:
    """All that a run has written on its terminal, escape sequences included."""
    with terminal(url, *words, **more) as child:
        child.expect(pexpect.EOF)
        return str(child.before)


def test_a_terminal_sees_requests_of_those_planned_and_records(tmp_path: Path) -> None:
    """And at the end the final line in their place."""
    with serve(Slow()) as url:
        words = ("log", *FLEET, *YEARS, "--output", str(tmp_path / "log.csv"))
        text = ESCAPE.sub("", shown(url, *words))
    steps = [int(step) for step in re.findall(rf"(\d+) of {WINDOWS} requests", text)]
    records = [int(number) for number in re.findall(r"(\d+) records", text)]

    assert steps == sorted(steps)
    assert len({*steps} - {0, WINDOWS}) >= 3
    assert records == sorted(records)
    assert records[-1] > 30
    assert text.rstrip().endswith(f"70 entries; {tmp_path / 'log.csv'} is written")


def test_a_throttled_run_says_how_long_it_waits_and_why(tmp_path: Path) -> None:
    """As the server asked."""
    with serve(Standin(script={1: "429-wait-1"})) as url:
        words = ("log", "QT123456", *YEARS, "--output", str(tmp_path / "log.csv"))
        text = ESCAPE.sub("", shown(url, *words))

    assert re.search(r"waiting [12] s, as the server asked", text)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("429 Too Many Requests, Retry-After 12 s", "waiting 12 s, as the server asked"),
        ("429 Too Many Requests", "waiting 12 s after 429 Too Many Requests"),
        ("503 Service Unavailable", "waiting 12 s after 503 Service Unavailable"),
    ],
)
def test_a_wait_is_said_to_be_the_servers_wish_only_if_it_is(reason: str, words: str) -> None:
    """In whole seconds, rounded up."""
    event = RetryEvent(attempt=1, reason=reason, wait=11.2, method="GET", path="/", window=None)

    assert wait_in_words(event) == words


def test_a_resumed_run_begins_where_it_was(tmp_path: Path) -> None:
    """The bar does not begin at 0 again."""
    words = ("log", *FLEET, *YEARS, "--output", str(tmp_path / "log.csv"), "--resume")
    with serve(Standin(script={7: "401"})) as url:
        mycirrus(*words, "--concurrency", "1", base_url=url)
        text = ESCAPE.sub("", shown(url, *words))

    assert min(int(step) for step in re.findall(rf"(\d+) of {WINDOWS} requests", text)) == 6


@pytest.mark.parametrize("quiet", [(), ("--quiet",)], ids=["usual", "quiet"])
def test_where_stderr_is_no_terminal_it_gets_the_final_line_only(quiet: tuple[str, ...]) -> None:
    """Or, if it is to be quiet, nothing."""
    with serve(Standin(script={2: "429-wait-1"})) as url:
        done = mycirrus("log", "QT123456", *YEARS, "--format", "csv", *quiet, base_url=url)

    assert done.stderr == ("" if quiet else "mycirrus: 5 requests, 1 instrument, 41 entries\n")


def test_quiet_shows_nothing_on_a_terminal_either(tmp_path: Path) -> None:
    """But what was asked for."""
    with serve(Standin()) as url:
        words = ("log", "QT123456", *YEARS, "--output", str(tmp_path / "a.csv"), "--quiet")

        assert shown(url, *words) == ""


@pytest.mark.parametrize("form", ["ndjson", "csv", "json"])
def test_the_bar_keeps_out_of_records_on_the_same_terminal(form: str) -> None:
    """They would be written over each other."""
    with serve(Slow(seconds=0.02)) as url:
        text = shown(url, "log", "QT123456", *YEARS, "--format", form)

    assert "\x1b" not in text
    assert "requests" in text.splitlines()[-1]


def test_the_table_follows_the_bar_on_a_terminal() -> None:
    """The bar is gone by then."""
    with serve(Slow()) as url:
        text = shown(url, "log", "QT123456", *YEARS)

    last_bar = text.rindex("of 4 requests")
    assert text.index("Instrument") > last_bar
    assert "Calibrated" in text[last_bar:]


def test_ctrl_c_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    """With its cursor, and a line of its own."""
    with serve(standin := Held(after=3)) as url:
        words = ("log", *FLEET, *YEARS, "--output", str(tmp_path / "log.csv"))
        with terminal(url, *words) as child:
            child.expect(f"of {WINDOWS} requests")
            assert standin.reached.wait(PATIENCE)
            child.sendintr()
            child.expect(pexpect.EOF)
            text = str(child.before)
            child.close()
        standin.released.set()

    assert child.exitstatus == 130
    assert text.rindex("\x1b[?25h") > text.rfind("\x1b[?25l")
    assert ESCAPE.sub("", text).rstrip().endswith("mycirrus: stopped")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("names", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_no_colour_where_none_is_wanted(names: dict[str, str]) -> None:
    """Neither in the table nor in the bar."""
    with serve(Slow()) as url:
        text = shown(url, "log", "QT123456", "QT000001", *YEARS, **names)

    assert not re.search(r"\x1b\[[0-9;]*3\dm", text)
    assert "No entry: QT000001" in text


def test_without_rich_there_is_no_bar_and_csv_is_written_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An extra that is not there takes nothing away that does not need it."""
    folder = tmp_path / "without"
    folder.mkdir()
    (folder / "rich.py").write_text("raise ModuleNotFoundError('no rich', name='rich')\n")
    path = os.pathsep.join([str(folder), os.environ["PYTHONPATH"]])
    monkeypatch.setenv("PYTHONPATH", path)
    file = tmp_path / "a.csv"
    with serve(Standin()) as url:
        text = shown(url, "log", "QT123456", *YEARS, "--output", str(file))
        table = mycirrus("log", "QT123456", *YEARS, base_url=url)

    assert text.splitlines() == [
        f"mycirrus: 4 requests, 1 instrument, 41 entries; {file} is written"
    ]
    assert table.returncode == 2
    assert table.stderr == (
        "mycirrus: the table needs rich: pip install '.[cli]' in a checkout of the project; "
        "--format csv needs nothing\n"
    )
