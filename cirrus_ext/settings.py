"""What a client is made with: checked once, before any I/O."""

import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import urlsplit

from .errors import ConfigurationError
from .retry import RetryEvent, RetryPolicy, check_seconds

DEFAULT_BASE_URL = "https://api.mycirrus.cloud/v1"
DEFAULT_TIMEOUT = 30.0  # seconds
DEFAULT_MAX_CONCURRENCY = 4
API_KEY_VARIABLE = "MYCIRRUS_API_KEY"
BASE_URL_VARIABLE = "MYCIRRUS_BASE_URL"


class Secret:
    """The API key. It shows itself to nobody who does not ask for it by `reveal`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself."""
        return self._value

    def scrub(self, text: str) -> str:
        """The text without the key, should a server have echoed it."""
        return text.replace(self._value, "[API key]")

    def problem(self) -> str | None:
        """Say why it cannot be a key, without showing it; None if it can."""
        value: object = self._value
        if not isinstance(value, str):
            return f"must be a str: {type(value).__name__}"
        if not value:
            return f"is missing: pass api_key, or set {API_KEY_VARIABLE}"
        if not value.isascii() or not value.isprintable() or " " in value:
            return "must be printable ASCII without blanks; look for a line end or a quote too many"
        return None

    def __repr__(self) -> str:
        return "Secret()"

    def __reduce__(self) -> NoReturn:
        raise TypeError("the API key is not pickled")


def find_api_key(given: Secret | None = None) -> Secret:
    """Take the key that was given, else that of the environment.

    It comes and goes as a `Secret`, so that no traceback that shows local variables shows it.

    Raises:
        ConfigurationError: No key, or one that no HTTP header can carry.
    """
    origin = API_KEY_VARIABLE if given is None else "api_key"
    secret = Secret(os.environ.get(API_KEY_VARIABLE, "")) if given is None else given
    if problem := secret.problem():
        raise ConfigurationError(f"{origin} {problem}")
    return secret


def find_base_url(base_url: str | None) -> str:
    """Take the server's address from the argument, else from the environment, else the spec's.

    Raises:
        ConfigurationError: Not an http or https address, or more than an address.
    """
    origin = "base_url" if base_url is not None else BASE_URL_VARIABLE
    if base_url is None:
        base_url = os.environ.get(BASE_URL_VARIABLE) or DEFAULT_BASE_URL
    if not isinstance(base_url, str):
        raise ConfigurationError(f"{origin} must be a str: {base_url!r}")
    try:
        parts = urlsplit(base_url)
        extra = "?" in base_url or "#" in base_url or "@" in parts.netloc
        whole = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 443)
    except ValueError:
        whole, extra = "", False
    if extra:
        # Not shown: what stands there may well be a secret.
        raise ConfigurationError(f"{origin} must have no user, password, query or fragment")
    if not whole or not base_url.isascii() or not base_url.isprintable() or " " in base_url:
        raise ConfigurationError(
            f"{origin} must be an address such as {DEFAULT_BASE_URL}: {base_url!r}"
        )
    return base_url.rstrip("/")


@dataclass(frozen=True)
class Settings:
    """The checked settings of one client."""

    api_key: Secret
    base_url: str
    retry: RetryPolicy
    timeout: float
    max_concurrency: int
    verify: bool | ssl.SSLContext
    on_event: Callable[[RetryEvent], object] | None

    def __post_init__(self) -> None:
        if not isinstance(self.retry, RetryPolicy):
            raise ConfigurationError(f"retry must be a RetryPolicy: {self.retry!r}")
        check_seconds("timeout", self.timeout, above_zero=True)
        workers = self.max_concurrency
        if not isinstance(workers, int) or isinstance(workers, bool) or workers < 1:
            raise ConfigurationError(f"max_concurrency must be a whole number from 1: {workers!r}")
        if not isinstance(self.verify, bool | ssl.SSLContext):
            raise ConfigurationError(
                f"verify must be True, False or an ssl.SSLContext: {self.verify!r}"
            )
        if self.on_event is not None and not callable(self.on_event):
            raise ConfigurationError(f"on_event must be callable: {self.on_event!r}")
