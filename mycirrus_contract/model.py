"""The contract as data: what ``openapi/mycirrus.yaml`` says, ready to be asked.

There are two readings of it. The *tolerant* one is the spec as it stands: what the SDK accepts.
The *strict* one is the spec with ``strict.yaml`` merged into it: what we assume the API to do.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker, ValidationError


def data_file(name: str) -> Path:
    """Look up a file of the contract: in the installed package, else in the checkout."""
    packaged = Path(__file__).with_name("openapi") / name
    return packaged if packaged.exists() else Path(__file__).parents[1] / "openapi" / name


SPEC_FILE = data_file("mycirrus.yaml")
QUESTIONS_FILE = data_file("questions.yaml")
STRICT_FILE = data_file("strict.yaml")

PATH = "/data/calibrations/log"

# Draft 2020-12 is the dialect of OpenAPI 3.1; of the formats we use one.
FORMATS = FormatChecker(["date-time"])

NOT_SHOWN = "(its name is not shown)"

_DURATION = re.compile(r"P(?:(?P<years>\d+)Y|(?P<days>\d+)D)")


@dataclass(frozen=True)
class RangeRule:
    """``x-cirrus-range``: which parameters make a range, and how long it may be."""

    start: str
    end: str
    max: str

    def latest_end(self, start: datetime) -> datetime:
        """The last end that the rule allows: for years the same day, 1 March for 29 February."""
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


def _years_after(moment: datetime, years: int) -> datetime:
    if (moment.month, moment.day) == (2, 29) and not _is_leap(moment.year + years):
        return moment.replace(year=moment.year + years, month=3, day=1)
    return moment.replace(year=moment.year + years)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


@dataclass(frozen=True)
class Problem:
    """Where a message does not fit the contract, and how. Holds no value of the message.

    Attributes:
        path: Where: ``$[3].user``, ``query start``.
        text: How: ``is not of type string``.
    """

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path} {self.text}"

    @property
    def name(self) -> str:
        """The same for every item of a list, so that it can be accepted by name."""
        return f"{re.sub(r'[0-9]+', '*', self.path)} {self.text}"


@dataclass(frozen=True)
class Contract:
    """One reading of the spec."""

    document: Mapping[str, Any]

    @property
    def operation(self) -> Mapping[str, Any]:
        """``GET /data/calibrations/log``."""
        operation: Mapping[str, Any] = self.document["paths"][PATH]["get"]
        return operation

    @property
    def base_url(self) -> str:
        """The vendor's server."""
        return str(self.document["servers"][0]["url"])

    @property
    def range_rule(self) -> RangeRule:
        """The rule over two parameters that JSON Schema cannot say."""
        rule = self.operation["x-cirrus-range"]
        return RangeRule(rule["start"], rule["end"], rule["max"])

    @property
    def statuses(self) -> set[int]:
        """The statuses that the operation may answer with."""
        return {int(status) for status in self.operation["responses"]}

    def example(self, status: int) -> Any:
        """The body that the spec shows for a status."""
        return self.operation["responses"][str(status)]["content"]["application/json"]["example"]

    def body_problems(self, status: int, body: Any) -> list[Problem]:
        """Say where a JSON body does not fit the schema of its status.

        Args:
            status: One of `statuses`.
            body: The parsed body.
        """
        content = self.operation["responses"][str(status)]["content"]["application/json"]
        return self.problems(content["schema"], body)

    def problems(self, schema: Mapping[str, Any], value: Any) -> list[Problem]:
        """Say where a value does not fit a schema of the spec."""
        # References point into the whole document, so its components come along.
        whole = {"components": self.document["components"], **schema}
        validator = Draft202012Validator(whole, format_checker=FORMATS)
        return [
            Problem(error.json_path, text)
            for error in validator.iter_errors(value)
            for text in _in_words(error)
        ]


def _in_words(error: ValidationError) -> list[str]:
    """What a JSON Schema keyword asks for. jsonschema's own message would quote the body."""
    value: Any = error.validator_value
    instance: Any = error.instance
    schema: Any = error.schema
    if error.validator == "required":
        missing = [name for name in value if name not in instance]
        return [f"has no field {name!r}" for name in missing]
    if error.validator == "additionalProperties":
        unknown = sorted(set(instance) - set(schema.get("properties", {})))
        return [f"has a field that the contract does not know: {_shown(name)}" for name in unknown]
    phrases = {
        "type": f"is not of type {_joined(value)}",
        "format": f"is not in the format {value}",
        "pattern": "does not end with Z" if value == "Z$" else f"does not match {value}",
        "const": f"is not {value!r}",
    }
    return [phrases.get(str(error.validator), f"breaks {error.validator}: {value}")]


def _joined(types: Any) -> str:
    return types if isinstance(types, str) else " or ".join(types)


def _shown(name: str) -> str:
    """The name of a field, if it is one and no datum that stands in its place."""
    return repr(name) if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,39}", name) else NOT_SHOWN


def merge(base: Any, patch: Any) -> Any:
    """JSON Merge Patch (RFC 7396): objects are merged, null removes, anything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(base) if isinstance(base, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def load_yaml(path: Path) -> Any:
    """Read a YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@cache
def tolerant() -> Contract:
    """The spec as it stands."""
    return Contract(load_yaml(SPEC_FILE))


@cache
def strict() -> Contract:
    """The spec with what we assume the API to do."""
    return Contract(merge(load_yaml(SPEC_FILE), load_yaml(STRICT_FILE)))
