"""For any range: what is refused, what is sent, and the windows that cover it."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from cirrus_ext import InvalidRequestError, plan_history
from cirrus_ext.ranges import LONGEST_WINDOW, as_utc, check_range, floor_ms, wire_time
from mycirrus_contract.model import PATH, tolerant

RULE = tolerant().operation(PATH).known_range_rule()

# Any time in any zone: years 1 and 9999, both sides of a clock change, times that no clock showed.
ZONES = ["Europe/London", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Africa/Monrovia"]
zones = st.sampled_from([UTC, *map(ZoneInfo, ZONES)])
moments = st.datetimes(timezones=zones, allow_imaginary=True)
WHOLE_DAYS = [timedelta(days=days) for days in (0, 364, 365, 366, 367, 730)]
NEARLY = [timedelta(milliseconds=1), timedelta(milliseconds=2), timedelta(microseconds=1)]
# The first and the last moment that there is, in whole milliseconds.
EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
spans = st.one_of(
    st.timedeltas(timedelta(days=-2), timedelta(days=4000)),
    st.builds(lambda days, near: days + near, st.sampled_from(WHOLE_DAYS), st.sampled_from(NEARLY)),
    st.builds(lambda days, near: days - near, st.sampled_from(WHOLE_DAYS), st.sampled_from(NEARLY)),
)
ranges = st.tuples(moments, moments) | st.builds(
    lambda start, span: (start, later(start, span)), moments, spans
)


def later(moment: datetime, span: timedelta) -> datetime:
    """A time after another, by the clock of UTC, as far as the calendar goes."""
    try:
        return moment.astimezone(UTC) + span
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def in_utc(moment: datetime) -> datetime:
    """The time in UTC; outside the calendar, its end."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return EARLIEST if moment.year == 1 else LATEST


@given(ranges)
def test_the_sdk_refuses_exactly_what_the_specs_range_rule_forbids(
    bounds: tuple[datetime, datetime],
) -> None:
    """``x-cirrus-range`` and ``check_range`` know nothing of each other.

    The order is judged on what is given, the length on what is sent: a start rounded down and an
    end rounded up.
    """
    start, end = (in_utc(bound) for bound in bounds)
    first = start.replace(microsecond=start.microsecond // 1000 * 1000)
    last = end.replace(microsecond=end.microsecond // 1000 * 1000)
    if last != end:
        last = min(later(last, timedelta(milliseconds=1)), LATEST)
    try:
        sent = check_range(*bounds)
    except InvalidRequestError:
        assert start >= end or RULE.violation(first, last)
    else:
        assert sent == (first, last)
        assert start < end
        assert RULE.violation(first, last) is None


@given(ranges)
def test_windows_are_contiguous_cover_the_range_and_are_as_few_as_can_be(
    bounds: tuple[datetime, datetime],
) -> None:
    """None is longer than 365 days with its margins, and only the last is shorter."""
    start, end = (in_utc(bound) for bound in bounds)
    if end - start > timedelta(days=40_000):
        start = end - timedelta(days=40_000)  # longer ones have a test of their own
    try:
        windows = plan_history(["QT1"], start=start, end=end)
    except InvalidRequestError:
        assert start >= end
        return

    assert (windows[0].start, windows[-1].end) == (start, end)
    assert all(one.end == other.start for one, other in pairwise(windows))
    for window in windows:
        first, last = window.request_range
        assert first <= window.start < window.end <= later(last, timedelta(milliseconds=1))
        assert last - first <= LONGEST_WINDOW
        assert {first.microsecond % 1000, last.microsecond % 1000} == {0}
    assert all(
        one.request_range[1] - one.request_range[0] == LONGEST_WINDOW for one in windows[:-1]
    )


@given(moments, st.booleans())
def test_a_time_is_the_same_as_text_and_as_datetime(
    moment: datetime,
    lower_case: bool,  # noqa: FBT001 - drawn
) -> None:
    text = moment.isoformat()
    offset = moment.utcoffset()
    assert offset is not None
    if offset.total_seconds() % 60 or offset.microseconds:
        return
    assert as_utc("start", text.lower() if lower_case else text) == as_utc("start", moment)


@given(moments)
def test_what_is_sent_is_read_back_as_the_same_instant(moment: datetime) -> None:
    sent = floor_ms(as_utc("start", moment))
    text = wire_time(sent)

    assert datetime.fromisoformat(text) == sent
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", text)
    assert ".000" not in text
