"""One test for two clients: use a sync or an async one, and get what it gave."""

import asyncio
import time
import traceback
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from cirrus_ext import AsyncCirrusClient, CirrusClient

KEY = "canary-key-0123456789"
START, END = "2023-01-01T00:00:00Z", "2023-01-31T00:00:00Z"


def use(client_kind: str, job: Callable[[Any], Any], **options: Any) -> Any:
    """Make a client, let it do a job, close it.

    Args:
        client_kind: ``sync`` or ``async``.
        job: What to do with the client; may give a value, something to await, or a generator.
        options: What the client is made with, besides `KEY`.

    Returns:
        What the job gave; of a generator the list.
    """
    if client_kind == "async":
        return asyncio.run(_use_async(job, options))
    with CirrusClient(KEY, **options) as client:
        result = job(client)
        return list(result) if isinstance(result, Generator) else result


async def _use_async(job: Callable[[Any], Any], options: dict[str, Any]) -> Any:
    async with AsyncCirrusClient(KEY, **options) as client:
        result = job(client)
        if isinstance(result, AsyncGenerator):
            return [element async for element in result]
        return await result


def ask(client: Any) -> Any:
    """The question that most tests ask."""
    return client.calibration_log(["QT123456"], start=START, end=END)


async def seconds_to_cancel(client: AsyncCirrusClient) -> float:
    """Ask, give up in the middle of it, and see how long that takes."""
    task = asyncio.create_task(ask(client))
    await asyncio.sleep(0.2)
    began = time.monotonic()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    return time.monotonic() - began


def copy_of(response: httpx.Response) -> httpx.Response:
    """The same answer, not read by anybody yet; a table of cases is played more than once."""
    return httpx.Response(response.status_code, headers=response.headers, content=response.content)


def frames_of(error: BaseException) -> str:
    """All local variables of all frames that an error and what led to it went through.

    The tests' own frames are left out: they may know the key.
    """
    text, queue = "", [error]
    while queue:
        one = queue.pop()
        queue += [link for link in (one.__cause__, one.__context__) if link is not None]
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if not {"contract_tests", "tests"} & set(Path(frame.f_code.co_filename).parts):
                text += "".join(_shown(value) for value in frame.f_locals.values())
    return text


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - half-made objects of other libraries
        return ""
