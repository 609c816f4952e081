"""Faulty replies that replace the correct one.

Faults of the connection itself (resets, truncation, slow bodies) need a socket and are not here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fault:
    """A faulty reply.

    Attributes:
        status: The status code.
        headers: By lower-case name.
        body: None for the body that the vendor's page shows for the status.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


def _html(status: int, **headers: str) -> Fault:
    body = b"<html><body><h1>Something went wrong</h1></body></html>"
    return Fault(status, {"content-type": "text/html", **headers}, body)


FAULTS = {
    "429": Fault(429),
    "429-wait-1": Fault(429, {"retry-after": "1"}),
    "429-wait-1h": Fault(429, {"retry-after": "3600"}),
    "429-html": _html(429),
    "401": Fault(401),
    "403": Fault(403),
    "500-html": _html(500),
    "502-html": _html(502),
    "503-html": _html(503),
    "520-html": _html(520),
    "200-html": _html(200),
    "200-truncated": Fault(200, {"content-type": "application/json"}, b'[{"time": "20'),
    "302": _html(302, location="https://example.invalid/"),
}


def parse_script(words: Iterable[str]) -> dict[int, str]:
    """Read faults such as ``429-wait-1@2``, which replaces the second reply.

    Returns:
        The name of the fault, by the number of its request.

    Raises:
        ValueError: There is no such fault, or the number is missing or invalid.
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
