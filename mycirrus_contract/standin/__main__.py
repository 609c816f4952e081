"""``make standin``: serve the stand-in until Ctrl-C, for a client in any language."""

import argparse
import dataclasses
import sys
import threading
from typing import Any, Literal, get_args, get_origin

from .adapters import Standin, demo_world, serve
from .faults import FAULTS, parse_script
from .rules import DEMO_KEY, KEY_WITHOUT_SCOPE, Switches

LAST_PORT = 65_535


def parser() -> argparse.ArgumentParser:
    """The command line; every switch is an option."""
    command = argparse.ArgumentParser(
        prog="python -m mycirrus_contract.standin",
        description="A stand-in for the MyCirrus API on loopback: the calibration log of a small "
        "fleet, made up.",
        allow_abbrev=False,
    )
    command.add_argument("--port", type=int, default=0, help="default: any free one")
    command.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME@N",
        help=f"what the Nth request for the log gets instead; NAME is one of {', '.join(FAULTS)}",
    )
    group = command.add_argument_group(
        "switches", "what the vendor's page leaves open; see openapi/questions.yaml"
    )
    for switch in dataclasses.fields(Switches):
        group.add_argument("--" + switch.name.replace("_", "-"), **_kind_of(switch))
    return command


def _kind_of(switch: "dataclasses.Field[Any]") -> dict[str, Any]:
    """How argparse reads a switch."""
    shown = {"default": switch.default, "help": "default: %(default)s"}
    if switch.type is bool:
        return {"action": argparse.BooleanOptionalAction, **shown}
    if get_origin(switch.type) is Literal:
        return {"choices": get_args(switch.type), **shown}
    return {"type": int, "metavar": "N", **shown}


def main(arguments: list[str] | None = None) -> int:
    """Serve until Ctrl-C.

    Returns:
        The exit code: 0 stopped, 2 bad usage.
    """
    command = parser()
    options = vars(command.parse_args(arguments))
    try:
        script = parse_script(options.pop("fault"))
    except ValueError as error:
        command.error(str(error))
    port = options.pop("port")
    if not 0 <= port <= LAST_PORT:
        command.error(f"port {port} cannot be had: there are 0 to {LAST_PORT}")
    world = dataclasses.replace(demo_world(), switches=Switches(**options))
    standin = Standin(world, script)
    try:
        with serve(standin, port) as base_url:
            _introduce(standin, base_url)
            threading.Event().wait()
    except KeyboardInterrupt:
        print(f"\nStopped after {len(standin.requests)} requests.", flush=True)
    except OSError as error:
        command.error(f"port {port} cannot be had: {error.strerror}")
    return 0


def _introduce(standin: Standin, base_url: str) -> None:
    serials = sorted({entry.instrument for entry in standin.world.entries})
    address = f"{base_url}/data/calibrations/log"
    question = (
        f"instruments={serials[0]}&instruments={serials[1]}"
        "&start=2022-01-01T00%3A00%3A00Z&end=2023-01-01T00%3A00%3A00Z"
    )
    print(f"A stand-in for the MyCirrus API is at {base_url}")
    print(f"instruments        {' '.join(serials)}")
    print(f"key                {DEMO_KEY}")
    print(f"key without scope  {KEY_WITHOUT_SCOPE}")
    print("\nFor the SDK:")
    print(
        f"  export MYCIRRUS_BASE_URL={base_url} MYCIRRUS_API_KEY={DEMO_KEY} "
        f"MYCIRRUS_INSTRUMENTS={serials[0]},{serials[1]}"
    )
    print("For anything else:")
    print(f"  curl -H 'X-Api-Key: {DEMO_KEY}' '{address}?{question}'\n")
    print("Ctrl-C stops it.", flush=True)


if __name__ == "__main__":
    sys.exit(main())
