"""``mycirrus``: run a command, say in one line what goes wrong, and end with an exit code."""

import os
import signal
import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from types import FrameType
from typing import Any

from .arguments import parse
from .exits import DONE, FAILED, INTERRUPTED, TERMINATED, CommandError
from .speech import say

# Seconds in which a second Ctrl-C is the same one.
PATIENCE = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: The words after ``mycirrus``; those of the process, if not given.

    Returns:
        The exit code, see `exits.EXIT_CODES`.

    Raises:
        SystemExit: ``--help`` or ``--version`` was asked for, or the words cannot be understood.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    _be_plain()
    try:
        with _signals():
            return _run(words)
    except BrokenPipeError:  # `| head` has what it wanted
        _forget_output()
        return DONE
    except KeyboardInterrupt as error:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Python's own end would die of another one
        say("; ".join(["stopped", *_notes(error)]))
        return TERMINATED if isinstance(error, _Terminated) else INTERRUPTED


def _run(words: list[str]) -> int:
    """Run, and say in one line what goes wrong."""
    options = None
    try:
        options = parse(words)
        _be_verbose(options)
        code = int(import_module(f"mycirrus_cli.{options.command}").run(options))
        _flush()
        return code  # noqa: TRY300 - what follows is for what went wrong
    except SystemExit:  # --help
        _flush()
        raise
    except BrokenPipeError:
        raise
    except CommandError as error:
        line, code = str(error), error.code
    except Exception as error:  # noqa: BLE001 - no traceback, whatever happens
        line, code = _line_and_code(error)
        _explain(options)
    say(line)
    return code


def _line_and_code(error: Exception) -> tuple[str, int]:
    """One line about an error, and the exit code for it."""
    from cirrus_ext.errors import CirrusError  # noqa: PLC0415 - --help does not wait for the SDK

    from .sdk_errors import exit_code, in_one_line  # noqa: PLC0415 - as above

    if isinstance(error, CirrusError):
        return "; ".join([in_one_line(error), *_notes(error)]), exit_code(error)
    if isinstance(error, OSError):
        _forget_output()
        return _of_the_system(error), FAILED
    return f"a fault of this program, {type(error).__name__}: {error}; -v shows where", FAILED


class _Terminated(KeyboardInterrupt):
    """The system has told this process to stop."""


def _be_plain() -> None:
    """Have no text stop the command that the terminal cannot show."""
    with suppress(AttributeError):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # it is a TextIOWrapper, if it is one


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _notes(error: BaseException) -> list[str]:
    return list(getattr(error, "__notes__", []))


def _of_the_system(error: OSError) -> str:
    name = f"{error.filename}: " if error.filename else ""
    return f"{name}{error.strerror or error}"


def _be_verbose(options: Any) -> None:
    if getattr(options, "verbose", False):
        import logging  # noqa: PLC0415 - seldom needed, and --help is in a hurry

        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("mycirrus: %(message)s"))
        logger = logging.getLogger("cirrus_ext")
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)


def _explain(options: Any) -> None:
    """Show where an error comes from, to whom asks for it."""
    if getattr(options, "verbose", False):
        import traceback  # noqa: PLC0415 - seldom needed, and --help is in a hurry

        with suppress(OSError):
            traceback.print_exc()


def _forget_output() -> None:
    """Have Python not try again, at its end, to write what cannot be written."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _signals() -> Generator[None]:
    """Clean up when told to stop; and stop at once when told again, a second later."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    wanted = {"SIGINT": _interrupt, "SIGTERM": _terminate, "SIGHUP": _terminate}
    numbers = {getattr(signal, name): act for name, act in wanted.items() if hasattr(signal, name)}
    before = {number: signal.getsignal(number) for number in numbers}
    for number, act in numbers.items():
        if before[number] != signal.SIG_IGN:  # nohup wants it ignored
            signal.signal(number, act)
    try:
        yield
    except KeyboardInterrupt:  # the rest of this process is its end
        raise
    except BaseException:
        _restore(before)
        raise
    _restore(before)


def _restore(handlers: dict[Any, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del frame
    _leave_at_next(number, INTERRUPTED)
    raise KeyboardInterrupt


def _terminate(number: int, frame: FrameType | None) -> None:
    del frame
    _leave_at_next(number, TERMINATED)
    raise _Terminated


def _leave_at_next(number: int, code: int) -> None:
    """Leave at once at the next such signal; one that comes with the first is part of it."""
    until = time.monotonic() + PATIENCE

    def leave(number: int, frame: FrameType | None) -> None:
        del number, frame
        if time.monotonic() > until:
            os._exit(code)

    signal.signal(number, leave)
