"""A change of an archive by another program is noticed, and the archive is then not updated."""

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from mycirrus_cli.archive.chain import BrokenChainError, verified
from mycirrus_cli.archive.schema import KINDS, SCHEMA
from mycirrus_contract.standin.fleet import Entry
from tests.support.archive import DAY, Site, written

RUNS, COMMITS = 4, 18


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """An archive in which each column of each table has a value, and more than one row."""
    site = Site(tmp_path_factory.mktemp("made"), written("a", "b", "c", "d", "e"))
    site.entries += written("x", "y", instrument="QT2")
    site.sync("QT1", "QT2", "--start", "2023-06-01")
    site.entries[1] = Entry("QT1", site.entries[1].time, "Eve", "other")
    del site.entries[3:5]
    site.now += DAY
    site.sync(code=5)
    site.sync("--retire", "QT1")
    site.sync("QT1", "--retire", "QT2")
    return site


@pytest.fixture
def site(made: Site, tmp_path: Path) -> Site:
    """A copy of it."""
    copy = Site(tmp_path, made.entries, made.now)
    copy.path.write_bytes(made.path.read_bytes())
    return copy


def tables() -> dict[str, list[str]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        names = "SELECT name FROM sqlite_master WHERE type = 'table'"
        return {
            name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
            for (name,) in connection.execute(names)
        }


TABLES = tables()
COLUMNS = [(table, column) for table, columns in TABLES.items() for column in columns]


def noticed(site: Site) -> str:
    """Verify the chain, which must be broken, and return the reason."""
    unlocked = f"{site.path.as_uri()}?immutable=1"
    with closing(sqlite3.connect(unlocked, uri=True)) as connection:
        try:
            commits = list(verified(connection))
        except BrokenChainError as error:
            return str(error)
    raise AssertionError(commits)


def test_a_check_and_a_run_refuse_an_archive_that_does_not_fit_its_chain(site: Site) -> None:
    site.change("UPDATE entry SET missing_since = NULL WHERE missing_since IS NOT NULL")
    before, content = len(site.standin.requests), site.path.read_bytes()
    line, said = site.check(code=1), site.sync(code=1)

    assert line == said
    assert re.fullmatch(
        r"mycirrus: fleet\.db: does not fit its chain: commit \d+ of run 2, which began at "
        r"2026-01-02T03:00:00\.000000Z: rows were changed, deleted or added\n",
        line,
    )
    assert (len(site.standin.requests), site.path.read_bytes()) == (before, content)


def test_an_unchanged_archive_fits_its_chain(site: Site) -> None:
    assert re.fullmatch(
        rf"fleet\.db fits its chain: {RUNS} runs, 8 entries, head [0-9a-f]{{64}}\n", site.check()
    )
    assert site.query("SELECT count(*) FROM chain") == [(COMMITS,)]


def each_is_noticed(site: Site, *changes: Sequence[str]) -> None:
    """Each change alone, of the archive as it was."""
    fresh = site.path.read_bytes()
    for statements in changes:
        site.path.write_bytes(fresh)
        site.change(*statements)
        noticed(site)


def rows_of(site: Site, table: str, column: str = "rowid") -> list[object]:
    """The rows that have a value in a column."""
    rows = site.query(f"SELECT rowid FROM {table} WHERE {column} IS NOT NULL ORDER BY rowid")
    return [row for (row,) in rows]


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=map(".".join, COLUMNS))
def test_a_changed_value_is_noticed_in_each_column(table: str, column: str, site: Site) -> None:
    """In the first and the last row that has one, whatever the new value is."""
    values = ["7777"] if column in {"id", "number"} else ["7777", "'changed'", "x'00'"]
    if column in {"user", "message", "ended", "retired", "missing_since"}:
        values.append("NULL")
    rows = rows_of(site, table, column)
    changes = [f"UPDATE {table} SET {column} = {value} WHERE rowid = " for value in values]
    each_is_noticed(
        site, *([change + str(row)] for row in {rows[0], rows[-1]} for change in changes)
    )


@pytest.mark.parametrize("table", TABLES)
def test_a_deleted_row_is_noticed_in_each_table(table: str, site: Site) -> None:
    delete = f"DELETE FROM {table} WHERE rowid = "
    each_is_noticed(site, *([delete + str(row)] for row in rows_of(site, table)))


@pytest.mark.parametrize("table", TABLES)
def test_an_added_row_is_noticed_in_each_table(table: str, site: Site) -> None:
    """A copy of the first row or of the last, as if the same commit had written it."""
    ids = {"id", "number", "begun"} if table == "run" else {"id", "number"}
    columns = ", ".join(f"{one} + 100" if one in ids else one for one in TABLES[table])
    copy = f"INSERT INTO {table} SELECT {columns} FROM {table} WHERE rowid = "
    rows = rows_of(site, table)
    each_is_noticed(site, *([copy + str(row)] for row in (rows[0], rows[-1])))


@pytest.mark.parametrize("table", TABLES)
def test_two_exchanged_rows_are_noticed_in_each_table(table: str, site: Site) -> None:
    rows, key = rows_of(site, table), "number" if "number" in TABLES[table] else "id"
    move = f"UPDATE {table} SET {key} = {{}} WHERE {key} = {{}}".format
    each_is_noticed(
        site,
        *(
            [move(-1, one), move(one, other), move(other, -1)]
            for one, other in ((rows[0], rows[1]), (rows[-2], rows[-1]), (rows[0], rows[-1]))
        ),
    )


OBJECTS = [
    f"{kind} {name}"
    for kind, name in re.findall(r"^CREATE (TRIGGER|VIEW|INDEX) (\w+)", SCHEMA, re.MULTILINE)
]


@pytest.mark.parametrize("what", OBJECTS)
def test_a_dropped_or_replaced_view_trigger_or_index_is_noticed(what: str, site: Site) -> None:
    kind, name = what.split()
    fresh = site.path.read_bytes()
    other = {
        "TRIGGER": f"CREATE TRIGGER {name} AFTER INSERT ON entry BEGIN SELECT 1; END",
        "VIEW": f"CREATE VIEW {name} AS SELECT instrument, time, user, message FROM entry",
        "INDEX": f"CREATE INDEX {name} ON entry (time)",
    }[kind]
    for statements in ((), (other,)):
        site.path.write_bytes(fresh)
        with closing(sqlite3.connect(site.path, isolation_level=None)) as connection:
            for statement in (f"DROP {what}", *statements):
                connection.execute(statement)

        assert noticed(site) == f"not as the program makes it: {name}"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE extra (a)",
        "CREATE VIEW extra AS SELECT 1",
        "CREATE TRIGGER extra AFTER INSERT ON entry BEGIN DELETE FROM chain; END",
        (
            "INSERT INTO sqlite_master VALUES "
            "('view', 'sqlite_stats', 'sqlite_stats', 0, 'CREATE VIEW sqlite_stats AS SELECT 1')"
        ),
        "ALTER TABLE entry ADD COLUMN more",
        "DROP TABLE entry",
    ],
)
def test_another_table_view_trigger_or_column_is_noticed(statement: str, site: Site) -> None:
    with closing(sqlite3.connect(site.path, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(statement)
    noticed(site)


def test_statistics_of_sqlite_are_allowed(site: Site) -> None:
    with closing(sqlite3.connect(site.path, isolation_level=None)) as connection:
        connection.execute("ANALYZE")
        connection.execute("VACUUM")
    site.check()
    site.sync()


def test_a_text_that_is_not_utf8_is_noticed_and_not_shown(site: Site) -> None:
    site.change("UPDATE entry SET message = CAST(x'7365637265748fff' AS TEXT) WHERE id = 2")

    assert "secret" not in noticed(site)


def test_an_index_that_does_not_fit_its_table_is_noticed(site: Site) -> None:
    """`log --from` would read from it."""
    change = "UPDATE sqlite_master SET sql = ? WHERE name = 'entry_by_time'"
    text = "CREATE INDEX entry_by_time ON entry (instrument, time)"
    for sql, rebuild in ((f"{text} WHERE id < 3", False), (text, True)):
        with closing(sqlite3.connect(site.path, isolation_level=None)) as connection:
            if rebuild:
                connection.execute("REINDEX entry_by_time")
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute(change, (sql,))

    assert "is damaged: " in site.check(code=1)
    assert "is damaged: " in site.sync(code=1)
    assert "is damaged: " in site.run("log", "--from", "fleet.db").stderr


def test_a_statement_in_the_schema_that_is_not_utf8_is_noticed(site: Site) -> None:
    content = site.path.read_bytes()
    site.path.write_bytes(content.replace(b"_time ON entry", b"_time \xb9N entry"))

    assert site.check(code=1) == site.sync(code=1) == "mycirrus: fleet.db: is damaged\n"


def test_a_page_of_zeros_is_noticed(site: Site) -> None:
    content = bytearray(site.path.read_bytes())
    content[4096:8192] = bytes(4096)
    site.path.write_bytes(content)

    assert site.check(code=1).startswith("mycirrus: fleet.db: ")


# A head that is kept elsewhere


def test_only_a_head_shows_that_a_file_was_cut_back(site: Site) -> None:
    early, head = site.path.read_bytes(), site.head()
    site.now += DAY
    site.sync()
    late = site.head()

    assert site.check("--head", head).split()[-1] == late
    site.path.write_bytes(early)
    assert site.check().split()[-1] == head
    assert site.check("--head", late, code=1) == (
        "mycirrus: fleet.db: the head is not in the chain: the file was cut back to an earlier "
        "state or computed anew, or it is another archive\n"
    )


def test_only_a_head_shows_that_a_file_was_computed_anew(made: Site, tmp_path: Path) -> None:
    forged = Site(tmp_path, [*made.entries[:-1], *written("forged", instrument="QT2")])
    forged.sync("QT1", "QT2", "--start", "2023-06-01")

    assert forged.check() != ""
    assert "the head is not in the chain" in forged.check("--head", made.head(), code=1)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--head", "12"], "--head must be the 64 digits that a run has shown: '12'"),
        (["QT1"], "--check sends no request: of the other options it takes --head alone"),
        (["--verify"], "it takes --head alone"),
        (["--dry-run"], "it takes --head alone"),
    ],
)
def test_a_check_takes_a_head_and_nothing_else(words: list[str], line: str, site: Site) -> None:
    assert line in site.check(*words, code=2)


def test_a_check_needs_no_right_to_write(site: Site) -> None:
    before = site.path.stat().st_mtime_ns
    site.path.chmod(0o400)
    site.check()

    assert site.path.stat().st_mtime_ns == before
    assert list(site.folder.iterdir()) == [site.path]


def test_the_chain_reads_every_column(site: Site) -> None:
    with closing(sqlite3.connect(site.path)) as connection:
        read = {
            f"{kind.read.split(' FROM ')[1].split()[0]}.{one[0]}"
            for kind in KINDS
            for one in connection.execute(kind.read).description[1:]
        }
        assert sum(1 for _ in verified(connection)) == COMMITS

    assert read == {f"{table}.{column}" for table, column in COLUMNS if table != "chain"}


def test_triggers_refuse_changes_at_the_prompt_of_sqlite(site: Site) -> None:
    before = site.path.read_bytes()
    with closing(sqlite3.connect(site.path, isolation_level=None)) as connection:
        for table, columns in TABLES.items():
            for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {columns[0]} = 99"):
                with pytest.raises(sqlite3.IntegrityError, match="an archive keeps every row"):
                    connection.execute(statement)
        for table, column in (("run", "ended"), ("entry", "missing_since")):
            with pytest.raises(sqlite3.IntegrityError, match="an archive keeps every row"):
                connection.execute(f"UPDATE {table} SET {column} = 1 WHERE {column} IS NOT NULL")

    assert site.path.read_bytes() == before
