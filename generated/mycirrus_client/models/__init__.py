"""Contains all the data models used in inputs/outputs"""

from .calibration_log_item import CalibrationLogItem
from .error_body import ErrorBody

__all__ = (
    "CalibrationLogItem",
    "ErrorBody",
)
