"""How a run can end: its exit code, and the line that says why and what to do about it."""

import textwrap

from cirrus_ext.errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    AuthenticationError,
    CirrusError,
    ConfigurationError,
    InvalidRequestError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)

DONE, FAILED, BAD_USAGE, UNREACHABLE, OVERDUE = 0, 1, 2, 3, 4
INTERRUPTED, TERMINATED = 130, 143

EXIT_CODES = {
    DONE: "done, or the reader of the output had enough",
    FAILED: "the API refused or failed, the output could not be written, or doctor found "
    "something to mend",
    BAD_USAGE: "bad usage; nothing was sent",
    UNREACHABLE: "throttled or unreachable: try again later",
    OVERDUE: "done, and an instrument is over --max-gap (report only)",
    INTERRUPTED: "stopped by Ctrl-C",
    TERMINATED: "stopped by the system",
}

# docs.mycirrus.cloud, guide to authentication.
KEYS_PAGE = "https://mycirrus.cloud/developer-api"

# The first that fits: what to do about an error.
_ADVICE: dict[type[CirrusError], str] = {
    AuthenticationError: f"keys are made at {KEYS_PAGE}",
    PermissionDeniedError: f"scopes are chosen when a key is made, at {KEYS_PAGE}",
    RateLimitError: "try again later",
    ServerError: "the fault is the server's: try again later",
    APIStatusError: "check the serial numbers, the range and --base-url",
    APIConnectionError: "check the network, or ask mycirrus doctor",
    APIResponseError: "what answers is not the API as it is documented: check --base-url",
}


class CommandError(Exception):
    """Why the command cannot do what it was asked to, in one line, with the exit code."""

    def __init__(self, message: str, code: int = BAD_USAGE) -> None:
        super().__init__(message)
        self.code = code


class MissingExtraError(CommandError):
    """A part of the command needs a package that is not installed."""

    def __init__(self, what: str, *, package: str, extra: str, otherwise: str = "") -> None:
        super().__init__(f"{what} needs {package}: pip install 'mycirrus-sdk[{extra}]'{otherwise}")
        self.package = package


def exit_codes() -> str:
    """The list for ``--help``."""
    lines = [
        textwrap.fill(
            text,
            78,
            initial_indent=f"  {code:<5}",
            subsequent_indent=" " * 7,
            break_on_hyphens=False,
        )
        for code, text in EXIT_CODES.items()
    ]
    return "exit codes:\n" + "\n".join(lines)


def exit_code(error: CirrusError) -> int:
    """The exit code that stands for an error of the SDK."""
    if isinstance(error, ConfigurationError | InvalidRequestError):
        return BAD_USAGE
    if isinstance(error, RateLimitError | APIConnectionError):
        return UNREACHABLE
    return FAILED


def in_one_line(error: CirrusError) -> str:
    """What happened, where, and what to do about it."""
    window = error.window
    where = "" if window is None else f"{window.instrument} from {window.start.date()}: "
    advice = _advice(error)
    return where + str(error) + (f"; {advice}" if advice else "")


def _advice(error: CirrusError) -> str:
    return next((advice for kind, advice in _ADVICE.items() if isinstance(error, kind)), "")
