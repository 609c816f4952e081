"""What the API would refuse or misread is refused first, and nothing is sent."""

import json
import pickle
import re
import time
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from cirrus_ext import HistoryWindow, InvalidRequestError, plan_history
from cirrus_ext.ranges import as_utc, check_range
from mycirrus_contract.model import PATH, tolerant
from tests.support.clients import use
from tests.support.windows import not_on_windows

EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
NEW_YEAR = "2023-01-01T00:00:00Z"
RULE = tolerant().operation(PATH).known_range_rule()


BAD_RANGES = {
    "naive start": (datetime(2023, 1, 1), "2023-02-01T00:00:00Z", "start must say its time zone: 2023-01-01T00:00:00 is naive; for UTC add tzinfo=datetime.UTC"),  # noqa: DTZ001, E501
    "naive end": (NEW_YEAR, "2023-02-01T00:00:00", "end must be an RFC 3339 time with Z or an offset"),  # noqa: E501
    "date": (date(2023, 1, 1), "2023-02-01T00:00:00Z", "start must be an aware datetime"),
    "date text": ("2023-01-01", "2023-02-01T00:00:00Z", "'2023-01-01'"),
    "no day": ("2023-02-30T00:00:00Z", "2023-03-01T00:00:00Z", "start is not a point in time"),
    "number": (1_672_531_200, "2023-02-01T00:00:00Z", "1672531200 is int"),
    "none": (NEW_YEAR, None, "end must be an aware datetime or an RFC 3339 string: None"),
    "digits of another script": (
        "\N{FULLWIDTH DIGIT TWO}023-01-01T00:00:00Z",
        "2023-02-01T00:00:00Z",
        "start must be an RFC 3339 time",
    ),
    "too fine": (NEW_YEAR, "2023-02-01T00:00:00.0000001Z", "end must not be finer than microsec"),
    "reversed": ("2023-02-01T00:00:00Z", NEW_YEAR, "start must be before end: 2023-02-01T00"),
    "empty": (NEW_YEAR, NEW_YEAR, "is not before 2023-01-01T00:00:00"),
    "reversed within a millisecond": (
        "2023-01-01T00:00:00.000900Z",
        "2023-01-01T00:00:00.000100Z",
        "start must be before end",
    ),
    "over-long": (NEW_YEAR, "2024-01-01T00:00:00.001Z", "one year after start: 2024-01-01T00:00:00.001Z is later than 2024-01-01T00:00:00Z"),  # noqa: E501
    "over-long by rounding": (NEW_YEAR, "2024-01-01T00:00:00.000001Z", "at most one year after start"),  # noqa: E501
}  # fmt: skip


@pytest.mark.parametrize(("start", "end", "says"), BAD_RANGES.values(), ids=list(BAD_RANGES))
def test_a_bad_range_is_refused_with_the_bound_and_its_value(
    start: Any, end: Any, says: str
) -> None:
    with pytest.raises(InvalidRequestError, match=re.escape(says)):
        check_range(start, end)
    if "year" not in says:
        with pytest.raises(InvalidRequestError, match=re.escape(says)):
            plan_history(["QT1"], start=start, end=end)


BAD_INSTRUMENTS = {
    "one text": ("QT123456", "not one: 'QT123456'"),
    "bytes": (b"QT123456", "not one: b'QT123456'"),
    "none": (None, "instruments must be a list of serial numbers: None"),
    "nothing": ([], "instruments must name at least one serial number: []"),
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
def test_bad_instruments_are_refused_and_never_repaired(instruments: Any, says: str) -> None:
    with pytest.raises(InvalidRequestError, match=re.escape(says)):
        plan_history(instruments, start=NEW_YEAR, end="2023-02-01T00:00:00Z")


@pytest.mark.parametrize(
    ("instruments", "start", "says"),
    [
        ("QT123456", NEW_YEAR, "not one: 'QT123456'"),
        (["QT123456"], "2024-01-01T00:00:00Z", "start must be before end"),
        # The bound is httpx's; the server's own is not documented.
        ([f"QT{number:06}" for number in range(5000)], NEW_YEAR, "ask for less"),
    ],
    ids=["instruments", "range", "a URL that is too long"],
)
def test_nothing_is_sent_of_a_bad_request(
    client_kind: str, instruments: Any, start: str, says: str
) -> None:
    sent: list[httpx.Request] = []
    with pytest.raises(ValueError, match=says) as caught:
        use(
            client_kind,
            lambda client: client.calibration_log(
                instruments, start=start, end="2023-02-01T00:00:00Z"
            ),
            transport=httpx.MockTransport(sent.append),  # type: ignore[arg-type]  # is not called
        )
    assert isinstance(caught.value, InvalidRequestError)
    assert (caught.value.attempts, caught.value.stop_reason, sent) == (0, None, [])


def test_a_history_refuses_at_the_call_and_not_at_the_first_record(client_kind: str) -> None:
    with pytest.raises(InvalidRequestError, match="start must be before end"):
        use(
            client_kind,
            lambda client: [
                client.calibration_history(["QT1"], start="2023-02-01T00:00:00Z", end=NEW_YEAR)
            ],
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
    first, last = check_range(start, longest)

    assert RULE.violation(first, last) is None
    if last.year < 9999:
        late = last + timedelta(milliseconds=1)
        assert RULE.violation(first, late) is not None
        with pytest.raises(InvalidRequestError, match="at most one year"):
            check_range(start, late)


def test_the_fold_of_a_clock_change_is_respected() -> None:
    """Half past one came twice in London on 29 October 2023."""
    london = ZoneInfo("Europe/London")
    first = datetime(2023, 10, 29, 1, 30, tzinfo=london)
    second = first.replace(fold=1)
    (window,) = plan_history(["QT1"], start=first, end=second)

    assert window.end - window.start == timedelta(hours=1)


def test_windows_come_by_instrument_as_given_then_by_time() -> None:
    """Three years are four windows, since a window is a little less than 365 days."""
    windows = plan_history(["B", "A"], start=NEW_YEAR, end="2026-01-01T00:00:00Z")

    assert [window.instrument for window in windows] == ["B"] * 4 + ["A"] * 4
    assert windows == sorted(windows, key=lambda window: ("BA".index(window.instrument), window))


@pytest.mark.parametrize(("spare", "count"), [(2, 1), (1, 2)])
def test_a_range_that_just_fits_takes_one_request(spare: int, count: int) -> None:
    start = datetime(2023, 1, 1, tzinfo=UTC)
    end = start + timedelta(days=365) - timedelta(milliseconds=spare)

    assert len(plan_history(["QT1"], start=start, end=end)) == count


def test_the_range_of_a_request_is_a_millisecond_wider_at_each_end() -> None:
    window = HistoryWindow(
        "QT1",
        datetime(2023, 1, 1, 0, 0, 0, 5_500, tzinfo=UTC),
        datetime(2023, 2, 1, 0, 0, 0, 5_500, tzinfo=UTC),
    )

    assert [moment.microsecond for moment in window.request_range] == [4_000, 7_000]


def test_the_first_moment_belongs_to_a_window_and_the_last_does_not() -> None:
    window = HistoryWindow(
        "QT1", datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 2, 1, tzinfo=UTC)
    )

    assert window.start in window
    assert window.end not in window
    assert window.end - timedelta(microseconds=1) in window


@not_on_windows("there is no time.tzset")
def test_the_time_zone_of_the_machine_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        moment = as_utc("start", datetime(2023, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))))
    finally:
        monkeypatch.undo()
        time.tzset()

    assert moment == datetime(2023, 1, 1, tzinfo=UTC)
    assert (moment.hour, moment.utcoffset()) == (0, timedelta())


def test_zeros_after_the_microseconds_are_accepted() -> None:
    moment = as_utc("start", "2023-01-01T00:00:00.1230000Z")

    assert moment == datetime(2023, 1, 1, 0, 0, 0, 123_000, tzinfo=UTC)


def test_a_window_is_frozen_picklable_and_in_utc() -> None:
    berlin = timezone(timedelta(hours=1))
    window = HistoryWindow(
        "QT1", datetime(2023, 1, 1, 1, tzinfo=berlin), datetime(2023, 2, 1, tzinfo=UTC)
    )

    assert window.start.tzinfo is UTC
    assert pickle.loads(pickle.dumps(window)) == window  # noqa: S301 - our own
    fields = json.loads(json.dumps(asdict(window), default=datetime.isoformat))
    times = {name: datetime.fromisoformat(fields[name]) for name in ("start", "end")}
    assert HistoryWindow(**(fields | times)) == window
    assert {window: 1}[window] == 1
    with pytest.raises(AttributeError):
        window.start = window.end  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize(
    ("instrument", "end", "says"),
    [
        ("QT1 ", datetime(2023, 2, 1, tzinfo=UTC), "^instrument must not have blanks around"),
        ("QT1", datetime(2022, 1, 1, tzinfo=UTC), "start must be before end"),
        ("QT1", datetime(2024, 1, 1, tzinfo=UTC), "at most 365 days"),
        ("QT1", datetime(2023, 2, 1), "end must say its time zone"),  # noqa: DTZ001 - so it is
        ("QT1", "2023-02-01T00:00:00Z", "end must be an aware datetime"),
    ],
)
def test_a_window_made_by_hand_is_checked_too(instrument: str, end: Any, says: str) -> None:
    with pytest.raises(InvalidRequestError, match=says):
        HistoryWindow(instrument, datetime(2023, 1, 1, tzinfo=UTC), end)


class Timestamp(datetime):
    """A datetime with nanoseconds, as pandas has them."""

    nanosecond = 0


class NaT(datetime):
    """No time, as pandas has it."""

    def utcoffset(self) -> None:
        raise ValueError("NaTType does not support utcoffset")


class BrokenZone(tzinfo):
    """A time zone that raises an error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def utcoffset(self, _: datetime | None, /) -> timedelta:
        raise self.error

    tzname = dst = utcoffset  # type: ignore[assignment]  # never called


@pytest.mark.parametrize("error", [NotImplementedError(), KeyError("x"), OverflowError()])
def test_a_time_whose_zone_raises_an_error_is_refused(error: Exception) -> None:
    with pytest.raises(InvalidRequestError, match="start is not a point in time"):
        as_utc("start", datetime(2023, 1, 1, tzinfo=BrokenZone(error)))


def test_datetimes_of_pandas_become_plain_datetimes(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = Timestamp(2023, 1, 1, tzinfo=UTC)
    plain = as_utc("start", moment)

    assert type(plain) is datetime
    assert plain == moment
    with pytest.raises(InvalidRequestError, match="start is not a point in time"):
        as_utc("start", NaT(2023, 1, 1, tzinfo=UTC))
    monkeypatch.setattr(Timestamp, "nanosecond", 1)
    with pytest.raises(InvalidRequestError, match="finer than microseconds"):
        as_utc("start", moment)


def test_the_longest_possible_range_can_be_planned() -> None:
    """From the first moment of year 1 to the last of 9999, margins clamped."""
    ends = [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
    windows = plan_history(["QT1"], start=ends[0], end=ends[1])

    assert len(windows) == 10_006  # 3,652,059 days
    assert windows[0].request_range[0] == ends[0]


def test_an_offset_that_leads_out_of_the_calendar_is_clamped() -> None:
    """Year 1 in an eastern zone began before year 1 in UTC."""
    east, west = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))
    (window, *_) = plan_history(
        ["QT1"],
        start=datetime(1, 1, 1, tzinfo=east),
        end=datetime(1, 6, 1, tzinfo=west),
    )
    (last,) = plan_history(
        ["QT1"],
        start=datetime(9999, 6, 1, tzinfo=east),
        end=datetime(9999, 12, 31, 23, tzinfo=west),
    )

    assert window.start == EARLIEST
    assert (last.end, last.request_range[1]) == (LATEST, LATEST)
