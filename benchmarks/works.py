"""The works: what is done, beside whom, and what is aimed at."""

import asyncio
import math
import os
import subprocess
import sys
import sysconfig
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cirrus_ext import AsyncCirrusClient, CirrusClient
from cirrus_ext.settings import DEFAULT_MAX_CONCURRENCY

from . import memory, peers
from .measure import OURS, more_than, seconds_a_request, take_turns, times_as_fast
from .peers import FLEET, GENERATOR, IN_FLIGHT, MANY, ROOT, WINDOWS, WRITTEN, YEARS
from .rows import Row, Target, Unit, Work, rows_of
from .server import BIG, DELAY, RATE, Served

MYCIRRUS = Path(sysconfig.get_path("scripts")) / "mycirrus"


@dataclass(frozen=True)
class Bench:
    """What all works share.

    Attributes:
        served: The server.
        no_rival: Why OpenAPI Generator's client cannot be measured; empty if it can.
        quick: Whether two rounds will do, to try it out.
    """

    served: Served
    no_rival: str = ""
    quick: bool = False

    def rounds(self, usual: int) -> int:
        """How many rounds."""
        return min(usual, 2) if self.quick else usual


def one_call(bench: Bench) -> list[Row]:
    """`calibration_log` for one instrument and one year, answered with one item.

    Forty calls a round, one after the other, over a connection that is kept. Bare httpx sends the
    same parameters, ready-made as strings, and gives dicts; the generated clients get datetimes,
    as the SDK does.
    """
    values = _sync(bench, "one", calls=40, rounds=75)
    return _sync_rows(bench, "one-call", values, {"bare httpx": Target("≥", 0.9)})


def big_answer(bench: Bench) -> list[Row]:
    """One `calibration_log` with all of its answer: some 8 MB of JSON, and objects made of it.

    The SDK has checked every item when it gives the list. Bare httpx gives dicts, in which times
    are strings. msgspec is the limit: objects from a parser in C.
    """
    values = _sync(bench, "big", calls=1, rounds=15)
    targets = {"raw generated client": Target("≥", 1.0), GENERATOR: Target("≥", 2.0)}
    return _sync_rows(bench, "big-answer", values, targets)


def _sync(bench: Bench, path: str, *, calls: int, rounds: int) -> dict[str, list[float]]:
    found = {
        OURS: peers.cirrus_ext,
        "bare httpx": peers.bare_httpx,
        "raw generated client": peers.raw_client,
        GENERATOR: peers.openapi_generator,
        "httpx + msgspec": peers.httpx_msgspec,
    }
    if bench.no_rival:
        del found[GENERATOR]
    with ExitStack() as clients:
        asks = {
            name: clients.enter_context(peer(bench.served.base_url(path)))
            for name, peer in found.items()
        }
        works = {name: partial(_repeat, ask, calls) for name, ask in asks.items()}
        return take_turns(works, bench.rounds(rounds))


def _repeat(ask: peers.Ask, calls: int) -> Any:
    for _ in range(calls - 1):
        ask()
    return ask()


def _sync_rows(
    bench: Bench, work: str, values: dict[str, list[float]], targets: dict[str, Target]
) -> list[Row]:
    rows = rows_of(work, values, targets)
    if bench.no_rival:
        rows.append(Row(work, GENERATOR, [], target=targets.get(GENERATOR), missing=bench.no_rival))
    return rows


def one_call_async(bench: Bench) -> list[Row]:
    """Eighty calls a round, by eight tasks in one event loop.

    Otherwise as one call.
    """
    found = {
        OURS: peers.cirrus_ext_async,
        "bare httpx.AsyncClient": peers.bare_httpx_async,
        "raw generated client": peers.raw_client_async,
    }
    base_url = bench.served.base_url("one")
    with asyncio.Runner() as loop:
        clients = AsyncExitStack()
        asks = {
            name: loop.run(clients.enter_async_context(peer(base_url)))
            for name, peer in found.items()
        }
        works = {name: partial(_run_in_flight, loop, ask) for name, ask in asks.items()}
        values = take_turns(works, bench.rounds(50))
        loop.run(clients.aclose())
    return rows_of("one-call-async", values, {"bare httpx.AsyncClient": Target("≥", 0.9)})


def _run_in_flight(loop: asyncio.Runner, ask: peers.AsyncAsk) -> None:
    loop.run(_in_flight(ask, 80 // IN_FLIGHT))


async def _in_flight(ask: peers.AsyncAsk, calls: int) -> None:
    async def one_after_the_other() -> None:
        for _ in range(calls):
            await ask()

    await asyncio.gather(*(one_after_the_other() for _ in range(IN_FLIGHT)))


def history(bench: Bench) -> list[Row]:
    """`calibration_history` with `max_concurrency=8` and a server that takes 50 ms: 600 requests.

    The ideal is requests x 50 ms / 8. The loop sends one request after the other with the raw
    client; it does every tenth one, and is compared by the request. The making of the client is
    part of the work.
    """
    base_url = bench.served.base_url("slow")
    works = {
        OURS: partial(peers.history, base_url),
        "async": partial(peers.history_async, base_url),
        "a loop": partial(peers.loop, base_url),
    }
    values = take_turns(works, bench.rounds(5), seconds_a_request, warm_up=False)
    ideal, aim = DELAY / IN_FLIGHT, Target("≥", 0.9)
    return [
        Row("history", "the ideal", _share(ideal, values[OURS]), target=aim),
        Row("history", "the ideal (async client)", _share(ideal, values["async"]), target=aim),
        Row("history", "a loop", times_as_fast(values, "a loop"), target=Target("≥", 7.0)),
    ]


def uneven_history(bench: Bench) -> list[Row]:
    """`history_windows` of 1,000 windows, four at a time; each answer takes 25 to 75 ms, by chance.

    The ideal is requests x 50 ms / 4. The making of the clients is not part of the work.
    """
    base_url = bench.served.base_url("uneven")
    with CirrusClient(peers.KEY, base_url=base_url) as client, asyncio.Runner() as loop:
        async_client = AsyncCirrusClient(peers.KEY, base_url=base_url)
        works = {
            "the ideal": lambda: peers.windows(client, ordered=True),
            "the ideal (async client)": lambda: loop.run(
                peers.windows_async(async_client, ordered=True)
            ),
            "the ideal, unordered": lambda: peers.windows(client, ordered=False),
            "the ideal, unordered (async client)": lambda: loop.run(
                peers.windows_async(async_client, ordered=False)
            ),
        }
        values = take_turns(works, bench.rounds(2), seconds_a_request, warm_up=False)
        loop.run(async_client.aclose())
    return [
        Row(
            "uneven-history",
            name,
            _share(DELAY / DEFAULT_MAX_CONCURRENCY, seconds),
            target=Target("≥", 0.97 if "unordered" in name else 0.9),
        )
        for name, seconds in values.items()
    ]


def sync(bench: Bench) -> list[Row]:
    """`mycirrus sync` of 1,000 instruments into a new archive, one window each, four at a time.

    The ideal is requests x 50 ms / 4. The time of a `sync` of one instrument, nearly all of it the
    start of Python, is subtracted.
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
            _share(ideal, more_than(values, "start", title)),
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


def _share(ideal: float, seconds: list[float]) -> list[float]:
    return [ideal / one for one in seconds]


def limited_history(bench: Bench) -> list[Row]:
    """`calibration_history`, 600 requests, at 20 requests a second, else 429 and `Retry-After: 1`.

    The ideal takes the 20 that the token bucket holds at the start, and then 20 a second. The peer
    is the raw client over `httpx_retries.RetryTransport` in a pool of eight threads, with a hundred
    tries, because with its default of ten some requests fail. (A loop stays below the limit, at
    50 ms a request.)
    """
    base_url = bench.served.base_url("limited")
    found = {
        OURS: peers.history,
        ASYNC: peers.history_async,
        "httpx-retries": peers.threads_with_httpx_retries,
    }
    refused: dict[str, list[float]] = {name: [] for name in found}

    def counted(name: str) -> int:
        bench.served.take_counts("limited")  # which fills the bucket
        requests = found[name](base_url)
        counts = bench.served.take_counts("limited")
        refused[name].append(100 * counts.refused / counts.requests)
        return requests

    works = {name: partial(counted, name) for name in found}
    values = take_turns(works, bench.rounds(2), seconds_a_request, warm_up=False)
    # The bucket is full at the start.
    ideal = (1 - RATE / len(WINDOWS)) / RATE
    work, aim = "limited-history", Target("≥", 0.9)
    return [
        Row(work, "the ideal", _share(ideal, values[OURS]), target=aim),
        Row(work, "the ideal (async client)", _share(ideal, values[ASYNC]), target=aim),
        Row(work, "httpx-retries in 8 threads", times_as_fast(values, "httpx-retries")),
        Row(work, "429s met by cirrus_ext", refused[OURS], SHARE, Target("≤", 5)),
        Row(work, "429s met by the async client", refused[ASYNC], SHARE, Target("≤", 5)),
        Row(work, "429s met by httpx-retries", refused["httpx-retries"], SHARE),
    ]


ASYNC = "cirrus_ext, async"
SHARE: Unit = "% of the answers"
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
    """A fresh process for each import, its start included.

    `cirrus_ext` loads its names at first use, so all its public names are used (`from cirrus_ext
    import *`), but in the row that says otherwise. httpx loads httpcore when it makes its first
    client, so there is a row with a client made. Neither click nor rich is installed: where they
    are, httpx takes longer to import.
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
        row("both, and a client made", "raw, made", "ours, made", aim),
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
    """A fresh process for each `mycirrus --help`, and `mycirrus log` of one window as ndjson.

    The five lines with httpx print the same, without checks, retries or messages.
    """
    base_url = bench.served.base_url("one")
    program = FIVE_LINES.format(url=base_url + peers.PATH)
    variables = {"MYCIRRUS_API_KEY": peers.KEY, "MYCIRRUS_BASE_URL": base_url}
    works = {
        "nothing": partial(_python, "-c", "pass"),
        "help": partial(_mycirrus, "--help"),
        "program": partial(_quiet, [sys.executable, "-I", "-c", program]),
    }
    works["log"] = partial(_mycirrus, "log", *ONE_WINDOW, **variables)
    values = take_turns(works, bench.rounds(15))
    help_row = _ms(more_than(values, "nothing", "help"))
    rows = [Row("command", "python -c pass (--help)", help_row, "ms more", Target("≤", 60))]
    for beside, base in {"python -c pass": "nothing", "five lines with httpx": "program"}.items():
        rows.append(
            Row("command", f"{beside} (log)", _ms(more_than(values, base, "log")), "ms more")
        )
    return rows


def _mycirrus(*words: str, **variables: str) -> None:
    _quiet([str(MYCIRRUS), *words], **variables)


def _quiet(words: list[str], **variables: str) -> None:
    environment = os.environ | variables
    subprocess.run(words, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, env=environment)


def peak_memory(bench: Bench) -> list[Row]:
    """The peak of a process that streams 100 windows of 10,000 records to ndjson, four at a time.

    Over that of a process that makes a client and no more, and over that of half as many records;
    then the peak of one that keeps the records in a list.
    """
    missing = "" if memory.STATUS.exists() else "needs /proc"
    works = {} if missing else {kind: partial(_peak, bench, kind) for kind in memory.KINDS}
    values = take_turns(works, bench.rounds(3), lambda work: work(), warm_up=False)

    def row(beside: str, base: str, kind: str, target: Target | None = None) -> Row:
        more = [] if missing else more_than(values, base, kind)
        return Row("memory", beside, more, "MB more", target, missing)

    return [
        row("a client that was only made", "nothing", "stream", Target("≤", 40)),
        row("half as many records", "half", "stream", Target("≤", 5)),
        row("a client that was only made (a list)", "nothing", "list"),
    ]


def _peak(bench: Bench, kind: str) -> float:
    words = [sys.executable, "-m", "benchmarks.memory", kind, bench.served.base_url("filled")]
    done = subprocess.run(words, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    count, peak = done.stdout.split()
    if int(count) != memory.RECORDS[kind]:
        raise RuntimeError(f"{kind} gave {count} records, not {memory.RECORDS[kind]}")
    return float(peak)


def requests(bench: Bench) -> list[Row]:
    """As the server counts them, over the least that windows of at most 365 days take.

    One request asks about one instrument, and has a millisecond to spare at both ends.
    """
    bench.served.take_counts("one")
    peers.history(bench.served.base_url("one"))
    counts = bench.served.take_counts("one")
    more = counts.requests - least_requests()
    return [Row("requests", "the least", [more], "requests more", Target("≤", 0))]


def least_requests() -> int:
    """The requests that the fleet's years take, when each asks for 365 days at most.

    A millisecond to spare at both ends of each is part of them.
    """
    first, last = (datetime.fromisoformat(YEARS[end]) for end in ("start", "end"))
    longest = timedelta(days=365) - 2 * timedelta(milliseconds=1)
    return len(FLEET) * math.ceil((last - first) / longest)


# What profiles have shown of the works whose targets may be missed.
SMALL_PARTS = """
Of some 2,500 function calls that a request takes, 95 in a hundred are in httpx, httpcore and h11,
where bare httpx makes them too. The rest has no large part: the range is checked and written (4 %
of the processor time that bare httpx takes), reads and writes are held to a budget (3 %), slot,
rate limit and the check of the answer take 5 %, objects instead of dicts 1 %. A server that takes
20 ms to answer hides all of it.
"""
PROCESSOR = """
Requests of half a millisecond to one and a half of processor time each, nearly all of it in httpx,
share one interpreter lock, so that eight slots have 4 ms to wait in every 50; timers of the server
that are up to a millisecond late are the rest. Bare httpx in four threads, which checks and retries
nothing, reaches 0.94 of the ideal at 25 to 75 ms, and 0.95 at 50 ms.
"""
MODULES = """
Of what `cirrus_ext` loads beyond the generated client, httpcore takes the most (16 ms), which
httpx would load with its first client in any case; then asyncio (10 ms), for the async client; then
the making of some fifteen dataclasses (8 ms).
"""
WINDOWS_AHEAD = """
Eight windows are under way or ready, and one is being written: at 325 bytes a record that is 29 MB;
the one that is being parsed takes as much again for its records as JSON. It grows with the size of
a window and with `max_concurrency`, not with the length of the history: see the row for half as
many records.
"""

WORKS = [
    Work("one-call", "One call, one item", one_call, SMALL_PARTS),
    Work("one-call-async", "The same, eight in flight", one_call_async, SMALL_PARTS),
    Work("big-answer", f"One answer of {BIG:,} items", big_answer),
    Work("history", "100 instruments, 5 years, 50 ms", history, PROCESSOR),
    Work("uneven-history", "1,000 windows, 25 to 75 ms", uneven_history, PROCESSOR),
    Work("limited-history", "600 requests at 20 a second", limited_history),
    Work("sync", "Sync, 1,000 instruments", sync, PROCESSOR),
    Work("import", "Import, cold", imports, MODULES),
    Work("command", "The command", command),
    Work("memory", "A million records, streamed", peak_memory, WINDOWS_AHEAD),
    Work("requests", "Requests, 100 instruments, 5 years", requests),
]
