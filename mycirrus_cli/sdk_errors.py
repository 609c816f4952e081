"""Maps an error of the SDK to an exit code and to one line with advice."""

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

from .exits import BAD_USAGE, FAILED, UNREACHABLE

# docs.mycirrus.cloud, guide to authentication.
KEYS_PAGE = "https://mycirrus.cloud/developer-api"

# What to do about an error; the first class that fits counts.
_ADVICE: dict[type[CirrusError], str] = {
    AuthenticationError: f"keys are made at {KEYS_PAGE}",
    PermissionDeniedError: f"scopes are chosen when a key is made, at {KEYS_PAGE}",
    RateLimitError: "try again later",
    ServerError: "the fault is the server's: try again later",
    APIStatusError: "check the serial numbers, the range and --base-url",
    APIConnectionError: "check the network, or ask mycirrus doctor",
    APIResponseError: "what answers is not the API as it is documented: check --base-url",
}


def exit_code(error: CirrusError) -> int:
    """Return the exit code of an error."""
    if isinstance(error, ConfigurationError | InvalidRequestError):
        return BAD_USAGE
    if isinstance(error, RateLimitError | APIConnectionError):
        return UNREACHABLE
    return FAILED


def in_one_line(error: CirrusError) -> str:
    """Return what happened, in which window, and what to do about it."""
    window = error.window
    where = "" if window is None else f"{window.instrument} from {window.start.date()}: "
    advice = next((text for kind, text in _ADVICE.items() if isinstance(error, kind)), "")
    return where + str(error) + (f"; {advice}" if advice else "")
