"""Bring the archives of many accounts up to date: one task an account, on a Dask cluster.

    python many_accounts.py accounts.toml folder

    # accounts.toml: only the workers may read it
    [airport-north]
    key = "..."
    instruments = ["QT123456", "QT234567"]

DASK_SCHEDULER_ADDRESS names a running cluster, whose workers have one thread each and see both
paths. Without it, this program starts a cluster on this machine, of one worker a processor at most.
"""

import os
import sqlite3
import sys
import tomllib
from contextlib import closing, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from dask.system import CPU_COUNT
from distributed import Client, as_completed

from mycirrus_cli.main import main as mycirrus

DONE = {0, 5}  # 5: entries were changed or removed since the last run
START = "2021-01-01T00:00:00Z"  # of the first run; a later run goes on where the archive is


def read_accounts(file: str) -> dict[str, Any]:
    return tomllib.loads(Path(file).read_text(encoding="utf-8"))


def sync(file: str, name: str, folder: str) -> tuple[int, int, str]:
    """Bring one archive up to date. The key is read here, and is not part of the task.

    Returns:
        The exit code of `mycirrus sync`, the number of entries in the archive, and messages.
    """
    account, archive = read_accounts(file)[name], Path(folder, f"{name}.db")
    os.environ["MYCIRRUS_API_KEY"] = account["key"]  # a worker has one thread, so one account
    arguments = ["sync", "--quiet", "--start", START, str(archive), *account["instruments"]]
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as messages:
        code = mycirrus(arguments)
    return code, count_entries(archive), messages.getvalue().strip()


def count_entries(archive: Path) -> int:
    if not archive.exists():
        return 0
    with closing(sqlite3.connect(archive)) as connection:
        count: int = connection.execute("SELECT count(*) FROM log").fetchone()[0]
    return count


def main(file: str, folder: str) -> int:
    names = list(read_accounts(file))
    total, failures = 0, 0
    workers = min(CPU_COUNT, len(names))
    with Client(n_workers=workers, threads_per_worker=1, dashboard_address=None) as client:
        tasks = [client.submit(sync, file, name, folder, key=name, pure=False) for name in names]
        for task in as_completed(tasks):
            error = task.exception()
            code, entries, messages = (1, 0, repr(error)) if error else task.result()
            total += entries
            failures += code not in DONE
            print(f"{task.key}: {entries} entries", messages)
    print(f"{len(names)} accounts, {total} entries, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
