"""The programs of the Makefile do what they say, over real HTTP, and stop what they started."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from contract_tests.spec.page import PAGE
from mycirrus_contract.live import command as live
from mycirrus_contract.live.report import junit
from mycirrus_contract.model import QUESTIONS_FILE, load_yaml
from mycirrus_contract.standin import __main__ as standin_program
from mycirrus_contract.standin.adapters import Standin, demo_world, serve
from mycirrus_contract.standin.rules import DEMO_KEY, Switches
from tests.support.paths import ROOT

# Wide enough that no table breaks a line.
WIDE = {"COLUMNS": "200", "PYTHONUNBUFFERED": "1"}


def run(module: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        env=os.environ | WIDE | environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@contextmanager
def started(module: str, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a program, and see to it that it is gone at the end."""
    with subprocess.Popen(
        [sys.executable, "-m", module, *words],
        env=os.environ | WIDE,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: "subprocess.Popen[str]", pattern: str) -> str:
    """What it prints up to a line that matches."""
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if re.search(pattern, line):
            return text
    raise AssertionError(f"no {pattern!r} in {text!r}")


def is_listening(base_url: str) -> bool:
    """Whether somebody answers at an address."""
    parts = urlsplit(base_url)
    with socket.socket() as plug:
        plug.settimeout(2)
        return plug.connect_ex((parts.hostname or "", parts.port or 0)) == 0


def test_the_demo_shows_retries_records_and_verdicts() -> None:
    """With a 429 that asks for a second and a 503 on the way; exit code 0, in under 15 s."""
    began = time.monotonic()
    done = run("examples.demo")

    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(
        r"429 Too Many Requests, Retry-After 1 s; trying again in [12]\.\d s", done.stdout
    )
    assert re.search(r"503 Service Unavailable; trying again in \d\.\d s", done.stdout)
    assert re.search(
        r"QT123456 +2022-06-07 11:18 +Quantum Demo +Installed and working", done.stdout
    )
    assert re.search(r"QT234567 +2021-", done.stdout)
    assert len(re.findall(r"  holds  ", done.stdout)) == 14
    assert time.monotonic() - began < 15
    base_url = re.search(r"http://\S+", done.stdout)
    assert base_url is not None
    assert not is_listening(base_url[0].rstrip("."))


def test_ctrl_c_stops_the_demo_and_its_stand_in() -> None:
    """No traceback, exit code 130."""
    with started("examples.demo") as process:
        address = re.search(r"http://\S+", read_until(process, "is up at"))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=15)

    assert (process.returncode, errors) == (130, "")
    assert address is not None
    assert not is_listening(address[0].rstrip("."))


def test_the_stand_in_serves_any_client_until_ctrl_c() -> None:
    """The curl line that it prints works as it stands."""
    with started(
        "mycirrus_contract.standin", "--year", "365 days", "--fault", "503-html@2"
    ) as process:
        line = read_until(process, "curl")
        key, url = re.findall(r"'([^']+)'", line)
        name, _, value = key.partition(": ")
        answers = [httpx.get(url, headers={name: value}) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=15)

    assert [answer.status_code for answer in answers] == [200, 503]
    assert PAGE["responses"]["200"]["example"][0] in answers[0].json()
    assert (process.returncode, errors) == (0, "")
    assert "Stopped after 2 requests." in output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--fault", "oops@1"], "there is no fault 'oops'"),
        (["--fault", "503-html"], "as in 503-html@2"),
        (["--year", "decade"], "invalid choice: 'decade'"),
        (["--over"], "unrecognized arguments: --over"),
    ],
)
def test_the_stand_in_refuses_what_it_does_not_know(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a line, with exit code 2."""
    with pytest.raises(SystemExit) as caught:
        standin_program.main(words)

    assert caught.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("port", [None, 99_999])
def test_the_stand_in_says_when_it_cannot_have_its_port(
    port: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Taken, or none at all: a line instead of a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wanted = str(port or taken.getsockname()[1])
        with pytest.raises(SystemExit) as caught:
            standin_program.main(["--port", wanted])

    assert caught.value.code == 2
    assert f"port {wanted} cannot be had" in capsys.readouterr().err


def test_the_contract_check_of_the_stand_in_holds() -> None:
    """``make contract``."""
    done = run("mycirrus_contract", "--standin")

    assert (done.returncode, done.stderr) == (0, "")
    assert len(re.findall(r"  holds  ", done.stdout)) == 14


def test_the_live_check_asks_the_server_it_is_given() -> None:
    """Address, key and serials from the environment, as CI has them."""
    standin = Standin()
    with serve(standin) as base_url:
        done = run(
            "mycirrus_contract",
            "--interval",
            "0",
            MYCIRRUS_BASE_URL=base_url,
            MYCIRRUS_API_KEY=DEMO_KEY,
            MYCIRRUS_INSTRUMENTS="QT123456,QT234567",
        )

    assert (done.returncode, done.stderr) == (0, "")
    assert len(standin.requests) == 11
    assert not any(word in done.stdout for word in (DEMO_KEY, "QT123456"))


def asking(monkeypatch: pytest.MonkeyPatch, base_url: str) -> None:
    """Set the environment as CI does."""
    monkeypatch.setenv("MYCIRRUS_BASE_URL", base_url)
    monkeypatch.setenv("MYCIRRUS_API_KEY", DEMO_KEY)
    monkeypatch.setenv("MYCIRRUS_INSTRUMENTS", "QT123456,QT234567")


REPORT_FILES = {"report.md", "report.html", "junit.xml", "cassette.json", "questions.patch"}


def test_the_reports_are_written_whole_and_without_anything_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Into a folder that is made for them; nobody's serial, user, message or key is in them."""
    folder = tmp_path / "not" / "there"
    standin = Standin()
    with serve(standin) as base_url:
        asking(monkeypatch, base_url)
        assert live.main(["--interval", "0", "--report-dir", str(folder)]) == 0

    private = {entry.user for entry in standin.world.entries}
    private |= {entry.message for entry in standin.world.entries}
    texts = {path.name: path.read_text("utf-8") for path in folder.iterdir()}
    assert set(texts) == REPORT_FILES
    for name, text in texts.items():
        secrets = {DEMO_KEY, "QT123456", "QT234567", *private}
        assert not [secret for secret in secrets if secret in text], name
    assert str(folder / "questions.patch") in capsys.readouterr().out.replace("\n", "")


def test_what_was_observed_can_be_applied_to_the_file_of_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The patch is whole; and says so when the answers are not the API's own."""
    with serve(Standin()) as base_url:
        asking(monkeypatch, base_url)
        words = ["--interval", "0", "--budget", "15", "--report-dir", str(tmp_path)]
        assert live.main(words) == 0
    (tmp_path / "openapi").mkdir()
    copy = tmp_path / "openapi" / QUESTIONS_FILE.name
    copy.write_bytes(QUESTIONS_FILE.read_bytes())
    patch = (tmp_path / "questions.patch").read_text("utf-8")
    subprocess.run(
        ["git", "apply", "--unsafe-paths", "questions.patch"],  # noqa: S607 - whose it is
        cwd=tmp_path,
        env=os.environ | {"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)},
        check=True,
        timeout=60,
    )
    questions = load_yaml(copy)["questions"]
    seen = {one["id"]: one["observed"]["answer"] for one in questions if one["observed"]}

    assert patch.startswith(f"Not the API's own answers, but those of {base_url}")
    assert len(seen) == len(questions) - 1
    assert seen["end-inclusive"] == "yes"
    assert questions[0]["observed"]["date"] == str(datetime.now(UTC).date())


def test_a_report_in_which_something_secret_is_left_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """None of them is; exit code 3, because the check itself has failed."""
    leaky = {"report.md": lambda run: f"a key: {DEMO_KEY}", "junit.xml": junit}
    monkeypatch.setattr(live, "REPORTS", leaky)
    with serve(Standin()) as base_url:
        asking(monkeypatch, base_url)
        exit_code = live.main(["--interval", "0", "--report-dir", str(tmp_path / "reports")])

    assert exit_code == 3
    assert not (tmp_path / "reports").exists()
    assert capsys.readouterr().err == (
        "contract: the key is left in what was to be written; nothing was written\n"
    )


def test_drift_that_is_accepted_by_name_does_not_fail_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the marks as the report shows them."""
    world = replace(demo_world(), switches=Switches(order="newest first"))
    path = tmp_path / "accepted.yaml"
    day = datetime.now(UTC).date() + timedelta(days=30)
    with serve(Standin(world)) as base_url:
        asking(monkeypatch, base_url)
        assert live.main(["--interval", "0"]) == 1
        printed = capsys.readouterr().out
        marks = re.search(
            r"^To accept in-order in a file of --accept: (.*)$", printed, re.MULTILINE
        )
        assert marks is not None
        path.write_text(f"- {{promise: in-order, {marks[1]}, reason: asked, expires: {day}}}")
        monkeypatch.setenv("COLUMNS", "300")
        words = ["--interval", "0", "--accept", str(path), "--report-dir", str(tmp_path)]
        assert live.main(words) == 0
    cassette = json.loads((tmp_path / "cassette.json").read_text("utf-8"))
    assert cassette["verdicts"]["in-order"] == "drift"  # what was seen, whoever accepts it
    assert f"accepted until {day}: asked" in " ".join(capsys.readouterr().out.split())


def test_the_stand_in_is_reached_around_a_proxy_of_the_environment() -> None:
    """A proxy knows nothing of our loopback."""
    nowhere = {"HTTP_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "socks5://127.0.0.1:9"}

    done = run("examples.demo", **nowhere)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_failure_of_the_check_itself_is_undecided() -> None:
    """Exit code 1 would say that the vendor broke a promise."""
    with serve(Standin()) as base_url:
        code = (
            "import mycirrus_contract.live.command as live\n"
            "live.judge = None\n"
            "raise SystemExit(live.main(['--interval', '0']))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ
            | {
                "MYCIRRUS_BASE_URL": base_url,
                "MYCIRRUS_API_KEY": DEMO_KEY,
                "MYCIRRUS_INSTRUMENTS": "QT123456",
            },
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    assert done.returncode == 3
    assert "the check itself failed: TypeError\n" in done.stderr
    assert "command.py" in done.stderr


def test_the_live_check_is_undecided_where_nobody_answers() -> None:
    """Exit code 3: an outage is no broken promise."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    done = run(
        "mycirrus_contract",
        *("--base-url", f"http://127.0.0.1:{port}/v1"),
        *("--instruments", "QT123456", "--interval", "0"),
        MYCIRRUS_API_KEY=DEMO_KEY,
    )

    assert (done.returncode, done.stderr) == (3, "")
    assert "no answer: connection refused" in done.stdout
    assert "check network and address" in done.stdout


BAD_USAGE = {
    "no key": ([], {}, "set MYCIRRUS_API_KEY to a key with the scope data.system:read"),
    "no serials": (
        [],
        {"MYCIRRUS_API_KEY": "k"},
        "pass --instruments A,B, or set MYCIRRUS_INSTRUM",
    ),
    "blank serial": (["--instruments", "A,,B"], {"MYCIRRUS_API_KEY": "k"}, "must not be blank"),
    "naive": (
        ["--instruments", "A", "--start", "2023-01-01T00:00:00"],
        {"MYCIRRUS_API_KEY": "k"},
        "--start must be an RFC 3339 time",
    ),
    "over-long": (
        ["--instruments", "A", "--start", "2020-01-01T00:00:00Z"],
        {"MYCIRRUS_API_KEY": "k"},
        "by at most 365 days",
    ),
    "address": (
        ["--instruments", "A", "--base-url", "mycirrus"],
        {"MYCIRRUS_API_KEY": "k"},
        "must be an address such as",
    ),
    "budget": (
        ["--instruments", "A", "--budget", "0"],
        {"MYCIRRUS_API_KEY": "k"},
        "--budget must be 1 or more: 0",
    ),
    "interval": (
        ["--instruments", "A", "--interval", "nan"],
        {"MYCIRRUS_API_KEY": "k"},
        "--interval must be a number of seconds, 0 or more: nan",
    ),
    "long ago": (
        ["--instruments", "A", "--start", "0001-01-01T00:00:00Z", "--end", "0001-06-01T00:00:00Z"],
        {"MYCIRRUS_API_KEY": "k"},
        "--end must be in 1900 or later",
    ),
    "proxy": (
        ["--instruments", "A"],
        {"MYCIRRUS_API_KEY": "k", "HTTPS_PROXY": "foo://127.0.0.1:1"},
        "variables of the environment",
    ),
    "accepted": (
        ["--instruments", "A", "--accept", "/nowhere/accepted.yaml"],
        {"MYCIRRUS_API_KEY": "k"},
        "/nowhere/accepted.yaml cannot be read",
    ),
    "too many serials": (
        ["--instruments", ",".join(f"QT{n:06}" for n in range(9000))],
        {"MYCIRRUS_API_KEY": "k", "MYCIRRUS_BASE_URL": "http://127.0.0.1:9/v1"},
        "no URL can be made",
    ),
}


@pytest.mark.parametrize(("words", "environment", "says"), BAD_USAGE.values(), ids=list(BAD_USAGE))
def test_bad_usage_of_the_live_check_is_one_line_and_exit_code_2(
    words: list[str],
    environment: dict[str, str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It says what to set, and nothing is sent."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    exit_code = live.main(words)
    printed = capsys.readouterr()

    assert exit_code == 2
    assert "holds" not in printed.out
    assert says in printed.err
    assert printed.err.count("\n") == 1


def test_without_a_key_the_program_says_what_to_set() -> None:
    """As make calls it."""
    done = run("mycirrus_contract")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("contract: set MYCIRRUS_API_KEY to a key with the scope")
