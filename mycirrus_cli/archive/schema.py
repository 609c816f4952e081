"""The tables of an archive; the chain of hashes covers each column of each table.

Commits are numbered: 1, 2, 3, ... A row has the number of the commit that wrote it. If a row is
completed later (a run ends, an entry is missing), it also has the number of that commit. No row is
deleted, and no value is replaced by another.

All times are texts in UTC with six digits after the second, so that their order is that of time.
"""

from dataclasses import dataclass

APPLICATION_ID = 0x4D434152  # "MCAR", in the header of the file
VERSION = 2  # `PRAGMA user_version`

# Results of a window: it was answered; or it has no entry although the archive has some in it, and
# the instrument has none in any other window of the run.
ANSWERED, UNSEEN = "answered", "no longer seen"

_TABLES = """
CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  begun INTEGER NOT NULL UNIQUE, -- commit
  started TEXT NOT NULL,
  until TEXT NOT NULL,           -- the first moment that was not requested
  server TEXT NOT NULL,
  version TEXT NOT NULL,         -- of mycirrus-sdk
  verify INTEGER NOT NULL,       -- 1: everything was requested
  ended INTEGER,                 -- commit; NULL if the run was interrupted
  answered INTEGER,              -- windows
  failed INTEGER,                -- windows
  new INTEGER,                   -- entries, as are the next two
  changed INTEGER,
  missing INTEGER
);
CREATE TABLE instrument (
  id INTEGER PRIMARY KEY,
  added INTEGER NOT NULL,        -- commit
  serial TEXT NOT NULL,
  start TEXT NOT NULL,
  retired INTEGER                -- commit
);
CREATE TABLE window (
  number INTEGER PRIMARY KEY,    -- commit
  run INTEGER NOT NULL,
  instrument TEXT NOT NULL,
  start TEXT NOT NULL,
  until TEXT NOT NULL,
  result TEXT NOT NULL,          -- 'answered', 'no longer seen', or the name of an error
  found INTEGER NOT NULL,        -- entries, as are the next three
  new INTEGER NOT NULL,
  changed INTEGER NOT NULL,
  missing INTEGER NOT NULL
);
CREATE TABLE entry (
  id INTEGER PRIMARY KEY,
  first_seen INTEGER NOT NULL,   -- commit
  instrument TEXT NOT NULL,
  time TEXT NOT NULL,
  user TEXT,
  message TEXT,
  extra TEXT NOT NULL,           -- JSON: fields that have no column, texts that are not UTF-8
  missing_since INTEGER          -- commit
);
CREATE TABLE chain (
  number INTEGER PRIMARY KEY,    -- commit
  hash BLOB NOT NULL
);
CREATE INDEX entry_by_time ON entry (instrument, time);
"""

# As in the csv: no fraction, three digits or six.
_CSV_TIME = """CASE
    WHEN time LIKE '%.000000Z' THEN substr(time, 1, 19) || 'Z'
    WHEN time LIKE '%000Z' THEN substr(time, 1, 23) || 'Z'
    ELSE time
  END"""
_VIEWS = f"""
CREATE VIEW log AS
  SELECT instrument, {_CSV_TIME} AS time, user, message
  FROM entry WHERE missing_since IS NULL;
CREATE VIEW history AS
  SELECT instrument, {_CSV_TIME} AS time, user, message,
    (SELECT started FROM run WHERE begun <= first_seen ORDER BY begun DESC LIMIT 1)
      AS first_seen,
    (SELECT started FROM run WHERE begun <= missing_since ORDER BY begun DESC LIMIT 1)
      AS missing_since,
    (SELECT count(*) FROM entry AS new WHERE new.instrument = old.instrument
      AND new.time = old.time AND new.first_seen = old.missing_since)
    > (SELECT count(*) FROM entry AS gone WHERE gone.instrument = old.instrument
      AND gone.time = old.time AND gone.missing_since = old.missing_since AND gone.id < old.id)
      AS changed, -- each new entry replaces one at its time
    id
  FROM entry AS old;
"""  # noqa: S608 - all of it is here

_FIXED = {  # columns that are written with the row
    "run": "id, begun, started, until, server, version, verify",
    "instrument": "id, added, serial, start",
    "window": "number, run, instrument, start, until, result, found, new, changed, missing",
    "entry": "id, first_seen, instrument, time, user, message, extra",
    "chain": "number, hash",
}
_LATER = {"run": "ended", "instrument": "retired", "entry": "missing_since"}
_REFUSAL = "BEGIN SELECT RAISE(ABORT, 'an archive keeps every row as it was written'); END;"
# Against mistakes, which the chain would notice, but which could not be undone.
_TRIGGERS = "\n".join(
    [
        *(f"CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} {_REFUSAL}" for table in _FIXED),
        *(
            f"CREATE TRIGGER {table}_fixed BEFORE UPDATE OF {columns} ON {table} {_REFUSAL}"
            for table, columns in _FIXED.items()
        ),
        *(
            f"CREATE TRIGGER {table}_once BEFORE UPDATE ON {table} "
            f"WHEN OLD.{column} IS NOT NULL {_REFUSAL}"
            for table, column in _LATER.items()
        ),
    ]
)

SCHEMA = _TABLES + _VIEWS + _TRIGGERS


@dataclass(frozen=True)
class Kind:
    """A kind of change that a commit can write.

    Attributes:
        name: The table, or what happens to its row.
        write: The statement that writes one.
        read: The statement that returns all of them, by commit: the name, the number of the commit
            and the values that `write` took, in the same order.
    """

    name: str
    write: str
    read: str


def _row(table: str, columns: str, order: str) -> Kind:
    """Return the kind of a new row; the first column is the number of the commit."""
    values = ", ".join("?" for _ in columns.split(", "))
    return Kind(
        table,
        f"INSERT INTO {table} ({columns}) VALUES ({values})",  # noqa: S608 - all of it is here
        f"SELECT '{table}', {columns} FROM {table} ORDER BY {order}",  # noqa: S608 - likewise
    )


RUN = _row("run", "begun, id, started, until, server, version, verify", "begun")
END = Kind(
    "end",
    "UPDATE run SET ended = ?, answered = ?, failed = ?, new = ?, changed = ?, missing = ? "
    "WHERE id = ?",
    "SELECT 'end', ended, answered, failed, new, changed, missing, id FROM run "
    "WHERE coalesce(ended, answered, failed, new, changed, missing) IS NOT NULL ORDER BY ended",
)
INSTRUMENT = _row("instrument", "added, id, serial, start", "added, id")
RETIRED = Kind(
    "retired",
    "UPDATE instrument SET retired = ? WHERE id = ?",
    "SELECT 'retired', retired, id FROM instrument WHERE retired IS NOT NULL ORDER BY retired, id",
)
WINDOW = _row(
    "window",
    "number, run, instrument, start, until, result, found, new, changed, missing",
    "number",
)
# Each commit has greater ids than those before it, so this needs no sorting.
ENTRY = _row("entry", "first_seen, id, instrument, time, user, message, extra", "id")
MISSING = Kind(
    "missing",
    "UPDATE entry SET missing_since = ? WHERE id = ?",
    "SELECT 'missing', missing_since, id FROM entry WHERE missing_since IS NOT NULL "
    "ORDER BY missing_since, id",
)
KINDS = (RUN, END, INSTRUMENT, RETIRED, WINDOW, ENTRY, MISSING)
