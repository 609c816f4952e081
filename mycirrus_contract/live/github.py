"""What a job on GitHub gets of a run: the outputs of its step."""

import json
import os
from pathlib import Path

from .run import Run
from .verdicts import Verdict


def write_outputs(run: Run) -> None:
    """Append ``verdict`` and ``counts`` to the file that GitHub names; elsewhere do nothing."""
    path = os.environ.get("GITHUB_OUTPUT")
    if path and os.environ.get("GITHUB_ACTIONS") == "true":
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"verdict={_verdict(run)}\ncounts={json.dumps(run.counts)}\n")


def _verdict(run: Run) -> str:
    if run.is_key_refused:
        return "refused"
    order = (Verdict.BROKEN, Verdict.DRIFT, Verdict.UNDECIDED)
    return next((one for one in order if run.counts[one]), Verdict.HOLDS)
