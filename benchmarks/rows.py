"""The rows of the table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from .measure import OURS, Spread, spread_of, times_as_fast
from .server import Served

Unit = Literal["times as fast", "ms more", "MB more", "requests more", "% of the answers"]


@dataclass(frozen=True)
class Target:
    sign: Literal["≥", "≤"]
    bound: float

    def is_met_by(self, value: float) -> bool:
        return value >= self.bound if self.sign == "≥" else value <= self.bound


@dataclass(frozen=True)
class Row:
    """The SDK beside one peer.

    Attributes:
        work: The name of the work.
        beside: The peer.
        values: One for each round; empty if it was not measured.
        unit: The unit of the values.
        target: What the median should be, if anything.
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
        return spread_of(self.values) if self.values else None

    @property
    def verdict(self) -> str:
        if self.spread is None:
            return f"not measured: {self.missing}"
        if self.target is None:
            return ""
        return "met" if self.target.is_met_by(self.spread.median) else "missed"


def rows_of(
    work: str, values: Mapping[str, list[float]], targets: Mapping[str, Target]
) -> list[Row]:
    """A row for each peer, from the seconds of each round."""
    return [
        Row(work, peer, times_as_fast(values, peer), target=targets.get(peer))
        for peer in values
        if peer != OURS
    ]


def share_of(ideal: float, seconds: list[float]) -> list[float]:
    return [ideal / one for one in seconds]


@dataclass(frozen=True)
class Bench:
    """What all works share.

    Attributes:
        served: The server.
        no_rival: Why OpenAPI Generator's client cannot be measured; empty if it can.
        quick: Whether two rounds are enough, to try it out.
    """

    served: Served
    no_rival: str = ""
    quick: bool = False

    def rounds(self, usual: int) -> int:
        return min(usual, 2) if self.quick else usual


@dataclass(frozen=True)
class Work:
    """Something that the SDK and its peers do.

    Attributes:
        name: For the command line.
        title: For the table.
        run: Measures it and returns the rows; its docstring says what is done and counted.
        explanation: What a profile shows; for a missed target.
    """

    name: str
    title: str
    run: Callable[[Bench], list[Row]]
    explanation: str = ""

    @property
    def definition(self) -> str:
        """The docstring of `run` as one paragraph."""
        return " ".join((self.run.__doc__ or "").split())
