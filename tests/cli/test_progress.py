"""The progress bar is on stderr if that is a terminal, and nowhere else."""

import re
from dataclasses import replace
from pathlib import Path

from cirrus_ext import RetryEvent
from mycirrus_cli.bar import wait_in_words
from mycirrus_contract.messages import Reply, Request
from mycirrus_contract.standin.adapters import Standin, serve
from tests.support.command import (
    FLEET,
    MYCIRRUS,
    TIMEOUT,
    WINDOWS,
    YEARS,
    BlockingServer,
    environment,
    mycirrus,
)
from tests.support.terminal import terminal

LOG = ("log", *FLEET, *YEARS)
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Throttling(Standin):
    """Refuses the first request with a ``Retry-After`` of a minute."""

    def handle(self, request: Request) -> Reply:
        reply = super().handle(request)
        first = len(self.requests) == 1
        return Reply(429, {"retry-after": "60"}, b"") if first else reply


def bars(stderr: str) -> list[str]:
    """The states that the bar has shown, in order."""
    return re.findall(r"\d+ of \d+ requests[^\r\n]*", ESCAPE.sub("", stderr))


def test_the_bar_counts_requests_and_records_and_disappears_before_the_table() -> None:
    with serve(standin := BlockingServer(after=6)) as url:
        words = (*LOG, "--concurrency", "1")
        with terminal([MYCIRRUS, *words], **environment(url, COLUMNS="")) as window:
            screen = window.wait_for(rf"^6 of {WINDOWS} requests .* \d\d records$")
            standin.released.set()
            code = window.to_the_end()

    assert "Instrument" not in screen
    assert code == 0
    assert f"of {WINDOWS} requests" not in window.text
    assert "Calibrated" in window.text
    assert window.text.splitlines()[-1] == "mycirrus: 12 requests, 3 instruments, 70 entries"
    assert window.shows_cursor


def test_ctrl_c_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    with serve(standin := BlockingServer(after=3)) as url:
        words = (*LOG, "--output", str(tmp_path / "log.csv"))
        with terminal([MYCIRRUS, *words], **environment(url, COLUMNS="")) as window:
            window.wait_for(rf"of {WINDOWS} requests")
            assert standin.reached.wait(TIMEOUT)
            window.type("\x03")
            code = window.to_the_end()
        standin.released.set()

    assert code == 130
    assert "mycirrus: stopped; nothing is written" in window.text
    assert window.shows_cursor
    assert list(tmp_path.iterdir()) == []


def test_the_bar_shows_how_long_a_throttled_run_waits_and_why() -> None:
    """It is drawn the last time when the run is over, which is before the end of the wait."""
    shown = bars(mycirrus(*LOG, tty=True, standin=Throttling(), COLUMNS="120").stderr)

    assert shown[0].startswith(f"0 of {WINDOWS} requests")
    assert shown[-1].startswith(f"{WINDOWS} of {WINDOWS} requests")
    assert shown[-1].rstrip().endswith(" s, as the server asked")


def test_only_a_wait_with_retry_after_is_called_the_servers() -> None:
    reason = "429 Too Many Requests, Retry-After 12 s"
    event = RetryEvent(attempt=1, reason=reason, wait=11.2, method="GET", path="/", window=None)
    other = replace(event, reason="503 Service Unavailable")

    assert wait_in_words(event) == "waiting 12 s, as the server asked"
    assert wait_in_words(other) == "waiting 12 s after 503 Service Unavailable"


def test_there_is_no_bar_among_records_on_the_same_terminal() -> None:
    done = mycirrus(*LOG, "--format", "ndjson", tty=True)

    assert "\x1b" not in done.stdout
    assert done.stderr == "mycirrus: 12 requests, 3 instruments, 70 entries\n"
