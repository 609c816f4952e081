"""Record a terminal in which the command is used, as ``docs/terminal.svg``.

Used by ``make recording``. The real command runs in a real shell, against the stand-in on loopback;
what the screen shows, and when, becomes one SVG that moves by CSS alone. What is shown depends on
no day; how long it takes is as it was.
"""

import math
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

import pexpect
import pyte

from mycirrus_contract.messages import Reply, Request
from mycirrus_contract.standin.adapters import Standin, serve, stay_on_loopback
from mycirrus_contract.standin.rules import DEMO_KEY

FILE = Path(__file__).with_name("terminal.svg")
TITLE = "mycirrus in a terminal"
DESCRIPTION = (
    "A calibration log is shown as a table, with a note that another instrument has no entry. "
    "A long fetch of six instruments into fleet.csv waits when the server asks for it, is stopped "
    "with Ctrl-C, and goes on where it was when the same command is given again."
)

# Of each command the lines as they are typed.
SHORT = ("mycirrus log QT123456 QT999999 --start 2025-01-01 --end 2025-07-01",)
LONG = (
    "mycirrus log --instruments-file fleet.txt --start 2018-01-01 --end 2026-01-01 \\",
    "--output fleet.csv --resume",
)
LOOK = ("head -3 fleet.csv",)
COMMANDS = (SHORT, LONG, LONG, LOOK)
INSTRUMENTS = ("QT123456", "QT234567", "QT345678", "QT456789", "QT567890", "QT678901")

COLUMNS, LINES = 92, 28
PROMPT = "$ "
STOP = "\x03"
SHORTEST = 0.05  # seconds; nobody sees a frame that is shorter
LAST = 5.0  # seconds; how long the end stays
LONGEST_WAIT = 30.0  # seconds, for a command to end

# The 12th request is the tenth of the long fetch.
ON_THE_WAY = {12: "429-wait-1"}
SECONDS_AN_ANSWER = 0.08
STOPPED_AT = 24  # requests


class Unhurried(Standin):
    """A stand-in that takes its time, so that a progress can be seen."""

    def handle(self, request: Request) -> Reply:
        """Answer after a while."""
        time.sleep(SECONDS_AN_ANSWER)
        return super().handle(request)


# --- what the screen shows


@dataclass(frozen=True)
class Run:
    """A piece of a line that looks the same from one end to the other.

    Attributes:
        column: Where it begins.
        text: What it says.
        style: The classes of the SVG that it has.
    """

    column: int
    text: str
    style: str


# The runs of a line, and the column of the cursor, if that is in it.
Line = tuple[tuple[Run, ...], int | None]


@dataclass
class Recorder:
    """A shell in a terminal, and what its screen showed when.

    Attributes:
        frames: Seconds from the start, and the lines of the screen from then on.
    """

    process: "pexpect.spawn[str]"
    frames: list[tuple[float, list[Line]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with an empty screen."""
        self._screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.Stream(self._screen)
        self._began = time.monotonic()

    def play(self) -> None:
        """Use the command as a person would."""
        self._to_the_prompt()
        self._began = time.monotonic()
        self._keep()
        self._rest(1.0)
        self._do(SHORT, rest=4.0)
        self._enter(LONG)
        self._wait_until(lambda lines: _requests_done(lines) >= STOPPED_AT)
        self.process.send(STOP)
        self._to_the_prompt()
        self._rest(2.5)
        self._do(LONG, rest=1.5)
        self._do(LOOK, rest=0.5)

    def _do(self, lines: tuple[str, ...], *, rest: float) -> None:
        self._enter(lines)
        self._to_the_prompt()
        self._rest(rest)

    def _enter(self, lines: tuple[str, ...]) -> None:
        for line in lines:
            for begin in range(0, len(line), 3):
                self.process.send(line[begin : begin + 3])
                self._rest(0.09)
            self._rest(0.4)
            self.process.send("\r")
            self._rest(0.1)

    def _to_the_prompt(self) -> None:
        self._wait_until(lambda lines: lines[self._screen.cursor.y] == PROMPT.strip())

    def _wait_until(self, condition: Callable[[list[str]], bool]) -> None:
        end = time.monotonic() + LONGEST_WAIT
        while not condition(self._lines()):
            self._read(end)

    def _rest(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._read(math.inf)

    def _read(self, end: float) -> None:
        if time.monotonic() > end:
            raise TimeoutError("\n".join(self._lines()))
        try:
            self._stream.feed(self.process.read_nonblocking(65_536, timeout=0.02))
        except pexpect.TIMEOUT:
            return
        self._keep()

    def _lines(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

    def _keep(self) -> None:
        self.frames.append((time.monotonic() - self._began, [self._line(y) for y in range(LINES)]))

    def _line(self, y: int) -> Line:
        row = self._screen.buffer[y]
        cells = [(x, row[x].data, _style(row[x])) for x in range(COLUMNS)]
        runs = []
        for style, group in groupby(cells, key=lambda cell: cell[2]):
            same = list(group)
            text = "".join(data for _, data, _ in same)
            if text.strip():
                lead = len(text) - len(text.lstrip())
                runs.append(Run(same[0][0] + lead, text.strip(), style))
        cursor = self._screen.cursor
        return tuple(runs), cursor.x if cursor.y == y and not cursor.hidden else None


def _requests_done(lines: list[str]) -> int:
    found = re.search(r"^(\d+) of \d+ requests", "\n".join(lines), re.MULTILINE)
    return int(found[1]) if found else 0


def _style(cell: pyte.screens.Char) -> str:
    names = [f"c-{cell.fg}"] if cell.fg != "default" else []
    return " ".join(names + (["bold"] if cell.bold else []))


# --- the SVG

CELL, HEIGHT, SIZE = 8.4, 19, 14  # px: a character, a line, the font
LEFT, TOP = 18, 50
WIDTH = round(2 * LEFT + COLUMNS * CELL)
WHOLE = TOP + LINES * HEIGHT + 14
COLOURS = {
    "black": "#6b7684",
    "red": "#f47067",
    "green": "#7ee787",
    "brown": "#e3b341",
    "blue": "#79c0ff",
    "magenta": "#d2a8ff",
    "cyan": "#76e3ea",
    "white": "#f0f6fc",
}


@dataclass(frozen=True)
class Shown:
    """A line at its place, for a while.

    Attributes:
        since: Seconds.
        until: Seconds; None for the end of the recording.
        y: The number of the line.
        line: What is in it.
    """

    since: float
    until: float | None
    y: int
    line: Line


def thinned(frames: list[tuple[float, list[Line]]]) -> list[tuple[float, list[Line]]]:
    """The frames that last long enough to be seen."""
    later = [when for when, _ in frames[1:]] + [math.inf]
    return [frame for frame, then in zip(frames, later, strict=True) if then - frame[0] >= SHORTEST]


def shown(frames: list[tuple[float, list[Line]]]) -> Iterator[Shown]:
    """Each line that there was, once for as long as it stayed."""
    for y in range(LINES):
        states = [(when, lines[y]) for when, lines in frames]
        kept = [next(same) for _, same in groupby(states, key=lambda state: state[1])]
        ends: list[float | None] = [when for when, _ in kept[1:]]
        for (since, line), until in zip(kept, [*ends, None], strict=True):
            if line != ((), None):
                yield Shown(since, until, y, line)


def svg(frames: list[tuple[float, list[Line]]]) -> str:
    """The whole picture."""
    frames = thinned(frames)
    whole = frames[-1][0] + LAST
    pieces = sorted(shown(frames), key=lambda piece: (piece.since, piece.y))
    spans = {span: f"t{n}" for n, span in enumerate(dict.fromkeys(map(_span, pieces)))}
    return "\n".join(
        [
            _root(),
            f'<title id="title">{TITLE}</title>',
            f'<desc id="what">{escape(DESCRIPTION)}</desc>',
            "<style>",
            *_styles(pieces, whole),
            *(_keyframes(name, span, whole) for span, name in spans.items()),
            "</style>",
            *_window(),
            *(_drawn(piece, spans[_span(piece)]) for piece in pieces),
            "</svg>",
            "",
        ]
    )


def _root() -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {WHOLE}" '
        f'width="{WIDTH}" height="{WHOLE}" role="img" aria-labelledby="title what" '
        'xml:space="preserve">'
    )


def _span(piece: Shown) -> tuple[float, float | None]:
    return piece.since, piece.until


def _styles(pieces: Iterable[Shown], whole: float) -> Iterator[str]:
    yield f"text{{font:{SIZE}px ui-monospace,monospace;fill:#c9d1d9;white-space:pre}}"
    yield ".bold{font-weight:bold}.cursor{fill:#8b949e}"
    names = {name for piece in pieces for run in piece.line[0] for name in run.style.split()}
    for name in sorted(names - {"bold"}):
        colour = name.removeprefix("c-")
        yield f".{name}{{fill:{COLOURS.get(colour.removeprefix('bright'), '#' + colour)}}}"
    yield f".l{{visibility:hidden;animation:{whole:.2f}s step-end infinite}}"
    yield ".end{visibility:visible}"
    yield "@media (prefers-reduced-motion:reduce){.l{animation:none!important}}"


def _keyframes(name: str, span: tuple[float, float | None], whole: float) -> str:
    since, until = (f"{100 * (moment or 0) / whole:.2f}%" for moment in span)
    before = "" if since == "0.00%" else "0%{visibility:hidden}"
    after = "" if span[1] is None else f"{until}{{visibility:hidden}}"
    last = "to{visibility:visible}" if span[1] is None else "to{visibility:hidden}"
    rule = f"{before}{since}{{visibility:visible}}{after}{last}"
    return f"@keyframes {name}{{{rule}}}.{name}{{animation-name:{name}}}"


def _window() -> Iterator[str]:
    yield f'<rect width="{WIDTH}" height="{WHOLE}" rx="10" fill="#0d1117"/>'
    for x, colour in ((22, "#ff5f57"), (42, "#febc2e"), (62, "#28c840")):
        yield f'<circle cx="{x}" cy="20" r="6" fill="{colour}"/>'


def _drawn(piece: Shown, name: str) -> str:
    runs, cursor = piece.line
    base = TOP + piece.y * HEIGHT
    end = " end" if piece.until is None else ""
    parts = [_text(run) for run in runs]
    text = f'<text y="{base}">{"".join(parts)}</text>' if parts else ""
    block = ""
    if cursor is not None:
        x = _px(LEFT + cursor * CELL)
        block = f'<rect class="cursor" x="{x}" y="{base - 13}" width="8" height="17"/>'
    return f'<g class="l {name}{end}">{block}{text}</g>'


def _text(run: Run) -> str:
    style = f' class="{run.style}"' if run.style else ""
    x, length = _px(LEFT + run.column * CELL), _px(len(run.text) * CELL)
    return f'<tspan x="{x}" textLength="{length}"{style}>{escape(run.text)}</tspan>'


def _px(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


# --- the program


def main() -> int:
    """Record.

    Returns:
        The exit code.
    """
    stay_on_loopback()
    with (
        tempfile.TemporaryDirectory() as folder,
        serve(Unhurried(script=dict(ON_THE_WAY))) as base_url,
    ):
        Path(folder, "fleet.txt").write_text("\n".join(INSTRUMENTS) + "\n", encoding="utf-8")
        Path(folder, ".inputrc").write_text("set enable-bracketed-paste off\n", encoding="utf-8")
        recorder = Recorder(shell(folder, base_url))
        try:
            recorder.play()
        finally:
            recorder.process.close(force=True)
    FILE.write_text(svg(recorder.frames), encoding="utf-8", newline="\n")
    print(f"{FILE.name}: {FILE.stat().st_size:,} bytes, {recorder.frames[-1][0]:.0f} s")
    return 0


def shell(folder: str, base_url: str) -> "pexpect.spawn[str]":
    """A shell that knows the key, and nothing of who records."""
    environment = {
        "HOME": folder,
        "INPUTRC": f"{folder}/.inputrc",
        "LANG": "C.UTF-8",
        "MYCIRRUS_API_KEY": DEMO_KEY,
        "MYCIRRUS_BASE_URL": base_url,
        "NO_PROXY": "*",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PS1": PROMPT,
        "TERM": "xterm-256color",
    }
    return pexpect.spawn(
        "bash",
        ["--norc", "--noprofile", "-i"],
        cwd=folder,
        env=environment,
        encoding="utf-8",
        dimensions=(LINES, COLUMNS),
    )


if __name__ == "__main__":
    sys.exit(main())
