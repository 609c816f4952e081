"""A job in CI reads a run by its exit code, its outputs and its files."""

import json
import os
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contract_tests.api_mutants.catalogue import by_name
from contract_tests.live.test_programs import CI, check_of, read_until, started
from mycirrus_contract.live import checks
from mycirrus_contract.messages import Reply, Request
from mycirrus_contract.model import QUESTIONS_FILE, load_yaml
from mycirrus_contract.standin.adapters import Standin, demo_world, serve
from mycirrus_contract.standin.rules import World
from mycirrus_contract.standin.switches import Switches
from tests.support.command import TIMEOUT


def from_request(number: int, fault: str) -> dict[str, Any]:
    return {"script": dict.fromkeys(range(number, 40), fault)}


class NotFound:
    """What is at another address."""

    def answer(self, request: Request, world: World, earlier: tuple[Reply, ...]) -> Reply:
        del request, world, earlier
        return Reply(404, {"content-type": "text/html"}, b"<p>not here</p>")


NEWEST_FIRST = replace(demo_world(), switches=Switches(order="newest first"))
# The API; the exit code, also with --allow-undecided; the verdict.
BACKENDS: dict[str, tuple[dict[str, Any], tuple[int, int], str]] = {
    "as documented": ({}, (0, 0), "holds"),
    "broken": ({"behaviour": by_name("first instrument only")}, (1, 1), "broken"),
    "another order": ({"world": NEWEST_FIRST}, (1, 1), "drift"),
    "key expired": (from_request(1, "401"), (2, 2), "refused"),
    "scope gone": (from_request(1, "403"), (2, 2), "refused"),
    "key expired, and an outage": (
        {"script": from_request(1, "401")["script"] | {1: "503-html"}},
        (2, 2),
        "refused",
    ),
    "another address": ({"behaviour": NotFound()}, (2, 2), "undecided"),
    "key expires during the run": (from_request(5, "401"), (3, 0), "undecided"),
    "throttled": (from_request(1, "429"), (3, 0), "undecided"),
    "outage": (from_request(1, "503-html"), (3, 0), "undecided"),
}


@pytest.mark.parametrize(("backend", "exit_codes", "verdict"), BACKENDS.values(), ids=BACKENDS)
def test_a_run_ends_with_the_exit_code_and_the_outputs_of_its_verdict(
    backend: dict[str, Any],
    exit_codes: tuple[int, int],
    verdict: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = tmp_path / "output"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(output))
    runs = [check_of(Standin(**backend), *words) for words in ([], ["--allow-undecided"])]
    outputs = dict(line.partition("=")[::2] for line in output.read_text("utf-8").splitlines())

    messages = [run.stderr for run in runs]
    assert tuple(run.returncode for run in runs) == exit_codes, messages
    assert outputs["verdict"] == verdict
    assert sum(json.loads(outputs["counts"]).values()) >= 14


def test_a_crashed_check_has_the_verdict_failed_whatever_the_others_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    promise = replace(checks.PROMISES[0], check=lambda evidence: 1 / 0)  # type: ignore[arg-type,return-value]
    monkeypatch.setattr(checks, "PROMISES", (promise, *checks.PROMISES[1:]))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))

    assert check_of(Standin(), "--allow-undecided").returncode == 4
    assert (tmp_path / "output").read_text("utf-8").startswith("verdict=failed\n")


def test_elsewhere_nothing_is_written_to_a_variable_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))

    assert check_of(Standin()).returncode == 0
    assert not list(tmp_path.iterdir())


OURS = QUESTIONS_FILE.read_text("utf-8")


@pytest.mark.parametrize(
    ("path", "before"),
    [
        ("openapi/questions.yaml", OURS),
        ("contract/open.yaml", f"# the user's own\n{OURS}"),
        ("contract/new.yaml", None),
        ("contract/crlf.yaml", OURS.replace("\n", "\r\n")),
        ("contract/unquoted.yaml", OURS.replace('- id: "year"', "- id: year  # ours").rstrip()),
    ],
    ids=["ours", "the user's own", "new", "CRLF", "other quotes, no end of line"],
)
def test_what_was_observed_can_be_applied_to_a_file_of_questions(
    path: str, before: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = Path(path)
    if before is not None:
        file.parent.mkdir()
        file.write_bytes(before.encode())
    done = check_of(Standin(), "--budget", "15", "--report-dir", "report", "--questions", path)
    subprocess.run(
        ["git", "apply", "report/questions.patch"],  # noqa: S607 - whichever git there is
        env=os.environ | {"GIT_CEILING_DIRECTORIES": str(tmp_path.parent)},
        check=True,
        timeout=TIMEOUT,
    )
    (questions,) = load_yaml(file)["questions"].values()
    seen = {one["id"]: one["observed"] for one in questions if one["observed"]}

    assert f"as a patch for {path}: report/questions.patch" in done.stdout
    assert len(seen) == len(questions) - 1
    assert seen["end-inclusive"] == {"answer": "yes", "date": str(datetime.now(UTC).date())}
    assert file.read_bytes().startswith((before or OURS).partition("\n")[0].encode() + b"\n")
    patch = Path("report", "questions.patch").read_text("utf-8")
    assert patch.startswith("Not the API's own answers, but those of http://127.0.0.1/v1:")


def test_a_file_without_questions_gets_no_patch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.yaml").touch()

    assert "as a patch for" not in check_of(Standin(), "--questions", "empty.yaml").stdout


def test_in_another_repository_the_patch_is_for_the_file_of_the_sdk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    stdout = check_of(Standin(), "--budget", "15").stdout
    assert "as a patch for openapi/questions.yaml of mycirrus-sdk:" in stdout


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--instruments", "QT123456,QT123456"], "each of them once"),
        (["--base-url", "mycirrus"], "must be an address such as"),
    ],
)
def test_bad_usage_in_a_job_is_an_error_without_a_serial(words: list[str], line: str) -> None:
    done = check_of(Standin(), *words, GITHUB_ACTIONS="true")
    (error,) = [one for one in done.stdout.splitlines() if one.startswith("::error ")]

    assert done.returncode == 2
    assert line in error
    assert line in done.stderr
    assert "QT123456" not in error + done.stderr


def test_a_job_without_its_file_of_outputs_fails() -> None:
    done = check_of(Standin(), GITHUB_ACTIONS="true", GITHUB_OUTPUT="/dev/full")

    assert done.returncode == 4
    assert "GITHUB_OUTPUT: No space left on device" in done.stderr


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/questions.yaml", "must be a path below this folder: /questions.yaml"),
        ("../questions.yaml", "must be a path below this folder: ../questions.yaml"),
        (".", "--questions . cannot be read: "),
    ],
)
def test_a_questions_file_that_git_apply_would_not_find_is_bad_usage(path: str, line: str) -> None:
    standin = Standin()
    done = check_of(standin, "--questions", path)

    assert (done.returncode, standin.requests) == (2, [])
    assert line in done.stderr


def test_a_check_that_is_told_to_stop_ends_at_once_and_is_no_success() -> None:
    with serve(Standin()) as base_url:
        environment = CI | {"MYCIRRUS_BASE_URL": base_url}
        with started("mycirrus_cli", "contract", "--interval", "60", **environment) as process:
            read_until(process, base_url)
            process.terminate()
            _, errors = process.communicate(timeout=TIMEOUT)

    assert (process.returncode, errors) == (143, "mycirrus: stopped\n")
