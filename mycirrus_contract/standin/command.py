"""``mycirrus standin``: serve the stand-in until Ctrl-C, for a client in any language."""

import threading
from contextlib import ExitStack

from .adapters import Standin, serve, standin_of
from .arguments import parser
from .rules import BASE_PATH, DEMO_KEY, KEY_WITHOUT_SCOPE, ROUTES, without_route


def main(arguments: list[str] | None = None) -> int:
    """Serve until Ctrl-C.

    Returns:
        The exit code: 0 stopped, 2 bad usage.
    """
    command = parser()
    options = vars(command.parse_args(arguments))
    port, faults = options.pop("port"), options.pop("fault")
    try:
        standin = standin_of(faults, options)
    except ValueError as error:
        command.error(str(error))
    try:
        with ExitStack() as stack:
            try:
                base_url = stack.enter_context(serve(standin, port))
            except OSError as error:
                command.error(f"port {port} cannot be used: {error.strerror}")
            _introduce(standin, base_url)
            threading.Event().wait()
    except KeyboardInterrupt:
        print(f"\nStopped after {len(standin.requests)} requests.", flush=True)
    return 0


def _introduce(standin: Standin, base_url: str) -> None:
    serials = standin.serials
    address = f"{base_url}/data/calibrations/log"
    query = (
        f"instruments={serials[0]}&instruments={serials[1]}"
        "&start=2022-01-01T00%3A00%3A00Z&end=2023-01-01T00%3A00%3A00Z"
    )
    print(f"A stand-in for the MyCirrus API is at {base_url}")
    print(f"instruments        {' '.join(serials)}")
    print(f"key                {DEMO_KEY}")
    print(f"key without scope  {KEY_WITHOUT_SCOPE}")
    for path, route in ROUTES.items():
        print(f"route              {BASE_PATH}{path}, scope {route.scope}")
    for operation in without_route():
        print(f"no route           {operation}: in the contract, but answered with 501 here")
    print("\nFor the SDK:")
    print(
        f"  export MYCIRRUS_BASE_URL={base_url} MYCIRRUS_API_KEY={DEMO_KEY} "
        f"MYCIRRUS_INSTRUMENTS={serials[0]},{serials[1]}"
    )
    print("For anything else:")
    print(f"  curl -H 'X-Api-Key: {DEMO_KEY}' '{address}?{query}'\n")
    print("Ctrl-C stops it.", flush=True)
