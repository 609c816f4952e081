"""Compares clients that take turns: A B C, B C A, C A B, ... so that all meet the same noise."""

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
    """Where the values of all rounds lie.

    Attributes:
        low: The lower quartile.
        median: The middle.
        high: The upper quartile.
        count: How many there are.
    """

    low: float
    median: float
    high: float
    count: int


def spread_of(values: list[float]) -> Spread:
    """The quartiles of some values; of fewer than four the least, the middle and the greatest."""
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
    """Let every contender do its work once a round, another one first in each.

    Args:
        contenders: The works by name.
        rounds: How often.
        measure: Gives what is to be compared of a work; else the seconds that it takes.
        warm_up: Whether there is one round more before, that does not count.

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
    """The seconds that a work takes, with no garbage of the last one about."""
    gc.collect()
    began = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - began
    del result  # not sooner: to free it is not part of the work
    return seconds


def seconds_a_request(work: Callable[[], int]) -> float:
    """The seconds that a work takes for each of the requests that it says it made."""
    began = time.perf_counter()
    requests = work()
    return (time.perf_counter() - began) / requests


def times_as_fast(values: Mapping[str, list[float]], peer: str, ours: str = OURS) -> list[float]:
    """For each round the peer's seconds over ours: 2.0 says that ours took half the time."""
    return [theirs / own for own, theirs in zip(values[ours], values[peer], strict=True)]


def more_than(values: Mapping[str, list[float]], base: str, ours: str = OURS) -> list[float]:
    """For each round what ours has over the base."""
    return [own - theirs for own, theirs in zip(values[ours], values[base], strict=True)]
