"""The calibration log of MyCirrus instruments: what a generator cannot know about it.

Rules for ranges, retries, typed errors, and histories in which each record has its instrument.

    >>> from cirrus_ext import CirrusClient

Not here: the typed client, which is generated (``mycirrus_client``), and the command
(``mycirrus_cli``).
"""

from mycirrus_client.models import CalibrationLogItem

from .calibration_log import CalibrationRecord
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
from .retry import RetryEvent, RetryPolicy
from .version import __version__

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
