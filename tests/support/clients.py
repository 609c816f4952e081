"""One test for both clients: use a sync or an async one, and return its result."""

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
    """Make a client, do a job with it, and close it.

    Args:
        client_kind: ``sync`` or ``async``.
        job: Takes the client, and returns a value, an awaitable or a generator.
        options: The arguments of the client, besides `KEY`.

    Returns:
        The value, or a list of the elements of the generator.
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
    return client.calibration_log(["QT123456"], start=START, end=END)


async def seconds_to_cancel(client: AsyncCirrusClient) -> float:
    """Cancel a request under way, and return how long that takes."""
    task = asyncio.create_task(ask(client))
    await asyncio.sleep(0.2)
    began = time.monotonic()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    return time.monotonic() - began


def copy_of(response: httpx.Response) -> httpx.Response:
    """The same response, not read yet: each case of a table is used more than once."""
    return httpx.Response(response.status_code, headers=response.headers, content=response.content)


def frames_of(error: BaseException) -> str:
    """All local variables of all frames of an error, its causes and its contexts.

    Without the frames of the tests, which may know the key.
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
