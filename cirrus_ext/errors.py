"""Everything that this package raises.

CirrusError
├─ ConfigurationError(ValueError)      no key, bad settings, closed client: nothing was sent
├─ InvalidRequestError(ValueError)     bad instruments or a bad range: nothing was sent
├─ APIConnectionError                  no complete answer: DNS, refused, reset, TLS, truncated
│  └─ APITimeoutError(TimeoutError)    no complete answer in time
├─ APIStatusError                      an answer with an error status, or a redirect
│  ├─ BadRequestError                  400
│  ├─ AuthenticationError              401
│  ├─ PermissionDeniedError            403
│  ├─ RateLimitError                   429
│  └─ ServerError                      5xx
└─ APIResponseError                    a 2xx whose body does not fit the contract

Every one can be pickled. The API key is in none of them.
"""

from typing import Any, Literal

StopReason = Literal["not_retryable", "attempts", "total_timeout", "retry_after_too_long"]


class CirrusError(Exception):
    """The base of everything that this package raises.

    Attributes:
        attempts: Requests sent before giving up; 0 if nothing was sent.
        elapsed: Seconds the call took. Waiting for a free slot of the client, for the end of a
            cooldown or for the rate is not counted.
        stop_reason: Why there was no further attempt; None if nothing was sent.
        window: The `HistoryWindow` that failed; None outside a history. (Typed as Any, because
            the module of windows needs this one.)
        others: The errors of other windows of an unordered history, which failed meanwhile.
    """

    attempts: int = 0
    elapsed: float = 0.0
    stop_reason: StopReason | None = None
    window: Any = None
    others: "tuple[CirrusError, ...]" = ()

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[CirrusError], args: Any, attributes: dict[str, Any]) -> CirrusError:
    """Restore a pickled error, without the keyword arguments of its class."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(attributes)
    return error


class ConfigurationError(CirrusError, ValueError):
    """The client cannot be made or used as it was set up. Nothing was sent."""


class InvalidRequestError(CirrusError, ValueError):
    """The API would refuse this request, or could misread it. Nothing was sent."""


class APIConnectionError(CirrusError):
    """No complete answer came: the name, the connection or TLS failed, or the answer broke off."""


class APITimeoutError(APIConnectionError, TimeoutError):
    """No complete answer came in time."""


class APIStatusError(CirrusError):
    """The API answered with an error status, or with a redirect (none is followed).

    Attributes:
        status_code: The HTTP status.
        code: ``error`` of the body, if the body is the documented object; the vendor's examples
            are TokenExpired, AccessDenied and TooManyRequests, and others may come.
        description: ``description`` of the body, likewise.
        retry_after: Seconds that the server asked to wait, if it did.
        body: The beginning of the body, as text.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int,
        code: str | None = None,
        description: str | None = None,
        retry_after: float | None = None,
        body: str = "",
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.code = code
        self.description = description
        self.retry_after = retry_after
        self.body = body


class BadRequestError(APIStatusError):
    """400: the API refused the request. That it uses this status is inferred."""


class AuthenticationError(APIStatusError):
    """401: the API does not accept the key, or no longer."""


class PermissionDeniedError(APIStatusError):
    """403: the key lacks the scope, or may not see these instruments."""


class RateLimitError(APIStatusError):
    """429: too many requests, and waiting did not help or would take too long."""


class ServerError(APIStatusError):
    """5xx: the API, or a server in front of it, failed."""


class APIResponseError(CirrusError):
    """The API answered 2xx, but not with what the contract says.

    Attributes:
        status_code: The HTTP status.
        path: Where in the body, as a JSON path: ``$`` is the whole, ``$[3].time`` the time of
            the fourth item.
        body: The beginning of the body, as text.
    """

    def __init__(self, message: str, *, status_code: int, path: str = "$", body: str = "") -> None:
        super().__init__(message)
        self.status_code = status_code
        self.path = path
        self.body = body


_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    429: RateLimitError,
    **dict.fromkeys(range(500, 600), ServerError),
}


def status_error_class(status_code: int) -> type[APIStatusError]:
    """Return the class that stands for a status."""
    return _BY_STATUS.get(status_code, APIStatusError)
