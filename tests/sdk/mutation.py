"""``make mutation``: break the modules that need no network in every small way; do tests notice?

mutmut makes the mutants and runs the tests; this program reads what came of it. Survivors that
change nothing that can be seen stay: they are why the floor is not 100 %.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT

FLOOR = 0.90
STATISTICS = ROOT / "mutants" / "mutmut-cicd-stats.json"


def mutmut(*words: str) -> subprocess.CompletedProcess[str]:
    """Run mutmut, with a few examples for each property."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("mutmut")), *words],
        cwd=ROOT,
        env=os.environ | {"HYPOTHESIS_PROFILE": "brief"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def main() -> int:
    """Make the mutants, run the tests, say what came of it.

    Returns:
        The exit code: 0 at the floor or above it, 1 below, 2 if mutmut failed.
    """
    STATISTICS.unlink(missing_ok=True)
    done = mutmut("run")
    mutmut("export-cicd-stats")
    if not STATISTICS.exists():
        print(done.stdout, file=sys.stderr)
        return 2
    counts = json.loads(STATISTICS.read_text(encoding="utf-8"))
    for line in mutmut("results").stdout.splitlines():
        print(line.strip())
    killed, total = counts["killed"] + counts["timeout"], counts["total"]
    print(f"{killed}/{total} mutants noticed, {killed / total:.1%}; the floor is {FLOOR:.0%}.")
    return 0 if killed >= FLOOR * total else 1


if __name__ == "__main__":
    sys.exit(main())
