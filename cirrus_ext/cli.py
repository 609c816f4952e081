"""The ``mycirrus`` command."""

import argparse
from collections.abc import Sequence

from . import __version__


def parser() -> argparse.ArgumentParser:
    """The command line, as ``--help`` shows it."""
    command = argparse.ArgumentParser(
        prog="mycirrus",
        description="Calibration logs of MyCirrus instruments. For now the command tells its "
        "version; the work is done by the Python package cirrus_ext.",
        allow_abbrev=False,
    )
    command.add_argument("--version", action="version", version=f"mycirrus {__version__}")
    return command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Returns:
        The exit code: 0 done, 2 bad usage.
    """
    command = parser()
    command.parse_args(arguments)
    command.print_help()
    return 0
