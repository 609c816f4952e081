"""The cost of a run depends on the number of its windows only."""

import sqlite3
from collections import Counter
from pathlib import Path
from unittest import mock

import pytest

from mycirrus_cli.archive import file, writer
from mycirrus_contract.standin.fleet import Entry
from tests.support.archive import DAY, NIGHT, Site, at

ENTRIES = 13  # of each instrument, in the last year


@pytest.mark.parametrize("instruments", [1, 30])
def test_a_night_costs_a_request_and_a_transaction_for_each_instrument(
    instruments: int, tmp_path: Path
) -> None:
    serials = [f"QT{number}" for number in range(instruments)]
    site = Site(tmp_path)
    site.entries = [
        Entry(serial, at(NIGHT - 25 * day * DAY), "Ann", str(day))
        for serial in serials
        for day in range(1, ENTRIES + 1)
    ]
    site.sync(*serials, "--last", "3y")
    before, statements, connect = site.path.stat().st_size, list[str](), file._connect

    def traced(path: Path, mode: str) -> sqlite3.Connection:
        connection = connect(path, mode)
        connection.set_trace_callback(statements.append)
        return connection

    site.now += DAY
    with mock.patch.object(file, "_connect", traced), mock.patch.object(writer, "MOST_WAITING", 0):
        requests = site.requests("--concurrency", "1")
    kinds = Counter(statement.split()[0] for statement in statements)

    assert requests == instruments
    assert kinds["COMMIT"] <= instruments + 2  # the begin and the end of the run
    assert kinds["INSERT"] == 2 * (instruments + 2) - 1
    assert kinds["UPDATE"] <= 2
    assert kinds["SELECT"] <= 2 * instruments + 20
    assert site.path.stat().st_size - before <= 200 * instruments + 3 * 4096
