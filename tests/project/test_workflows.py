"""The action, the nightly workflow and the recipes of the docs fail when they should."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from contract_tests.api_mutants.catalogue import by_name
from mycirrus_contract.model import load_yaml
from mycirrus_contract.standin.adapters import Standin, serve
from mycirrus_contract.standin.rules import DEMO_KEY
from tests.support.command import BlockingServer
from tests.support.paths import ROOT
from tests.support.windows import not_on_windows, skip_on_windows

pytestmark = not_on_windows("CI runs the steps in bash")

FOLDER = ROOT / ".github" / "workflows"
ACTION: dict[str, Any] = load_yaml(ROOT / "action.yml")
NIGHTLY: dict[str, Any] = load_yaml(FOLDER / "contract-live.yml")["jobs"]["check"]
PAGE = (ROOT / "docs" / "contract-checks.md").read_text(encoding="utf-8")
INSTALL, CHECK, _, ISSUE = ACTION["runs"]["steps"]

# --- servers, and an environment without a network


@contextmanager
def serving(api: str) -> Iterator[str]:
    """The address of a server that does what its name says."""
    slow = BlockingServer()
    servers: dict[str, Standin] = {
        "holds": Standin(),
        "broken": Standin(behaviour=by_name("first instrument only")),
        "key expired": Standin(script=dict.fromkeys(range(1, 40), "401")),
        "times out": slow,
    }
    with serve(servers[api]) as base_url:
        try:
            yield base_url
        finally:
            slow.released.set()


# Each waits for nobody: neither between requests nor, for long, for an answer.
PROGRAMS = {
    "mycirrus": f"""#!{sys.executable}
import sys
from mycirrus_cli.main import main
from mycirrus_contract.live import probe
probe.TIMEOUT = 0.5
sys.exit(main([*sys.argv[1:], "--interval", "0"]))
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
    skip_on_windows("the steps run in bash")
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


def on_github(folder: Path, base_url: str, **inputs: str) -> str:
    (step,) = yaml.safe_load(recipe("GitHub"))["jobs"]["contract"]["steps"]
    given = {name: evaluated(text, SECRETS) for name, text in step["with"].items()}
    job = Job(folder, given | {"base-url": base_url} | inputs)
    assert job.run(INSTALL).returncode == 0
    failed = job.run(CHECK).returncode
    assert (folder / "summary.md").read_text().startswith("# ")
    assert job.outputs["verdict"] in {"holds", "broken", "refused", "undecided"}
    return "red" if failed else "green"


def on_github_allowing_undecided(folder: Path, base_url: str) -> str:
    return on_github(folder, base_url, **{"allow-undecided": "true"})


def on_gitlab(folder: Path, base_url: str) -> str:
    job = yaml.safe_load(recipe("GitLab"))["contract"]
    code = run("\n".join(job["script"]), folder, MYCIRRUS_BASE_URL=base_url).returncode
    assert (folder / job["artifacts"]["reports"]["junit"]).exists()
    if code == job["allow_failure"]["exit_codes"]:
        return "yellow"
    return "red" if code else "green"


def elsewhere(folder: Path, base_url: str) -> str:
    code = run(recipe("Any other CI"), folder, MYCIRRUS_BASE_URL=base_url).returncode
    return "red" if code else "green"


RESULTS: list[tuple[Callable[[Path, str], str], str, str]] = [
    *((on_github, api, "red") for api in ("broken", "key expired", "times out")),
    (on_github, "holds", "green"),
    (on_github_allowing_undecided, "key expired", "red"),
    (on_github_allowing_undecided, "times out", "green"),
    *((on_gitlab, api, "red") for api in ("broken", "key expired")),
    (on_gitlab, "times out", "yellow"),
    (on_gitlab, "holds", "green"),
    *((elsewhere, api, "red") for api in ("broken", "key expired", "times out")),
    (elsewhere, "holds", "green"),
]


@pytest.mark.parametrize(("host", "api", "result"), RESULTS)
def test_a_recipe_is_never_green_for_a_broken_promise_or_an_expired_key(
    host: Callable[[Path, str], str], api: str, result: str, folder: Path
) -> None:
    with serving(api) as base_url:
        assert host(folder, base_url) == result


# --- the action


def test_the_action_installs_its_own_checkout_with_the_versions_that_were_tested(
    folder: Path,
) -> None:
    assert Job(folder).run(INSTALL).returncode == 0

    words = (folder / "pip.log").read_text().split()
    assert words[-3:] == ["--constraint", f"{ROOT}/constraints.txt", f"{ROOT}[contract]"]


def test_the_action_hands_its_inputs_on_to_the_check(folder: Path) -> None:
    """Also those with blanks and quotes, as one argument."""
    program = folder / "mycirrus" / "bin" / "mycirrus"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > words\nexit 4\n')
    program.chmod(0o755)
    inputs = {"accept": 'my "drift".yaml', "report-dir": "my reports", "budget": "12"}
    job = Job(folder, inputs | {"allow-undecided": "true"})

    assert job.run(CHECK).returncode == 4
    assert (folder / "words").read_text().splitlines() == [
        *("contract", "--budget", "12", "--report-dir", "my reports"),
        *("--accept", 'my "drift".yaml', "--allow-undecided"),
    ]


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


def test_every_make_target_that_ci_calls_is_there() -> None:
    """And the floors of the mutants are among them."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    commands = [
        step["run"]
        for path in FOLDER.glob("*.yml")
        for job in load_yaml(path)["jobs"].values()
        for step in job["steps"]
        if str(step.get("run", "")).startswith("make ")
    ]

    assert {"make check", "make slow", "make fuzz"} <= set(commands)
    for command in commands:
        assert f"\n{command.split()[1]}:" in makefile, command
