"""The command as people run it: in a process of its own, against the stand-in on a socket."""

import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

from mycirrus_contract.messages import Reply, Request
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.rules import DEMO_KEY

MYCIRRUS = str(Path(sys.executable).with_name("mycirrus"))
FLEET = ("QT123456", "QT234567", "QT345678")
# Twelve windows of one instrument each.
YEARS = ("--start", "2019-01-01", "--end", "2022-06-01")
WINDOWS = 12
# Seconds after which a test that waits for another process has failed.
PATIENCE = 30.0


def environment(base_url: str | None = None, **more: str) -> dict[str, str]:
    """The environment of a child: a key, a server, and a terminal of a known width.

    An empty text takes a name away.
    """
    names = {"MYCIRRUS_API_KEY": DEMO_KEY, "COLUMNS": "80", "LC_ALL": "C.UTF-8", "TERM": "xterm"}
    names["PYTHONUNBUFFERED"] = ""  # with it, nothing would have to be flushed
    if base_url is not None:
        names["MYCIRRUS_BASE_URL"] = base_url
    return {name: value for name, value in (os.environ | names | more).items() if value}


def mycirrus(
    *words: str,
    base_url: str | None = None,
    cwd: Path | None = None,
    typed: str = "",
    **more: str,
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end.

    Args:
        words: What comes after ``mycirrus``.
        base_url: The server.
        cwd: The folder to run in.
        typed: Standard input.
        more: The environment.
    """
    return subprocess.run(
        [MYCIRRUS, *words],
        input=typed,
        env=environment(base_url, **more),
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=2 * PATIENCE,
    )


@dataclass
class Held(Standin):
    """A stand-in that keeps the later requests waiting, until it is let go.

    Attributes:
        after: So many requests are answered at once.
        reached: Set when one more has come.
        released: Set by whoever lets it go.
    """

    after: int = 0
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def handle(self, request: Request) -> Reply:
        """Answer, in time."""
        if len(self.requests) >= self.after:
            self.reached.set()
            self.released.wait(PATIENCE)
        return super().handle(request)
