"""The job that watches the live API fails, warns and keeps quiet when it has to."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mycirrus_contract.model import load_yaml
from tests.support.paths import ROOT

FOLDER = ROOT / ".github" / "workflows"
LIVE: dict[str, Any] = load_yaml(FOLDER / "contract-live.yml")
STEPS: dict[str, dict[str, Any]] = {
    step.get("name", step.get("uses")): step for step in LIVE["jobs"]["probe"]["steps"]
}


def run(step: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the commands of a step, as the host of CI does."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[step]["run"]],  # noqa: S607
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout in which the probe is a stub: it exits with `CODE`, after writing a report."""
    program = tmp_path / ".venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text(
        '#!/bin/sh\necho "$@" > words\n'
        '[ "$CODE" = 2 ] || { mkdir -p report; echo "# Report" > report/report.md; }\n'
        "exit $CODE\n"
    )
    program.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("code", "exit_code", "says", "summary"),
    [
        ("0", 0, "", "# Report\n"),
        ("1", 1, "", "# Report\n"),
        ("2", 2, "", ""),
        ("3", 0, "::warning title=Contract, live::undecided", "# Report\n"),
    ],
)
def test_the_job_fails_on_1_warns_on_3_and_writes_its_summary(
    folder: Path, code: str, exit_code: int, says: str, summary: str
) -> None:
    """An outage of the API is no red job, and a misuse of ours is one."""
    done = run("Ask the live API", folder, CODE=code, BUDGET="9")
    path = folder / "summary.md"

    assert done.returncode == exit_code
    assert done.stdout.startswith(says)
    assert bool(done.stdout) == bool(says)
    assert (path.read_text() if path.exists() else "") == summary


def test_the_job_calls_the_probe_as_the_readme_says(folder: Path) -> None:
    """With the budget, a folder for the reports, and the file of accepted drift."""
    run("Ask the live API", folder, CODE="0", BUDGET="15")

    assert (folder / "words").read_text() == (
        "-m mycirrus_contract --budget 15 --report-dir report "
        "--accept contract_tests/accepted.yaml\n"
    )


@pytest.mark.parametrize(
    ("key", "serials", "written"), [("k", "A,B", "there=true\n"), ("", "A", ""), ("k", "", "")]
)
def test_without_its_secrets_the_job_says_so_and_is_green(
    folder: Path, key: str, serials: str, written: str
) -> None:
    """A fork has none; all other steps look at the answer."""
    done = run("Are the secrets there?", folder, MYCIRRUS_API_KEY=key, MYCIRRUS_INSTRUMENTS=serials)
    output = folder / "output"

    assert done.returncode == 0
    assert ("::notice" in done.stdout) == (not written)
    assert (output.read_text() if output.exists() else "") == written
    others = [step for name, step in STEPS.items() if name != "Are the secrets there?"]
    assert all("steps.secrets.outputs.there == 'true'" in step["if"] for step in others)


def test_the_secrets_go_to_no_step_that_does_not_need_them() -> None:
    """Nor to a command line, and the reports are kept whatever comes."""
    for name, step in STEPS.items():
        needs = name in {"Are the secrets there?", "Ask the live API"}
        assert ("secrets.MYCIRRUS" in str(step.get("env"))) == needs
        assert "secrets.MYCIRRUS" not in step.get("run", "")
    assert STEPS["Keep the report"]["if"].startswith("always()")
    assert LIVE["permissions"] == {"contents": "read"}


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

    assert {"make check", "make slow", "make fuzz", "make contract"} <= set(commands)
    for command in commands:
        assert f"\n{command.split()[1]}:" in makefile, command
