"""``make demo``: fetch a history from a stand-in of the API on a loopback socket.

It fetches three years of two instruments with the SDK, with a 429 and a 503 among the answers, and
then checks the contract of the same stand-in.
"""

import sys
import time
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from cirrus_ext import CalibrationRecord, CirrusClient, RetryEvent, plan_history
from cirrus_ext.ranges import LONGEST_WINDOW
from cirrus_ext.settings import Secret
from mycirrus_contract.live.command import Target, run
from mycirrus_contract.standin.adapters import Standin, serve, stay_on_loopback
from mycirrus_contract.standin.rules import DEMO_KEY

INSTRUMENTS = ["QT123456", "QT234567"]
START, END = "2021-01-01T00:00:00Z", "2024-01-01T00:00:00Z"
FAULTS = {2: "429-wait-1", 6: "503-html"}  # by the number of the request


def main() -> int:
    """Run the demo.

    Returns:
        The exit code: that of the contract check, or 130 after Ctrl-C.
    """
    console = Console(highlight=False)
    stay_on_loopback()
    try:
        with serve(Standin(script=FAULTS)) as base_url:
            console.print(f"A stand-in for the MyCirrus API is up at {base_url}.\n")
            fetch(console, base_url)
            console.print("\n[bold]Does it keep its contract?[/]\n")
            end = datetime.now(UTC).replace(microsecond=0)
            start = end - LONGEST_WINDOW
            return run(
                console,
                Target(
                    base_url,
                    Secret(DEMO_KEY),
                    INSTRUMENTS,
                    start,
                    end,
                    interval=0,
                    shows_questions=False,  # the answers of a stand-in say nothing about the API
                ),
            )
    except KeyboardInterrupt:
        console.print("\nStopped.")
        return 130


def fetch(console: Console, base_url: str) -> None:
    """Fetch the history and print it, and each retry at once."""

    def print_retry(event: RetryEvent) -> None:
        console.print(
            f"  attempt {event.attempt} of {event.window.instrument if event.window else '?'}: "
            f"[yellow]{event.reason}[/]; trying again in {event.wait:.1f} s"
        )

    planned = len(plan_history(INSTRUMENTS, start=START, end=END))
    console.print(
        f"[bold]The calibration history of {' and '.join(INSTRUMENTS)}, {START[:4]} to "
        f"{END[:4]}:[/] {planned} requests: one may span a year, "
        "less the milliseconds to spare at its ends."
    )
    began = time.monotonic()
    with CirrusClient(DEMO_KEY, base_url=base_url, on_event=print_retry) as client:
        records = list(client.calibration_history(INSTRUMENTS, start=START, end=END))
    console.print(_table(records))
    console.print(f"{len(records)} records in {time.monotonic() - began:.1f} s.")


def _table(records: list[CalibrationRecord]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("instrument", "time (UTC)", "user", "message"):
        table.add_column(heading, overflow="fold")
    for record in records:
        time_text = record.time.strftime("%Y-%m-%d %H:%M")
        table.add_row(record.instrument, time_text, record.user, record.message)
    return table


if __name__ == "__main__":
    sys.exit(main())
