"""Commits to an archive in a thread of its own, so that a slow disk holds up no request."""

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from .store import Store

# Commits that wait for the disk before requests have to wait for it.
MOST_WAITING = 4

Keep = Callable[[Callable[[], object]], None]


@contextmanager
def committing(store: Store) -> Generator[Keep]:
    """Commit what the block hands on; what waits at its end is committed too.

    What has come while the disk was busy is put on it in one transaction.

    Yields:
        A function that takes calls of methods of the store.

    Raises:
        Exception: What the store or the disk raised; it is raised by the function, too.
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

    with ThreadPoolExecutor(1, thread_name_prefix="archive") as pool:

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
