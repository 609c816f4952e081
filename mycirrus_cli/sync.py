"""``mycirrus sync``: bring an archive up to date, or check it."""

import re
from argparse import Namespace
from collections.abc import Sequence
from functools import partial

from cirrus_ext.errors import (
    APIConnectionError,
    AuthenticationError,
    CirrusError,
    RateLimitError,
    ServerError,
)
from cirrus_ext.ranges import HistoryWindow, wire_time

from .archive import file
from .archive.chain import Commit
from .archive.checking import check, fitting
from .archive.orders import Orders
from .archive.ranges import time_of
from .archive.state import State
from .archive.store import Store, beginning
from .archive.writer import committing
from .echo import echo
from .exits import CHANGED, DONE, FAILED, UNREACHABLE, CommandError
from .fetch import Fetch, fetch_of, show_plan
from .query import utc_now
from .sdk_errors import exit_code, in_one_line
from .text import first_few, quantity

# So many requests in a row that fail because of the server or the connection end the run.
MOST_FAILURES = 10
MOST_SHOWN = 10  # entries in a line
SERIAL = re.compile(r"[\w-]*\d[\w-]*")  # and not the name of a file, with a dot or a slash
HEAD = re.compile("[0-9a-fA-F]{64}")


def _is_serial(word: str, serials: list[str]) -> bool:
    """Whether ARCHIVE was forgotten: the word is written like a serial number that follows."""
    shapes = {re.sub("[A-Z]", "A", re.sub(r"\d", "0", one.upper())) for one in (word, *serials[:1])}
    return SERIAL.fullmatch(word) is not None and len(shapes) == 1


def run(options: Namespace) -> int:
    """Bring an archive up to date, or check it.

    Returns:
        The exit code.

    Raises:
        CommandError: Bad usage, or the archive cannot be used.
        CirrusError: The API refused the key, or cannot be reached.
    """
    path = file.path_of(options.archive)
    if options.check or options.head is not None:
        print(check(path, _head(options)))
        return DONE
    if _is_serial(options.archive, options.serials) and not path.exists():
        raise CommandError(
            f"{path}: there is no such archive, and it looks like a serial number; name a file "
            f"first, such as mycirrus sync fleet.db {path}, or ./{path}"
        )
    orders = Orders.of(options, path, utc_now())
    if options.dry_run:
        _show(orders)
        return DONE
    fetch = fetch_of(options, ())
    with file.opened_to_write(path) as connection:
        store = Store(connection, State(fitting(path, connection)))
        plan = _begin(store, orders)
        failures = _fetch(fetch, store, plan)
        with store.transaction():
            store.end()
        return _print_results(fetch, store, failures)


def _head(options: Namespace) -> bytes | None:
    if not options.check:
        raise CommandError("--head needs --check")
    given = options.serials or options.instruments_file or options.start or options.last
    if given or options.verify or options.retire or options.dry_run:
        raise CommandError("--check sends no request: of the other options it takes --head alone")
    if options.head is None:
        return None
    if not HEAD.fullmatch(options.head):
        raise CommandError(f"--head must be the 64 digits that a run has shown: {options.head!r}")
    return bytes.fromhex(options.head)


def _begin(store: Store, orders: Orders) -> list[HistoryWindow]:
    """Begin a run, or continue an interrupted one, and return the windows that are due."""
    added, run = orders.added_to(store.state), orders.run_after(store.state)
    orders.warn_of_the_clock(store.state)
    with store.transaction():
        store.begin(run, added, orders.retire)
    return store.state.plan()


def _show(orders: Orders) -> None:
    """Print the requests of the run."""
    state = State()
    if not file.is_new(orders.path):
        with file.opened_to_read(orders.path) as connection:
            state = State(fitting(orders.path, connection))
    number, added, run = state.number + 1, orders.added_to(state), orders.run_after(state)
    writes = beginning(state, run, added, orders.retire)
    changes = [(kind.name, number, *values) for kind, values in writes]
    state.apply(Commit(number, state.head, changes))
    until = wire_time(time_of(state.runs[-1].until))
    show_plan(state.plan(), state.active, f"up to {until}")


def _fetch(fetch: Fetch, store: Store, plan: Sequence[HistoryWindow]) -> list[CirrusError]:
    """Fetch windows, and commit them as they arrive.

    Returns:
        The errors of the windows that failed.

    Raises:
        CirrusError: All others would fail as well, because of the key or the server; the run is
            interrupted.
    """
    errors: list[CirrusError] = []
    in_a_row = 0
    try:
        with committing(store) as keep:

            def fail(error: CirrusError) -> None:
                nonlocal in_a_row
                in_a_row += isinstance(error, APIConnectionError | ServerError)
                is_of_the_key = isinstance(error, AuthenticationError | RateLimitError)
                if is_of_the_key or in_a_row == MOST_FAILURES:
                    raise error
                errors.append(error)
                keep(partial(store.failed, error.window, error))

            with fetch.windows(plan, on_failure=fail) as answers:
                for window, records in answers:
                    in_a_row = 0
                    keep(partial(store.answered, window, records))
    except (CirrusError, KeyboardInterrupt) as error:
        done = f"{fetch.answered:,} of {quantity(len(plan), 'request')} are done"
        error.add_note(f"{done}; the same command goes on from there")
        raise
    return errors


def _print_results(fetch: Fetch, store: Store, failures: Sequence[CirrusError]) -> int:
    """Print the results of the run, and return its exit code."""
    counts, unseen = store.counts(), store.newly_unseen()
    for word, entries in store.gone().items():
        echo(f"{word}: {first_few(entries, MOST_SHOWN)}")
    if unseen:
        echo(f"no longer seen, or not with this key: {first_few(unseen, MOST_SHOWN)}")
    if failures:
        echo(
            f"{quantity(len(failures), 'request')} failed, one of them: {in_one_line(failures[0])}"
        )
    requests = quantity(fetch.requests + len(failures), "request")
    new, head = quantity(counts.new, "new entry"), store.state.head.hex()
    if not fetch.quiet:
        changes = f"{new}, {counts.changed:,} changed, {counts.missing:,} missing"
        echo(f"{requests}, {changes}; head {head}")
    if failures:
        codes = {exit_code(error) for error in failures}
        return UNREACHABLE if codes == {UNREACHABLE} else FAILED
    return CHANGED if counts.changed or counts.missing or unseen else DONE
