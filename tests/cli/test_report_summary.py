"""The longest gap is the longest, whoever counts: ends of the range, ties, half-open edges."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus_ext import CalibrationRecord
from mycirrus_cli.report.summary import Gap, InstrumentSummary, in_days, is_over, summarise

START = datetime(2023, 1, 1, tzinfo=UTC)
END = datetime(2023, 1, 31, tzinfo=UTC)
DAY = timedelta(days=1)


def entry(day: float, user: str | None = "U", instrument: str = "QT1") -> CalibrationRecord:
    """An entry so many days after the start."""
    return CalibrationRecord(instrument, START + day * DAY, user, "M")


def summary_of(*days: float) -> InstrumentSummary:
    """A month of an instrument with entries on these days."""
    return summarise("QT1", [entry(day) for day in days], start=START, end=END)


@pytest.mark.parametrize(
    ("days", "first", "last"),
    [
        ((), 0, 30),
        ((20,), 0, 20),
        ((10,), 10, 30),
        ((5, 25), 5, 25),
        ((0, 29), 0, 29),
        ((25, 5, 8), 8, 25),
        ((15,), 0, 15),
        ((10, 20), 0, 10),
        ((0, 10, 20), 0, 10),
        ((10, 10, 10), 10, 30),
    ],
    ids=str,
)
def test_the_longest_gap_is_the_earliest_of_the_longest_in_the_range(
    days: tuple[int, ...], first: int, last: int
) -> None:
    """The ends of the range bound gaps too; without entries it is the whole range."""
    gap = summary_of(*days).longest_gap

    assert gap == Gap(START + first * DAY, START + last * DAY)
    assert gap.length == (last - first) * DAY


@given(st.lists(st.integers(0, 29)))
def test_no_stretch_without_an_entry_is_longer_than_the_longest_gap(days: list[int]) -> None:
    """Day by day: the longest run of days after which there is no entry."""
    gap = summary_of(*days).longest_gap
    edges = [0, *sorted(days), 30]
    taken = {START + day * DAY for day in days}

    assert gap.length == max(later - earlier for earlier, later in pairwise(edges)) * DAY
    assert not any(gap.start < moment < gap.end for moment in taken)


def test_the_range_is_half_open_and_other_instruments_do_not_count() -> None:
    """An entry at its start belongs to it, one at its end does not."""
    records = [
        entry(0),
        entry(30),
        entry(-1),
        entry(31),
        entry(5, instrument="QT2"),
    ]
    summary = summarise("QT1", records, start=START, end=END)

    assert summary.times == (START,)
    assert summary.by_user == (("U", 1),)
    assert summary.longest_gap == Gap(START, END)


def test_times_are_sorted_in_utc_and_equal_ones_all_count() -> None:
    """Whatever zone they, or the range, are given in."""
    zone = timezone(timedelta(hours=-8))
    moments = [START + 3 * DAY, START + DAY, START + DAY]
    records = [CalibrationRecord("QT1", one.astimezone(zone), None, None) for one in moments]
    summary = summarise("QT1", records, start=START.astimezone(zone), end=END.astimezone(zone))

    assert summary.times == (START + DAY, START + DAY, START + 3 * DAY)
    assert {moment.tzinfo for moment in summary.times} == {UTC}
    assert summary.longest_gap.end.tzinfo is UTC
    assert summary.entries == 3
    assert (summary.first, summary.last) == (START + DAY, START + 3 * DAY)
    assert summary.since_last == 27 * DAY


def test_without_entries_there_is_no_first_no_last_and_nothing_since() -> None:
    """And nobody made any."""
    summary = summary_of()

    assert (summary.entries, summary.first, summary.last, summary.since_last) == (
        *(0, None, None),
        None,
    )
    assert summary.by_user == ()


def test_users_come_by_entries_then_by_name_and_no_user_is_not_a_blank_one() -> None:
    """None before all names."""
    users = ["b", "a", "c", "c", None, "", "a", "b"]
    summary = summarise("QT1", [entry(1, user) for user in users], start=START, end=END)

    assert summary.by_user == (("a", 2), ("b", 2), ("c", 2), (None, 1), ("", 1))


@pytest.mark.parametrize(
    ("max_gap", "expected"),
    [
        (20 * DAY, False),
        (20 * DAY - timedelta.resolution, True),
        (20 * DAY + timedelta.resolution, False),
        (timedelta(), True),
        (None, False),
    ],
)
def test_a_gap_is_over_only_if_it_is_longer(max_gap: timedelta | None, *, expected: bool) -> None:
    """One of exactly the allowed length is not, and without a limit none is."""
    assert is_over(summary_of(10), max_gap) == expected


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(), "less than 1 hour"),
        (timedelta(minutes=59, seconds=59), "less than 1 hour"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(hours=5, minutes=59), "5 hours"),
        (timedelta(days=1), "24 hours"),
        (timedelta(hours=47, minutes=59), "47 hours"),
        (timedelta(days=2), "2 days"),
        (timedelta(days=412, hours=23), "412 days"),
        (timedelta(days=3652), "3,652 days"),
    ],
)
def test_a_length_in_words_never_says_more_than_there_was(length: timedelta, words: str) -> None:
    """Whole days, below two days whole hours, rounded down."""
    assert in_days(length) == words
