"""``mycirrus contract`` and ``mycirrus standin``: programs of the extra ``contract``."""

import argparse
from importlib import import_module
from typing import cast

from .arguments import Parser, parser
from .exits import MissingExtraError

PROGRAMS = {"contract": "mycirrus_contract.live", "standin": "mycirrus_contract.standin"}


def run(options: argparse.Namespace) -> int:
    """Run the program with its arguments as they are.

    Returns:
        Its exit code.

    Raises:
        MissingExtraError: A package of the extra is not installed.
    """
    package = PROGRAMS[options.command]
    import_module(f"{package}.arguments").parser().parse_args(options.words)
    try:
        program = import_module(f"{package}.command")
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"mycirrus {options.command}", package=str(error.name), extra="contract"
        ) from error
    return int(program.main(options.words))


def whole_parser() -> Parser:
    """The command line with the options of these programs."""
    command = parser()
    commands = cast("dict[str, argparse.ArgumentParser]", command.commands)
    for name, package in PROGRAMS.items():
        commands[name] = import_module(f"{package}.arguments").parser()
    return command
