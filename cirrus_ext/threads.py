"""Daemon threads: the end of the program does not wait for them, as for those of an executor."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

Result = TypeVar("Result")


def in_thread(job: Callable[[], Result]) -> Future[Result]:
    """Run a job in a thread that nobody waits for; or here, if no thread can be started."""
    future: Future[Result] = Future()
    if _start(partial(_run, future, job)) is None:
        _run(future, job, Exception)
    return future


class Workers:
    """Up to so many threads that run jobs in the order of submission."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._threads: list[threading.Thread] = []
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def submit(self, job: Callable[[], Result]) -> Future[Result]:
        """Run a job in a thread; or here, if no thread can be started."""
        future: Future[Result] = Future()
        if len(self._threads) < self._most and (thread := _start(self._work)):
            self._threads.append(thread)
        if self._threads:
            self._jobs.put(partial(_run, future, job))
        else:
            _run(future, job, Exception)
        return future

    def _work(self) -> None:
        while run := self._jobs.get():
            run()
            del run  # it holds the result

    def close(self) -> None:
        """End the threads once the jobs are done, and wait a while for them."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            # The garbage collector may call this in one of them.
            if thread is not threading.current_thread():
                thread.join(5)


def _start(target: Callable[[], None]) -> threading.Thread | None:
    """Start a thread; None if the interpreter shuts down, or if there are too many."""
    thread = threading.Thread(target=target, name="cirrus", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread


def _run(
    future: Future[Any], job: Callable[[], Any], caught: type[BaseException] = BaseException
) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(job())
    except caught as error:
        future.set_exception(error)
