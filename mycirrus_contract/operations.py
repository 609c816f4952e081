"""One operation of the contract, and everything that the spec says about it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from .problems import Problem, schema_problems

JSON = "application/json"

_DURATION = re.compile(r"P(?:(?P<years>\d+)Y|(?P<days>\d+)D)")
_IN_BRACES = re.compile(r"\{([^}]*)\}")

OpenQuestion = Mapping[str, Any]


@dataclass(frozen=True)
class RangeRule:
    """``x-cirrus-range``: which parameters make a range, and how long it may be."""

    start: str
    end: str
    max: str

    def latest_end(self, start: datetime) -> datetime:
        """The latest end that the rule allows: for years the same day, 1 March for 29 February."""
        years, days = self._parts()
        try:
            return _years_after(start, years) + timedelta(days=days)
        except (OverflowError, ValueError):
            return datetime.max.replace(tzinfo=UTC)

    def longest(self) -> timedelta:
        """The longest that the rule can be read to allow: a year may have 366 days."""
        years, days = self._parts()
        return timedelta(days=366 * years + days)

    def _parts(self) -> tuple[int, int]:
        match = _DURATION.fullmatch(self.max)
        if match is None:
            raise ValueError(f"x-cirrus-range: max must be PnY or PnD: {self.max!r}")
        return int(match["years"] or 0), int(match["days"] or 0)

    def violation(self, start: datetime, end: datetime) -> str | None:
        """Say how a range breaks the rule; None if it does not."""
        if start >= end:
            return f"{self.start} is not before {self.end}"
        if end > self.latest_end(start):
            return f"{self.end} is more than {self.max} after {self.start}"
        return None


def range_rule_of(definition: Mapping[str, Any]) -> RangeRule | None:
    """The range rule of an operation as the document defines it; None if it has none."""
    rule = definition.get("x-cirrus-range")
    return None if rule is None else RangeRule(rule["start"], rule["end"], rule["max"])


def _years_after(moment: datetime, years: int) -> datetime:
    if (moment.month, moment.day) == (2, 29) and not _is_leap(moment.year + years):
        return moment.replace(year=moment.year + years, month=3, day=1)
    return moment.replace(year=moment.year + years)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


@dataclass(frozen=True)
class Parameter:
    """One parameter of an operation.

    Attributes:
        name: As it is sent.
        location: ``query``, ``path`` or ``header``.
        required: Whether a request must have it.
        schema: Of its value.
        explode: Whether each element of an array is sent by itself; else they are joined by commas.
    """

    name: str
    location: str
    required: bool
    schema: Mapping[str, Any]
    explode: bool


def types_of(schema: Mapping[str, Any]) -> set[str]:
    """The JSON types that a value may have; string if the schema has no type."""
    types = schema.get("type", "string")
    return {types} if isinstance(types, str) else set(types)


@dataclass(frozen=True)
class Operation:
    """One operation, and everything that the spec says about it.

    Attributes:
        document: The reading of the spec that it belongs to.
        method: In capitals.
        path: As in the document: ``/data/{serial}``.
        definition: Its own part of the document.
        open_questions: What the vendor's page leaves open about it.
    """

    document: Mapping[str, Any]
    method: str
    path: str
    definition: Mapping[str, Any]
    open_questions: tuple[OpenQuestion, ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def path_values(self, path: str) -> dict[str, str] | None:
        """The parameters in a requested path, by name; None if the path is another one."""
        literals = _IN_BRACES.split(self.path)[::2]
        match = re.fullmatch("([^/]+)".join(map(re.escape, literals)), path)
        names = _IN_BRACES.findall(self.path)
        return None if match is None else dict(zip(names, match.groups(), strict=True))

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Its parameters, those of its path included."""
        shared = self.document["paths"][self.path].get("parameters", [])
        own = self.definition.get("parameters", [])
        by_name = {(one["in"], one["name"]): one for one in map(self._resolved, [*shared, *own])}
        return tuple(
            Parameter(
                name=one["name"],
                location=one["in"],
                required=one.get("required", False),
                schema=self._resolved(one["schema"]),
                explode=one.get("explode", one["in"] == "query"),
            )
            for one in by_name.values()
        )

    def _resolved(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """What an object of the document refers to, or itself."""
        while "$ref" in node:
            found: Any = self.document
            for name in node["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            node = found
        return node

    @property
    def range_rule(self) -> RangeRule | None:
        """The rule over two parameters that JSON Schema cannot say; None if it has none."""
        return range_rule_of(self.definition)

    def known_range_rule(self) -> RangeRule:
        """The rule of an operation that must have one.

        Raises:
            LookupError: It has none.
        """
        if self.range_rule is None:
            raise LookupError(f"{self} has no x-cirrus-range in the spec")
        return self.range_rule

    @property
    def scope(self) -> str | None:
        """The scope that a key needs; None if the document names none."""
        scope: str | None = self.definition.get("x-cirrus-scope")
        return scope

    @property
    def key_headers(self) -> set[str]:
        """The headers that hold a key; empty if the operation needs none."""
        schemes = self.document["components"]["securitySchemes"]
        return {
            schemes[name]["name"] for one in self.definition.get("security", []) for name in one
        }

    @property
    def statuses(self) -> set[int]:
        """The statuses that it may answer with."""
        return {int(status) for status in self.definition["responses"]}

    def media_types(self, status: int) -> Mapping[str, Any]:
        """What it answers with a status, by media type; empty if that has no body."""
        response = self._resolved(self.definition["responses"][str(status)])
        content: Mapping[str, Any] = response.get("content", {})
        return content

    def example(self, status: int) -> Any:
        """The body that the spec shows for a status."""
        return self.media_types(status)[JSON]["example"]

    def body_problems(self, status: int, body: Any) -> list[Problem]:
        """Say where a JSON body does not fit the schema of its status.

        Args:
            status: One of `statuses`.
            body: The parsed body.
        """
        return self.problems(self.media_types(status)[JSON]["schema"], body)

    def problems(self, schema: Mapping[str, Any], value: Any) -> list[Problem]:
        """Say where a value does not fit a schema of the document."""
        return schema_problems(self.document, schema, value)
