"""Skips tests on Windows, with the reason."""

import sys

import pytest

WINDOWS = sys.platform == "win32"


def not_on_windows(reason: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(WINDOWS, reason=f"not on Windows: {reason}")


def skip_on_windows(reason: str) -> None:
    if WINDOWS:
        pytest.skip(f"not on Windows: {reason}")
