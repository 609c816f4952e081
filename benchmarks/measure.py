"""Measures clients in rotation: A B C, B C A, C A B, ... so that all meet the same noise."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Work = Callable[[], Any]
OURS = "cirrus_ext"


@dataclass(frozen=True)
class Spread:
    """The quartiles and the median of the values of all rounds."""

    low: float
    median: float
    high: float
    count: int


def spread_of(values: list[float]) -> Spread:
    """The quartiles; of fewer than four values the least, the median and the greatest."""
    if len(values) < 4:
        return Spread(min(values), statistics.median(values), max(values), len(values))
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(low, median, high, len(values))


def take_turns(
    contenders: Mapping[str, Work],
    rounds: int,
    measure: Callable[[Work], float] | None = None,
    *,
    warm_up: bool = True,
) -> dict[str, list[float]]:
    """Run each work once a round; each round starts with another one.

    Args:
        contenders: The works by name.
        rounds: The number of rounds.
        measure: Runs a work and returns its value; default: the seconds that it takes.
        warm_up: Whether each work runs once more before the first round.

    Returns:
        For each name the value of each round.
    """
    measure = measure or seconds_of
    values: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    if warm_up:
        for work in contenders.values():
            measure(work)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            values[name].append(measure(contenders[name]))
    return values


def seconds_of(work: Work) -> float:
    gc.collect()  # the garbage of the work before
    began = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - began
    del result  # after the end: freeing it is not part of the work
    return seconds


def seconds_a_request(work: Callable[[], int]) -> float:
    """Seconds for each request; the work returns the number of its requests."""
    began = time.perf_counter()
    requests = work()
    return (time.perf_counter() - began) / requests


def times_as_fast(values: Mapping[str, list[float]], peer: str, ours: str = OURS) -> list[float]:
    """For each round the peer's seconds divided by ours: 2.0 if ours took half the time."""
    return [theirs / own for own, theirs in zip(values[ours], values[peer], strict=True)]


def more_than(values: Mapping[str, list[float]], base: str, ours: str = OURS) -> list[float]:
    """For each round our value less that of the base."""
    return [own - theirs for own, theirs in zip(values[ours], values[base], strict=True)]
