"""A server whose log changes, a clock that is set, and an archive of the log."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from unittest import mock

from mycirrus_cli.archive import file
from mycirrus_contract.standin.adapters import Standin, demo_world
from mycirrus_contract.standin.fleet import Entry
from mycirrus_contract.standin.rules import DEMO_KEY
from tests.support.command import mycirrus

NIGHT = datetime(2026, 1, 1, 3, tzinfo=UTC)
DAY = timedelta(days=1)

# instrument, time, user, message
Row = tuple[str, str, str | None, str | None]


def at(moment: datetime) -> str:
    """A time as the server writes it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def written(*texts: str, instrument: str = "QT1") -> list[Entry]:
    """Entries on the days before `NIGHT`, the last text on the last day."""
    days = range(len(texts), 0, -1)
    return [
        Entry(instrument, at(NIGHT - day * DAY), "Ann", text)
        for day, text in zip(days, texts, strict=True)
    ]


@dataclass
class Site:
    """A server, a clock and an archive.

    Attributes:
        folder: Where the archive is.
        entries: The log of the server.
        now: The clock of the machine that has the archive.
        standin: The server.
    """

    folder: Path
    entries: list[Entry] = field(default_factory=list[Entry])
    now: datetime = NIGHT
    standin: Standin = field(default_factory=lambda: Standin(replace(demo_world(), entries=())))

    @property
    def path(self) -> Path:
        return self.folder / "fleet.db"

    def run(self, *words: str, key: str = DEMO_KEY) -> CompletedProcess[str]:
        """Run the command at the time of the clock."""
        self.serve()
        with self.clock():
            return mycirrus(*words, standin=self.standin, cwd=self.folder, MYCIRRUS_API_KEY=key)

    def serve(self) -> None:
        self.standin.world = replace(self.standin.world, entries=tuple(self.entries))

    @contextmanager
    def clock(self) -> Iterator[None]:
        with (
            mock.patch("mycirrus_cli.sync.utc_now", return_value=self.now),
            mock.patch.object(file, "SYNCHRONOUS", "OFF"),
        ):
            yield

    def sync(self, *words: str, code: int = 0) -> str:
        """Bring the archive up to date, and return stderr."""
        done = self.run("sync", "fleet.db", *words)
        assert done.returncode == code, done.stderr
        assert done.stdout == ""
        return done.stderr

    def requests(self, *words: str, code: int = 0) -> int:
        """Bring the archive up to date, and return the number of requests."""
        before = len(self.standin.requests)
        self.sync(*words, code=code)
        return len(self.standin.requests) - before

    def check(self, *words: str, code: int = 0) -> str:
        """Check the archive, and return the output."""
        done = self.run("sync", "--check", "fleet.db", *words)
        assert done.returncode == code, done.stderr
        return done.stdout or done.stderr

    def head(self) -> str:
        return self.check().split()[-1]

    def query(self, text: str, *values: object) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.path)) as connection:
            return list(connection.execute(text, values))

    def change(self, *statements: str) -> None:
        """Change the archive as another program could, and restore its triggers."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("BEGIN")
            triggers = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
            found = dict(connection.execute(triggers))
            for name in found:
                connection.execute(f"DROP TRIGGER {name}")
            for statement in statements:
                connection.execute(statement)
            for sql in found.values():
                connection.execute(sql)
            connection.execute("COMMIT")

    def current(self) -> Counter[Row]:
        rows = self.query("SELECT instrument, time, user, message FROM log")
        return Counter((str(one), str(time), *texts) for one, time, *texts in rows)  # type: ignore[misc]

    def truth(self, serials: Iterable[str]) -> Counter[Row]:
        """The entries of some instruments on the server, up to now."""
        chosen = set(serials)
        return Counter(
            row(one) for one in self.entries if one.instrument in chosen and one.time < at(self.now)
        )


def row(entry: Entry) -> Row:
    """An entry of the server as the csv has it."""
    return entry.instrument, entry.time.replace(".000Z", "Z"), entry.user, entry.message
