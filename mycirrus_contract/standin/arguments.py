"""The command line of ``mycirrus standin``. It imports no package of the extra."""

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any, Literal, get_args, get_origin

from mycirrus_contract.arguments import Parser

from .faults import FAULTS
from .switches import Switches


def parser() -> Parser:
    """The command line; each switch is an option."""
    command = Parser(
        "mycirrus standin",
        "Serve a stand-in for the MyCirrus API on loopback until Ctrl-C, with the log of\n"
        "a made-up fleet. It prints its address, its key and its instruments.",
        "The exit code is 0 after Ctrl-C, and 2 for bad usage.",
    )
    command.add_argument(
        "--port", type=_from(0, 65_535), default=0, metavar="N", help="default: any free one"
    )
    command.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME@N",
        help="a faulty reply to the Nth request for the log; can be repeated; NAME is one of "
        f"{', '.join(FAULTS)}",
    )
    group = command.add_argument_group("what the vendor's page leaves open")
    for switch in dataclasses.fields(Switches):
        group.add_argument("--" + switch.name.replace("_", "-"), **_kind_of(switch))
    return command


def _kind_of(switch: "dataclasses.Field[Any]") -> dict[str, Any]:
    """How argparse reads a switch."""
    text, default = switch.metadata["help"], switch.default
    shown = {"default": default, "help": text if default is None else f"{text}; default: {default}"}
    if switch.type is bool:
        shown["help"] = f"{text}; default: {'yes' if default else 'no'}"
        return {"action": argparse.BooleanOptionalAction, **shown}
    if get_origin(switch.type) is Literal:
        return {"choices": get_args(switch.type), **shown}
    number = _from(400, 599) if switch.name.endswith("_status") else _from(0, 9)
    return {"type": number, "metavar": "N", **shown}


def _from(least: int, most: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"must be from {least} to {most}: {text}")
        return int(text)

    return number
