"""The exit codes, and the errors of the command itself."""

from collections.abc import Generator
from contextlib import contextmanager

DONE, FAILED, BAD_USAGE, UNREACHABLE, OVERDUE, CHANGED = range(6)
INTERRUPTED, TERMINATED = 130, 143

EXIT_CODES = {
    DONE: "done",
    FAILED: "the API refused or failed, the output could not be written, an archive does not "
    "fit its chain, or doctor found a fault",
    BAD_USAGE: "bad usage; nothing was sent",
    UNREACHABLE: "throttled or unreachable, or the archive is in use: try again later",
    OVERDUE: "done, and an instrument is over --max-gap (report only)",
    CHANGED: "done, and entries were changed, are missing or are no longer seen (sync only)",
    INTERRUPTED: "stopped by Ctrl-C",
    TERMINATED: "stopped by the system",
}


class CommandError(Exception):
    """An error of the command itself, in one line, with its exit code."""

    def __init__(self, message: str, code: int = BAD_USAGE) -> None:
        super().__init__(message)
        self.code = code


class MissingExtraError(CommandError):
    """A part of the command needs a package that is not installed."""

    def __init__(self, what: str, *, package: str, extra: str, otherwise: str = "") -> None:
        install = f"pip install '.[{extra}]' in a checkout of the project"
        super().__init__(f"{what} needs {package}: {install}{otherwise}")
        self.package = package


@contextmanager
def extra(what: str, *, package: str, name: str, otherwise: str = "") -> Generator[None]:
    """Import a package of an extra in the block.

    Args:
        what: The feature that needs it.
        package: The package.
        name: The extra.
        otherwise: What to do without it.

    Raises:
        MissingExtraError: The package is not installed.
        ModuleNotFoundError: It lacks another package.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        missing = MissingExtraError(what, package=package, extra=name, otherwise=otherwise)
        raise missing from None
