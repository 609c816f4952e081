"""The clients: one method per operation, and the history over many requests."""

import asyncio
import ssl
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing
from datetime import datetime
from itertools import islice
from typing import Any, Generic, NoReturn, Self, TypeVar, cast
from urllib.parse import urlencode

from mycirrus_client import AuthenticatedClient
from mycirrus_client.api.system_health_data.get_calibrations_log import _get_kwargs
from mycirrus_client.models import CalibrationLogItem

from .call import Clock, Context
from .errors import ConfigurationError, InvalidRequestError
from .http import API_KEY_HEADER, CONTEXT, AsyncHTTPClient, AsyncTransport, HTTPClient, Transport
from .ranges import HistoryWindow, check_instruments, plan_history, request_range, wire_time
from .records import CalibrationRecord, items_of, records_of
from .retry import RetryEvent, RetryPolicy, check_seconds
from .settings import (
    DEFAULT_MAX_CONCURRENCY,
    DEFAULT_TIMEOUT,
    Secret,
    Settings,
    find_api_key,
    find_base_url,
)

# The vendor's page: "Requires an API key with the data.system:read scope."
CALIBRATION_LOG_SCOPE = "data.system:read"

AnyHTTPClient = TypeVar("AnyHTTPClient")
AnyTransport = TypeVar("AnyTransport")


class _Client(Generic[AnyHTTPClient, AnyTransport]):
    """What the sync and the async client have in common. Does no I/O."""

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        timeout: float = DEFAULT_TIMEOUT,
        max_concurrency: int = DEFAULT_MAX_CONCURRENCY,
        verify: bool | ssl.SSLContext = True,
        transport: AnyTransport | None = None,
        on_event: Callable[[RetryEvent], object] | None = None,
        _clock: Clock = Clock(),  # noqa: B008 - frozen
    ) -> None:
        given = None if api_key is None else Secret(api_key)
        del api_key  # a traceback that shows local variables shall not show it
        self._settings = Settings(
            api_key=find_api_key(given),
            base_url=find_base_url(base_url),
            retry=retry,
            timeout=timeout,
            max_concurrency=max_concurrency,
            verify=verify,
            on_event=on_event,
        )
        # The key is in the headers of our own HTTP client; the generated one would print it.
        self._raw = AuthenticatedClient(
            base_url=self._settings.base_url, token="", prefix="", auth_header_name=API_KEY_HEADER
        )
        self._http = self._connect(transport, _clock)

    def _connect(self, transport: AnyTransport | None, clock: Clock) -> AnyHTTPClient:
        """Make the HTTP client, and hand it to the generated one."""
        raise NotImplementedError

    @property
    def raw(self) -> AuthenticatedClient:
        """The generated client, with the key, timeouts, retries and typed errors of this one.

        For operations that have no method here, and for the whole HTTP response:
        ``get_calibrations_log.sync_detailed(client=client.raw, ...)``. An error status is raised,
        not returned. Its ``with_...`` methods would make a client without all that.
        """
        return self._raw

    def _question(
        self,
        instruments: Iterable[str],
        start: datetime | str,
        end: datetime | str,
        timeout: float | None,
    ) -> dict[str, Any]:
        """The arguments of one documented request, for httpx."""
        serials, context = check_instruments(instruments), Context(scope=CALIBRATION_LOG_SCOPE)
        question = self._ask(serials, *request_range(start, end), context)
        if timeout is not None:
            check_seconds("timeout", timeout, above_zero=True)
            question["timeout"] = timeout
        return question

    def _window_question(
        self, window: HistoryWindow, stop: threading.Event | None = None
    ) -> dict[str, Any]:
        """The arguments of the request for one window of a history."""
        if not isinstance(window, HistoryWindow):
            raise InvalidRequestError(
                f"window must be a HistoryWindow: {window!r}; see plan_history"
            )
        context = Context(scope=CALIBRATION_LOG_SCOPE, window=window, stop=stop)
        return self._ask([window.instrument], *window.asked, context)

    def _ask(
        self, serials: list[str], start: datetime, end: datetime, context: Context
    ) -> dict[str, Any]:
        """What the generated builder makes of it, with the times as the vendor's page has them."""
        question = _get_kwargs(instruments=serials, start=start, end=end)
        params = question.pop("params") | {"start": wire_time(start), "end": wire_time(end)}
        # Whole: httpx would parse it three times to join it from base, path and parameters.
        url = f"{self._settings.base_url}{question['url']}?{urlencode(params, doseq=True)}"
        return question | {"url": url, "extensions": {CONTEXT: context}}

    def __repr__(self) -> str:
        # A traceback may show a client whose settings were refused, and so has none.
        settings: Settings | None = getattr(self, "_settings", None)
        return f"{type(self).__name__}(base_url={settings.base_url if settings else None!r})"

    def __reduce__(self) -> NoReturn:
        name = type(self).__name__
        raise TypeError(
            f"{name} cannot be pickled: it holds connections and a key. Make one in each worker, "
            f"from the environment: {name}()"
        )


class CirrusClient(_Client[HTTPClient, Transport]):
    """A client of the MyCirrus API. Threads may share it; processes may not.

    Args:
        api_key: A key with the scope ``data.system:read``; else ``MYCIRRUS_API_KEY`` is taken.
        base_url: The server; else ``MYCIRRUS_BASE_URL`` is taken, else the vendor's.
        retry: How often to try, and how long to wait in between.
        timeout: Seconds that an attempt may wait for a connection or for data.
        max_concurrency: Requests under way at once, over all threads and histories.
        verify: Whether to check the server's certificate, or an ``ssl.SSLContext`` that does.
        transport: An httpx transport to send through instead of the network. ``verify`` and the
            proxy variables of the environment do not reach it.
        on_event: Called with a `RetryEvent` before each retry, in the thread that retries.

    Raises:
        ConfigurationError: No key, or a setting of the wrong type or out of bounds.
    """

    def _connect(self, transport: Transport | None, clock: Clock) -> HTTPClient:
        self._parsing = threading.Lock()
        http = HTTPClient(self._settings, transport=transport, clock=clock)
        self._raw.set_httpx_client(http)
        self._raw.set_async_httpx_client(cast("Any", _WrongClient("AsyncCirrusClient")))
        return http

    def calibration_log(
        self,
        instruments: Iterable[str],
        *,
        start: datetime | str,
        end: datetime | str,
        timeout: float | None = None,
    ) -> list[CalibrationLogItem]:
        """Ask once, as the vendor documents it: ``GET /data/calibrations/log``.

        The answer does not say which instrument an item belongs to, and whether the ends of the
        range are counted in is not documented. `calibration_history` takes care of both.

        Args:
            instruments: Serial numbers.
            start: Start of the range: an aware datetime, or an RFC 3339 string with an offset.
                Sent in UTC, rounded down to a millisecond.
            end: End of the range, at most one calendar year after ``start``. Rounded up.
            timeout: Seconds that an attempt may wait for a connection or for data, if not as the
                client was made.

        Returns:
            The items in the order of the answer.

        Raises:
            InvalidRequestError: Bad instruments or a bad range; nothing was sent.
            ConfigurationError: A bad timeout, or a closed client; nothing was sent.
            APIConnectionError: No whole answer came.
            APIStatusError: The API refused or failed.
            APIResponseError: The answer does not fit the contract.
        """
        return items_of(self._http.request(**self._question(instruments, start, end, timeout)))

    def calibration_history(
        self, instruments: Iterable[str], *, start: datetime | str, end: datetime | str
    ) -> Generator[CalibrationRecord]:
        """Give the calibration log of any number of instruments over any length of time.

        This is `plan_history` and `history_windows`: one request for each instrument and, not
        quite, year. Nothing is lost or doubled at the seams. A serial number that the API does
        not know may well give no records and no error: an empty history does not prove that the
        instrument exists.

        Args:
            instruments: Serial numbers.
            start: The first moment wanted: an aware datetime, or an RFC 3339 string with an offset.
            end: The first moment no longer wanted.

        Yields:
            The records, by instrument as given, then by time.

        Raises:
            InvalidRequestError: Bad instruments or a bad range: at the call, before anything is
                sent.
            CirrusError: A window failed, after all records of the windows before it were given.
                The error's ``window`` says which.
        """
        windows = plan_history(instruments, start=start, end=end)
        return self._records_of(windows)

    def _records_of(self, windows: list[HistoryWindow]) -> Generator[CalibrationRecord]:
        for _, records in self.history_windows(windows):
            yield from records

    def history_windows(
        self, windows: Iterable[HistoryWindow]
    ) -> Generator[tuple[HistoryWindow, list[CalibrationRecord]]]:
        """Fetch windows, several at a time, and give them in the order given, empty ones too.

        At most ``max_concurrency`` windows are under way, waiting to be taken or in the caller's
        hands; so whoever is stopped has asked for no more than these in vain. To go on after an
        error, call this again with the windows from the error's ``window`` on.

        Args:
            windows: What `plan_history` gave, or a part of it.

        Yields:
            Each window with its records, by time.

        Raises:
            CirrusError: A window failed, after all windows before it were given.
        """
        remaining = iter(windows)
        under_way: deque[tuple[HistoryWindow, Future[list[CalibrationRecord]]]] = deque()
        ahead, stop = self._settings.max_concurrency, self._http.new_stop()
        with ThreadPoolExecutor(ahead, thread_name_prefix="cirrus") as pool:

            def submit(count: int) -> None:
                for window in islice(remaining, count):
                    under_way.append((window, pool.submit(self._fetch, window, stop)))

            try:
                submit(ahead)
                while under_way:
                    window, future = under_way[0]
                    records = future.result()
                    under_way.popleft()
                    yield window, records
                    submit(1)
            finally:
                stop.set()
                for _, future in under_way:
                    future.cancel()

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
        response = self._http.request(**self._window_question(window, stop))
        # No two threads parse at once anyway, but each would hold all of its JSON meanwhile.
        with self._parsing:
            return records_of(window, response)

    def close(self) -> None:
        """Stop what is under way in other threads, and close the connections.

        The client cannot be used any more.
        """
        self._http.close()

    def __enter__(self) -> Self:
        self._http.check_open()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class AsyncCirrusClient(_Client[AsyncHTTPClient, AsyncTransport]):
    """The same as `CirrusClient`, for one event loop of asyncio.

    Args:
        api_key: A key with the scope ``data.system:read``; else ``MYCIRRUS_API_KEY`` is taken.
        base_url: The server; else ``MYCIRRUS_BASE_URL`` is taken, else the vendor's.
        retry: How often to try, and how long to wait in between.
        timeout: Seconds that an attempt may wait for a connection or for data.
        max_concurrency: Requests under way at once, over all tasks and histories.
        verify: Whether to check the server's certificate, or an ``ssl.SSLContext`` that does.
        transport: An async httpx transport to send through instead of the network. ``verify`` and
            the proxy variables of the environment do not reach it.
        on_event: Called with a `RetryEvent` before each retry, in the event loop.

    Raises:
        ConfigurationError: No key, or a setting of the wrong type or out of bounds.
    """

    def _connect(self, transport: AsyncTransport | None, clock: Clock) -> AsyncHTTPClient:
        http = AsyncHTTPClient(self._settings, transport=transport, clock=clock)
        self._raw.set_async_httpx_client(http)
        self._raw.set_httpx_client(cast("Any", _WrongClient("CirrusClient")))
        return http

    async def calibration_log(
        self,
        instruments: Iterable[str],
        *,
        start: datetime | str,
        end: datetime | str,
        timeout: float | None = None,  # noqa: ASYNC109 - the same face as the sync client's
    ) -> list[CalibrationLogItem]:
        """Ask once: see `CirrusClient.calibration_log`."""
        return items_of(
            await self._http.request(**self._question(instruments, start, end, timeout))
        )

    def calibration_history(
        self, instruments: Iterable[str], *, start: datetime | str, end: datetime | str
    ) -> AsyncGenerator[CalibrationRecord]:
        """Give the log over any length of time: see `CirrusClient.calibration_history`.

        Who leaves it early does so at once with ``contextlib.aclosing``.
        """
        windows = plan_history(instruments, start=start, end=end)
        return self._records_of(windows)

    async def _records_of(self, windows: list[HistoryWindow]) -> AsyncGenerator[CalibrationRecord]:
        async with aclosing(self.history_windows(windows)) as answers:
            async for _, records in answers:
                for record in records:
                    yield record

    async def history_windows(
        self, windows: Iterable[HistoryWindow]
    ) -> AsyncGenerator[tuple[HistoryWindow, list[CalibrationRecord]]]:
        """Fetch windows, several at a time: see `CirrusClient.history_windows`."""
        remaining = iter(windows)
        under_way: deque[tuple[HistoryWindow, asyncio.Task[list[CalibrationRecord]]]] = deque()

        def submit(count: int) -> None:
            for window in islice(remaining, count):
                under_way.append((window, asyncio.create_task(self.fetch_window(window))))

        try:
            submit(self._settings.max_concurrency)
            while under_way:
                window, task = under_way[0]
                records = await task
                under_way.popleft()
                yield window, records
                submit(1)
        finally:
            for _, task in under_way:
                task.cancel()
            await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)

    async def fetch_window(self, window: HistoryWindow) -> list[CalibrationRecord]:
        """Fetch one window of a history: see `CirrusClient.fetch_window`."""
        return records_of(window, await self._http.request(**self._window_question(window)))

    async def aclose(self) -> None:
        """Close the connections. The client cannot be used any more."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        self._http.check_open()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.aclose()


class _WrongClient:
    """Stands where the generated client would make an HTTP client without key and retries."""

    def __init__(self, right: str) -> None:
        self._right = right

    def __getattr__(self, name: str) -> NoReturn:
        raise ConfigurationError(f"this raw client is of the other kind: use {self._right}().raw")
