"""Runs the ``mycirrus`` command, in this process or in one of its own."""

import io
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any, cast
from unittest import mock

import httpx

from cirrus_ext import CirrusClient
from mycirrus_cli.main import main
from mycirrus_contract.messages import Reply, Request
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.rules import DEMO_KEY
from tests.support.clock import FakeClock
from tests.support.windows import skip_on_windows

MYCIRRUS = str(Path(sys.executable).with_name("mycirrus"))
FLEET = ("QT123456", "QT234567", "QT345678")
# Twelve windows: four for each instrument.
YEARS = ("--start", "2019-01-01", "--end", "2022-06-01")
WINDOWS = 12
# A log that is written, and the number of its lines.
LOG = ("log", "QT123456", *YEARS, "--format", "csv")
LINES = 42
# Seconds after which a test that waits for another process or thread fails.
TIMEOUT = 60.0
# An address where nothing listens.
NOWHERE = "http://127.0.0.1:9/v1"

SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


def environment(base_url: str | None = None, **variables: str) -> dict[str, str]:
    """The environment of a command: a key, a server, and a terminal of a known width.

    An empty text removes a variable.
    """
    names = {"MYCIRRUS_API_KEY": DEMO_KEY, "COLUMNS": "80", "LC_ALL": "C.UTF-8", "TERM": "xterm"}
    # With PYTHONUNBUFFERED, a missing flush would not be noticed.
    names |= dict.fromkeys(("PYTHONUNBUFFERED", "FORCE_COLOR", "NO_COLOR", "PYTHON_COLORS"), "")
    if base_url is not None:
        names["MYCIRRUS_BASE_URL"] = base_url
    return {name: value for name, value in (os.environ | names | variables).items() if value}


class _Stream(io.TextIOWrapper):
    def __init__(self, encoding: str, *, tty: bool, errors: str, line_buffering: bool) -> None:
        self.received = io.BytesIO()
        self._tty = tty
        # A buffer in between, so that only what was flushed is received.
        buffer = io.BufferedWriter(cast("io.RawIOBase", self.received))
        super().__init__(buffer, encoding, errors, line_buffering=line_buffering)

    def isatty(self) -> bool:
        return self._tty


def run_main(
    program: Callable[[], int | None],
    environ: Mapping[str, str],
    *,
    cwd: Path | None = None,
    typed: str | bytes = "",
    tty: bool = False,
    encoding: str = "utf-8",
) -> subprocess.CompletedProcess[str]:
    """Run a main function in this process, with streams, folder and environment of its own.

    Only what the program flushes before it returns is in the result.

    Args:
        program: The function, with its arguments bound.
        environ: The whole environment.
        cwd: The folder to run in.
        typed: Standard input.
        tty: Standard output and stderr are a terminal, and not pipes.
        encoding: Of all streams.
    """
    stdout = _Stream(encoding, tty=tty, errors="strict", line_buffering=tty)
    stderr = _Stream(encoding, tty=tty, errors="backslashreplace", line_buffering=True)
    stdin = io.TextIOWrapper(
        io.BytesIO(typed.encode(encoding) if isinstance(typed, str) else typed), encoding
    )
    code: object
    with ExitStack() as stack:
        stack.enter_context(_global_state_restored())
        stack.enter_context(mock.patch.dict(os.environ, environ, clear=True))
        for name, stream in {"stdin": stdin, "stdout": stdout, "stderr": stderr}.items():
            stack.enter_context(mock.patch.object(sys, name, stream))
        if cwd is not None:
            stack.enter_context(chdir(cwd))
        try:
            code = program()
        except SystemExit as error:
            code = error.code
        texts = [stream.received.getvalue().decode(encoding) for stream in (stdout, stderr)]
    assert code is None or isinstance(code, int)
    return subprocess.CompletedProcess("", code or 0, *texts)


@contextmanager
def _global_state_restored() -> Iterator[None]:
    """Restore the handlers of signals and of the logger, which ``main`` changes."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    logger = logging.getLogger("cirrus_ext")
    level, before = logger.level, list(logger.handlers)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        logger.setLevel(level)
        logger.handlers[:] = before


@contextmanager
def client_defaults(**options: object) -> Iterator[None]:
    """Change the default arguments of each new client."""
    with mock.patch.dict(cast("dict[str, object]", CirrusClient.__init__.__kwdefaults__), options):
        yield


def mycirrus(
    *words: str,
    standin: Standin | None = None,
    base_url: str | None = None,
    cwd: Path | None = None,
    typed: str | bytes = "",
    tty: bool = False,
    encoding: str = "utf-8",
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run the command in this process; no retry waits.

    Args:
        words: The arguments of ``mycirrus``.
        standin: The server, without a socket; a new one if neither it nor `base_url` is given.
        base_url: The server, if it is on a socket.
        cwd, typed, tty, encoding: As for `run_main`.
        variables: The environment, besides that of `environment`.
    """
    defaults: dict[str, object] = {"_clock": FakeClock().clock()}
    if base_url is None:
        defaults["transport"] = _transport(Standin() if standin is None else standin)
    with client_defaults(**defaults):
        return run_main(
            lambda: main(words),
            environment(base_url or NOWHERE, **variables),
            cwd=cwd,
            typed=typed,
            tty=tty,
            encoding=encoding,
        )


def refused(*words: str, cwd: Path | None = None, **options: Any) -> str:
    """Run a command that has to refuse its arguments, send nothing and write nothing.

    Returns:
        Its one line on stderr, without the name of the command.
    """
    before = sorted(cwd.iterdir()) if cwd else []
    done = mycirrus(*words, standin=(standin := Standin()), cwd=cwd, **options)
    assert (done.returncode, done.stdout, standin.requests) == (2, "", []), done.stderr
    assert sorted(cwd.iterdir() if cwd else []) == before
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.removeprefix("mycirrus: ")


def _transport(standin: Standin) -> httpx.MockTransport:
    """The stand-in without a socket, and with a Date header."""

    def handle(request: httpx.Request) -> httpx.Response:
        reply = standin.handle(Request.of(request))
        headers = {"Date": format_datetime(datetime.now(UTC), usegmt=True), **reply.headers}
        return httpx.Response(reply.status, headers=headers, content=reply.body)

    return httpx.MockTransport(handle)


def mycirrus_process(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command as a process, to its end, with the options of `started`."""
    with started(*words, **options) as process:
        out, err = process.communicate(timeout=TIMEOUT)
    out = b"" if out is None else out
    return subprocess.CompletedProcess("", process.returncode, out.decode(), err.decode())


@contextmanager
def started(
    *words: str,
    script: str = 'exec "$@"',
    stdout: int = subprocess.PIPE,
    base_url: str = NOWHERE,
    **variables: str,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Start the command as a process, and kill it at the end of the block if it still runs.

    Args:
        words: The arguments of ``mycirrus``.
        script: The script of bash, in which ``"$@"`` is the command.
        stdout: A file descriptor.
        base_url: The server.
        variables: The environment, besides that of `environment`.
    """
    skip_on_windows("bash starts the command, and signals stop it")
    with subprocess.Popen(
        ["bash", "-c", script, "bash", MYCIRRUS, *words],  # noqa: S607 - whichever bash there is
        env=environment(base_url, **variables),
        bufsize=0,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@dataclass
class BlockingServer(Standin):
    """A stand-in that answers the first requests, and blocks the others until it is released.

    Attributes:
        after: How many requests are answered at once.
        reached: Set when another one has arrived.
        released: Set by the test.
    """

    after: int = 0
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def handle(self, request: Request) -> Reply:
        if len(self.requests) >= self.after:
            self.reached.set()
            self.released.wait(TIMEOUT)
        return super().handle(request)
