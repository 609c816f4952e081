"""What the API would refuse or misread is refused first, and nothing is sent."""

import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus_ext import HistoryWindow, InvalidRequestError, plan_history
from cirrus_ext.ranges import LONGEST_WINDOW, request_range

from .colours import use
from .contract import tolerant

NEW_YEAR = "2023-01-01T00:00:00Z"
RULE = tolerant().range_rule


def refuse_to_send(request: httpx.Request) -> httpx.Response:
    """A transport for tests that must not need one."""
    raise AssertionError(f"sent: {request.url}")


def refusal(colour: str, instruments: Any, start: Any, end: Any) -> str:
    """The message with which a question is refused, by the one-request method."""
    with pytest.raises(InvalidRequestError) as caught:
        use(
            colour,
            lambda client: client.calibration_log(instruments, start=start, end=end),
            transport=httpx.MockTransport(refuse_to_send),
        )
    error = caught.value
    assert isinstance(error, ValueError)
    assert (error.attempts, error.stop_reason) == (0, None)
    return str(error)


BAD_RANGES = {
    "naive start": (datetime(2023, 1, 1), "2023-02-01T00:00:00Z", "start must say its time zone: 2023-01-01T00:00:00"),  # noqa: DTZ001, E501
    "naive end": (NEW_YEAR, "2023-02-01T00:00:00", "end must be an RFC 3339 time with Z or an offset"),  # noqa: E501
    "date": (date(2023, 1, 1), "2023-02-01T00:00:00Z", "start must be an aware datetime"),
    "date text": ("2023-01-01", "2023-02-01T00:00:00Z", "'2023-01-01'"),
    "no day": ("2023-02-30T00:00:00Z", "2023-03-01T00:00:00Z", "start is no point in time"),
    "number": (1_672_531_200, "2023-02-01T00:00:00Z", "1672531200 is int"),
    "none": (NEW_YEAR, None, "end must be an aware datetime or an RFC 3339 string: None"),
    "too fine": (NEW_YEAR, "2023-02-01T00:00:00.0000001Z", "end must not be finer than microsec"),
    "reversed": ("2023-02-01T00:00:00Z", NEW_YEAR, "start must be before end: 2023-02-01T00"),
    "empty": (NEW_YEAR, NEW_YEAR, "is not before 2023-01-01T00:00:00"),
    "over-long": (NEW_YEAR, "2024-01-01T00:00:00.001Z", "2024-01-01T00:00:00.001Z is later than 2024-01-01T00:00:00Z"),  # noqa: E501
    "over-long by rounding": (NEW_YEAR, "2024-01-01T00:00:00.000001Z", "at most one year after start"),  # noqa: E501
}  # fmt: skip


@pytest.mark.parametrize(("start", "end", "says"), BAD_RANGES.values(), ids=list(BAD_RANGES))
def test_a_bad_range_is_refused_and_the_message_says_which_bound_and_value(
    colour: str, start: Any, end: Any, says: str
) -> None:
    """Before anything is sent."""
    assert says in refusal(colour, ["QT123456"], start, end)


BAD_INSTRUMENTS = {
    "one text": ("QT123456", "not one: 'QT123456'"),
    "bytes": (b"QT123456", "not one: b'QT123456'"),
    "none": (None, "instruments must be a list of serial numbers: None"),
    "nothing": ([], "at least one serial number"),
    "number": (["QT1", 123456], "instruments[1] must be a serial number as a str: 123456 is int"),
    "empty text": ([""], "instruments[0] must not be blank: ''"),
    "blank": (["  "], "instruments[0] must not be blank"),
    "blanks around": (["QT1", "QT2 "], "instruments[1] must not have blanks around it: 'QT2 '"),
    "line end": (["QT1\nQT2"], "instruments[0] has a character that cannot be printed"),
    "NUL": (["QT1\x00"], "instruments[0] has a character that cannot be printed"),
    "lone surrogate": (["QT\ud800"], "instruments[0] has a character that cannot be printed"),
    "twice": (["QT1", "QT2", "QT1"], "instruments[2] names 'QT1' a second time"),
}


@pytest.mark.parametrize(
    ("instruments", "says"), BAD_INSTRUMENTS.values(), ids=list(BAD_INSTRUMENTS)
)
def test_bad_instruments_are_refused_and_never_repaired(
    colour: str, instruments: Any, says: str
) -> None:
    """Before anything is sent, by the one-request method and by the plan of a history."""
    assert says in refusal(colour, instruments, NEW_YEAR, "2023-02-01T00:00:00Z")
    with pytest.raises(InvalidRequestError) as caught:
        plan_history(instruments, start=NEW_YEAR, end="2023-02-01T00:00:00Z")
    assert says in str(caught.value)


def test_more_instruments_than_a_url_can_hold_are_refused(colour: str) -> None:
    """The bound is httpx's; the server's own is not documented."""
    serials = [f"QT{number:06}" for number in range(5000)]

    assert "ask for less" in refusal(colour, serials, NEW_YEAR, "2023-02-01T00:00:00Z")


def test_a_history_refuses_at_the_call_and_not_at_the_first_record(colour: str) -> None:
    """Generators wait to be asked; a refusal does not."""
    with pytest.raises(InvalidRequestError, match="start must be before end"):
        use(
            colour,
            lambda client: [
                client.calibration_history(["QT1"], start="2023-02-01T00:00:00Z", end=NEW_YEAR)
            ],
            transport=httpx.MockTransport(refuse_to_send),
        )


@pytest.mark.parametrize(
    ("start", "longest"),
    [
        ("2023-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
        ("2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
        ("2023-03-01T00:00:00Z", "2024-03-01T00:00:00Z"),
        ("2024-02-29T12:00:00Z", "2025-03-01T12:00:00Z"),
        ("2023-02-28T00:00:00Z", "2024-02-28T00:00:00Z"),
        ("9999-06-01T00:00:00Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_one_calendar_year_is_the_longest_range(start: str, longest: str) -> None:
    """The widest reading of "1 year", to the millisecond; 29 February leads to 1 March."""
    first, last = request_range(start, longest)

    assert RULE.violation(first, last) is None
    if last.year < 9999:
        with pytest.raises(InvalidRequestError, match="at most one year"):
            request_range(start, last + timedelta(milliseconds=1))


moments = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0))
spans = st.one_of(
    st.timedeltas(timedelta(days=-2), timedelta(days=800)),
    st.sampled_from([timedelta(days=days) for days in (0, 364, 365, 366, 367)]),
)


@given(start=moments, span=spans)
def test_the_sdk_refuses_exactly_what_the_specs_range_rule_forbids(
    start: datetime, span: timedelta
) -> None:
    """``x-cirrus-range`` and ``request_range`` know nothing of each other."""
    try:
        end = start + span
    except OverflowError:
        return
    try:
        request_range(start, end)
    except InvalidRequestError:
        assert RULE.violation(start, end)
    else:
        assert RULE.violation(start, end) is None


@given(
    start=st.datetimes(timezones=st.just(UTC)),
    span=st.timedeltas(timedelta(microseconds=1), timedelta(days=4000)),
)
def test_windows_are_contiguous_cover_the_range_and_are_as_few_as_can_be(
    start: datetime, span: timedelta
) -> None:
    """None is longer than 365 days with its margins."""
    try:
        end = start + span
    except OverflowError:
        return
    windows = plan_history(["QT1"], start=start, end=end)

    assert (windows[0].start, windows[-1].end) == (start, end)
    assert all(one.end == other.start for one, other in pairwise(windows))
    lengths = [window.asked[1] - window.asked[0] for window in windows]
    assert max(lengths) <= LONGEST_WINDOW
    assert all(length == LONGEST_WINDOW for length in lengths[:-1])


def test_a_plan_goes_by_instrument_as_given_then_by_time() -> None:
    """Three years are four windows, since a window is a little less than 365 days."""
    windows = plan_history(["B", "A"], start=NEW_YEAR, end="2026-01-01T00:00:00Z")

    assert [window.instrument for window in windows] == ["B"] * 4 + ["A"] * 4
    assert windows == [
        *sorted(windows[:4], key=lambda w: w.start),
        *sorted(windows[4:], key=lambda w: w.start),
    ]


def test_inner_edges_are_on_whole_milliseconds_and_the_ends_are_the_callers_own() -> None:
    """Microseconds of the caller are kept, and only there."""
    start = datetime(2020, 1, 1, 0, 0, 0, 123_456, tzinfo=UTC)
    end = datetime(2023, 1, 1, 0, 0, 0, 654_321, tzinfo=UTC)
    windows = plan_history(["QT1"], start=start, end=end)

    assert (windows[0].start, windows[-1].end) == (start, end)
    assert all(window.end.microsecond % 1000 == 0 for window in windows[:-1])


def test_a_window_is_frozen_picklable_and_in_utc() -> None:
    """It travels to other processes, and is a key there."""
    berlin = timezone(timedelta(hours=1))
    window = HistoryWindow("QT1", datetime(2023, 1, 1, 1, tzinfo=berlin), "2023-02-01T00:00:00Z")  # type: ignore[arg-type]  # a str is taken too

    assert window.start.tzinfo is UTC
    assert pickle.loads(pickle.dumps(window)) == window  # noqa: S301 - our own
    assert {window: 1}[window] == 1
    with pytest.raises(AttributeError):
        window.start = window.end  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize(
    ("instrument", "end", "says"),
    [
        ("QT1 ", "2023-02-01T00:00:00Z", "blanks around"),
        ("QT1", "2022-01-01T00:00:00Z", "start must be before end"),
        ("QT1", "2024-01-01T00:00:00Z", "at most 365 days"),
    ],
)
def test_a_window_made_by_hand_is_held_to_the_same_rules(
    instrument: str, end: Any, says: str
) -> None:
    """No window can be sent that a plan would not make."""
    with pytest.raises(InvalidRequestError, match=says):
        HistoryWindow(instrument, NEW_YEAR, end)  # type: ignore[arg-type]  # a str is taken too


def test_the_longest_range_there_is_can_be_planned() -> None:
    """From the first moment of year 1 to the last of 9999, margins clamped."""
    ends = [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
    windows = plan_history(["QT1"], start=ends[0], end=ends[1])

    assert len(windows) == 10_006  # 3,652,059 days
    assert windows[0].asked[0] == ends[0]


def test_an_offset_that_leads_out_of_the_calendar_is_clamped() -> None:
    """Year 1 in an eastern zone began before year 1 in UTC."""
    east, west = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))
    (window, *_) = plan_history(
        ["QT1"],
        start=datetime(1, 1, 1, tzinfo=east),
        end=datetime(1, 6, 1, tzinfo=west),
    )

    assert window.start == datetime(1, 1, 1, tzinfo=UTC)
