"""The benchmarks measure in rotation, and calculate what the table says."""

import pytest

from benchmarks.measure import OURS, more_than, spread_of, take_turns, times_as_fast
from benchmarks.rows import Row, Target


def test_each_round_starts_with_another_contender_after_one_that_is_not_measured() -> None:
    """Otherwise the first one would always meet a cold machine."""
    order: list[str] = []
    works = {name: lambda name=name: order.append(name) for name in "abc"}
    values = take_turns(works, rounds=3)

    assert "".join(order) == "abc" + "abcbcacab"
    assert {name: len(seconds) for name, seconds in values.items()} == {"a": 3, "b": 3, "c": 3}


def test_half_the_seconds_are_twice_as_fast_and_a_difference_is_ours_less_theirs() -> None:
    values = {OURS: [1.0, 2.0], "peer": [2.0, 4.0]}

    assert times_as_fast(values, "peer") == [2.0, 2.0]
    assert more_than(values, "peer") == [-1.0, -2.0]


def test_a_spread_is_the_quartiles_or_for_two_values_both_of_them() -> None:
    five, two = spread_of([5.0, 1.0, 4.0, 2.0, 3.0]), spread_of([1.0, 2.0])

    assert (five.low, five.median, five.high) == (2.0, 3.0, 4.0)
    assert (two.low, two.median, two.high) == (1.0, 1.5, 2.0)


@pytest.mark.parametrize(
    ("values", "target", "verdict"),
    [
        ([0.9], Target("≥", 0.9), "met"),
        ([0.89], Target("≥", 0.9), "missed"),
        ([5.0], Target("≤", 5), "met"),
        ([5.1], Target("≤", 5), "missed"),
        ([0.1, 0.95, 0.96], Target("≥", 0.9), "met"),
        ([0.1], None, ""),
        ([], Target("≥", 0.9), "not measured: needs Java"),
    ],
)
def test_a_verdict_is_about_the_median(
    values: list[float], target: Target | None, verdict: str
) -> None:
    """The bound itself is met; a row without values is not missed."""
    assert Row("work", "peer", values, target=target, missing="needs Java").verdict == verdict
