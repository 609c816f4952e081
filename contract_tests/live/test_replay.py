"""A recorded run plays again offline, through the honest mocks, and means what it meant."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cirrus_ext import ConfigurationError
from cirrus_ext.settings import Secret
from contract_tests.api_mutants.catalogue import MUTANTS, Mutant, time
from contract_tests.mocks.guard import collected
from mycirrus_contract.live.cassette import ReplayError, dumps, load
from mycirrus_contract.live.command import Target, judged
from mycirrus_contract.live.redaction import Redactor
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.rules import DEMO_KEY
from mycirrus_contract.standin.switches import Switches
from tests.support.clock import FakeClock
from tests.support.paths import ROOT

from .replay import differences, main, replay
from .test_probe import END, SERIALS, START, WORLD, exchanges_of

CASSETTES = sorted((ROOT / "contract_tests" / "live" / "cassettes").glob("*.json"))


def recorded(standin: Standin, folder: Path, **options: Any) -> Path:
    """A cassette of a run against a stand-in."""
    clock = FakeClock()
    standin.sleep = clock.sleep
    transport = standin.transport()
    exchanges = exchanges_of(transport, monotonic=lambda: clock.seconds, **options)
    redactor = Redactor(DEMO_KEY, exchanges)
    target = Target(
        "http://127.0.0.1/v1",
        Secret(DEMO_KEY),
        SERIALS,
        START,
        END,
        budget=options.get("budget", 9),
    )
    run = judged(target, [redactor.exchange(exchange) for exchange in exchanges], END)
    path = folder / "cassette.json"
    path.write_text(dumps(run, {one.name: str(one.verdict) for one in run.findings}), "utf-8")
    return path


@pytest.mark.parametrize("path", CASSETTES, ids=lambda path: path.stem)
def test_a_cassette_of_this_repository_means_what_it_meant(path: Path) -> None:
    """The same verdicts; and the guard of the mocks fails this test for a lie without a name."""
    cassette = load(path)

    assert differences(cassette, replay(cassette)) == []


def test_there_are_cassettes() -> None:
    """Else the test above would pass with nothing."""
    assert len(CASSETTES) >= 2


def test_whatever_goes_wrong_can_be_played_again(tmp_path: Path) -> None:
    """Each wrong behaviour: recorded, redacted, played through the mocks, judged the same."""
    for mutant in MUTANTS:
        cassette = load(recorded(Standin(WORLD, behaviour=mutant), tmp_path))
        with collected() as lies:
            run = replay(cassette)
        assert (lies, differences(cassette, run)) == ([], []), mutant.name


@pytest.mark.parametrize("position", range(1, 12))
def test_a_run_that_was_cut_short_can_be_played_again(position: int, tmp_path: Path) -> None:
    """By a 429, or by an outage."""
    for fault in ("429", "503-html"):
        cassette = load(recorded(Standin(WORLD, script={position: fault}), tmp_path))

        assert differences(cassette, replay(cassette)) == []


@pytest.mark.parametrize(("old", "new"), [("T", "t"), ("Z", "z"), (".814Z", ".Z")])
def test_times_of_another_form_play_as_they_came(old: str, new: str, tmp_path: Path) -> None:
    """They are kept, so that the SDK makes of them what it made then."""
    mutant = Mutant("odd", "time format", time(lambda text: text.replace(old, new)))
    cassette = load(recorded(Standin(WORLD, behaviour=mutant), tmp_path))
    with collected():
        assert differences(cassette, replay(cassette)) == []


def test_an_answer_that_did_not_come_does_not_come_again(tmp_path: Path) -> None:
    """Silence is recorded too."""
    path = recorded(Standin(WORLD), tmp_path)
    content = json.loads(path.read_text("utf-8"))
    content["exchanges"] = content["exchanges"][:2]
    for exchange in content["exchanges"]:
        exchange |= {"reply": None, "failure": "connection refused", "sdk": ""}
    content["exchanges"][1]["question"] |= content["exchanges"][0]["question"] | {
        "name": "over-long range",
        "start": "2024-12-30T00:00:00+00:00",
    }
    content["exchanges"][1]["off_spec"] = {"off_spec_request": ["over-long, as it has to be"]}
    path.write_text(json.dumps(content), "utf-8")
    run = replay(load(path))

    assert {str(one.verdict) for one in run.findings} == {"undecided"}


def changed(path: Path, change: dict[str, Any], number: int = 0) -> Path:
    """The cassette with a change of one exchange."""
    content = json.loads(path.read_text("utf-8"))
    content["exchanges"][number] |= change
    path.write_text(json.dumps(content), "utf-8")
    return path


def test_an_answer_that_is_off_spec_without_being_named_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And one that is named without being off spec; exit code 1."""
    path = recorded(Standin(WORLD), tmp_path)
    assert main([str(path)]) == 0
    changed(path, {"off_spec": {"off_spec": ["nothing is wrong with it"]}})
    assert main([str(path)]) == 1
    assert "'off_spec' is not needed: nothing is wrong with it" in capsys.readouterr().err

    reply = {"status": 200, "headers": {"content-type": "text/plain"}, "json": []}
    changed(path, {"off_spec": {}, "reply": reply}, number=4)
    assert main([str(path)]) == 1
    errors = capsys.readouterr().err
    assert "off spec, and not named: GET" in errors
    assert "content-type is not application/json" in errors
    assert "halves-add-up: recorded holds, now broken" in errors


def test_a_verdict_that_has_changed_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a finding that was there, and of one that was not; exit code 1."""
    path = recorded(Standin(WORLD), tmp_path)
    content = json.loads(path.read_text("utf-8"))
    for verdicts, says in (
        (content["verdicts"] | {"in-order": "drift"}, "in-order: recorded drift, now holds"),
        ({**content["verdicts"], "gone": "holds"}, "gone: recorded holds, now nothing"),
        (
            {name: one for name, one in content["verdicts"].items() if name != "in-order"},
            "in-order: recorded nothing, now holds",
        ),
    ):
        path.write_text(json.dumps(content | {"verdicts": verdicts}), "utf-8")
        assert main([str(path)]) == 1
        assert says in capsys.readouterr().err


def test_an_excuse_says_what_it_excuses(tmp_path: Path) -> None:
    """Another text is another excuse."""
    standin = Standin(replace(WORLD, switches=Switches(over_long_status=422)))
    cassette = load(recorded(standin, tmp_path))
    assert differences(cassette, replay(cassette)) == []
    text = (tmp_path / "cassette.json").read_text("utf-8")
    (tmp_path / "cassette.json").write_text(
        text.replace("status 422 is not", "nothing is"), "utf-8"
    )
    cassette = load(tmp_path / "cassette.json")

    assert "over-long range: off spec is" in differences(cassette, replay(cassette))[0]


def test_a_question_is_asked_again_with_its_key(tmp_path: Path) -> None:
    """What a wrong key gets is no answer to the right one."""
    path = recorded(Standin(WORLD), tmp_path)
    question = json.loads(path.read_text("utf-8"))["exchanges"][-1]["question"]
    changed(path, {"question": question | {"key": "right"}}, number=-1)

    with pytest.raises(ReplayError, match="wrong key is asked with another key than recorded"):
        replay(load(path))


def test_a_probe_that_asks_something_else_is_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cassette is an answer to its questions and to no others."""
    path = recorded(Standin(WORLD), tmp_path)
    content = json.loads(path.read_text("utf-8"))
    content["exchanges"][3], content["exchanges"][4] = (
        content["exchanges"][4],
        content["exchanges"][3],
    )
    path.write_text(json.dumps(content), "utf-8")

    with pytest.raises(ReplayError, match="asked instruments="):
        replay(load(path))
    assert main([str(path)]) == 2
    assert capsys.readouterr().err.startswith("replay: asked instruments=")


def test_a_cassette_that_ends_too_late_is_told_so(tmp_path: Path) -> None:
    """What is recorded and not asked is no part of the run."""
    path = recorded(Standin(WORLD), tmp_path)
    content = json.loads(path.read_text("utf-8"))
    content["exchanges"].append(content["exchanges"][-1])
    path.write_text(json.dumps(content), "utf-8")

    with pytest.raises(ReplayError, match="11 questions are asked, and 12 recorded"):
        replay(load(path))


WHOLE: dict[str, Any] = {
    "format": 1,
    "recorded": "2026-01-01T00:00:00+00:00",
    "server": "http://127.0.0.1/v1",
    "version": "0.1.0",
    "budget": 9,
    "verdicts": {},
    "exchanges": [],
}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        ("[", "is not JSON"),
        ("[]", "is no cassette of format 1"),
        ('{"format": 2}', "is no cassette of format 1"),
        ('{"format": 1}', "is not whole: KeyError"),
        (WHOLE | {"exchanges": []}, "is not whole: there is no question in it"),
        (WHOLE | {"budget": None}, "is not whole: TypeError"),
        (WHOLE | {"exchanges": [{}]}, "is not whole: KeyError"),
        (WHOLE | {"exchanges": None}, "is not whole: TypeError"),
        (WHOLE | {"exchanges": [[]]}, "is not whole: TypeError"),
        (WHOLE | {"verdicts": 5}, "is not whole: TypeError"),
    ],
)
def test_what_is_no_cassette_is_refused(
    content: str | dict[str, Any] | None,
    says: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In a line, with exit code 2."""
    path = tmp_path / "cassette.json"
    if content is not None:
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, "utf-8")

    with pytest.raises(ConfigurationError, match=says):
        load(path)
    assert main([str(path)]) == 2
    assert says in capsys.readouterr().err
