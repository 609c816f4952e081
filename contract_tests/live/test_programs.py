"""The programs of the Makefile do what they say, over real HTTP, and stop what they started."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from html import unescape
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit

import httpx
import pytest

from contract_tests.api_mutants.catalogue import by_name
from contract_tests.spec.page import PAGE
from examples import demo
from mycirrus_contract.live import command as live
from mycirrus_contract.live.checks import PROMISES
from mycirrus_contract.live.github import annotation
from mycirrus_contract.live.probe import Probe
from mycirrus_contract.live.report import junit
from mycirrus_contract.standin import command as standin_program
from mycirrus_contract.standin.adapters import Standin, demo_world
from mycirrus_contract.standin.rules import DEMO_KEY
from mycirrus_contract.standin.switches import Switches
from tests.support.clock import FakeClock
from tests.support.command import NOWHERE, TIMEOUT, client_defaults, run_main
from tests.support.paths import ROOT

# Wide enough that no table breaks a line.
WIDE = {"COLUMNS": "200"}
CI = {
    "MYCIRRUS_API_KEY": DEMO_KEY,
    "MYCIRRUS_INSTRUMENTS": "QT123456,QT234567",
    "MYCIRRUS_BASE_URL": "http://127.0.0.1/v1",
}
# A proxy knows nothing of our loopback.
PROXIES = {"HTTP_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "socks5://127.0.0.1:9"}


def check(*words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return run_main(lambda: live.main(list(words)), os.environ | WIDE | variables)


def check_of(standin: Standin, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the live check of a stand-in, as CI does, but without a socket."""
    probe = partial(Probe, transport=standin.transport(), sleep=lambda seconds: None)
    with mock.patch.object(live, "Probe", probe):
        return check(*words, **CI | variables)


@contextmanager
def started(module: str, *words: str, **variables: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a program, and kill it at the end of the block if it still runs."""
    environment = os.environ | WIDE
    environment.pop("PYTHONUNBUFFERED", None)  # with it, a missing flush would not be noticed
    with subprocess.Popen(
        [sys.executable, "-m", module, *words],
        env=environment | variables,
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
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if re.search(pattern, line):
            return text
    raise AssertionError(f"no {pattern!r} in {text!r}")


def is_listening(base_url: str) -> bool:
    parts = urlsplit(base_url)
    with socket.socket() as plug:
        plug.settimeout(2)
        return plug.connect_ex((parts.hostname or "", parts.port or 0)) == 0


def test_the_demo_shows_retries_records_and_verdicts_whatever_the_proxy() -> None:
    clock = FakeClock()
    with client_defaults(_clock=clock.clock()):
        done = run_main(demo.main, os.environ | WIDE | PROXIES)

    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(
        r"429 Too Many Requests, Retry-After 1 s; trying again in [12]\.\d s", done.stdout
    )
    assert re.search(r"503 Service Unavailable; trying again in \d\.\d s", done.stdout)
    assert re.search(
        r"QT123456 +2022-06-07 11:18 +Quantum Demo +Installed and working", done.stdout
    )
    assert re.search(r"QT234567 +2021-", done.stdout)
    assert len(re.findall(r"  holds  ", done.stdout)) == len(PROMISES)
    assert 1 < clock.seconds < 5
    base_url = re.search(r"http://\S+", done.stdout)
    assert base_url is not None
    assert not is_listening(base_url[0].rstrip("."))


def test_ctrl_c_stops_the_demo_and_its_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = []

    def interrupt(_: object, base_url: str) -> None:
        addresses.append(base_url)
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "fetch", interrupt)
    done = run_main(demo.main, os.environ)

    assert (done.returncode, done.stderr) == (130, "")
    assert not is_listening(addresses[0])


def test_the_stand_in_serves_any_client_until_ctrl_c() -> None:
    with started(
        "mycirrus_contract.standin", "--year", "365 days", "--fault", "503-html@2"
    ) as process:
        line = read_until(process, "curl")
        key, url = re.findall(r"'([^']+)'", line)
        name, _, value = key.partition(": ")
        answers = [httpx.get(url, headers={name: value}) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=TIMEOUT)

    assert [answer.status_code for answer in answers] == [200, 503]
    assert PAGE["responses"]["200"]["example"][0] in answers[0].json()
    assert (process.returncode, errors) == (0, "")
    assert "Stopped after 2 requests." in output


def test_the_module_is_the_live_check() -> None:
    with started("mycirrus_contract", "--help") as process:
        output, _ = process.communicate(timeout=TIMEOUT)

    assert output.startswith("usage: mycirrus contract ")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--fault oops@1", "there is no fault 'oops'"),
        ("--fault 503-html", "as in 503-html@2"),
        ("--year decade", "invalid choice: 'decade'"),
        ("--over", "unrecognized arguments: --over"),
        ("--port 99999", "--port: must be from 0 to 65535: 99999"),
        ("--over-long-status 200", "must be from 400 to 599: 200"),
        ("--port TAKEN", "port TAKEN cannot be used"),
    ],
)
def test_bad_usage_of_the_stand_in_is_exit_code_2(words: str, line: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        arguments = words.replace("TAKEN", port).split()
        done = run_main(lambda: standin_program.main(arguments), os.environ)

    assert (done.returncode, done.stdout) == (2, "")
    assert line.replace("TAKEN", port) in done.stderr
    assert "Traceback" not in done.stderr


def test_the_contract_check_of_the_stand_in_holds_whatever_the_proxy() -> None:
    done = check("--standin", **PROXIES)

    assert (done.returncode, done.stderr) == (0, "")
    assert len(re.findall(r"  holds  ", done.stdout)) == len(PROMISES)


REPORT_FILES = {"report.md", "report.html", "junit.xml", "cassette.json", "questions.patch"}


def test_each_report_has_all_promises_and_nothing_secret(tmp_path: Path) -> None:
    """With the largest budget, and a server that names instruments."""
    folder = tmp_path / "not" / "there"
    standin = Standin(replace(demo_world(), switches=Switches(names_instrument=True)))
    done = check_of(standin, "--budget", "15", "--report-dir", str(folder))
    private = {entry.user for entry in standin.world.entries}
    private |= {entry.message for entry in standin.world.entries}
    secrets = {DEMO_KEY, "QT123456", "QT234567", *private}
    texts = {path.name: path.read_text("utf-8") for path in folder.iterdir()}

    assert (done.returncode, done.stderr) == (1, "")
    assert set(texts) == REPORT_FILES
    for name, text in (texts | {"standard output": done.stdout}).items():
        assert not [secret for secret in secrets if secret in text], name
        missing = [one.text for one in PROMISES if one.text not in unescape(text)]
        assert not missing or name in {"cassette.json", "questions.patch"}, name
    assert str(folder / "questions.patch") in done.stdout


def test_no_report_is_written_if_something_secret_is_left_in_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaky = {"report.md": lambda run: f"a key: {DEMO_KEY}", "junit.xml": junit}
    monkeypatch.setattr(live, "REPORTS", leaky)
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "junit.xml").write_text("of an earlier run")
    done = check_of(Standin(), "--report-dir", str(tmp_path / "reports"))

    assert done.returncode == 4
    assert not list((tmp_path / "reports").iterdir())
    assert done.stderr == "mycirrus contract: the key is left in a report; nothing was written\n"


def test_drift_that_is_accepted_by_name_does_not_fail_the_run(tmp_path: Path) -> None:
    standin = Standin(replace(demo_world(), switches=Switches(order="newest first")))
    path = tmp_path / "accepted.yaml"
    day = datetime.now(UTC).date() + timedelta(days=30)
    drift = check_of(standin)
    marks = re.search(
        r"^To accept in-order in a file of --accept: (.*)$", drift.stdout, re.MULTILINE
    )
    assert (drift.returncode, marks is None) == (1, False)
    assert marks is not None
    path.write_text(f"- {{promise: in-order, {marks[1]}, reason: asked, expires: {day}}}")
    done = check_of(standin, "--accept", str(path), "--report-dir", str(tmp_path))
    cassette = json.loads((tmp_path / "cassette.json").read_text("utf-8"))

    assert done.returncode == 0
    assert cassette["verdicts"]["in-order"] == "drift"  # what was seen, whether accepted or not
    assert f"accepted until {day}: asked" in " ".join(done.stdout.split())


def test_a_failure_of_the_check_itself_is_exit_code_4_with_a_traceback_of_code_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A message is left out, as it may quote an answer."""
    answer = "Calibrated by QT123456"

    def fail(_: object) -> None:
        raise TypeError(answer)

    monkeypatch.setattr(live, "judge", fail)
    done = check_of(Standin())

    assert done.returncode == 4
    assert "the check itself failed: TypeError\n" in done.stderr
    assert "command.py" in done.stderr
    assert answer not in done.stderr


def test_a_job_of_github_gets_an_annotation_for_each_promise_that_does_not_hold() -> None:
    standin = Standin(demo_world(), {7: "500-html"}, behaviour=by_name("newest first"))
    done = check_of(standin, GITHUB_ACTIONS="true")
    lines = [line for line in done.stdout.splitlines() if line.startswith("::")]

    drift, undecided = lines
    assert drift == (
        "::error title=Contract%3A in-order (drift)::"
        "Items come by time (assumed): requests 1 to 6: newest first"
    )
    assert undecided.startswith(
        "::warning title=Contract%3A over-long-refused (undecided)::"
        "A range of more than a year is refused: request 7, over-long range: answered 500; "
    )
    assert "::" not in check_of(standin, GITHUB_ACTIONS="").stdout


def test_no_text_ends_or_begins_an_annotation() -> None:
    assert annotation("error", "a: b, c%", "x%0A\n::stop\r") == (
        "::error title=a%3A b%2C c%25::x%250A ::stop"
    )


def test_the_live_check_is_undecided_where_nobody_answers() -> None:
    done = check("--base-url", NOWHERE, "--interval", "0", **CI)

    assert (done.returncode, done.stderr) == (3, "")
    assert "no answer: connection refused" in done.stdout
    assert "check network and address" in done.stdout


MANY = ",".join(f"QT{number:06}" for number in range(9000))
BAD_USAGE: list[tuple[str, dict[str, str], str]] = [
    ("", {"MYCIRRUS_API_KEY": ""}, "set MYCIRRUS_API_KEY to a key with the scope data.system:read"),
    ("", {"MYCIRRUS_INSTRUMENTS": ""}, "pass --instruments A,B, or set MYCIRRUS_INSTRUMENTS"),
    ("--instruments A,,B", {}, "must be serial numbers with commas between"),
    ("--report-dir pyproject.toml", {}, "--report-dir pyproject.toml: File exists"),
    ("--start 2023-01-01T00:00:00", {}, "--start must be an RFC 3339 time"),
    ("--start 2020-01-01T00:00:00Z", {}, "by at most 365 days"),
    ("--start 0001-01-01T00:00:00Z --end 0001-06-01T00:00:00Z", {}, "must be in 1900 or later"),
    ("--base-url mycirrus", {}, "must be an address such as"),
    ("--budget 0", {}, "--budget must be 1 or more: 0"),
    ("--interval nan", {}, "--interval must be a number of seconds, 0 or more: nan"),
    ("--accept /nowhere/accepted.yaml", {}, "/nowhere/accepted.yaml cannot be read"),
    (f"--instruments {MANY}", {}, "no URL can be made"),
    ("", {"HTTP_PROXY": "foo://127.0.0.1:1"}, "variables of the environment"),
]


@pytest.mark.parametrize(("words", "variables", "line"), BAD_USAGE, ids=[x[2] for x in BAD_USAGE])
def test_bad_usage_of_the_live_check_is_one_line_and_exit_code_2(
    words: str, variables: dict[str, str], line: str
) -> None:
    done = check(*words.split(), **CI | variables)

    assert done.returncode == 2
    assert "holds" not in done.stdout
    assert line in done.stderr
    assert done.stderr.count("\n") == 1
