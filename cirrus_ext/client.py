"""The clients: one method per operation, and the history over many requests."""

import ssl
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import Any, Generic, NoReturn, Self, TypeVar, cast

from mycirrus_client import AuthenticatedClient
from mycirrus_client.models import CalibrationLogItem

from . import bodies, calibration_log, http, settings
from .calibration_log import CalibrationRecord, MismatchError, check_windows, items_of, records_of
from .call import Context
from .clock import Clock
from .errors import ConfigurationError
from .history import fetch_windows, fetch_windows_async
from .ranges import HistoryWindow, check_instruments, check_range, plan_history
from .retry import RetryEvent, RetryPolicy, check_seconds

Time = datetime | str
AnyHTTPClient = TypeVar("AnyHTTPClient")
AnyTransport = TypeVar("AnyTransport")
Parsed = TypeVar("Parsed")


def _parsed(parse: Callable[[Any], Parsed], response: bodies.Response) -> Parsed:
    """Parse the body of a 2xx.

    Raises:
        APIResponseError: It does not fit the contract.
    """
    if response.status_code != 200:
        raise bodies.body_error(response, "$", "is documented for a 200")
    try:
        return parse(response.json())
    except MismatchError as error:
        path, problem = error.path, error.problem
    # Outside the handler: the frames of the parser hold the whole body.
    raise bodies.body_error(response, path, problem)


class _Client(Generic[AnyHTTPClient, AnyTransport]):
    """What the sync and the async client have in common. Does no I/O."""

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        timeout: float = settings.DEFAULT_TIMEOUT,
        max_concurrency: int = settings.DEFAULT_MAX_CONCURRENCY,
        verify: bool | ssl.SSLContext = True,
        transport: AnyTransport | None = None,
        on_event: Callable[[RetryEvent], object] | None = None,
        _clock: Clock = Clock(),  # noqa: B008 - frozen
    ) -> None:
        given = None if api_key is None else settings.Secret(api_key)
        del api_key  # a traceback that shows local variables shall not show it
        self._settings = settings.Settings(
            api_key=settings.find_api_key(given),
            base_url=settings.find_base_url(base_url),
            retry=retry,
            timeout=timeout,
            max_concurrency=max_concurrency,
            verify=verify,
            on_event=on_event,
        )
        # Our own HTTP client adds the key to each request; the generated one would print it.
        base = self._settings.base_url
        self._raw = AuthenticatedClient(base, "", prefix="", auth_header_name=http.API_KEY_HEADER)
        self._http = self._connect(transport, _clock)

    def _connect(self, transport: AnyTransport | None, clock: Clock) -> AnyHTTPClient:
        """Make the HTTP client, and pass it to the generated client."""
        raise NotImplementedError

    @property
    def raw(self) -> AuthenticatedClient:
        """The generated client, with the key, timeouts, retries and typed errors of this one.

        For operations that have no method here, and for the whole HTTP response:
        ``get_calibrations_log.sync_detailed(client=client.raw, ...)``. An error status is raised,
        not returned. Its ``with_...`` methods would make a client without all that.
        """
        return self._raw

    def _request_arguments(
        self, instruments: Iterable[str], start: Time, end: Time, timeout: float | None
    ) -> dict[str, Any]:
        """Return the arguments of one documented request, for httpx."""
        serials, context = check_instruments(instruments), Context(scope=calibration_log.SCOPE)
        arguments = self._arguments(serials, check_range(start, end), context)
        if timeout is not None:
            check_seconds("timeout", timeout, above_zero=True)
            arguments["timeout"] = timeout
        return arguments

    def _window_arguments(
        self, window: HistoryWindow, stop: threading.Event | None = None
    ) -> dict[str, Any]:
        """Return the arguments of the request for one window of a history."""
        calibration_log.check_window(window)
        context = Context(scope=calibration_log.SCOPE, window=window, stop=stop)
        return self._arguments([window.instrument], window.request_range, context)

    def _arguments(
        self, serials: list[str], given: tuple[datetime, datetime], context: Context
    ) -> dict[str, Any]:
        arguments = calibration_log.request_arguments(self._settings.base_url, serials, *given)
        return arguments | {"extensions": {http.CONTEXT: context}}

    def __repr__(self) -> str:
        # A traceback may show a client whose settings were refused, and so has none.
        base_url = self._settings.base_url if hasattr(self, "_settings") else None
        return f"{type(self).__name__}(base_url={base_url!r})"

    def __reduce__(self) -> NoReturn:
        name = type(self).__name__
        raise TypeError(
            f"{name} cannot be pickled: it holds connections and a key. Make one in each worker, "
            f"from the environment: {name}()"
        )


class CirrusClient(_Client[http.HTTPClient, http.Transport]):
    """A client of the MyCirrus API. Threads may share it; processes may not.

    Args:
        api_key: A key with the scope ``data.system:read``; else ``MYCIRRUS_API_KEY`` is taken.
        base_url: The server; else ``MYCIRRUS_BASE_URL`` is taken, else the vendor's.
        retry: How often to try, and how long to wait in between.
        timeout: Seconds (1,000,000 at most) that an attempt may wait for a connection or data.
        max_concurrency: Requests under way at once (1 to 1000), over all threads and histories.
        verify: Whether to check the server's certificate, or an ``ssl.SSLContext`` that does.
        transport: An httpx transport to send through instead of the network. ``verify`` and the
            proxy variables of the environment do not reach it.
        on_event: Called with a `RetryEvent` before each retry, in the thread that retries.

    Raises:
        ConfigurationError: No key, or a setting of the wrong type or out of bounds.
    """

    def _connect(self, transport: http.Transport | None, clock: Clock) -> http.HTTPClient:
        self._parsing = threading.Lock()
        client = http.HTTPClient(self._settings, transport=transport, clock=clock)
        self._raw.set_httpx_client(client)
        self._raw.set_async_httpx_client(cast("Any", _WrongClient("AsyncCirrusClient")))
        return client

    def calibration_log(
        self,
        instruments: Iterable[str],
        *,
        start: datetime | str,
        end: datetime | str,
        timeout: float | None = None,
    ) -> list[CalibrationLogItem]:
        """Send one request, as the vendor documents it: ``GET /data/calibrations/log``.

        The answer does not say which instrument an item belongs to, and the vendor does not say
        whether the ends of the range are included. `calibration_history` solves both.

        Args:
            instruments: Serial numbers.
            start: Start of the range: an aware datetime, or an RFC 3339 string with an offset.
                Sent in UTC, rounded down to a millisecond.
            end: End of the range, at most one calendar year after ``start``. Rounded up.
            timeout: Seconds that an attempt may wait for a connection or for data; the default
                is the client's.

        Returns:
            The items in the order of the answer.

        Raises:
            InvalidRequestError: Invalid instruments or range; nothing was sent.
            ConfigurationError: Invalid timeout, or a closed client; nothing was sent.
            APIConnectionError: No complete answer came.
            APIStatusError: The API refused or failed.
            APIResponseError: The answer does not fit the contract.
        """
        response = self._http.request(**self._request_arguments(instruments, start, end, timeout))
        return _parsed(items_of, response)

    def calibration_history(
        self, instruments: Iterable[str], *, start: datetime | str, end: datetime | str
    ) -> Generator[CalibrationRecord]:
        """Fetch the calibration log of any number of instruments over any length of time.

        This is `plan_history` and `history_windows`: one request for each instrument and 365 days.
        No record is lost or doubled where two windows meet. An empty history does not prove that
        the instrument exists: the vendor does not say what an unknown serial number gets.

        Args:
            instruments: Serial numbers.
            start: The first moment wanted: an aware datetime, or an RFC 3339 string with an offset.
            end: The first moment no longer wanted.

        Yields:
            The records, by instrument as given, then by time.

        Raises:
            InvalidRequestError: Invalid instruments or range: at the call, before a request.
            CirrusError: A window failed, after all records of the windows before it were yielded.
                It is the ``window`` of the error.
        """
        windows = plan_history(instruments, start=start, end=end)
        return self._records_of(windows)

    def _records_of(self, windows: list[HistoryWindow]) -> Generator[CalibrationRecord]:
        for _, records in self.history_windows(windows):
            yield from records
            del records  # the next ones take as much memory

    def history_windows(
        self, windows: Iterable[HistoryWindow], *, ordered: bool = True
    ) -> Generator[tuple[HistoryWindow, list[CalibrationRecord]]]:
        """Fetch windows, ``max_concurrency`` at a time, and yield each, empty ones too.

        To go on after an error, call this again with the windows that were not yielded.

        Args:
            windows: What `plan_history` returns, or a part of it.
            ordered: Whether to yield windows in the order given. Then at most twice
                ``max_concurrency`` windows have been requested and not yet yielded; else at most
                ``max_concurrency``, and each is yielded as soon as it is there.

        Yields:
            Each window with its records, by time.

        Raises:
            CirrusError: A window failed. If ordered, all windows before it were yielded, else all
                that were requested. ``window`` is the first that failed, ``others`` other errors.
        """
        stop, check = self._http.new_stop(), self._http.check_process
        fetch, workers = partial(self._fetch, stop=stop), self._settings.max_concurrency
        return fetch_windows(check_windows(windows), fetch, workers, stop, check, ordered=ordered)

    def fetch_window(self, window: HistoryWindow) -> list[CalibrationRecord]:
        """Fetch one window of a history: one request.

        Returns:
            The records with ``window.start <= time < window.end``, by time.

        Raises:
            CirrusError: As `calibration_log` does, with the window on it.
        """
        return self._fetch(window, None)

    def _fetch(
        self, window: HistoryWindow, stop: threading.Event | None
    ) -> list[CalibrationRecord]:
        response = self._http.request(**self._window_arguments(window, stop))
        # One at a time, because each parser holds all of its JSON in memory.
        with self._parsing:
            return _parsed(partial(records_of, window), response)

    def close(self) -> None:
        """Stop the calls of all threads, and close the connections; the client is then unusable."""
        self._http.close()

    def __enter__(self) -> Self:
        self._http.check_open()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class AsyncCirrusClient(_Client[http.AsyncHTTPClient, http.AsyncTransport]):
    """The same as `CirrusClient`, for one event loop of asyncio.

    The arguments are those of `CirrusClient`, but ``transport`` is an async one, and ``on_event``
    is called in the event loop.

    Raises:
        ConfigurationError: No key, or a setting of the wrong type or out of bounds.
    """

    def _connect(self, transport: http.AsyncTransport | None, clock: Clock) -> http.AsyncHTTPClient:
        client = http.AsyncHTTPClient(self._settings, transport=transport, clock=clock)
        self._raw.set_async_httpx_client(client)
        self._raw.set_httpx_client(cast("Any", _WrongClient("CirrusClient")))
        return client

    async def calibration_log(
        self,
        instruments: Iterable[str],
        *,
        start: datetime | str,
        end: datetime | str,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of the sync client
    ) -> list[CalibrationLogItem]:
        """Send one request: see `CirrusClient.calibration_log`."""
        arguments = self._request_arguments(instruments, start, end, timeout)
        return _parsed(items_of, await self._http.request(**arguments))

    def calibration_history(
        self, instruments: Iterable[str], *, start: datetime | str, end: datetime | str
    ) -> AsyncGenerator[CalibrationRecord]:
        """Fetch the log over any length of time: see `CirrusClient.calibration_history`.

        To leave it early, use ``contextlib.aclosing``.
        """
        windows = plan_history(instruments, start=start, end=end)
        return self._records_of(windows)

    async def _records_of(self, windows: list[HistoryWindow]) -> AsyncGenerator[CalibrationRecord]:
        async with aclosing(self.history_windows(windows)) as answers:
            async for _, records in answers:
                for record in records:
                    yield record
                del records  # the next ones take as much memory

    def history_windows(
        self, windows: Iterable[HistoryWindow], *, ordered: bool = True
    ) -> AsyncGenerator[tuple[HistoryWindow, list[CalibrationRecord]]]:
        """Fetch windows, several at a time: see `CirrusClient.history_windows`."""
        given, workers = check_windows(windows), self._settings.max_concurrency
        check = self._http.check_loop
        return fetch_windows_async(given, self.fetch_window, workers, check, ordered=ordered)

    async def fetch_window(self, window: HistoryWindow) -> list[CalibrationRecord]:
        """Fetch one window of a history: see `CirrusClient.fetch_window`."""
        response = await self._http.request(**self._window_arguments(window))
        return _parsed(partial(records_of, window), response)

    async def aclose(self) -> None:
        """Stop all calls, and close the connections, in the event loop that has them."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        self._http.check_open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()


class _WrongClient:
    """Prevents the generated client from making an HTTP client without key and retries."""

    def __init__(self, right: str) -> None:
        self._right = right

    def __getattr__(self, name: str) -> NoReturn:
        raise ConfigurationError(f"this raw client is of the other kind: use {self._right}().raw")
