"""``make scorecard``: what the SDK does about each fault that a network or a server can have.

The faults and the promises are in ``faults.py``; ``test_scorecard.py`` tests each of them.
"""

import sys

from rich.console import Console
from rich.table import Table

from tests.sdk.faults import COMPARED, ROWS, Row


def is_kept(one: Row, client_kind: str) -> bool:
    """Whether a promise is kept."""
    try:
        one.check(client_kind)
    except Exception:  # noqa: BLE001 - whatever it is, the promise is not kept
        return False
    return True


def main() -> int:
    """Check every row with both clients, and print them.

    Returns:
        The exit code: 0 if every promise is kept, else 1.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("", "fault", "promise", "sync", "async"):
        table.add_column(heading, overflow="fold")
    kept: list[Row] = []
    for one in ROWS:
        marks = [is_kept(one, client_kind) for client_kind in ("sync", "async")]
        kept += [one] if all(marks) else []
        shown = [
            "[green]\N{CHECK MARK}[/]" if mark else "[bold red]\N{BALLOT X}[/]" for mark in marks
        ]
        table.add_row(str(one.number), one.fault, one.promise, *shown)
    console = Console(highlight=False)
    console.print(table)
    compared = sum(one.number <= COMPARED for one in kept)
    console.print(
        f"{compared}/{COMPARED} of the field's comparison, {len(kept)}/{len(ROWS)} in all."
    )
    return 0 if kept == ROWS else 1


if __name__ == "__main__":
    sys.exit(main())
