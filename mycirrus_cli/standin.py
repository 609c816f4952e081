"""``mycirrus standin``."""

from .contract import run

__all__ = ["run"]
