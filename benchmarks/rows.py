"""What a line of the table is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from .measure import OURS, Spread, spread_of, times_as_fast

Unit = Literal["times as fast", "ms more", "MB more", "requests more", "% of the answers"]


@dataclass(frozen=True)
class Target:
    """What a value should be: at least a bound, or at most."""

    sign: Literal["≥", "≤"]
    bound: float

    def is_met_by(self, value: float) -> bool:
        """Whether a value is as it should be."""
        return value >= self.bound if self.sign == "≥" else value <= self.bound


@dataclass(frozen=True)
class Row:
    """A line of the table: the SDK beside one peer.

    Attributes:
        work: The name of the work.
        beside: What the SDK is compared with.
        values: One for each round; none if it was not measured.
        unit: What the values are.
        target: What was aimed at, if anything.
        missing: Why it was not measured.
    """

    work: str
    beside: str
    values: list[float]
    unit: Unit = "times as fast"
    target: Target | None = None
    missing: str = ""

    @property
    def spread(self) -> Spread | None:
        """Where the values lie."""
        return spread_of(self.values) if self.values else None

    @property
    def verdict(self) -> str:
        """Whether the median is what was aimed at."""
        if self.spread is None:
            return f"not measured: {self.missing}"
        if self.target is None:
            return ""
        return "met" if self.target.is_met_by(self.spread.median) else "missed"


def rows_of(
    work: str, values: Mapping[str, list[float]], targets: Mapping[str, Target]
) -> list[Row]:
    """The SDK beside each of its peers, by the seconds of each round."""
    return [
        Row(work, peer, times_as_fast(values, peer), target=targets.get(peer))
        for peer in values
        if peer != OURS
    ]


@dataclass(frozen=True)
class Work:
    """Something that all do.

    Attributes:
        name: For the command line.
        title: For the table.
        run: Does it, and gives the rows; its docstring says what is done and counted.
        explanation: What a profile shows, for when a target is missed.
    """

    name: str
    title: str
    run: Callable[..., list[Row]]
    explanation: str = ""

    @property
    def definition(self) -> str:
        """What exactly is done and counted, in one paragraph."""
        return " ".join((self.run.__doc__ or "").split())
