"""How a run ends: with an exit code that tells what happened, one line, and no traceback."""

import os
import signal
import threading
from pathlib import Path

import pytest

from mycirrus_cli.main import main
from mycirrus_cli.sdk_errors import KEYS_PAGE
from mycirrus_contract.messages import Reply, Request
from mycirrus_contract.standin.adapters import Standin, serve
from mycirrus_contract.standin.rules import DEMO_KEY
from tests.support.command import (
    LINES,
    LOG,
    NOWHERE,
    TIMEOUT,
    BlockingServer,
    environment,
    mycirrus,
    run_main,
    started,
)
from tests.support.windows import not_on_windows

FAULTS = {
    "401": (1, [KEYS_PAGE]),
    "403": (1, ["the scope data.system:read", KEYS_PAGE]),
    "429-wait-1h": (3, ["try again later"]),
    "500-html": (1, ["the fault is the server's"]),
    "503-html": (1, ["the fault is the server's"]),
    "302": (1, ["check base_url"]),
    "200-html": (1, ["not the API as it is documented"]),
    "200-truncated": (1, ["not the API as it is documented"]),
    "unreachable": (3, ["mycirrus doctor"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_failure_has_an_exit_code_and_one_line_that_says_what_to_do(fault: str) -> None:
    code, advice = FAULTS[fault]
    if fault == "unreachable":
        done = mycirrus(*LOG, base_url=NOWHERE)
    else:
        done = mycirrus(*LOG, standin=Standin(script=dict.fromkeys(range(1, 40), fault)))

    assert done.returncode == code
    assert [words for words in advice if words not in done.stderr] == []
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("mycirrus: QT123456 from 2019-01-01: ")
    assert DEMO_KEY not in done.stderr


def test_verbose_shows_retries_and_the_traceback_and_never_the_key() -> None:
    standin = Standin(script={1: "503-html", 2: "401"})
    done = mycirrus(*LOG, "--concurrency", "1", "-v", standin=standin)

    assert "attempt 1: 503 Service Unavailable" in done.stderr
    assert "Traceback" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("mycirrus: QT123456 from 2019-01-01: 401")
    assert DEMO_KEY not in done.stderr


def test_a_fault_of_the_program_is_one_line_and_with_v_a_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mycirrus_cli.log.query", lambda *_, **__: 1 / 0)
    done, verbose = mycirrus(*LOG), mycirrus(*LOG, "-v")

    assert (done.returncode, verbose.returncode) == (1, 1)
    assert done.stderr == (
        "mycirrus: a fault of this program, ZeroDivisionError: division by zero; -v shows where\n"
    )
    assert verbose.stderr.startswith("Traceback")


# Signals


def test_several_signals_at_once_end_a_waiting_run_with_one_line(tmp_path: Path) -> None:
    """``timeout -s INT`` sends two."""
    with (
        serve(standin := BlockingServer(after=2)) as url,
        started(*LOG, "--output", str(tmp_path / "log.csv"), base_url=url) as process,
    ):
        assert standin.reached.wait(TIMEOUT)
        for _ in range(5):
            process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=TIMEOUT)
        standin.released.set()

    assert process.returncode == 130
    assert stderr.decode() == (
        "mycirrus: stopped; nothing is written; mycirrus sync would keep what was answered\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_signal_a_second_later_ends_the_process_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds, exits = [0.0], list[int]()
    monkeypatch.setattr("time.monotonic", lambda: seconds[0])
    monkeypatch.setattr(os, "_exit", exits.append)

    def stop(*_: object, **__: object) -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            for seconds[0] in (0.0, 0.9):
                signal.raise_signal(signal.SIGINT)
            assert exits == []
            seconds[0] = 1.1
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("mycirrus_cli.log.query", stop)
    done = mycirrus(*LOG)

    assert (done.returncode, done.stderr, exits) == (130, "mycirrus: stopped\n", [130])


def test_a_signal_after_the_last_line_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter is about to end, and would die of it."""
    handlers = []
    monkeypatch.setattr("mycirrus_cli.log.query", lambda *_, **__: signal.raise_signal(2))

    def program() -> int:
        code = main(LOG)
        handlers.append(signal.getsignal(signal.SIGINT))
        return code

    assert run_main(program, environment()).returncode == 130
    assert handlers == [signal.SIG_IGN]


@not_on_windows("os.kill ends the process")
@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_a_signal_that_is_ignored_at_the_start_stays_so(name: str) -> None:
    """``nohup`` ignores one, and a script for what it runs in the background."""
    ignored = getattr(signal, name)

    class Signalling(Standin):
        def handle(self, request: Request) -> Reply:
            os.kill(os.getpid(), ignored)
            return super().handle(request)

    before = signal.signal(ignored, signal.SIG_IGN)
    try:
        done = mycirrus(*LOG, standin=Signalling())
    finally:
        signal.signal(ignored, before)

    assert (done.returncode, len(done.stdout.splitlines())) == (0, LINES)


def test_a_thread_can_run_the_command() -> None:
    """Only the main thread can have handlers of signals."""
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(main(["log"])))
    thread.start()
    thread.join(TIMEOUT)

    assert codes == [2]


# Streams


def test_a_character_that_the_output_cannot_encode_becomes_a_question_mark() -> None:
    done = mycirrus("log", "é日", "--last", "30d", "--dry-run", encoding="ascii")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].startswith("??  ")


def test_no_line_on_stderr_moves_the_cursor() -> None:
    done = mycirrus("log", "QT1\x1b[2J", "--last", "1y")

    assert done.returncode == 2
    assert "QT1" in done.stderr
    assert "\x1b" not in done.stderr
