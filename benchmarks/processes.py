"""The works that are processes: ``mycirrus sync``, imports, the command, the peak memory."""

import os
import subprocess
import sys
import sysconfig
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from cirrus_ext.settings import DEFAULT_MAX_CONCURRENCY

from . import memory, peers
from .measure import OURS, more_than, take_turns
from .peers import GENERATOR, MANY, ROOT, WRITTEN
from .rows import Bench, Row, Target, share_of
from .server import DELAY

MYCIRRUS = Path(sysconfig.get_path("scripts")) / "mycirrus"


def sync(bench: Bench) -> list[Row]:
    """`mycirrus sync` of 1,000 instruments into a new archive, one window each, four at a time.

    The ideal is requests x 50 ms / 4. The time of a `sync` of one instrument is subtracted; nearly
    all of it is the start of Python.
    """
    titles = {"slow": "the ideal at 50 ms", "uneven": "the ideal at 25 to 75 ms"}
    works = {
        title: partial(_sync_archive, bench.served.base_url(path), len(MANY))
        for path, title in titles.items()
    }
    works["start"] = partial(_sync_archive, bench.served.base_url("slow"), 1)
    values = take_turns(works, bench.rounds(2), warm_up=False)
    ideal = (len(MANY) - 1) * DELAY / DEFAULT_MAX_CONCURRENCY
    return [
        Row(
            "sync",
            title,
            share_of(ideal, more_than(values, "start", title)),
            target=Target("≥", 0.95),
        )
        for title in titles.values()
    ]


def _sync_archive(base_url: str, instruments: int) -> None:
    with TemporaryDirectory() as folder:
        serials = Path(folder) / "serials.txt"
        serials.write_text("".join(f"QT{number:06}\n" for number in range(instruments)), "utf-8")
        words = ["sync", str(Path(folder) / "archive.db"), f"--instruments-file={serials}"]
        variables = {"MYCIRRUS_API_KEY": peers.KEY, "MYCIRRUS_BASE_URL": base_url}
        _mycirrus(*words, "--last=300d", "--quiet", **variables)


RIVAL_IMPORT = f"import sys; sys.path.append({str(WRITTEN)!r}); import openapi_client"
IMPORTS = {
    "nothing": "pass",
    "raw, made": "from mycirrus_client import AuthenticatedClient\n"
    "from mycirrus_client.api.system_health_data import get_calibrations_log\n"
    "AuthenticatedClient('http://127.0.0.1', 'key').get_httpx_client()",
    "ours, made": "from cirrus_ext import *\nCirrusClient('key', base_url='http://127.0.0.1')",
    "import httpx": "import httpx",
    "import mycirrus_client": "import mycirrus_client",
    "its operation": "from mycirrus_client.api.system_health_data import get_calibrations_log",
    "import cirrus_ext": "import cirrus_ext",
    OURS: "from cirrus_ext import *",
    "httpx + msgspec": "import httpx, msgspec",
    GENERATOR: RIVAL_IMPORT,
}


def imports(bench: Bench) -> list[Row]:
    """A new process for each import; its start is included.

    `cirrus_ext` loads its names at first use, so all its public names are used (`from cirrus_ext
    import *`), except in the row that says otherwise. httpx loads httpcore when it creates its
    first client, so one row creates a client. Neither click nor rich is installed: with them, httpx
    takes longer to import.
    """
    codes = {
        name: code for name, code in IMPORTS.items() if name != GENERATOR or not bench.no_rival
    }
    works = {name: partial(_python, "-c", code) for name, code in codes.items()}
    values = take_turns(works, bench.rounds(15))

    def row(beside: str, base: str, ours: str = OURS, target: Target | None = None) -> Row:
        if base not in values:
            return Row("import", beside, [], "ms more", target, bench.no_rival)
        return Row("import", beside, _ms(more_than(values, base, ours)), "ms more", target)

    lazily, aim = "import cirrus_ext", Target("≤", 15)
    return [
        row("import mycirrus_client (no name used)", "import mycirrus_client", lazily, aim),
        row("import mycirrus_client (all names)", "import mycirrus_client", target=aim),
        row("mycirrus_client and its operation", "its operation"),
        row("both, and a client created", "raw, made", "ours, made", aim),
        row("import httpx", "import httpx"),
        row("httpx + msgspec", "httpx + msgspec"),
        row(GENERATOR, GENERATOR),
        row("python -c pass", "nothing"),
    ]


def _python(*words: str) -> None:
    # Isolated: neither the folder nor the variables of the caller matter.
    subprocess.run([sys.executable, "-I", *words], check=True, cwd=ROOT)


def _ms(seconds: list[float]) -> list[float]:
    return [1000 * one for one in seconds]


ONE_WINDOW = ["QT123456", "--start", "2022-01-01", "--end", "2022-12-01"]
ONE_WINDOW += ["--format", "ndjson", "--quiet"]
FIVE_LINES = """
import httpx, json
times = {{"start": "2022-01-01T00:00:00Z", "end": "2022-12-01T00:00:00Z"}}
answer = httpx.get("{url}", params=times | {{"instruments": "QT123456"}})
for item in answer.raise_for_status().json():
    print(json.dumps(item))
"""


def command(bench: Bench) -> list[Row]:
    """A new process for each `mycirrus --help`, and for `mycirrus log` of one window as ndjson.

    The five lines with httpx print the same, without checks, retries or messages.
    """
    base_url = bench.served.base_url("one")
    program = FIVE_LINES.format(url=base_url + peers.PATH)
    variables = {"MYCIRRUS_API_KEY": peers.KEY, "MYCIRRUS_BASE_URL": base_url}
    works = {
        "nothing": partial(_python, "-c", "pass"),
        "help": partial(_mycirrus, "--help"),
        "program": partial(_quiet, [sys.executable, "-I", "-c", program]),
        "log": partial(_mycirrus, "log", *ONE_WINDOW, **variables),
    }
    values = take_turns(works, bench.rounds(15))

    def row(beside: str, base: str, ours: str, target: Target | None = None) -> Row:
        return Row("command", beside, _ms(more_than(values, base, ours)), "ms more", target)

    return [
        row("python -c pass (--help)", "nothing", "help", Target("≤", 60)),
        row("python -c pass (log)", "nothing", "log"),
        row("five lines with httpx (log)", "program", "log"),
    ]


def _mycirrus(*words: str, **variables: str) -> None:
    _quiet([str(MYCIRRUS), *words], **variables)


def _quiet(words: list[str], **variables: str) -> None:
    environment = os.environ | variables
    subprocess.run(words, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, env=environment)


def peak_memory(bench: Bench) -> list[Row]:
    """The peak memory of a process that streams 100 windows of 10,000 records, four at a time.

    It writes ndjson. It is compared with a process that only creates a client, and with half as
    many records. The last row is a process that keeps the records in a list.
    """
    missing = "" if memory.STATUS.exists() else "needs /proc"
    works = {} if missing else {kind: partial(_peak, bench, kind) for kind in memory.RECORDS}
    values = take_turns(works, bench.rounds(3), lambda work: work(), warm_up=False)

    def row(beside: str, base: str, kind: str, target: Target | None = None) -> Row:
        more = [] if missing else more_than(values, base, kind)
        return Row("memory", beside, more, "MB more", target, missing)

    return [
        row("a client and no request", "nothing", "stream", Target("≤", 40)),
        row("half as many records", "half", "stream", Target("≤", 5)),
        row("a client and no request (a list)", "nothing", "list"),
    ]


def _peak(bench: Bench, kind: str) -> float:
    words = [sys.executable, "-m", "benchmarks.memory", kind, bench.served.base_url("filled")]
    done = subprocess.run(words, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    count, peak = done.stdout.split()
    if int(count) != memory.RECORDS[kind]:
        raise RuntimeError(f"{kind}: {count} records, not {memory.RECORDS[kind]}")
    return float(peak)
