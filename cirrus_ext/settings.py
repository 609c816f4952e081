"""What a client is made with: checked once, before any I/O."""

import html.entities
import os
import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import NoReturn
from urllib.parse import unquote, urlsplit

from .errors import ConfigurationError
from .ranges import plain
from .retry import RetryEvent, RetryPolicy, check_seconds

DEFAULT_BASE_URL = "https://api.mycirrus.cloud/v1"
DEFAULT_TIMEOUT = 30.0  # seconds
DEFAULT_MAX_CONCURRENCY = 4
MAX_CONCURRENCY = 1000
API_KEY_VARIABLE = "MYCIRRUS_API_KEY"
BASE_URL_VARIABLE = "MYCIRRUS_BASE_URL"

# How many characters a server may write for one of the key; a name of HTML is the longest.
LONGEST_SPELLING = 40


class Secret:
    """The API key. Only `reveal` shows it."""

    __slots__ = ("_pattern", "_value")

    def __init__(self, value: str) -> None:
        self._value = plain(value) if isinstance(value, str) else value
        self._pattern: re.Pattern[str] | None = None

    def reveal(self) -> str:
        """The key itself."""
        return self._value

    def scrub(self, text: str, limit: int | None = None) -> str:
        """Return a text, or its beginning, without the key in any spelling of a server's echo.

        These are as it is, wrapped or not, and escaped for JSON, JavaScript, a URL, HTML or mail.
        """
        if self._pattern is None:
            self._pattern = re.compile(r"(?:=\r?\n)?".join(map(_spellings, self._value)))
        if limit is None:
            return self._pattern.sub("[API key]", text)
        # The key is removed before the text is cut: half a key would not be found.
        spare = LONGEST_SPELLING * len(self._value)
        shown = self._pattern.sub("[API key]", text[: limit + spare])
        return (shown if len(text) <= limit + spare else shown[:-spare])[:limit]

    def problem(self) -> str | None:
        """Return why it is not a valid key, without showing it; None if it is valid."""
        value: object = self._value
        if not isinstance(value, str):
            return f"must be a str: {type(value).__name__}"
        if not value:
            return f"is missing: pass api_key, or set {API_KEY_VARIABLE}"
        if value[0] in "\"'" and value[0] == value[-1]:
            return "must not be in quotes: remove them, or the server gets them as well"
        if not value.isascii() or not value.isprintable() or " " in value:
            return "must be printable ASCII without blanks; look for a line end or an extra quote"
        return None

    def __repr__(self) -> str:
        return "Secret()"

    def __reduce__(self) -> NoReturn:
        raise TypeError("the API key is not pickled")


def _spellings(character: str) -> str:
    """Return a pattern for a character: as it is, or escaped; see `Secret.scrub`."""
    code = ord(character)
    spellings = [
        rf"\\{{1,4}}(?:u00|x)(?i:{code:02x})",
        rf"(?:%(?:25){{0,2}}|=)(?i:{code:02x})",
        rf"&(?:amp;){{0,2}}#0{{0,4}}{code};?",
        rf"&(?:amp;){{0,2}}#[xX]0{{0,4}}(?i:{code:x});?",
    ]
    spellings += [
        rf"&(?:amp;){{0,2}}{re.escape(name)}"
        for name, meaning in html.entities.html5.items()
        if meaning == character
    ]
    spellings.append(rf"\\{{0,4}}{re.escape(character)}")
    return f"(?:{'|'.join(spellings)})"


def find_api_key(given: Secret | None = None) -> Secret:
    """Return the key that was given, else that of the environment.

    It is passed and returned as a `Secret`, so that no traceback that shows local variables shows
    it.

    Raises:
        ConfigurationError: No key, or one that no HTTP header can carry.
    """
    origin = API_KEY_VARIABLE if given is None else "api_key"
    secret = Secret(os.environ.get(API_KEY_VARIABLE, "")) if given is None else given
    if problem := secret.problem():
        raise ConfigurationError(f"{origin} {problem}")
    return secret


def find_base_url(base_url: str | None) -> str:
    """Return the address of the server: argument, else environment, else the spec's.

    Case, the default port and a final slash make no difference.

    Raises:
        ConfigurationError: Not an http or https address, or more than an address.
    """
    origin = "base_url" if base_url is not None else BASE_URL_VARIABLE
    if base_url is None:
        base_url = os.environ.get(BASE_URL_VARIABLE) or DEFAULT_BASE_URL
    if not isinstance(base_url, str):
        raise ConfigurationError(f"{origin} must be a str: {type(base_url).__name__}")
    if {*"@?#"} & {*unquote(base_url)}:
        # Neither parsed nor shown, because it may contain a secret.
        raise ConfigurationError(
            f"{origin} must have no user, password, query or fragment: no @, ? or #"
        )
    try:
        parts = urlsplit(base_url)
        whole = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 443)
        (parts.hostname or "").encode("idna")  # what the look-up of the name does
    except ValueError:
        whole = ""
    if not whole or not base_url.isascii() or not base_url.isprintable() or " " in base_url:
        raise ConfigurationError(
            f"{origin} must be an address such as {DEFAULT_BASE_URL}: {base_url!r}"
        )
    port = {"http": ":80", "https": ":443"}[parts.scheme]
    netloc = parts.netloc.lower().removesuffix(port)
    return parts._replace(netloc=netloc).geturl().rstrip("/")


def is_in_no_proxy(host: str) -> bool:
    """Return whether NO_PROXY names the address of a host, alone or in a network (CIDR)."""
    try:
        address = ip_address(host)
    except ValueError:  # a name, which httpx looks for
        return False
    for entry in (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(","):
        with suppress(ValueError):
            if address in ip_network(entry.strip().strip("[]"), strict=False):
                return True
    return False


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
        if type(workers) is not int or not 1 <= workers <= MAX_CONCURRENCY:
            raise ConfigurationError(
                f"max_concurrency must be a whole number from 1 to {MAX_CONCURRENCY}: {workers!r}"
            )
        if not isinstance(self.verify, bool | ssl.SSLContext):
            raise ConfigurationError(
                f"verify must be True, False or an ssl.SSLContext: {self.verify!r}"
            )
        if self.on_event is not None and not callable(self.on_event):
            raise ConfigurationError(f"on_event must be callable: {self.on_event!r}")
