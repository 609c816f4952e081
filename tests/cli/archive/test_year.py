"""A year of runs, some of them killed, of a log that gains and loses entries."""

import io
import os
import random
import sqlite3
from collections import Counter
from contextlib import chdir, closing, redirect_stderr
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest

from mycirrus_cli import sync
from mycirrus_cli.archive.chain import verified
from mycirrus_cli.arguments import parse
from mycirrus_contract.standin.fleet import Entry
from tests.cli.archive.test_interruptions import KilledError, killed_at
from tests.support.archive import DAY, NIGHT, Row, Site, at, row
from tests.support.command import NOWHERE, client_defaults, environment

SERIALS = [f"QT{number}" for number in range(1, 4)]
# Days to the next run: 91 runs in 365 days. Each run verifies all commits before it.
PAUSES = [1] * 60 + [7] * 20 + [15] * 11
KILLS = 10
REVOKED = range(50, 55)  # runs in which the key may not see QT3


def change(chance: random.Random, site: Site, gone: list[Row]) -> str:
    """Add entries at the server, some of them late, and sometimes change the past.

    Returns:
        What the run has to notice: "changed", "missing" or nothing.
    """
    for serial in SERIALS:
        if chance.random() < 0.8:
            late = chance.choice([0.1, 0.3, 0.9, 40, 300])
            text = f"{chance.gauss(0, 0.1):+.2f} dB"
            site.entries.append(Entry(serial, at(site.now - late * DAY), "Ann", text))
    kind = chance.choices(["", "changed", "missing"], [0.5, 0.25, 0.25])[0]
    archived = site.current()
    known = [one for one in site.entries if row(one) in archived and one.instrument != "QT3"]
    recent = [one for one in known if one.time > at(site.now - 360 * DAY)]
    if not kind or len(recent) < 20:
        return ""
    entry = chance.choice(recent)
    gone.append(row(entry))
    site.entries.remove(entry)
    if kind == "changed":
        site.entries.append(Entry(entry.instrument, entry.time, "Eve", f"not {entry.message}"))
    return kind


OPTIONS = parse(["sync", "fleet.db", "--concurrency", "2"])


def run(site: Site) -> tuple[int, str]:
    """Bring the archive up to date, without the command around it."""
    site.serve()
    with (
        site.clock(),
        client_defaults(transport=site.standin.transport()),
        mock.patch.dict(os.environ, environment(NOWHERE)),
        chdir(site.folder),
        redirect_stderr(io.StringIO()) as said,
    ):
        code = sync.run(OPTIONS)
    return code, said.getvalue()


def test_the_archive_is_right_after_each_run_of_a_year(tmp_path: Path) -> None:
    chance = random.Random(16)  # noqa: S311 - the same year every time
    site, gone = Site(tmp_path), list[Row]()
    site.entries = [
        Entry(serial, at(NIGHT - days * DAY), "Ann", f"{serial}, {days}")
        for serial in SERIALS
        for days in range(20, 1000, 90)
    ]
    first = site.requests(*SERIALS, "--last", "3y")
    killed = set(chance.sample(range(len(PAUSES)), KILLS))
    heads, hidden = [site.head()], list[Entry]()

    for number, pause in enumerate(chance.sample(PAUSES, len(PAUSES))):
        site.now += pause * DAY
        kind = change(chance, site, gone)
        site.entries += hidden
        hidden = [one for one in site.entries if one.instrument == "QT3" and number in REVOKED]
        site.entries = [one for one in site.entries if one not in hidden]
        before = len(site.standin.requests)
        if number in killed:
            with (
                pytest.raises(KilledError),
                killed_at(chance.randint(1, 3), before=number % 2 == 0),
            ):
                run(site)
            site.now += timedelta(hours=chance.choice([1, 2]))
        code, said = run(site)
        requests = len(site.standin.requests) - before
        is_revoked = number == REVOKED.start

        assert code == (5 if kind or is_revoked else 0), (number, said)
        assert (f"mycirrus: {kind}: QT" in said) == bool(kind), (number, said)
        assert ("no longer seen" in said) == is_revoked
        assert len(SERIALS) <= requests <= (2 * len(SERIALS) if number in killed else len(SERIALS))
        others = [serial for serial in SERIALS if serial != "QT3" or not hidden]
        archived = Counter(one for one in site.current().elements() if one[0] in others)
        assert archived == site.truth(others)
        heads.append(said.split()[-1])

    rows = site.query("SELECT instrument, time, user, message, missing_since FROM history")
    assert first == len(SERIALS) * 4
    assert Counter(one[:4] for one in rows if one[4] is not None) == Counter(gone)
    assert len(gone) > 20
    assert len(rows) == site.current().total() + len(gone)
    site.check("--head", heads[0])
    with closing(sqlite3.connect(site.path)) as connection:
        assert {*heads} <= {commit.hash.hex() for commit in verified(connection)}
    assert site.requests("--verify") == len(SERIALS) * 5
    assert site.current() == site.truth(SERIALS)
    assert list(site.folder.iterdir()) == [site.path]
