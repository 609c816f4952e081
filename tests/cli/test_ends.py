"""How a run ends: an exit code that says what happened, one line about it, and no traceback."""

import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from mycirrus_cli.exits import EXIT_CODES
from mycirrus_cli.main import main
from mycirrus_cli.sdk_errors import KEYS_PAGE
from mycirrus_contract.standin.adapters import Standin, serve
from mycirrus_contract.standin.rules import DEMO_KEY
from tests.support.command import MYCIRRUS, PATIENCE, YEARS, Held, environment, mycirrus

LOG = ("log", "QT123456", *YEARS, "--format", "csv")
# Each fault, four times as often as a request is tried.
FAULTS = {
    "401": (1, KEYS_PAGE),
    "403": (1, "the scope data.system:read"),
    "429-wait-1h": (3, "try again later"),
    "500-html": (1, "the fault is the server's"),
    "503-html": (1, "the fault is the server's"),
    "302": (1, "check base_url"),
    "200-html": (1, "not the API as it is documented"),
    "200-truncated": (1, "not the API as it is documented"),
}


@pytest.mark.parametrize(("fault", "ending"), FAULTS.items(), ids=FAULTS)
def test_each_failure_has_its_exit_code_and_one_line_with_what_to_do(
    fault: str, ending: tuple[int, str]
) -> None:
    """Throttled and unreachable is 3, refused and failed is 1."""
    code, advice = ending
    with serve(Standin(script=dict.fromkeys(range(1, 40), fault))) as url:
        done = mycirrus(*LOG, base_url=url)

    assert done.returncode == code
    assert advice in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("mycirrus: QT123456 from 2019-01-01: ")
    assert DEMO_KEY not in done.stderr


def test_a_403_says_where_a_key_with_the_scope_is_made() -> None:
    """By name and address."""
    with serve(Standin(script=dict.fromkeys(range(1, 40), "403"))) as url:
        line = mycirrus(*LOG, base_url=url).stderr

    assert "data.system:read" in line
    assert KEYS_PAGE in line


def test_an_unreachable_server_is_exit_code_3() -> None:
    """With a way to find out more."""
    done = mycirrus(*LOG, base_url="http://127.0.0.1:9/v1")

    assert done.returncode == 3
    assert "mycirrus doctor" in done.stderr
    assert done.stderr.count("\n") == 1


def test_verbose_says_the_rest_and_never_the_key() -> None:
    """Each retry, and where the error comes from."""
    with serve(Standin(script={1: "503-html", 2: "401"})) as url:
        done = mycirrus(*LOG, "--concurrency", "1", "-v", base_url=url)

    assert "attempt 1: 503 Service Unavailable" in done.stderr
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("mycirrus: QT123456 from 2019-01-01: 401")
    assert DEMO_KEY not in done.stderr


def test_ctrl_c_is_exit_code_130_and_one_line() -> None:
    """Also while a request is waited for."""
    with serve(standin := Held(after=2)) as url:
        process = subprocess.Popen(
            [MYCIRRUS, *LOG],
            env=environment(url),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert standin.reached.wait(PATIENCE)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE)
        standin.released.set()

    assert (process.returncode, stderr) == (130, b"mycirrus: stopped\n")


@pytest.mark.parametrize("times", [2, 5])
def test_a_second_ctrl_c_at_once_is_the_same_one(times: int, tmp_path: Path) -> None:
    """What is cleaned up after the first is cleaned up; ``timeout -s INT`` sends two."""
    with serve(standin := Held(after=2)) as url:
        process = subprocess.Popen(
            [MYCIRRUS, *LOG, "--output", str(tmp_path / "log.csv")],
            env=environment(url),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert standin.reached.wait(PATIENCE)
        for _ in range(times):
            process.send_signal(signal.SIGINT)
            time.sleep(0.02)
        _, stderr = process.communicate(timeout=PATIENCE)
        standin.released.set()

    assert (process.returncode, stderr) == (130, b"mycirrus: stopped\n")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_to_ignore_ctrl_c_does() -> None:
    """As under ``nohup``, or in the background of a script."""
    with serve(standin := Held(after=2)) as url:
        process = subprocess.Popen(
            ["/bin/sh", "-c", 'trap "" INT; exec "$0" "$@"', MYCIRRUS, *LOG],
            env=environment(url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert standin.reached.wait(PATIENCE)
        process.send_signal(signal.SIGINT)
        standin.released.set()
        stdout, _ = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0
    assert len(stdout.splitlines()) == 42


@pytest.mark.parametrize(
    "words",
    [
        "log QT123456 --last 7y --quiet --format ndjson",
        "log QT123456 --last 7y --quiet",
        "--help",
        "log --help",
    ],
)
def test_a_closed_pipe_is_silent(words: str) -> None:
    """``| head`` has what it wanted."""
    line = f'"$0" {words} | head -n 1; exit "${{PIPESTATUS[0]}}"'
    with serve(Standin()) as url:
        done = subprocess.run(
            ["/bin/bash", "-c", line, MYCIRRUS],
            env=environment(url),
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("more", [("csv",), ("table",), ("csv", "--dry-run")])
def test_a_full_disk_is_one_line(more: tuple[str, ...]) -> None:
    """And exit code 1."""
    with serve(Standin()) as url, Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [MYCIRRUS, *LOG[:-1], *more],
            env=environment(url),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=PATIENCE,
        )

    assert done.returncode == 1
    assert done.stderr == b"mycirrus: No space left on device\n"


def test_closed_streams_are_no_reason_for_a_traceback() -> None:
    """Neither standard output nor stderr need be there."""
    with serve(Standin()) as url:
        out, err = (
            subprocess.run(
                ["/bin/sh", "-c", f'exec "$0" "$@" {close}', MYCIRRUS, *LOG],
                env=environment(url),
                capture_output=True,
                check=False,
                timeout=PATIENCE,
            )
            for close in (">&-", "2>&-")
        )

    assert (out.returncode, out.stderr.count(b"\n")) == (2, 1)
    assert b"standard output is closed: give --output FILE" in out.stderr
    assert (err.returncode, len(err.stdout.splitlines())) == (0, 42)


def test_a_closed_standard_input_is_said_to_be_so() -> None:
    """Instead of a fault of the program."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" "$@" <&-', MYCIRRUS, "log", "-", "--last", "1y"],
        env=environment(),
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )

    assert done.returncode == 2
    assert b"standard input is closed" in done.stderr


def test_what_the_terminal_cannot_show_stops_nothing() -> None:
    """A question mark stands for it."""
    words = ("log", "é日", "--last", "30d", "--dry-run")
    done = mycirrus(*words, PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].startswith("??  ")


def test_a_fault_of_the_program_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a traceback for whoever asks for one."""
    monkeypatch.setattr("mycirrus_cli.log.query", lambda *_, **__: 1 / 0)
    codes = [main(["log", "QT1", "--last", "1y"]), main(["log", "QT1", "--last", "1y", "-v"])]
    first, *rest = capsys.readouterr().err.splitlines()

    assert codes == [1, 1]
    assert first == (
        "mycirrus: a fault of this program, ZeroDivisionError: division by zero; -v shows where"
    )
    assert rest[0].startswith("Traceback")


def test_the_exit_codes_that_help_shows_are_those_that_there_are() -> None:
    """Of the command, and of each of its own."""
    for words in ((), ("log",), ("report",), ("doctor",)):
        shown = mycirrus(*words, "--help").stdout.partition("exit codes:\n")[2]

        assert [int(code) for code in re.findall(r"^  (\d+) ", shown, re.MULTILINE)] == [
            *EXIT_CODES
        ]


def test_no_line_on_stderr_moves_the_cursor() -> None:
    """Not even if the serial number or the server would like it to."""
    done = mycirrus("log", "QT1\x1b[2J", "--last", "1y")

    assert done.returncode == 2
    assert "\x1b" not in done.stderr
