"""The works: what is done, beside which peers, and the targets."""

import asyncio
import math
from contextlib import AsyncExitStack, ExitStack
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from cirrus_ext import AsyncCirrusClient, CirrusClient
from cirrus_ext.settings import DEFAULT_MAX_CONCURRENCY

from . import peers
from .measure import OURS, seconds_a_request, take_turns, times_as_fast
from .peers import FLEET, GENERATOR, IN_FLIGHT, WINDOWS, YEARS
from .processes import command, imports, peak_memory, sync
from .rows import Bench, Row, Target, Unit, Work, rows_of, share_of
from .server import BIG, DELAY, RATE


def one_call(bench: Bench) -> list[Row]:
    """`calibration_log` for one instrument and one year, answered with one item.

    Each round makes forty calls, one after the other, over one connection. Bare httpx takes the
    parameters as strings and returns dicts; the generated clients take datetimes, as the SDK does.
    """
    values = _sync(bench, "one", calls=40, rounds=75)
    return _sync_rows(bench, "one-call", values, {"bare httpx": Target("≥", 0.9)})


def big_answer(bench: Bench) -> list[Row]:
    """One `calibration_log` with an answer of 8 MB of JSON.

    The SDK has checked every item when it returns the list. Bare httpx returns dicts, in which
    times are strings. msgspec, a parser in C that creates objects, is the limit.
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
    """Eighty calls a round, by eight tasks in one event loop; otherwise as one call."""
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
    """`calibration_history` of 600 requests, each answered after 50 ms, `max_concurrency=8`.

    The ideal is requests x 50 ms / 8. The loop sends every tenth request, one after the other, with
    the raw client; the times for each request are compared. They include the creation of the
    client.
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
        Row("history", "the ideal", share_of(ideal, values[OURS]), target=aim),
        Row("history", "the ideal (async client)", share_of(ideal, values["async"]), target=aim),
        Row("history", "a loop", times_as_fast(values, "a loop"), target=Target("≥", 7.0)),
    ]


def uneven_history(bench: Bench) -> list[Row]:
    """`history_windows` of 1,000 windows, four at a time; an answer takes 25 to 75 ms, at random.

    The ideal is requests x 50 ms / 4. The clients exist before.
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
            share_of(DELAY / DEFAULT_MAX_CONCURRENCY, seconds),
            target=Target("≥", 0.97 if "unordered" in name else 0.9),
        )
        for name, seconds in values.items()
    ]


def limited_history(bench: Bench) -> list[Row]:
    """`calibration_history` of 600 requests; above 20 a second a 429 with `Retry-After: 1`.

    The ideal is the 20 requests that the token bucket holds at the start, and then 20 a second. The
    peer is the raw client over `httpx_retries.RetryTransport` in a pool of eight threads, with up
    to a hundred attempts, because with its default of ten some requests fail. (A loop stays below
    the limit, at 50 ms a request.)
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
        Row(work, "the ideal", share_of(ideal, values[OURS]), target=aim),
        Row(work, "the ideal (async client)", share_of(ideal, values[ASYNC]), target=aim),
        Row(work, "httpx-retries in 8 threads", times_as_fast(values, "httpx-retries")),
        Row(work, "429s met by cirrus_ext", refused[OURS], SHARE, Target("≤", 5)),
        Row(work, "429s met by the async client", refused[ASYNC], SHARE, Target("≤", 5)),
        Row(work, "429s met by httpx-retries", refused["httpx-retries"], SHARE),
    ]


ASYNC = "cirrus_ext, async"
SHARE: Unit = "% of the answers"


def requests(bench: Bench) -> list[Row]:
    """The number that the server counts, less the least for windows of at most 365 days.

    A request is for one instrument, and for one millisecond more at both ends.
    """
    bench.served.take_counts("one")
    peers.history(bench.served.base_url("one"))
    counts = bench.served.take_counts("one")
    first, last = (datetime.fromisoformat(YEARS[end]) for end in ("start", "end"))
    longest = timedelta(days=365) - 2 * timedelta(milliseconds=1)
    more = counts.requests - len(FLEET) * math.ceil((last - first) / longest)
    return [Row("requests", "the least", [more], "requests more", Target("≤", 0))]


# What profiles show of the works whose targets may be missed.
SMALL_PARTS = """
A request takes some 2,500 function calls. 95 % of them are in httpx, httpcore and h11, where bare
httpx makes them too. No other part is large: in percent of the processor time of bare httpx, the
range takes 4, the time limit of reads and writes 3, slot, rate limit and the check of the answer 5,
objects in place of dicts 1. If the server takes 20 ms to answer, none of it can be measured.
"""
PROCESSOR = """
A request takes 0.5 to 1.5 ms of processor time, nearly all of it in httpx, and all requests share
one interpreter lock, so that eight slots wait 4 ms in every 50. The rest are timers of the server
that are up to a millisecond late. Bare httpx in four threads, which checks and retries nothing,
reaches 0.94 of the ideal at 25 to 75 ms, and 0.95 at 50 ms.
"""
MODULES = """
Of what `cirrus_ext` loads in addition to the generated client, httpcore takes the most (16 ms);
httpx would load it with its first client. Then come asyncio (10 ms), for the async client, and the
creation of some fifteen dataclasses (8 ms).
"""
WINDOWS_AHEAD = """
Eight windows are requested or ready, and one is being written: at 325 bytes a record, these are
29 MB. The one that is being parsed takes as much again for its JSON. The peak grows with the size
of a window and with `max_concurrency`, not with the length of the history: see the row for half as
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
