"""Times as the command writes them."""

from datetime import UTC, datetime


def written_time(moment: datetime) -> str:
    """A time in UTC, with as many digits as it takes: ``2022-06-07T11:18:42.814Z``.

    Args:
        moment: An aware time, of any zone.

    Returns:
        No fraction if that is zero, three digits for whole milliseconds, else six.

    Raises:
        ValueError: The time has no zone.
    """
    if moment.utcoffset() is None:
        raise ValueError(f"time must have a zone: {moment.isoformat()}; give it tzinfo=UTC")
    moment = moment.astimezone(UTC)
    whole_milliseconds = moment.microsecond % 1000 == 0
    digits = "milliseconds" if moment.microsecond and whole_milliseconds else "auto"
    return moment.isoformat(timespec=digits).removesuffix("+00:00") + "Z"
