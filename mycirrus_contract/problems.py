"""Where a value does not fit the contract, in words that hold no part of the value."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, ValidationError

# Draft 2020-12 is the dialect of OpenAPI 3.1; of the formats we use one.
FORMATS = FormatChecker(["date-time"])

NOT_SHOWN = "(its name is not shown)"


@dataclass(frozen=True)
class Problem:
    """Where a message does not fit the contract, and how. Holds no value of the message.

    Attributes:
        path: Where: ``$[3].user``, ``query start``.
        text: How: ``is not of type string``.
        source: The `x-source` of the rule in the spec; empty for a rule of the page.
    """

    path: str
    text: str
    source: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.path} {self.text}"

    @property
    def name(self) -> str:
        """The same for every item of a list, so that it can be accepted by name."""
        return f"{re.sub(r'[0-9]+', '*', self.path)} {self.text}"


def schema_problems(
    document: Mapping[str, Any], schema: Mapping[str, Any], value: Any
) -> list[Problem]:
    """Say where a value does not fit a schema.

    Args:
        document: The OpenAPI document that the references of the schema point into.
        schema: The schema.
        value: The parsed value.
    """
    whole = {"components": document["components"], **schema}
    validator = Draft202012Validator(whole, format_checker=FORMATS)
    return [
        Problem(error.json_path, text, _source(error))
        for error in validator.iter_errors(value)
        for text in _in_words(error)
    ]


def _source(error: ValidationError) -> str:
    """What `x-source`, beside a keyword, says of it."""
    schema: Any = error.schema
    sources = schema.get("x-source", {}) if isinstance(schema, dict) else {}
    return str(sources.get(str(error.validator), ""))


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
        "minLength": f"is shorter than {value}",
        "const": f"is not {value!r}",
    }
    return [phrases.get(str(error.validator), f"breaks {error.validator}: {value}")]


def _joined(types: Any) -> str:
    return " or ".join(types) if isinstance(types, list) else str(types)


def _shown(name: str) -> str:
    """The name of a field, if it looks like a name and not like data."""
    return repr(name) if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,39}", name) else NOT_SHOWN
