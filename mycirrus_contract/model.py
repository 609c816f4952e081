"""The contract as data: what ``openapi/mycirrus.yaml`` says, operation by operation.

There are two readings of it. The *tolerant* one is the spec as it stands: what the SDK accepts.
The *strict* one is the spec with ``strict.yaml`` merged into it: what we assume the API to do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from .operations import OpenQuestion, Operation
from .problems import Problem

# that of libyaml, where PyYAML has it, is ten times as fast
SAFE_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def data_file(name: str) -> Path:
    """Look up a file of the contract: in the installed package, else in the checkout."""
    packaged = Path(__file__).with_name("openapi") / name
    return packaged if packaged.exists() else Path(__file__).parents[1] / "openapi" / name


SPEC_FILE = data_file("mycirrus.yaml")
QUESTIONS_FILE = data_file("questions.yaml")
STRICT_FILE = data_file("strict.yaml")

PATH = "/data/calibrations/log"  # of the operation that the SDK and the live check are about
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}  # of OpenAPI


class UnknownOperationError(LookupError):
    """The contract has no such operation.

    Attributes:
        problem: What is unknown: the path or, at a known path, the method.
        allowed: The methods that the contract has at the path.
    """

    def __init__(self, problem: Problem, allowed: tuple[str, ...] = ()) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.allowed = allowed


@dataclass(frozen=True)
class Contract:
    """One reading of the spec.

    Attributes:
        document: The OpenAPI document.
        questions: What the vendor's pages leave open, by path.
    """

    document: Mapping[str, Any]
    questions: Mapping[str, list[OpenQuestion]] = field(default_factory=dict)

    @property
    def base_url(self) -> str:
        """The vendor's server."""
        return str(self.document["servers"][0]["url"])

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """All operations, in the order of the document."""
        return tuple(
            Operation(
                self.document, method.upper(), path, definition, tuple(self.questions.get(path, []))
            )
            for path, item in self.document["paths"].items()
            for method, definition in item.items()
            if method in METHODS
        )

    def operation(self, path: str, method: str = "GET") -> Operation:
        """Look up an operation.

        Args:
            path: As in the document, or as requested without the path of the server:
                ``/data/{serial}``, ``/data/QT1``.
            method: In capitals.

        Raises:
            UnknownOperationError: There is none.
        """
        matching = [one for one in self.operations if one.path_values(path) is not None]
        # A path without parameters comes before one with parameters, as in OpenAPI.
        matching = [one for one in matching if one.path == path] or matching
        for one in matching:
            if one.method == method:
                return one
        if not matching:
            raise UnknownOperationError(Problem("path", "is not in the contract"))
        problem = Problem("method", f"{method} is not in the contract")
        raise UnknownOperationError(problem, tuple(one.method for one in matching))

    def operation_at(self, path: str, method: str) -> Operation:
        """Look up an operation by the whole path of a request, with that of the server.

        Raises:
            UnknownOperationError: There is none.
        """
        return self.operation(self.without_base(path), method)

    def without_base(self, path: str) -> str:
        """The path of a request without that of the server; empty if it is on another one."""
        base = urlsplit(self.base_url).path
        return path.removeprefix(base) if path.startswith(base) else ""


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
    return yaml.load(path.read_text(encoding="utf-8"), SAFE_LOADER)  # noqa: S506 - it is safe


@cache
def tolerant() -> Contract:
    """The spec as it stands."""
    return Contract(load_yaml(SPEC_FILE), load_yaml(QUESTIONS_FILE)["questions"])


@cache
def strict() -> Contract:
    """The spec with what we assume the API to do."""
    document = merge(load_yaml(SPEC_FILE), load_yaml(STRICT_FILE))
    return Contract(document, load_yaml(QUESTIONS_FILE)["questions"])
