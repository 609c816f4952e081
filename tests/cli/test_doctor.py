"""``mycirrus doctor`` says what is right and what is not, with two requests at most."""

from datetime import UTC, datetime

import pytest

from mycirrus_cli.doctor import Examination, _clock
from mycirrus_contract.standin.adapters import Standin, serve
from mycirrus_contract.standin.rules import KEY_WITHOUT_SCOPE
from tests.support.command import mycirrus

SERIAL = "QT123456"


def verdicts(stdout: str) -> dict[str, str]:
    """What it says of each thing."""
    lines = (line.split() for line in stdout.splitlines() if not line.startswith(" "))
    return {about: verdict for about, verdict, *_ in lines}


def words(stdout: str) -> str:
    """All it says, without the line breaks."""
    return " ".join(stdout.split())


def said(key: str, network: str, clock: str, scope: str) -> dict[str, str]:
    """What it should say."""
    return {"key": key, "network": network, "clock": clock, "scope": scope}


@pytest.mark.parametrize("serials", [(SERIAL,), ()], ids=["named", "none"])
def test_all_is_well_with_one_request(serials: tuple[str, ...]) -> None:
    """Whether a serial number is named or not."""
    with serve(standin := Standin()) as url:
        done = mycirrus("doctor", *serials, base_url=url)

    assert (done.returncode, done.stderr) == (0, "")
    assert verdicts(done.stdout) == said("ok", "ok", "ok", "ok")
    assert len(standin.requests) == 1
    assert standin.requests[0].method == "GET"


@pytest.mark.parametrize(
    ("fault", "code", "expected", "advice"),
    [
        ("401", 1, said("FAULT", "ok", "ok", "?"), "make one at https://mycirrus.cloud/"),
        ("403", 1, said("ok", "ok", "ok", "FAULT"), "the scope data.system:read"),
        ("429", 3, said("?", "FAULT", "ok", "?"), "429 TooManyRequests"),
        ("503-html", 1, said("?", "FAULT", "ok", "?"), "503 Service Unavailable"),
        ("200-html", 1, said("?", "FAULT", "ok", "?"), "is not the API"),
        ("302", 1, said("?", "FAULT", "ok", "?"), "check base_url"),
    ],
)
def test_each_failure_is_told_apart_with_two_requests_at_most(
    fault: str, code: int, expected: dict[str, str], advice: str
) -> None:
    """And says what to do."""
    with serve(standin := Standin(script=dict.fromkeys(range(1, 9), fault))) as url:
        done = mycirrus("doctor", SERIAL, base_url=url)

    assert verdicts(done.stdout) == expected
    assert advice in words(done.stdout)
    assert done.returncode == code
    assert len(standin.requests) <= 2


def test_a_server_that_cannot_be_reached_is_said_to_be_so() -> None:
    """With exit code 3."""
    done = mycirrus("doctor", SERIAL, base_url="http://127.0.0.1:9/v1")

    assert verdicts(done.stdout) == said("?", "FAULT", "?", "?")
    assert "check the network, the proxy, and http://127.0.0.1:9/v1" in words(done.stdout)
    assert done.returncode == 3


def test_a_key_without_the_scope_and_no_serial_number_is_undecided() -> None:
    """It could be the made-up serial number that may not be read."""
    with serve(Standin()) as url:
        done = mycirrus("doctor", base_url=url, MYCIRRUS_API_KEY=KEY_WITHOUT_SCOPE)

    assert verdicts(done.stdout) == said("ok", "ok", "ok", "?")
    assert "name one of your instruments: mycirrus doctor SERIAL" in words(done.stdout)
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("date", "verdict", "words"),
    [
        ("Sun, 22 Nov 2026 12:00:29 GMT", "ok", "within 30 s of the server's"),
        ("Sun, 22 Nov 2026 11:59:31 GMT", "ok", "within 30 s of the server's"),
        ("Sun, 22 Nov 2026 11:59:00 GMT", "FAULT", "0:01:00 ahead of the server's: set it"),
        ("Mon, 23 Nov 2026 13:00:00 GMT", "FAULT", "1 day, 1:00:00 behind the server's: set it"),
        ("Sun, 22 Nov 2026 12:00:00 -0000", "ok", "within 30 s of the server's"),
        ("Fri, 31 Dec 99999999999 23:59:59 GMT", "?", "the server did not say what time it is"),
        ("yesterday", "?", "the server did not say what time it is"),
        (None, "?", "the server did not say what time it is"),
    ],
)
def test_a_clock_that_is_wrong_is_noticed(date: str | None, verdict: str, words: str) -> None:
    """It decides what --last means."""
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    finding = _clock(Examination(SERIAL, named=True, server="", date=date, at=noon))

    assert finding.verdict == verdict
    assert finding.words.startswith(words)


def test_the_instruments_of_the_contract_checks_serve_as_serial_number() -> None:
    """The first of them."""
    with serve(standin := Standin()) as url:
        mycirrus("doctor", base_url=url, MYCIRRUS_INSTRUMENTS=f" {SERIAL},QT2")

    assert f"instruments={SERIAL}&" in standin.requests[0].query


def test_its_lines_fit_the_terminal_and_stand_beside_the_verdict() -> None:
    """At 80 columns and fewer, addresses excepted."""
    with serve(Standin(script={1: "403"})) as url:
        done = mycirrus("doctor", SERIAL, base_url=url, COLUMNS="60")

    assert len(done.stdout.splitlines()) > 4
    assert all(len(line) <= 60 for line in done.stdout.splitlines())
    assert all(line[:16].strip() == "" or line[15] == " " for line in done.stdout.splitlines())


def test_a_serial_number_that_cannot_be_meant_is_refused() -> None:
    """Before anything is asked, and so before anything is judged."""
    with serve(standin := Standin()) as url:
        done = mycirrus("doctor", " ", base_url=url)

    assert (done.returncode, done.stdout, standin.requests) == (2, "", [])
    assert "SERIAL must not be blank" in done.stderr


def test_it_looks_at_one_instrument() -> None:
    """And says so to whoever names two."""
    done = mycirrus("doctor", "QT1", "QT2")

    assert (done.returncode, done.stdout) == (2, "")
    assert "one serial number at most" in done.stderr


def test_without_a_key_it_says_so_and_asks_nothing() -> None:
    """As the other commands do."""
    with serve(standin := Standin()) as url:
        done = mycirrus("doctor", base_url=url, MYCIRRUS_API_KEY="")

    assert (done.returncode, standin.requests) == (2, [])
    assert "no API key" in done.stderr
