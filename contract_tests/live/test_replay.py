"""A recorded run plays again offline, through the guarded mocks, and means what it meant."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cirrus_ext import ConfigurationError
from cirrus_ext.settings import Secret
from contract_tests.api_mutants.catalogue import by_name
from contract_tests.api_mutants.mutant import Mutant, time
from contract_tests.mocks.guard import collected
from mycirrus_contract.live.arguments import THOROUGH
from mycirrus_contract.live.cassette import dumps, load
from mycirrus_contract.live.command import Target, judged
from mycirrus_contract.live.redaction import Redactor
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.rules import DEMO_KEY
from mycirrus_contract.standin.switches import Switches
from tests.support.clock import FakeClock
from tests.support.paths import ROOT

from .replay import main, replay
from .runs import END, SERIALS, START, WORLD, exchanges_of

CASSETTES = sorted((ROOT / "contract_tests" / "live" / "cassettes").glob("*.json"))


def recorded(standin: Standin, folder: Path, **options: Any) -> Path:
    clock = FakeClock()
    standin.sleep = clock.sleep
    exchanges = exchanges_of(standin.transport(), monotonic=lambda: clock.seconds, **options)
    redactor = Redactor(DEMO_KEY, exchanges)
    budget = options.get("budget", 9)
    secret = Secret(DEMO_KEY)
    target = Target("http://127.0.0.1/v1", secret, SERIALS, START, END, budget=budget)
    run = judged(target, [redactor.exchange(exchange) for exchange in exchanges], END)
    path = folder / "cassette.json"
    path.write_text(dumps(run, {one.name: str(one.verdict) for one in run.findings}), "utf-8")
    return path


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The content of the cassette of a run in which every promise holds."""
    path = recorded(Standin(WORLD), tmp_path_factory.mktemp("cassette"))
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def written(content: Any, folder: Path) -> Path:
    path = folder / "cassette.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


@pytest.mark.parametrize("path", CASSETTES, ids=lambda path: path.stem)
def test_a_cassette_of_this_repository_has_its_recorded_verdicts(path: Path) -> None:
    """The guard of the mocks fails this test for an unnamed violation."""
    _, differences = replay(load(path))

    assert differences == []


def test_there_are_cassettes() -> None:
    assert len(CASSETTES) >= 2


ODD_TIME = Mutant("odd", "time format", time(lambda text: text.replace(".814Z", ".z")))
RUNS: dict[str, tuple[Standin, dict[str, Any]]] = {
    "everything": (Standin(WORLD), {"budget": THOROUGH}),
    "a control": (Standin(replace(WORLD, switches=Switches(end_inclusive=False))), {}),
    "a repeat": (Standin(WORLD, script={7: "500-html"}), {}),
    "cut short by a 429": (Standin(WORLD, script={5: "429"}), {}),
    "an outage": (Standin(WORLD, script={2: "503-html"}), {}),
    "times of another form": (Standin(WORLD, behaviour=ODD_TIME), {}),
    **{
        name: (Standin(WORLD, behaviour=by_name(name)), {})
        for name in (
            "list in an object",
            "truncated JSON",
            "UTF-16 by name",
            "slow",
            "no key needed",
        )
    },
}


@pytest.mark.parametrize(("standin", "options"), RUNS.values(), ids=list(RUNS))
def test_a_run_can_be_replayed(standin: Standin, options: dict[str, Any], tmp_path: Path) -> None:
    cassette = load(recorded(standin, tmp_path, **options))
    with collected() as violations:
        _, differences = replay(cassette)

    assert (violations, differences) == ([], [])


def test_a_missing_answer_is_missing_in_the_replay(good: dict[str, Any], tmp_path: Path) -> None:
    over_long = good["exchanges"][6]
    silent = {"reply": None, "failure": "connection refused"}
    exchanges = [good["exchanges"][0] | silent, over_long | silent]
    exchanges[1]["off_spec"] = {"off_spec_request": ["over-long, as it has to be"]}
    run, _ = replay(load(written(good | {"exchanges": exchanges}, tmp_path)))

    assert {str(one.verdict) for one in run.findings} <= {"undecided", "not asked"}


def other_request(content: dict[str, Any], number: int, **change: Any) -> dict[str, Any]:
    """The content with another request at a number, from 1 on."""
    exchanges = list(content["exchanges"])
    request = exchanges[number - 1]["request"] | change
    exchanges[number - 1] = exchanges[number - 1] | {"request": request}
    return content | {"exchanges": exchanges}


@pytest.mark.parametrize(
    ("number", "change", "says"),
    [
        (1, {"method": "POST"}, "request 1, whole range: method is GET, recorded is POST"),
        (2, {"path": "/log"}, "request 2, whole range, through the SDK: path is /data"),
        (8, {"key": "right"}, "request 8, no key: key is none, recorded is right"),
        (9, {"query": []}, "request 9, reversed range: instruments is ['"),
        (10, {"query": [["zone", "x"]]}, "request 10, naive range: zone is missing, recorded is"),
    ],
)
def test_a_request_that_differs_from_the_recorded_one_is_named_with_what_differs(
    number: int, change: dict[str, Any], says: str, good: dict[str, Any], tmp_path: Path
) -> None:
    with collected():
        _, differences = replay(load(written(other_request(good, number, **change), tmp_path)))

    assert [one for one in differences if one.startswith(says)]


def test_a_request_more_or_less_than_recorded_is_named(
    good: dict[str, Any], tmp_path: Path
) -> None:
    exchanges = good["exchanges"]
    twice = good | {"exchanges": [*exchanges, exchanges[-1]]}
    _, more = replay(load(written(twice, tmp_path)))
    _, less = replay(load(written(good | {"exchanges": exchanges[:-1]}, tmp_path)))

    assert more == ["request 13, an hour from the same start: recorded, and not sent"]
    assert less[0] == "request 12 was not recorded"


def test_an_unnamed_violation_and_a_name_without_a_violation_are_found(
    good: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(written(good, tmp_path))]) == 0
    content = json.loads(json.dumps(good))
    content["exchanges"][0]["off_spec"] = {"off_spec": ["nothing is wrong with it"]}
    content["exchanges"][4]["reply"] = {
        "status": 200,
        "headers": {"content-type": "text/plain"},
        "json": [],
    }
    capsys.readouterr()

    assert main([str(written(content, tmp_path))]) == 1
    errors = capsys.readouterr().err
    assert "'off_spec' is not needed: nothing is wrong with it" in errors
    assert "content-type is not application/json" in errors
    assert "halves-add-up: recorded holds, now " in errors
    assert "whole range: off spec is nothing, and named {'off_spec'" in errors


@pytest.mark.parametrize(
    ("verdicts", "says"),
    [
        ({"in-order": "drift"}, "in-order: recorded drift, now holds"),
        ({"gone": "holds"}, "gone: recorded holds, now nothing"),
    ],
)
def test_a_changed_verdict_is_found(
    verdicts: dict[str, str], says: str, good: dict[str, Any], tmp_path: Path
) -> None:
    content = good | {"verdicts": good["verdicts"] | verdicts}

    assert replay(load(written(content, tmp_path)))[1] == [says]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        ("[", "is not JSON"),
        ("[]", "is not a cassette of format 2"),
        ({"format": 1}, "is not a cassette of format 2"),
        ({"format": 2}, "is not whole: KeyError"),
        ({"exchanges": []}, "is not whole: it has no exchanges"),
        ({"budget": None}, "is not whole: TypeError"),
        ({"exchanges": [{}]}, "is not whole: KeyError"),
        ({"exchanges": None}, "is not whole: TypeError"),
        ({"exchanges": [[]]}, "is not whole: TypeError"),
        ({"verdicts": 5}, "is not whole: TypeError"),
    ],
)
def test_a_file_that_is_not_a_cassette_is_refused(
    content: Any,
    says: str,
    good: dict[str, Any],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "cassette.json"
    if content is not None:
        written(
            content if isinstance(content, str) or "format" in content else good | content, tmp_path
        )

    with pytest.raises(ConfigurationError, match=says):
        load(path)
    assert main([str(path)]) == 2
    assert says in capsys.readouterr().err
