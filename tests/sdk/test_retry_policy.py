"""What a policy decides after an attempt, and what a ``Retry-After`` asks for. Pure."""

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirrus_ext import ConfigurationError, RetryPolicy
from cirrus_ext.retry import Outcome, Stop, Wait, decide, parse_retry_after

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RETRIED = [408, 429, 500, 502, 503, 504, 520, 599]
NOT_RETRIED = [300, 302, 400, 401, 403, 404, 409, 422, 501, 505, 511]


def test_only_a_status_that_may_pass_is_retried() -> None:
    assert [status for status in RETRIED + NOT_RETRIED if Outcome(status).retryable] == RETRIED


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({"max_attempts": 0}, "max_attempts must be a whole number from 1: 0"),
        ({"max_attempts": True}, "max_attempts must be a whole number from 1: True"),
        ({"max_attempts": 2.5}, "max_attempts must be a whole number from 1: 2.5"),
        ({"total_timeout": 0}, "total_timeout must be a number of seconds, more than 0: 0"),
        ({"total_timeout": None}, "total_timeout must be a number of seconds, more than 0: None"),
        ({"total_timeout": 10**400}, "total_timeout must be a number of seconds, at most 1000000"),
        ({"max_retry_after": 1e7}, "max_retry_after must be a number of seconds, at most 1000000"),
        ({"max_retry_after": -1}, "max_retry_after must be a number of seconds, 0 or more: -1"),
        ({"backoff_cap": math.inf}, "backoff_cap must be a number of seconds, at most 1000000"),
        ({"backoff_base": math.nan}, "backoff_base must be a number of seconds, 0 or more: nan"),
        ({"throttle_base": "2"}, "throttle_base must be a number of seconds, 0 or more: '2'"),
        ({"throttle_cap": True}, "throttle_cap must be a number of seconds, 0 or more: True"),
    ],
)
def test_an_invalid_policy_is_refused(numbers: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RetryPolicy(**numbers)

    assert says in str(caught.value)


@pytest.mark.parametrize("jitter", [0.0, 0.999])
@pytest.mark.parametrize(
    ("status", "ladder"),
    [
        (503, [(0, 0.5), (0, 1), (0, 2), (0, 4), (0, 8), (0, 8)]),
        (429, [(1, 2), (2, 4), (4, 8), (8, 16), (15, 30), (15, 30)]),
    ],
)
def test_jitter_chooses_a_wait_between_its_bounds(
    status: int, ladder: list[tuple[float, float]], jitter: float
) -> None:
    policy = RetryPolicy(max_attempts=10)
    for attempt, (least, most) in enumerate(ladder, start=1):
        decision = decide(policy, Outcome(status), attempt=attempt, elapsed=0, jitter=jitter)
        assert isinstance(decision, Wait)
        assert decision.seconds == pytest.approx(least + jitter * (most - least))


@pytest.mark.parametrize(
    ("asked", "elapsed", "jitter", "decision"),
    [
        (120.0, 0, 0.0, Wait(120.0)),
        (120.1, 0, 0.0, Stop("retry_after_too_long")),
        (80.0, 100, 0.0, Stop("retry_after_too_long")),
        (79.0, 100, 0.0, Wait(79.0)),
        (79.0, 100, 0.5, Wait(79.5)),  # spread over the second that is left, not over eight
        (1.0, 0, 0.5, Wait(1.5)),
        (60.0, 0, 0.5, Wait(63.0)),
        (None, 178.5, 0.0, Wait(1.0)),
        (None, 179, 0.0, Stop("total_timeout")),
    ],
)
def test_a_wait_is_less_than_max_retry_after_and_what_is_left(
    asked: float | None, elapsed: float, jitter: float, decision: Wait | Stop
) -> None:
    """For a first 429: at most 120 s, and less than what is left of 180."""
    outcome = Outcome(429, asked)

    assert decide(RetryPolicy(), outcome, attempt=1, elapsed=elapsed, jitter=jitter) == decision


def test_the_total_timeout_is_named_before_the_number_of_attempts() -> None:
    policy, failed = RetryPolicy(), Outcome(503)

    assert decide(policy, failed, attempt=4, elapsed=180, jitter=0) == Stop("total_timeout")
    assert decide(policy, failed, attempt=4, elapsed=179.5, jitter=0) == Stop("attempts")
    assert decide(policy, failed, attempt=3, elapsed=179.5, jitter=0) == Wait(0)


THEN = "Thu, 01 Jan 2026 12:00:30 GMT"  # half a minute after NOON
RETRY_AFTER: list[tuple[str | None, str | None, float | None]] = [
    # seconds
    ("1", None, 1),
    ("007", None, 7),
    ("4294967295", None, 4294967295),
    (" 7\t", None, 7),
    ("1.5", None, 1.5),
    ("1.", None, 1),
    ("99999999999", None, 1e10),
    ("9" * 400, None, 1e10),
    # one that came twice: the longest
    ("60, 60", None, 60),
    ("1 ,\t90,5", None, 90),
    # invalid, or no wait
    ("0", None, None),
    ("0, 0", None, None),
    ("-1", None, None),
    ("+1", None, None),
    ("inf", None, None),
    ("nan", None, None),
    ("1e3", None, None),
    ("1_000", None, None),
    (".5", None, None),
    ("X5", None, None),
    ("\x0b5", None, None),
    ("\xa05", None, None),
    ("5, soon", None, None),
    ("\N{ARABIC-INDIC DIGIT FIVE}", None, None),
    ("\N{SUPERSCRIPT TWO}", None, None),
    ("soon", None, None),
    ("", None, None),
    (None, None, None),
    # dates: the three forms of RFC 9110, section 5.6.7
    (THEN, None, 30),
    ("Thursday, 01-Jan-26 12:00:30 GMT", None, 30),
    ("Thu Jan  1 12:00:30 2026", None, 30),
    ("Thu, 01 Jan 2026 13:00:30 +0100", None, 30),
    # dates past, now, and none
    ("Thu, 01 Jan 2026 11:59:00 GMT", None, None),
    ("Thu, 01 Jan 2026 12:00:00 GMT", None, None),
    ("Thu, 99 Jan 2026 12:00:30 GMT", None, None),
    ("Thu, 01 Jan 99999 12:00:30 GMT", None, None),
    # measured against the answer's own Date, whatever our clock says
    (THEN, "Thu, 01 Jan 2026 12:00:20 GMT", 10),
    ("Thu, 01 Jan 2026 15:00:30 GMT", "Thu, 01 Jan 2026 15:00:00 GMT", 30),
    (THEN, "Thu, 01 Jan 2026 12:00:40 GMT", None),
    (THEN, "today", 30),
    (THEN, "", 30),
    ("5", "Thu, 01 Jan 2026 12:00:20 GMT", 5),
]


@pytest.mark.parametrize(("value", "date", "seconds"), RETRY_AFTER)
def test_retry_after_is_read_as_rfc_9110_says(
    value: str | None, date: str | None, seconds: float | None
) -> None:
    """Seconds, or a date measured against the ``Date`` of the answer; anything else is ignored."""
    assert parse_retry_after(value, date=date, now=NOON) == seconds


@given(value=st.text(), date=st.none() | st.text())
def test_any_retry_after_is_none_or_a_finite_number_of_seconds(
    value: str, date: str | None
) -> None:
    seconds = parse_retry_after(value, date=date, now=NOON)

    assert seconds is None or 0 < seconds < math.inf


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - UTC is added below
    st.integers(1, 100_000),
    st.timedeltas(timedelta(days=-9000), timedelta(days=9000)),
)
def test_a_date_is_read_correctly_however_wrong_our_clock_is(
    sent: datetime, seconds: int, wrong: timedelta
) -> None:
    sent = sent.replace(microsecond=0, tzinfo=UTC)
    value = format_datetime(sent + timedelta(seconds=seconds), usegmt=True)
    date = format_datetime(sent, usegmt=True)

    assert parse_retry_after(value, date=date, now=NOON + wrong) == seconds


policies = st.builds(
    RetryPolicy,
    max_attempts=st.integers(1, 10),
    total_timeout=st.floats(0.001, 1000),
    max_retry_after=st.floats(0, 1000),
    backoff_base=st.floats(0, 10),
    backoff_cap=st.floats(0, 60),
    throttle_base=st.floats(0, 10),
    throttle_cap=st.floats(0, 60),
)
outcomes = st.builds(
    Outcome,
    status=st.none() | st.integers(300, 599),
    retry_after=st.none() | st.floats(0.001, 5000),
    transient=st.booleans(),
)


@given(
    policies, outcomes, st.integers(1, 12), st.floats(0, 1200), st.floats(0, 1, exclude_max=True)
)
def test_every_decision_is_within_the_bounds_of_the_policy(
    policy: RetryPolicy, outcome: Outcome, attempt: int, elapsed: float, jitter: float
) -> None:
    decision = decide(policy, outcome, attempt=attempt, elapsed=elapsed, jitter=jitter)
    asked = outcome.retry_after

    if isinstance(decision, Stop):
        assert (decision.reason == "not_retryable") == (not outcome.retryable)
        if decision.reason == "attempts":
            assert attempt >= policy.max_attempts
        if decision.reason == "retry_after_too_long":
            assert asked is not None
            assert asked > policy.max_retry_after or elapsed + asked >= policy.total_timeout
        return
    assert outcome.retryable
    assert attempt < policy.max_attempts
    assert 0 <= decision.seconds < policy.total_timeout - elapsed
    if asked is not None:
        assert asked <= policy.max_retry_after
        assert asked <= decision.seconds <= asked + max(1, asked / 10)
    elif outcome.status == 429:
        assert decision.seconds <= policy.throttle_cap
    else:
        assert decision.seconds <= policy.backoff_cap
