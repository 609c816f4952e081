"""A program in a terminal: what is typed, and what the screen then shows."""

import os
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pyte

from tests.support.paths import ROOT
from tests.support.windows import skip_on_windows

COLUMNS, LINES = 120, 40
TIMEOUT = 60  # seconds

# Beside the Python that runs the tests, so that a shell finds the command.
BIN = Path(sys.executable).parent


class Terminal:
    """A running program, and its screen.

    Attributes:
        raw: The whole output.
    """

    def __init__(self, process: "pexpect.spawn[str]") -> None:
        self.raw = ""
        self._process = process
        self._screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.Stream(self._screen)

    @property
    def text(self) -> str:
        """The lines of the screen that are not empty."""
        lines = (line.rstrip() for line in self._screen.display)
        return "\n".join(line for line in lines if line)

    @property
    def shows_cursor(self) -> bool:
        return not self._screen.cursor.hidden

    def type(self, text: str) -> None:
        self._process.send(text)

    def wait_until(self, condition: Callable[[str], object]) -> str:
        """Read until the screen meets a condition.

        Raises:
            AssertionError: It does not within `TIMEOUT`, or the program ended before.
        """
        end = time.monotonic() + TIMEOUT
        while not condition(self.text):
            assert self._read(), self.text
            assert time.monotonic() < end, self.text
        return self.text

    def wait_for(self, pattern: str) -> str:
        """Read until a pattern matches the screen."""
        return self.wait_until(lambda text: re.search(pattern, text, re.MULTILINE))

    def to_the_end(self) -> int:
        """Read to the end of the output.

        Returns:
            The exit code, or minus the number of the signal.
        """
        while self._read():
            pass
        self._process.close()
        code = self._process.exitstatus
        return -int(self._process.signalstatus or 0) if code is None else int(code)

    def _read(self) -> bool:
        """Read some output; return False at its end, or if there is none within `TIMEOUT`."""
        try:
            text = self._process.read_nonblocking(4096, timeout=TIMEOUT)
        except (pexpect.EOF, pexpect.TIMEOUT):
            return False
        self.raw += text
        self._stream.feed(text)
        return True


@contextmanager
def terminal(words: Sequence[str], cwd: Path = ROOT, /, **environment: str) -> Iterator[Terminal]:
    """Start a program in a terminal, and end it with the block.

    Args:
        words: The program and its arguments.
        cwd: The folder to run in.
        environment: Variables besides those of this process; an empty text unsets one.
    """
    skip_on_windows("a terminal is a pseudo-terminal of POSIX")
    known = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "TERM": "xterm"}
    size = {"COLUMNS": "", "LINES": ""}  # the size is that of the terminal
    seen = {name: text for name, text in (known | size | environment).items() if text}
    # The fork becomes another program at once, so the threads of this process are not missed.
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", ".* is multi-threaded, use of forkpty", DeprecationWarning
        )
        process = pexpect.spawn(
            words[0],
            list(words[1:]),
            cwd=str(cwd),
            env=seen,
            encoding="utf-8",
            dimensions=(LINES, COLUMNS),
            timeout=TIMEOUT,
        )
    process.delaybeforesend = None
    try:
        yield Terminal(process)
    finally:
        process.close(force=True)
