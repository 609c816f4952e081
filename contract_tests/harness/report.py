"""Shows findings to people."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .probe import Exchange
from .verdicts import Finding, Verdict

STYLES = {
    Verdict.HOLDS: "green",
    Verdict.DRIFT: "yellow",
    Verdict.BROKEN: "bold red",
    Verdict.UNDECIDED: "cyan",
    Verdict.NOT_ASKED: "dim",
}


def print_findings(console: Console, findings: list[Finding], exchanges: list[Exchange]) -> None:
    """Print a row per promise, what to do, and what it cost."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("promise", "verdict", "because"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        style = STYLES[finding.verdict]
        table.add_row(finding.promise, f"[{style}]{finding.verdict}[/]", escape(finding.because))
    console.print(table)
    for advice in dict.fromkeys(finding.advice for finding in findings if finding.advice):
        console.print(f"What to do: {advice}.", highlight=False)
    seconds = sum(exchange.seconds for exchange in exchanges)
    count = f"{len(exchanges)} request{'' if len(exchanges) == 1 else 's'}"
    console.print(f"{count}, {seconds:.2f} s of answers.", style="dim")
