"""The action, the nightly workflow and the recipes of the docs fail when they should."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from mycirrus_contract.live import arguments
from mycirrus_contract.model import load_yaml
from mycirrus_contract.standin.adapters import Standin, serve
from mycirrus_contract.standin.rules import DEMO_KEY
from tests.support.paths import ROOT
from tests.support.windows import not_on_windows

pytestmark = not_on_windows("CI runs the steps in bash")

FOLDER = ROOT / ".github" / "workflows"
ACTION: dict[str, Any] = load_yaml(ROOT / "action.yml")
NIGHTLY: dict[str, Any] = load_yaml(FOLDER / "contract-live.yml")["jobs"]["check"]
PAGE = (ROOT / "docs" / "contract-checks.md").read_text(encoding="utf-8")
INSTALL, CHECK, _, ISSUE = ACTION["runs"]["steps"]

# --- an environment without a network

# `mycirrus` writes down its arguments, and exits with the code in a file; without the file, it is
# the real one.
PROGRAMS = {
    "mycirrus": f"""#!/bin/sh
printf '%s\\n' "$@" > words
test ! -f exit-code || exit "$(cat exit-code)"
exec {sys.executable} -m mycirrus_cli "$@" --interval 0
""",
    "pip": """#!/bin/sh
echo "$@" >> pip.log
""",
    "python3": """#!/bin/sh
test "$1 $2" = "-m venv" && mkdir -p "$3/bin" && cp programs/pip programs/mycirrus "$3/bin/"
""",
    "gh": """#!/bin/sh
echo "$@" >> gh.log
test "$1 $2" != "issue list" || echo "$OPEN_ISSUE"
""",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository that is not ours. Its programs install nothing, and reach no GitHub."""
    (tmp_path / "programs").mkdir()
    for name, text in PROGRAMS.items():
        path = tmp_path / "programs" / name
        path.write_text(text)
        path.chmod(0o755)
    return tmp_path


def run(script: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the commands of a step, as the hosts of CI do."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],  # noqa: S607
        cwd=folder,
        env={
            "PATH": os.pathsep.join([str(folder / "programs"), os.environ["PATH"]]),
            "PYTHONPATH": os.environ["PYTHONPATH"],
            "MYCIRRUS_API_KEY": DEMO_KEY,
            "MYCIRRUS_INSTRUMENTS": "QT123456,QT234567",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


# --- the recipes of the docs


def recipe(heading: str) -> str:
    """The block below a heading of the page."""
    found = re.search(rf"^### {heading}$.*?^```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def evaluated(text: str, contexts: dict[str, str]) -> str:
    """A text with its expressions replaced by their values."""
    return re.sub(r"\$\{\{ (\S+)(?: \|\| '\w*')? \}\}", lambda found: contexts[found[1]], text)


@dataclass
class Job:
    """A job with the action: its folder, its inputs, and the outputs of its steps."""

    folder: Path
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    def run(self, step: dict[str, Any], **contexts: str) -> "subprocess.CompletedProcess[str]":
        """Run a step of the action; inputs reach it by its variables only."""
        assert "${{" not in step["run"]
        defaults = {name: one.get("default", "") for name, one in ACTION["inputs"].items()}
        given = {f"inputs.{name}": text for name, text in (defaults | self.inputs).items()}
        env = step.get("env", {})
        variables = {name: evaluated(text, given | contexts) for name, text in env.items()}
        output = self.folder / "output"
        output.write_text("")
        done = run(
            step["run"],
            self.folder,
            RUNNER_TEMP=str(self.folder),
            GITHUB_ACTIONS="true",
            GITHUB_ACTION_PATH=str(ROOT),
            GITHUB_OUTPUT=str(output),
            GITHUB_STEP_SUMMARY=str(self.folder / "summary.md"),
            **variables,
        )
        self.outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
        return done


SERIALS = "QT123456,QT234567"
SECRETS = {"secrets.MYCIRRUS_API_KEY": DEMO_KEY, "secrets.MYCIRRUS_INSTRUMENTS": SERIALS}
GITLAB: dict[str, Any] = yaml.safe_load(recipe("GitLab"))["contract"]


def job_on_github(folder: Path, **inputs: str) -> tuple[Job, str]:
    """A job with the action, after its check, and its colour."""
    (step,) = yaml.safe_load(recipe("GitHub"))["jobs"]["contract"]["steps"]
    given = {name: evaluated(text, SECRETS) for name, text in step["with"].items()}
    job = Job(folder, given | inputs)
    assert job.run(INSTALL).returncode == 0
    return job, "red" if job.run(CHECK).returncode else "green"


def on_github(folder: Path) -> str:
    return job_on_github(folder)[1]


def on_gitlab(folder: Path) -> str:
    code = run("\n".join(GITLAB["script"]), folder).returncode
    if code == GITLAB["allow_failure"]["exit_codes"]:
        return "yellow"
    return "red" if code else "green"


def elsewhere(folder: Path) -> str:
    return "red" if run(recipe("Any other CI"), folder).returncode else "green"


# By the exit code of the check, from 0 to 4. Which API makes it end with which code:
# contract_tests/live/test_in_ci.py.
COLOURS: dict[Callable[[Path], str], tuple[str, ...]] = {
    on_github: ("green", "red", "red", "red", "red"),
    on_gitlab: ("green", "red", "red", "yellow", "red"),
    elsewhere: ("green", "red", "red", "red", "red"),
}


@pytest.mark.parametrize(
    ("host", "code", "colour"),
    [(host, code, colour) for host in COLOURS for code, colour in enumerate(COLOURS[host])],
)
def test_a_job_is_green_only_if_the_check_ends_with_0(
    host: Callable[[Path], str], code: int, colour: str, folder: Path
) -> None:
    (folder / "exit-code").write_text(str(code))

    assert host(folder) == colour


def test_the_real_check_runs_in_the_job_on_github(folder: Path) -> None:
    with serve(Standin()) as base_url:
        job, colour = job_on_github(folder, **{"base-url": base_url})

    assert (colour, job.outputs["verdict"]) == ("green", "holds")
    assert (folder / "summary.md").read_text().startswith("# ")


@pytest.mark.parametrize("host", [on_gitlab, elsewhere])
def test_the_other_recipes_use_options_of_the_check(
    host: Callable[[Path], str], folder: Path
) -> None:
    (folder / "exit-code").write_text("0")
    host(folder)
    name, *words = (folder / "words").read_text().splitlines()
    options = arguments.parser().parse_args(words)

    assert (name, options.allow_undecided) == ("contract", False)
    assert options.report_dir / "junit.xml" == Path(GITLAB["artifacts"]["reports"]["junit"])


# --- the action


def test_the_action_installs_its_own_checkout_with_the_versions_that_were_tested(
    folder: Path,
) -> None:
    assert Job(folder).run(INSTALL).returncode == 0

    words = (folder / "pip.log").read_text().split()
    assert words[-3:] == ["--constraint", f"{ROOT}/constraints.txt", f"{ROOT}[contract]"]


INPUTS = {
    "accept": 'my "drift".yaml',
    "report-dir": "my reports",
    "budget": "12",
    "allow-undecided": "true",
}


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "--budget|9|--report-dir|contract-report"),
        (
            INPUTS,
            '--budget|12|--report-dir|my reports|--accept|my "drift".yaml|--allow-undecided',
        ),
    ],
    ids=["none", "all"],
)
def test_the_action_hands_its_inputs_on_to_the_check(
    inputs: dict[str, str], words: str, folder: Path
) -> None:
    """Also those with blanks and quotes, as one argument."""
    (folder / "exit-code").write_text("4")
    job_on_github(folder, **inputs)

    assert (folder / "words").read_text().splitlines() == ["contract", *words.split("|")]


# What the check ended with, the open issue, and what gh is told.
ISSUES = {
    "turns red": ("failure", "broken", "", ["label create", "issue create"]),
    "is still red": ("failure", "refused", "7", ["issue comment 7"]),
    "has no verdict": ("skipped", "failed", "", ["label create", "issue create"]),
    "recovers": ("success", "holds", "7", ["issue close 7"]),
    "holds": ("success", "holds", "", []),
    "is undecided, which is allowed": ("success", "undecided", "7", []),
    "is cancelled": ("cancelled", "failed", "", []),
}


@pytest.mark.parametrize(("outcome", "verdict", "number", "told"), ISSUES.values(), ids=ISSUES)
def test_there_is_one_issue_while_the_check_fails(
    outcome: str, verdict: str, number: str, told: list[str], folder: Path
) -> None:
    job = Job(folder, {"report-dir": "reports"})
    (folder / "reports").mkdir()
    (folder / "reports" / "report.md").write_text("# The report\n")
    github = ("token", "repository", "server_url", "run_id")
    done = job.run(
        ISSUE | {"env": ISSUE["env"] | {"OPEN_ISSUE": number}},
        **{f"github.{name}": name for name in github},
        **{"steps.check.outcome": outcome, "steps.check.outputs.verdict": verdict},
    )
    first, *commands = (folder / "gh.log").read_text().splitlines()
    body = (folder / "mycirrus-issue.md").read_text()

    assert (done.returncode, done.stderr) == (0, "")
    assert first.startswith("issue list --label mycirrus-contract --state open")
    assert len(commands) == len(told)
    assert all(one.startswith(start) for one, start in zip(commands, told, strict=True))
    assert f"**{verdict}**\n\n# The report\n" in body
    assert "(server_url/repository/actions/runs/run_id)" in body


# --- the nightly workflow


def test_the_nightly_workflow_uses_the_action_with_inputs_that_it_has() -> None:
    *_, step = NIGHTLY["steps"]

    assert step["uses"] == "./"
    assert set(step["with"]) <= set(ACTION["inputs"])
    assert {name for name, one in ACTION["inputs"].items() if one.get("required")} <= set(
        step["with"]
    )
    assert (ROOT / step["with"]["accept"]).exists()
    assert (step["with"]["issue"], NIGHTLY["permissions"]["issues"]) == ("true", "write")


@pytest.mark.parametrize(
    ("key", "serials", "written"), [("k", "A,B", "there=true\n"), ("", "A", ""), ("k", "", "")]
)
def test_without_its_secrets_the_nightly_workflow_says_so_and_is_green(
    folder: Path, key: str, serials: str, written: str
) -> None:
    first, *others = NIGHTLY["steps"]
    output = folder / "output"
    output.touch()
    variables = {"MYCIRRUS_API_KEY": key, "MYCIRRUS_INSTRUMENTS": serials}
    done = run(first["run"], folder, GITHUB_OUTPUT=str(output), **variables)

    assert done.returncode == 0
    assert ("::notice" in done.stdout) == (not written)
    assert output.read_text() == written
    assert all("steps.secrets.outputs.there == 'true'" in step["if"] for step in others)
