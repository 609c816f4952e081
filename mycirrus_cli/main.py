"""``mycirrus``: runs a command, reports an error in one line, and returns an exit code."""

import errno
import io
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from types import FrameType
from typing import Any

from .arguments import PASSED_ON, parse
from .echo import discard, echo
from .exits import DONE, FAILED, INTERRUPTED, TERMINATED, CommandError

# Seconds in which a second Ctrl-C counts as the first.
SAME_SIGNAL = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: The words after ``mycirrus``; by default those of the process.

    Returns:
        The exit code, see `exits.EXIT_CODES`.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    _tolerate_environment()
    try:
        with _signals():
            return _run(words)
    except BrokenPipeError:  # `| head` has read enough
        discard("stdout")
        return DONE
    except KeyboardInterrupt as error:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the interpreter's end is not interrupted
        echo("; ".join(["stopped", *_notes(error)]))
        return TERMINATED if isinstance(error, _Terminated) else INTERRUPTED


def _run(words: list[str]) -> int:
    """Run the command, and report an error in one line."""
    options = None
    try:
        try:
            options = parse(words)
            _log_retries(options)
            module = "contract" if options.command in PASSED_ON else options.command
            code = int(import_module(f"mycirrus_cli.{module}").run(options))
        except SystemExit as end:  # of --help and --version
            code = end.code if isinstance(end.code, int) else DONE
        try:
            sys.stdout.flush()
        except OSError:
            if code == DONE:
                raise
            discard("stdout")  # the code of the command says more
        return code  # noqa: TRY300 - the flush is a part of the run
    except BrokenPipeError:
        raise
    except CommandError as error:
        line, code = str(error), error.code
    except Exception as error:  # noqa: BLE001 - no traceback, whatever happens
        line, code = _line_and_code(error, getattr(options, "output", None))
        _print_traceback(options)
    echo(line)
    return code


def _line_and_code(error: Exception, output: str | None) -> tuple[str, int]:
    """Return one line about an error, and its exit code."""
    from cirrus_ext.errors import CirrusError  # noqa: PLC0415 - --help does not wait for the SDK

    from .sdk_errors import exit_code, in_one_line  # noqa: PLC0415 - as above

    if isinstance(error, CirrusError):
        return "; ".join([in_one_line(error), *_notes(error)]), exit_code(error)
    if isinstance(error, OSError):
        discard("stdout")
        name = error.filename or output
        return f"{name}: " * bool(name) + (error.strerror or str(error)), FAILED
    return f"a fault of this program, {type(error).__name__}: {error}; -v shows where", FAILED


class _Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP arrived."""


class _ClosedOutput(io.TextIOBase):
    """Stands for a closed standard output, of which Python makes None."""

    def write(self, text: str) -> int:
        """Refuse it; a ``print`` to None would lose it without an error."""
        del text
        raise OSError(errno.EBADF, "standard output is closed")


def _tolerate_environment() -> None:
    """Replace what the terminal cannot encode, and ignore an invalid width of it."""
    sys.stdout = sys.stdout or _ClosedOutput()
    with suppress(AttributeError):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a TextIOWrapper has it
    for name in ("COLUMNS", "LINES"):
        if not re.fullmatch("[1-9][0-9]{0,4}", os.environ.get(name, "")):
            os.environ.pop(name, None)


def _notes(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", []))


def _log_retries(options: Any) -> None:
    if getattr(options, "verbose", False):
        import logging  # noqa: PLC0415 - seldom needed, and --help must be quick

        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("mycirrus: %(message)s"))
        logger = logging.getLogger("cirrus_ext")
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)


def _print_traceback(options: Any) -> None:
    """Print the traceback of an error, if ``--verbose``."""
    if getattr(options, "verbose", False):
        import traceback  # noqa: PLC0415 - seldom needed, and --help must be quick

        with suppress(OSError):
            traceback.print_exc()


@contextmanager
def _signals() -> Generator[None]:
    """Raise `KeyboardInterrupt` at the first signal; exit at the next one, a second later."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    terminate = _handler(_Terminated, TERMINATED)
    handlers = {"SIGINT": _handler(KeyboardInterrupt, INTERRUPTED)}
    handlers |= {"SIGTERM": terminate, "SIGHUP": terminate}
    numbers = {
        getattr(signal, name): act for name, act in handlers.items() if hasattr(signal, name)
    }
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in numbers.items():
        if before[number] != signal.SIG_IGN:  # as by nohup
            signal.signal(number, handler)
    try:
        yield
    except KeyboardInterrupt:  # the process is about to end
        before.clear()
        raise
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _handler(error: type[KeyboardInterrupt], code: int) -> Callable[[int, FrameType | None], None]:
    """Return a handler that raises an error, and lets the next such signal end the process.

    A signal that arrives together with the first does not count.
    """

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        until = time.monotonic() + SAME_SIGNAL

        def exit_now(*_: object) -> None:
            if time.monotonic() > until:
                os._exit(code)

        signal.signal(number, exit_now)
        raise error

    return handle
