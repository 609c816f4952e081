"""Commits to an archive in a thread of its own, so that a slow disk delays no request."""

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from .store import Store

# The number of commits that can wait for the disk before requests have to wait.
MOST_WAITING = 4

Keep = Callable[[Callable[[], object]], None]


@contextmanager
def committing(store: Store) -> Generator[Keep]:
    """Make calls of the store in a thread, the last of them before the block ends.

    Calls that arrive while the disk is busy share a transaction.

    Yields:
        A function that takes a call.

    Raises:
        Exception: The store or the disk raised it; the function raises it, too.
    """
    waiting: deque[Callable[[], object]] = deque()
    errors: list[BaseException] = []

    def write() -> None:
        if not waiting or errors:
            return
        try:
            with store.transaction():
                for _ in range(len(waiting)):
                    waiting.popleft()()
        except BaseException as error:  # noqa: BLE001 - it is raised in the other thread
            errors.append(error)

    with _thread(store) as pool:

        def keep(call: Callable[[], object]) -> None:
            waiting.append(call)
            written: Future[None] = pool.submit(write)
            if len(waiting) > MOST_WAITING:
                written.result()
            if errors:
                raise errors[0]

        yield keep
    if errors:
        raise errors[0]


@contextmanager
def _thread(store: Store) -> Generator[ThreadPoolExecutor]:
    """Yield a thread, and wait for its end; after Ctrl-C, it waits for no other program."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="archive")
    try:
        yield pool
    except KeyboardInterrupt:
        store.stop_waiting()
        raise
    finally:
        try:
            pool.shutdown()
        except KeyboardInterrupt:
            store.stop_waiting()
            pool.shutdown()  # it must not use the connection any more
            raise
