"""What a run writes in a job on GitHub: the outputs of the step, and annotations."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from mycirrus_contract.text import brief

from .run import Run
from .verdicts import Verdict

LEVELS = {Verdict.BROKEN: "error", Verdict.DRIFT: "error", Verdict.UNDECIDED: "warning"}


def is_job() -> bool:
    """Whether this is a job of GitHub Actions."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


def write_outputs(run: Run) -> None:
    """Append ``verdict`` and ``counts`` to the file of outputs, in a job on GitHub only.

    Raises:
        OSError: The file cannot be written.
    """
    path = os.environ.get("GITHUB_OUTPUT")
    if path and is_job():
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"verdict={_verdict(run)}\ncounts={json.dumps(run.counts)}\n")


def _verdict(run: Run) -> str:
    if any(finding.judgement.crashed for finding in run.findings):
        return "failed"
    if run.is_key_refused:
        return "refused"
    return next((one for one in LEVELS if run.counts[one]), Verdict.HOLDS)


def annotations(run: Run) -> Iterator[str]:
    """A line for each finding that does not hold, and for each notice."""
    if run.exit_code == 2:
        what = "the API refused the key" if run.is_key_refused else "the address is not the API's"
        yield annotation("error", "Contract check", what)
    for finding in run.findings:
        level = "error" if finding.judgement.crashed else LEVELS.get(finding.verdict)
        if level is not None:
            title = f"Contract: {finding.name} ({finding.verdict})"
            text = f"{finding.promise}: {finding.judgement.because}"
            yield annotation(level, title, text)
    for notice in run.notices:
        yield annotation("warning", "Contract: acceptances", notice)


def annotation(level: str, title: str, text: str) -> str:
    """One workflow command; the texts are escaped.

    Args:
        level: ``error`` or ``warning``.
        title: Shown in bold.
        text: Any text.
    """
    name = _escaped(brief(title)).replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={name}::{_escaped(brief(text))}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
