"""What goes wrong between the API and its client: replies that take the place of the right one.

Faults of the wire itself (resets, truncation, slow dripping) need a socket and are not here.
"""

from collections.abc import Callable

from mycirrus_contract.messages import Reply

from .rules import documented

HTML = b"<html><body><h1>Something went wrong</h1></body></html>"


def _html(status: int) -> Reply:
    return Reply(status, {"content-type": "text/html"}, HTML)


FAULTS: dict[str, Callable[[], Reply]] = {
    "429": lambda: documented(429),
    "429-wait-1": lambda: documented(429).with_headers(retry_after="1"),
    "429-wait-1h": lambda: documented(429).with_headers(retry_after="3600"),
    "429-html": lambda: _html(429),
    "401": lambda: documented(401),
    "403": lambda: documented(403),
    "500-html": lambda: _html(500),
    "502-html": lambda: _html(502),
    "503-html": lambda: _html(503),
    "520-html": lambda: _html(520),
    "200-html": lambda: _html(200),
    "200-truncated": lambda: Reply(200, {"content-type": "application/json"}, b'[{"time": "20'),
    "302": lambda: _html(302).with_headers(location="https://example.invalid/"),
}


def parse_script(words: list[str]) -> dict[int, str]:
    """Read faults as they are given on the command line: ``429-wait-1@2`` is the second request's.

    Raises:
        ValueError: No such fault, or no such number.
    """
    script = {}
    for word in words:
        name, _, number = word.partition("@")
        if name not in FAULTS:
            raise ValueError(f"there is no fault {name!r}; there are {', '.join(FAULTS)}")
        if not number.isdecimal() or int(number) < 1:
            raise ValueError(f"a fault needs the number of its request, as in {name}@2: {word!r}")
        script[int(number)] = name
    return script
