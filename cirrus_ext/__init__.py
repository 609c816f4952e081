"""What a generator cannot know about the MyCirrus calibration log.

``mycirrus_client`` is what openapi-python-client wrote. This package adds the rules for ranges,
retries, typed errors and the instrument of each record.

    >>> from cirrus_ext import CirrusClient

The names below are loaded at first use, so that ``mycirrus --help`` does not wait for httpx.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mycirrus_client.models import CalibrationLogItem

    from .client import AsyncCirrusClient, CirrusClient
    from .errors import (
        APIConnectionError,
        APIResponseError,
        APIStatusError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        CirrusError,
        ConfigurationError,
        InvalidRequestError,
        PermissionDeniedError,
        RateLimitError,
        ServerError,
    )
    from .ranges import HistoryWindow, plan_history
    from .records import CalibrationRecord
    from .retry import RetryEvent, RetryPolicy

__version__ = "0.1.0"

__all__ = [
    "APIConnectionError",
    "APIResponseError",
    "APIStatusError",
    "APITimeoutError",
    "AsyncCirrusClient",
    "AuthenticationError",
    "BadRequestError",
    "CalibrationLogItem",
    "CalibrationRecord",
    "CirrusClient",
    "CirrusError",
    "ConfigurationError",
    "HistoryWindow",
    "InvalidRequestError",
    "PermissionDeniedError",
    "RateLimitError",
    "RetryEvent",
    "RetryPolicy",
    "ServerError",
    "__version__",
    "plan_history",
]

_HOMES = {
    "mycirrus_client.models": ["CalibrationLogItem"],
    "cirrus_ext.client": ["AsyncCirrusClient", "CirrusClient"],
    "cirrus_ext.ranges": ["HistoryWindow", "plan_history"],
    "cirrus_ext.records": ["CalibrationRecord"],
    "cirrus_ext.retry": ["RetryEvent", "RetryPolicy"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF.get(name, "cirrus_ext.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
