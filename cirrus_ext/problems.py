"""What the errors of httpx and of the layers below it mean: can another attempt succeed?"""

import re
import ssl
from collections.abc import Generator
from contextlib import contextmanager

import httpx

from . import bodies, deadline
from .call import Call, Problem
from .errors import ConfigurationError
from .retry import RETRYABLE_STATUSES

_CERTIFICATE_HINT = (
    "; if your network has a certificate authority of its own, set SSL_CERT_FILE to its PEM file"
)


@contextmanager
def translate_errors() -> Generator[None]:
    """Raise ConfigurationError where httpx refuses to make a client, by one of many errors."""
    try:
        yield
    except (ImportError, OSError, ValueError, httpx.InvalidURL) as error:
        # The text about an address may contain the password of a proxy.
        cause = error if isinstance(error, ImportError | OSError) else None
        reason = f"{type(error).__name__}: {error}" if cause else "an address is invalid"
        raise ConfigurationError(
            f"no HTTP client can be made: {reason}; look at base_url, at verify, and at the proxy "
            "and certificate variables of the environment"
        ) from cause


@contextmanager
def record_problems(call: Call) -> Generator[None]:
    """Set the problem of a call where there is no response: from httpx, or its time is over."""
    try:
        yield
    except RuntimeError:
        call.check_wanted()  # httpx refuses to send when the client was closed meanwhile
        raise
    except (httpx.RequestError, OSError, UnicodeError) as error:
        if isinstance(error, httpx.RequestError):
            bodies.strip_request(error, call)
        reason = str(error) or ("total_timeout is over" if isinstance(error, TimeoutError) else "")
        if isinstance(_root_of(error), ssl.SSLCertVerificationError):
            reason += _CERTIFICATE_HINT
        call.problem = Problem(
            f"{type(error).__name__}: {reason}".removesuffix(": "),
            cause=error,
            timed_out=isinstance(error, httpx.TimeoutException | TimeoutError),
            transient=_is_transient(error),
        )


def _is_transient(error: Exception) -> bool:
    """Return whether another attempt could succeed."""
    if not isinstance(error, httpx.TransportError | OSError):
        return False
    if isinstance(error, httpx.ProxyError) and (status := re.match(r"\d{3}\b", str(error))):
        return int(status[0]) in RETRYABLE_STATUSES  # what the proxy answered to CONNECT
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return False
    root = _root_of(error)
    if type(root) is ssl.SSLError and isinstance(error, httpx.ConnectError):
        # Both sides do not speak the same TLS. (Where a connection breaks, it is a subclass.)
        return root.reason == "TLSV1_ALERT_INTERNAL_ERROR"
    return not isinstance(root, ssl.SSLCertVerificationError)


def _root_of(error: Exception) -> BaseException | None:
    """Return what happened below the HTTP libraries."""
    link: BaseException | None = error
    while isinstance(link, httpx.HTTPError | deadline.HTTPCORE_ERRORS):
        link = link.__cause__ or link.__context__
    return link
