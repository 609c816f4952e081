"""Writes ``RESULTS.md`` and ``results.svg``."""

import os
import platform
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .rows import Row, Work

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOLDER = Path(__file__).parent
PEERS = (
    "httpx",
    "attrs",
    "httpx-retries",
    "msgspec",
    "openapi-generator-cli",
    "urllib3",
    "pydantic",
)
PAGE = """\
# Results

Written by `make bench` on {day}, in {minutes:.1f} minutes, on {machine}.
{versions}.

{short}

Client and server are two processes on loopback. Each round runs all clients and starts with another
one, so that all meet the same noise. Each round yields one ratio or one difference; the table has
the median of all rounds, and the quartiles. *2 times as fast* means: in half the time. The table
has no absolute times, because they would say more about the machine.

![Ratios and targets](results.svg)

The dot is the median, the line spans the quartiles, the bar is the target; a hollow dot misses it.

| work | beside | cirrus_ext | quartiles | target | |
|---|---|--:|--:|--:|---|
"""


@dataclass(frozen=True)
class Results:
    works: list[Work]
    rows: list[Row]
    day: date
    seconds: float

    @property
    def missed(self) -> list[Row]:
        return [row for row in self.rows if row.verdict == "missed"]


def write(results: Results) -> None:
    (FOLDER / "RESULTS.md").write_text(markdown(results), encoding="utf-8")
    draw(results, FOLDER / "results.svg")


def value_of(row: Row) -> str:
    """The median with its unit: ``0.93 times as fast``."""
    if row.spread is None:
        return "-"
    median = row.spread.median
    if median < 0:
        return f"{number(-median, row)} {row.unit.replace('more', 'less')}"
    return f"{number(median, row)} {row.unit}"


def number(value: float, row: Row) -> str:
    if row.unit == "times as fast":
        return f"{value:.2f}"
    return f"{value:.0f}" if row.unit == "requests more" else f"{value:.1f}"


def spread_of_row(row: Row) -> str:
    if row.spread is None or row.spread.count == 1:
        return ""
    return f"{number(row.spread.low, row)} to {number(row.spread.high, row)}"


def target_of(row: Row) -> str:
    return "" if row.target is None else f"{row.target.sign} {row.target.bound:g}"


def markdown(results: Results) -> str:
    """The text of ``RESULTS.md``."""
    titles = {work.name: work.title for work in results.works}
    lines = PAGE.format(
        day=results.day.isoformat(),
        minutes=results.seconds / 60,
        machine=machine(),
        versions=versions(),
        short="\n".join(f"- {line}" for line in in_short(results.rows)),
    ).splitlines()
    lines += [
        f"| {titles[row.work]} | {row.beside} | {value_of(row)} | {spread_of_row(row)} "
        f"| {target_of(row)} | {row.verdict} |"
        for row in results.rows
    ]
    lines += ["", "## What is done", ""]
    lines += [f"- **{work.title}.** {work.definition}" for work in results.works]
    lines += _misses(results)
    return "\n".join(lines) + "\n"


def in_short(rows: list[Row]) -> list[str]:
    """The numbers that docs/histories.md quotes, as far as they were measured."""
    medians = {(row.work, row.beside): row.spread.median for row in rows if row.spread}
    sentences = {
        ("history", "a loop"): "The SDK fetches a history of 600 requests, each answered after "
        "50 ms, {:.1f} times as fast as a loop over the generated client.",
        ("big-answer", "raw generated client"): "It checks and parses an answer of 100,000 items "
        "{:.1f} times as fast as the generated client, which checks nothing.",
        ("limited-history", "429s met by cirrus_ext"): "If a server accepts 20 requests a second, "
        "{:.1f} % of its answers are 429.",
    }
    return [text.format(medians[key]) for key, text in sentences.items() if key in medians]


def _misses(results: Results) -> list[str]:
    if not results.missed:
        return []
    lines = ["", "## What missed its target", ""]
    for work in results.works:
        beside = [row.beside for row in results.missed if row.work == work.name]
        if beside:
            why = " ".join(work.explanation.split()) or "Not explained yet."
            lines.append(f"- **{work.title}**, beside {', '.join(beside)}. {why}")
    return lines


def machine() -> str:
    return f"{os.cpu_count()} cores of {_processor()}, Python {platform.python_version()}"


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def versions() -> str:
    return "With " + ", ".join(f"{name} {version(name)}" for name in PEERS)


def draw(results: Results, path: Path) -> None:
    """Draw the ratios with their targets: equal results have equal bytes."""
    import matplotlib as mpl  # noqa: PLC0415 - only a complete run draws

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after `use`

    titles = {work.name: work.title for work in results.works}
    rows = [row for row in results.rows if row.spread and row.unit == "times as fast"]
    style: Any = {"svg.hashsalt": "mycirrus", "svg.fonttype": "none", "font.size": 9}
    with plt.rc_context(style):
        figure, axes = plt.subplots(figsize=(8.5, 0.33 * len(rows) + 1.1), layout="constrained")
        for place, row in enumerate(reversed(rows)):
            _draw_row(axes, place, row)
        axes.axvline(1, color="0.6", linewidth=0.8, zorder=0)
        axes.set_yticks(
            range(len(rows)), [f"{titles[row.work]}: {row.beside}" for row in reversed(rows)]
        )
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel("cirrus_ext is so many times as fast as ...")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.grid(axis="y", color="0.92")
        axes.set_axisbelow(True)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def _draw_row(axes: "Axes", place: int, row: Row) -> None:
    spread = row.spread
    if spread is None:
        return
    axes.plot([spread.low, spread.high], [place, place], color="0.25", linewidth=2)
    filling = "white" if row.verdict == "missed" else "0.25"
    axes.plot(spread.median, place, "o", color="0.25", markerfacecolor=filling, markersize=6)
    axes.annotate(
        f"{spread.median:.2f}", (1.02, place), xycoords=("axes fraction", "data"), va="center"
    )
    if row.target is not None:
        axes.plot(row.target.bound, place, "|", color="black", markersize=13, markeredgewidth=2)
