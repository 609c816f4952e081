"""Points in time with all their digits: the vendor shows up to seven, a datetime holds six."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

TIME = re.compile(
    r"(?P<whole>\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(\.(?P<fraction>\d+))?(?P<offset>Z|[+-]\d\d:\d\d)?",
    re.ASCII,
)
MILLISECOND = 10**6
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=10_000)
def instant(text: str) -> int:
    """Nanoseconds from the year 1 to a time, which is in UTC if it has no offset.

    Raises:
        ValueError: It is not a time.
    """
    match = TIME.fullmatch(text)
    if match is None:
        raise ValueError(text)
    moment = datetime.fromisoformat(match["whole"] + (match["offset"] or "Z"))
    seconds = (moment - _BEGINNING) // timedelta(seconds=1)
    return seconds * 10**9 + int((match["fraction"] or "").ljust(9, "0")[:9])


def instant_of(moment: datetime) -> int:
    """Nanoseconds from the year 1 to an aware datetime."""
    return ((moment - _BEGINNING) // timedelta(microseconds=1)) * 1000


def moment_of(nanoseconds: int) -> datetime:
    """The datetime of an instant, in UTC, rounded down to a microsecond."""
    return _BEGINNING + timedelta(microseconds=nanoseconds // 1000)
