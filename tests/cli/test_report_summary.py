"""The longest gap of an instrument: ends of the range, equal gaps, half-open ranges, words."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cirrus_ext import CalibrationRecord
from mycirrus_cli.report.summary import Gap, InstrumentSummary, in_days, summarise

START = datetime(2023, 1, 1, tzinfo=UTC)
END = datetime(2023, 1, 31, tzinfo=UTC)
DAY = timedelta(days=1)


def entry(day: float, user: str | None = "U", instrument: str = "QT1") -> CalibrationRecord:
    return CalibrationRecord(instrument, START + day * DAY, user, "M")


def summary_of(*days: float) -> InstrumentSummary:
    return summarise("QT1", [entry(day) for day in days], start=START, end=END)


@pytest.mark.parametrize(
    ("days", "first", "last", "place"),
    [
        ((), 0, 30, "the whole range"),
        ((20,), 0, 20, "before the first entry"),
        ((25, 5, 8), 8, 25, "between two entries"),
        ((15,), 0, 15, "before the first entry"),
        ((10, 20), 0, 10, "before the first entry"),
        ((0, 10, 20), 0, 10, "between two entries"),
        ((10, 10, 10), 10, 30, "after the last entry"),
    ],
    ids=str,
)
def test_the_longest_gap_is_the_earliest_of_the_longest_in_the_range(
    days: tuple[int, ...], first: int, last: int, place: str
) -> None:
    summary = summary_of(*days)

    assert summary.longest_gap == Gap(START + first * DAY, START + last * DAY)
    assert summary.longest_gap.length == (last - first) * DAY
    assert summary.place_of_gap == place


@settings(max_examples=settings().max_examples // 5)
@given(st.lists(st.integers(0, 29)))
def test_no_time_without_an_entry_is_longer_than_the_longest_gap(days: list[int]) -> None:
    gap = summary_of(*days).longest_gap
    edges = [0, *sorted(days), 30]

    assert gap.length == max(later - earlier for earlier, later in pairwise(edges)) * DAY
    assert not any(gap.start < START + day * DAY < gap.end for day in days)


def test_the_range_is_half_open_and_other_instruments_do_not_count() -> None:
    records = [entry(0), entry(30), entry(-1), entry(31), entry(5, instrument="QT2")]
    summary = summarise("QT1", records, start=START, end=END)

    assert summary.records == (entry(0),)
    assert summary.longest_gap == Gap(START, END)


def test_times_are_sorted_in_utc_and_equal_ones_all_count() -> None:
    zone = timezone(timedelta(hours=-8))
    moments = [START + 3 * DAY, START + DAY, START + DAY]
    records = [CalibrationRecord("QT1", one.astimezone(zone), None, None) for one in moments]
    summary = summarise("QT1", records, start=START.astimezone(zone), end=END.astimezone(zone))
    gap = summary.longest_gap

    assert summary.times == [START + DAY, START + DAY, START + 3 * DAY]
    assert {moment.tzinfo for moment in (*summary.times, gap.start, gap.end)} == {UTC}
    assert summary.since_last == 27 * DAY


def test_an_instrument_without_entries_has_no_times_no_users_and_no_last_entry() -> None:
    summary = summary_of()

    assert (summary.times, summary.by_user, summary.since_last) == ([], [], None)


def test_users_are_sorted_by_entries_then_by_name_and_none_differs_from_a_blank_one() -> None:
    users = ["b", "a", "c", "c", None, "", "a", "b"]
    summary = summarise("QT1", [entry(1, user) for user in users], start=START, end=END)

    assert summary.by_user == [("a", 2), ("b", 2), ("c", 2), (None, 1), ("", 1)]


def test_only_a_longer_gap_is_over_the_limit() -> None:
    limits = [20 * DAY, 20 * DAY - timedelta.resolution, timedelta(), None]

    assert [summary_of(10).is_over(limit) for limit in limits] == [False, True, True, False]


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(), "less than 1 hour"),
        (timedelta(minutes=59, seconds=59), "less than 1 hour"),
        (timedelta(hours=1), "1 hour"),
        (timedelta(hours=47, minutes=59), "47 hours"),
        (timedelta(days=2), "2 days"),
        (timedelta(days=412, hours=23), "412 days"),
        (timedelta(days=3652), "3,652 days"),
    ],
)
def test_a_length_in_words_is_rounded_down(length: timedelta, words: str) -> None:
    assert in_days(length) == words
