"""``make fuzz``: ``schemathesis run`` against the stand-in on a socket, with a fresh seed.

Options are those of ``schemathesis run``: ``make fuzz ARGS='--seed 7 --max-examples 1000'``.
Exit codes: that of schemathesis, or 1 if too few answers had items for a pass to mean anything.
"""

import os
import subprocess
import sys
from pathlib import Path

from mycirrus_contract.messages import Reply, Request
from mycirrus_contract.model import SPEC_FILE
from mycirrus_contract.standin.adapters import Standin, serve
from tests.support.paths import ROOT

ENOUGH = 10  # distinct answers with items


class RememberingStandin(Standin):
    """A stand-in that keeps its distinct answers with items."""

    def __init__(self) -> None:
        super().__init__()
        self.with_items: set[tuple[str, bytes]] = set()

    def handle(self, request: Request) -> Reply:
        reply = super().handle(request)
        if reply.status == 200 and reply.body != b"[]":
            self.with_items.add((request.query, reply.body))
        return reply


def main(arguments: list[str]) -> int:
    """Serve, run schemathesis, and count what it reached."""
    standin = RememberingStandin()
    program = Path(sys.executable).with_name("schemathesis")
    with serve(standin) as base_url:
        done = subprocess.run(
            [program, "run", SPEC_FILE, "--url", base_url, *arguments],
            cwd=ROOT,
            env=os.environ | {"NO_PROXY": "*"},
            check=False,
        )
    reached = len(standin.with_items)
    print(f"{len(standin.requests)} requests, {reached} distinct answers with items")
    if reached < ENOUGH:
        print(f"Too few answers with items to mean anything: {ENOUGH} are needed", file=sys.stderr)
        return done.returncode or 1
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
