"""The fleet of the stand-in: instruments, and the entries of their logs over the years.

All entries are made up, except the one that the vendor's page shows. They are the same on each
machine and each day; only new ones are added as time passes.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache


@dataclass(frozen=True)
class Entry:
    """One entry of a calibration log.

    Attributes:
        instrument: The serial number.
        time: RFC 3339 in UTC, with any number of digits: ``2022-06-07T11:18:42.814Z``.
        user: Who made the entry.
        message: Its text.
    """

    instrument: str
    time: str
    user: str
    message: str


# The example of a 200 on the vendor's page.
PAGE_EXAMPLE = Entry(
    "QT123456", "2022-06-07T11:18:42.814Z", "Quantum Demo", "Installed and working"
)


@dataclass(frozen=True)
class Instrument:
    """How often an instrument gets an entry, from whom, and when it was away."""

    serial: str
    since: str
    every_days: int
    users: tuple[str, ...]
    away: tuple[str, str] | None = None


INSTRUMENTS = (
    Instrument("QT123456", "2019-03-12", 28, ("Field engineer 1", "Site operator", "Quantum Demo")),
    Instrument("QT234567", "2020-09-01", 35, ("Field engineer 2", "Site operator")),
    Instrument("QT345678", "2018-01-15", 60, ("Field engineer 1",), ("2021-02-01", "2022-11-20")),
    Instrument("QT456789", "2022-05-30", 21, ("Airport monitoring", "Field engineer 3")),
    Instrument("QT567890", "2016-10-04", 91, ("Calibration laboratory", "Field engineer 2")),
    Instrument("QT678901", "2024-07-18", 14, ("Construction site office", "Site operator")),
)

ROUTINE = (
    "Calibrated, offset {offset:+.2f} dB",
    "Calibrated at 93.7 dB: {offset:+.2f} dB",
    "Field check, offset {offset:+.2f} dB",
    "Repeated after wind, offset {offset:+.2f} dB",
    "Before and after survey: {drift:.2f} dB",
)
RARE = (
    "New microphone capsule, {offset:+.2f} dB",
    "Windshield replaced, no change",
    "Moved to the north fence, {offset:+.2f} dB",
    "Failed: calibrator battery low",
    "Back from the laboratory",
)


def fleet(until: datetime | None = None) -> tuple[Entry, ...]:
    """All entries of all instruments, by instrument and time.

    Args:
        until: No entry is later; by default the minute that has begun.
    """
    return _until(until or datetime.now(UTC).replace(second=0, microsecond=0))


@lru_cache(maxsize=4)  # tests make many stand-ins
def _until(until: datetime) -> tuple[Entry, ...]:
    entries = [entry for instrument in INSTRUMENTS for entry in _log(instrument, until)]
    entries.append(PAGE_EXAMPLE)
    return tuple(sorted(entries, key=lambda entry: (entry.instrument, entry.time)))


def _log(instrument: Instrument, until: datetime) -> Iterator[Entry]:
    rng = random.Random(instrument.serial)  # noqa: S311 - the same fleet every time
    day = datetime.fromisoformat(instrument.since).replace(tzinfo=UTC)
    moment, message = _working_hour(rng, day), "Installed and calibrated"
    while moment <= until:
        if not _is_away(instrument.away, moment):
            yield Entry(
                instrument.serial, _formatted(moment), rng.choice(instrument.users), message
            )
        day += timedelta(days=max(1, round(instrument.every_days * rng.uniform(0.4, 1.6))))
        moment, message = _working_hour(rng, day), _message(rng)


def _working_hour(rng: random.Random, day: datetime) -> datetime:
    """Return a time from 07:00 to 17:00."""
    return day + timedelta(milliseconds=rng.randrange(7 * 3_600_000, 17 * 3_600_000))


def _is_away(away: tuple[str, str] | None, moment: datetime) -> bool:
    return away is not None and away[0] <= _formatted(moment) < away[1]


def _message(rng: random.Random) -> str:
    text = rng.choice(ROUTINE if rng.random() < 0.85 else RARE)
    return text.format(offset=rng.gauss(0, 0.08), drift=abs(rng.gauss(0, 0.05)))


def _formatted(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
