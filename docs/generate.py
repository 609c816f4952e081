"""Write ``docs/cli.md`` from the command's help, and two pictures from what it shows and writes."""

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from mycirrus_cli.contract import whole_parser
from mycirrus_contract.standin.adapters import Standin, serve
from mycirrus_contract.standin.rules import DEMO_KEY

DOCS = Path(__file__).parent
TYPED = [
    "mycirrus log QT123456 QT999999 --start 2025-01-01 --end 2025-07-01",
    "mycirrus log QT123456 --strat 2018-01-01",
    "mycirrus log QT123456 QT234567 --start 2018-01-01 --end 2026-01-01 --output fleet.csv",
    "head -3 fleet.csv",
]
REPORT = (
    "mycirrus report QT123456 QT234567 QT345678 QT999999 --start 2022-01-01 --end 2026-01-01 "
    "--max-gap 80d --quiet --output -"
)
WIDTH = 96
# Without the fonts of another host.
SVG = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)


def reference() -> str:
    """Return the help of each command as a page."""
    command = whole_parser()
    with mock.patch.dict(os.environ, {"COLUMNS": "80", "NO_COLOR": "1"}):
        sections = [
            f"## {one.prog}\n\n```text\n{one.format_help()}```\n"
            for one in (command, *command.commands.values())
        ]
    return "\n".join(["# The command `mycirrus`\n\n<!-- Written by `make docs`. -->\n", *sections])


def terminal() -> str:
    """Return a picture of a terminal in which the command is used with the stand-in."""
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, _environ={}
    )
    for line, output in zip(TYPED, _outputs(TYPED), strict=True):
        console.print(Text("$ ", "green"), Text(line, "bold"), sep="")
        console.print(Text.from_ansi(output))
    picture = console.export_svg(title="mycirrus", code_format=SVG, unique_id="mycirrus")
    return "\n".join(line.rstrip() for line in picture.splitlines()) + "\n"


def _outputs(lines: list[str]) -> list[str]:
    """Run lines of bash, one after the other in a new folder, with the stand-in as the server."""
    with tempfile.TemporaryDirectory() as folder, serve(Standin()) as url:
        environment = {
            "COLUMNS": str(WIDTH),
            "FORCE_COLOR": "1",
            "LC_ALL": "C.UTF-8",
            "MYCIRRUS_API_KEY": DEMO_KEY,
            "MYCIRRUS_BASE_URL": url,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "TERM": "xterm-256color",
        }
        return [
            subprocess.run(
                ["bash", "-c", line],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=60,
            ).stdout
            for line in lines
        ]


def report() -> str:
    """Return a picture of the top of a report: its HTML, made XML, inside an SVG."""
    (html,) = _outputs([REPORT])
    xhtml = re.sub(r"<((?:meta|br|col|hr|wbr)\b[^>]*)>", r"<\1/>", html.partition("<html")[2])
    xhtml = re.sub(r"http://127\.0\.0\.1:\d+", "https://api.example.invalid", xhtml)
    xhtml = re.sub(r"Created <time .*?</time>", "Created 2026-01-01T00:00:00Z", xhtml)
    xhtml = xhtml.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="900" height="620">\n'
        '<foreignObject width="900" height="620">\n'
        f'<html xmlns="http://www.w3.org/1999/xhtml"{xhtml.rstrip()}\n</foreignObject>\n</svg>\n'
    )


FILES = {"cli.md": reference, "report.svg": report, "terminal.svg": terminal}

if __name__ == "__main__":
    for name, content in FILES.items():
        (DOCS / name).write_text(content(), encoding="utf-8", newline="\n")
