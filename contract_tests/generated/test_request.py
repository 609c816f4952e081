"""What goes on the wire is what the vendor's page shows."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
import respx

from cirrus_ext import __version__

from tests.support.clients import KEY, use
from contract_tests.spec.page import PAGE

BERLIN = timezone(timedelta(hours=1))


@pytest.fixture
def sent(respx_mock: respx.MockRouter) -> Callable[[], httpx.Request]:
    body = PAGE["responses"]["200"]["example"]
    route = respx_mock.get(PAGE["curl_url"].partition("?")[0]).respond(200, json=body)

    def the_one() -> httpx.Request:
        assert route.call_count == 1
        request: httpx.Request = route.calls.last.request
        return request

    return the_one


def query_of(request: httpx.Request) -> dict[str, list[str]]:
    return parse_qs(request.url.query.decode())


def test_the_pages_example_call_is_the_pages_curl_url(
    client_kind: str, sent: Callable[[], httpx.Request]
) -> None:
    use(
        client_kind,
        lambda client: client.calibration_log(
            ["QT123456", "QT234567"],
            start=datetime(2023, 1, 1, tzinfo=UTC),
            end=datetime(2023, 1, 31, tzinfo=UTC),
        ),
    )

    request = sent()
    assert str(request.url) == PAGE["curl_url"]
    assert request.url.raw_path.decode() == PAGE["curl_url"].partition("mycirrus.cloud")[2]
    assert request.method == "GET"
    assert request.headers["X-Api-Key"] == KEY
    assert request.headers["User-Agent"].startswith(f"mycirrus-sdk/{__version__} python/3.")


def test_the_pages_example_answer_becomes_an_item(
    client_kind: str, sent: Callable[[], httpx.Request]
) -> None:
    (item,) = use(
        client_kind,
        lambda client: client.calibration_log(
            ["QT123456"], start="2022-01-01T00:00:00Z", end="2022-12-31T00:00:00Z"
        ),
    )

    assert sent().method == "GET"
    assert item.time == datetime(2022, 6, 7, 11, 18, 42, 814_000, tzinfo=UTC)
    assert (item.user, item.message) == ("Quantum Demo", "Installed and working")


@pytest.mark.parametrize(
    ("start", "end", "wire"),
    [
        (
            datetime(2023, 1, 1, 1, tzinfo=BERLIN),
            "2023-01-31T01:00:00+01:00",
            ("2023-01-01T00:00:00Z", "2023-01-31T00:00:00Z"),
        ),
        (
            "2023-01-01T00:00:00.123999Z",
            "2023-01-31T00:00:00.123001Z",
            ("2023-01-01T00:00:00.123Z", "2023-01-31T00:00:00.124Z"),
        ),
        (
            datetime(2023, 1, 1, 0, 0, 0, 999, tzinfo=UTC),
            datetime(2023, 1, 31, 0, 0, 0, 1, tzinfo=UTC),
            ("2023-01-01T00:00:00Z", "2023-01-31T00:00:00.001Z"),
        ),
        (
            "0001-01-01T00:00:00Z",
            "0001-06-01T00:00:00z",
            ("0001-01-01T00:00:00Z", "0001-06-01T00:00:00Z"),
        ),
    ],
    ids=["offsets", "milliseconds", "microseconds", "year one"],
)
def test_times_are_sent_in_utc_with_whole_milliseconds(
    client_kind: str, sent: Callable[[], httpx.Request], start: Any, end: Any, wire: tuple[str, str]
) -> None:
    """A start is rounded down and an end up, so that no record is lost."""
    use(client_kind, lambda client: client.calibration_log(["QT123456"], start=start, end=end))

    query = query_of(sent())
    assert (query["start"], query["end"]) == ([wire[0]], [wire[1]])


def test_instruments_may_be_any_iterable_and_are_taken_once(
    client_kind: str, sent: Callable[[], httpx.Request]
) -> None:
    serials = (f"QT{number}" for number in (3, 1, 2))
    use(
        client_kind,
        lambda client: client.calibration_log(
            serials, start="2023-01-01T00:00:00Z", end="2023-01-02T00:00:00Z"
        ),
    )

    assert query_of(sent())["instruments"] == ["QT3", "QT1", "QT2"]


def test_unusual_serials_arrive_as_they_are(client_kind: str, sent: Callable[[], httpx.Request]) -> None:
    """No grammar is documented, so every printable text is encoded and sent."""
    serials = ["A&B=C", "D E", "100%", "Grün", "x,y", "a+b"]
    use(
        client_kind,
        lambda client: client.calibration_log(
            serials, start="2023-01-01T00:00:00Z", end="2023-01-02T00:00:00Z"
        ),
    )

    assert query_of(sent())["instruments"] == serials
