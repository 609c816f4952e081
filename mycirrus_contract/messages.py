"""A request and a reply as they are on the wire, independent of any HTTP library."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

import httpx


@dataclass(frozen=True)
class Request:
    """An HTTP request.

    Attributes:
        method: ``GET``.
        path: Without the query, with ``/v1``.
        query: The raw query string.
        headers: By lower-case name.
    """

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, request: httpx.Request) -> "Request":
        """What httpx sends."""
        query = request.url.query.decode("ascii")
        return cls(request.method, request.url.path, query, dict(request.headers))

    @cached_property
    def parameters(self) -> dict[str, list[str]]:
        """The decoded query: every value of every name, in order."""
        parameters: dict[str, list[str]] = {}
        for name, value in parse_qsl(self.query, keep_blank_values=True):
            parameters.setdefault(name, []).append(value)
        return parameters


@dataclass(frozen=True)
class Reply:
    """What is answered.

    Attributes:
        status: ``200``.
        headers: By lower-case name.
        body: The bytes.
        seconds: How long the answer takes; only a slow behaviour of the stand-in sets it.
    """

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float = 0.0

    @classmethod
    def of(cls, response: httpx.Response) -> "Reply":
        """What httpx received; its body must have been read."""
        return cls(response.status_code, dict(response.headers), response.content)

    def with_headers(self, **headers: str) -> "Reply":
        """The same with more headers; an underscore in a name stands for a hyphen."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers=self.headers | named)

    @property
    def media_type(self) -> str:
        """Without parameters, in lower case; empty without a header."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @cached_property
    def _parsed(self) -> tuple[bool, Any]:
        try:
            return True, json.loads(
                self.body.decode("utf-8"), parse_constant=_refuse, parse_float=_finite
            )
        except (ValueError, RecursionError):
            return False, None

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON, in UTF-8 (RFC 8259); NaN and the like are not."""
        return self._parsed[0]

    @property
    def json(self) -> Any:
        """The parsed body; None if it is not JSON."""
        return self._parsed[1]

    def objects(self) -> Iterator[dict[str, Any]]:
        """The objects of a list; empty if the body is not a list."""
        if isinstance(self.json, list):
            yield from (item for item in self.json if isinstance(item, dict))

    @cached_property
    def bag(self) -> Counter[str]:
        """The elements of a list in any order, each as JSON; anything else is one element."""
        elements = self.json if isinstance(self.json, list) else [self.json]
        return Counter(json.dumps(element, sort_keys=True) for element in elements)


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _finite(text: str) -> float:
    """A finite number, as JSON has no infinity: 1e400 becomes the largest float."""
    return max(-sys.float_info.max, min(float(text), sys.float_info.max))


def json_reply(status: int, body: Any) -> Reply:
    """A reply in JSON."""
    content = json.dumps(body, separators=(",", ":")).encode()
    return Reply(status, {"content-type": "application/json"}, content)
