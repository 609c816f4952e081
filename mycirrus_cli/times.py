"""Times as the command writes them, and the zones in which it shows them."""

from datetime import UTC, datetime, tzinfo

from .exits import CommandError


def written_time(moment: datetime, zone: tzinfo = UTC) -> str:
    """Return a time as RFC 3339: ``2022-06-07T11:18:42.814Z``, or with another zone's offset.

    Args:
        moment: An aware time, of any zone.
        zone: The zone to show it in.

    Returns:
        No fraction if that is zero, three digits for whole milliseconds, else six.

    Raises:
        ValueError: The time has no zone.
    """
    moment = local_time(moment, zone)
    whole_milliseconds = moment.microsecond % 1000 == 0
    digits = "milliseconds" if moment.microsecond and whole_milliseconds else "auto"
    text = moment.isoformat(timespec=digits)
    return text.removesuffix("+00:00") + "Z" if zone is UTC else text


def local_time(moment: datetime, zone: tzinfo) -> datetime:
    """Return a time in a zone; in UTC if the zone's date is not in the years 1 to 9999.

    Raises:
        ValueError: The time has no zone.
    """
    if moment.utcoffset() is None:
        raise ValueError(f"time must have a zone: {moment.isoformat()}; give it tzinfo=UTC")
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return moment.astimezone(UTC)


def time_zone(name: str | None) -> tzinfo:
    """Return the zone that ``--time-zone`` names; UTC for None.

    Raises:
        CommandError: There is no such zone; which names are similar.
    """
    if name in {None, "UTC"}:
        return UTC
    from zoneinfo import ZoneInfo, available_timezones  # noqa: PLC0415 - reads 600 files

    known = available_timezones()
    if name in known:
        return ZoneInfo(name)
    if not known:
        raise CommandError("--time-zone needs tzdata on this system: pip install tzdata")
    from difflib import get_close_matches  # noqa: PLC0415 - seldom needed

    folded = {one.lower(): one for one in known} | {
        one.rpartition("/")[2].lower(): one for one in sorted(known)
    }
    wanted = str(name).lower().replace(" ", "_")
    near = [folded[one] for one in get_close_matches(wanted, folded, 3)]
    guess = f"; did you mean {' or '.join(dict.fromkeys(near))}?" if near else ""
    raise CommandError(
        f"--time-zone {name!r}: no such zone; give a name such as Europe/London{guess}"
    )
