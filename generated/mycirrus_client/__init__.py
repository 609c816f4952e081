"""A client library for accessing MyCirrus API: calibration log"""

from .client import AuthenticatedClient, Client

__all__ = (
    "AuthenticatedClient",
    "Client",
)
