"""``mycirrus doctor`` finds what is wrong, with two requests at most."""

from datetime import UTC, datetime

import pytest

from mycirrus_cli.doctor import Examination, _clock
from mycirrus_contract.messages import Reply
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.rules import KEY_WITHOUT_SCOPE
from tests.support.command import NOWHERE, mycirrus, refused

SERIAL = "QT123456"


def verdicts(stdout: str) -> str:
    lines = [line.split() for line in stdout.splitlines() if not line.startswith(" ")]
    assert [line[0] for line in lines] == ["key", "network", "clock", "scope"]
    return " ".join(line[1] for line in lines)


def on_one_line(stdout: str) -> str:
    return " ".join(stdout.split())


@pytest.mark.parametrize("serials", [(SERIAL,), ()], ids=["named", "none"])
def test_one_request_is_enough_if_nothing_is_wrong(serials: tuple[str, ...]) -> None:
    done = mycirrus("doctor", *serials, standin=(standin := Standin()))

    assert (done.returncode, done.stderr) == (0, "")
    assert verdicts(done.stdout) == "ok ok ok ok"
    assert [request.method for request in standin.requests] == ["GET"]


@pytest.mark.parametrize(
    ("fault", "code", "findings", "advice"),
    [
        ("401", 1, "FAULT ok ok ?", "make one at https://mycirrus.cloud/"),
        ("403", 1, "ok ok ok FAULT", "the scope data.system:read"),
        ("429", 3, "? FAULT ok ?", "429 TooManyRequests"),
        ("503-html", 1, "? FAULT ok ?", "503 Service Unavailable"),
        ("200-html", 1, "? FAULT ok ?", "is not the API"),
        ("302", 1, "? FAULT ok ?", "check base_url"),
    ],
)
def test_two_requests_tell_the_failures_apart(
    fault: str, code: int, findings: str, advice: str
) -> None:
    standin = Standin(script=dict.fromkeys(range(1, 9), fault))
    done = mycirrus("doctor", SERIAL, standin=standin)

    assert verdicts(done.stdout) == findings
    assert advice in on_one_line(done.stdout)
    assert done.returncode == code
    assert len(standin.requests) <= 2


def test_a_server_that_cannot_be_reached_is_a_fault_of_the_network_with_exit_code_3() -> None:
    done = mycirrus("doctor", SERIAL, base_url=NOWHERE)

    assert verdicts(done.stdout) == "? FAULT ? ?"
    assert f"check the network, the proxy, and {NOWHERE}" in on_one_line(done.stdout)
    assert done.returncode == 3


def test_without_a_serial_number_the_scope_of_a_refused_key_is_undecided() -> None:
    """The key may lack access to the made-up serial number only."""
    done = mycirrus("doctor", MYCIRRUS_API_KEY=KEY_WITHOUT_SCOPE)

    assert verdicts(done.stdout) == "ok ok ok ?"
    assert "name one of your instruments: mycirrus doctor SERIAL" in on_one_line(done.stdout)
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("date", "verdict", "words"),
    [
        ("Sun, 22 Nov 2026 11:59:31 GMT", "ok", "within 30 s of the server's"),
        ("Sun, 22 Nov 2026 11:59:00 GMT", "FAULT", "0:01:00 ahead of the server's: set it"),
        ("Mon, 23 Nov 2026 13:00:00 GMT", "FAULT", "1 day, 1:00:00 behind the server's: set it"),
        ("Sun, 22 Nov 2026 12:00:00 -0000", "ok", "within 30 s of the server's"),
        ("Fri, 31 Dec 99999999999 23:59:59 GMT", "?", "the server sent no time"),
        ("yesterday", "?", "the server sent no time"),
        (None, "?", "the server sent no time"),
    ],
)
def test_a_clock_that_is_wrong_is_noticed(date: str | None, verdict: str, words: str) -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    finding = _clock(Examination(SERIAL, named=True, server="", date=date, at=noon))

    assert finding.verdict == verdict
    assert finding.words.startswith(words)


def test_the_first_instrument_of_the_contract_checks_is_the_default() -> None:
    standin = Standin()
    mycirrus("doctor", standin=standin, MYCIRRUS_INSTRUMENTS=f" {SERIAL},QT2")

    assert f"instruments={SERIAL}&" in standin.requests[0].query


def test_an_instrument_of_the_contract_checks_that_cannot_be_sent_is_refused() -> None:
    line = refused("doctor", MYCIRRUS_INSTRUMENTS="QT\t1,QT2")

    assert line.startswith("MYCIRRUS_INSTRUMENTS has a character that cannot be printed: ")


def test_a_text_of_the_server_does_nothing_to_the_terminal() -> None:
    body = b'{"error": "\\u001b[2J", "description": "\\u202e"}'
    standin = Standin()
    standin.handle = lambda request: Reply(403, {"content-type": "application/json"}, body)  # type: ignore[method-assign]
    done = mycirrus("doctor", SERIAL, standin=standin)

    assert "(403 ?[2J)" in on_one_line(done.stdout)
    assert "\x1b" not in done.stdout + done.stderr


def test_the_explanations_fit_the_terminal_and_are_beside_the_verdicts() -> None:
    done = mycirrus("doctor", SERIAL, standin=Standin(script={1: "403"}), COLUMNS="60")

    assert len(done.stdout.splitlines()) > 4
    assert all(len(line) <= 60 for line in done.stdout.splitlines())
    assert all(line[:16].strip() == "" or line[15] == " " for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("serials", "line"),
    [((" ",), "SERIAL must not be blank"), (("QT1", "QT2"), "one serial number at most")],
)
def test_a_blank_or_a_second_serial_number_is_refused(serials: tuple[str, ...], line: str) -> None:
    assert line in refused("doctor", *serials)
