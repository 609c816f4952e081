"""What an OpenAPI document says about our operation, as a tree that can be compared.

In it references are followed, OpenAPI's defaults are filled in, and 3.0 and 3.1 are spelled alike.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, TypeVar
from urllib.parse import unquote

from mycirrus_contract.model import PATH

DOCUMENTED = "documented"

# What counts where a document says nothing. None: nothing does.
PARAMETER = {"in": None, "required": False, "deprecated": False}
LIMITS = (
    *("format", "pattern", "default", "maxItems", "maxLength", "minimum", "maximum"),
    *("exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
)
SCHEMA = dict.fromkeys(LIMITS) | {
    "required": [],
    "additionalProperties": True,
    "deprecated": False,
    "minItems": 0,
    "minLength": 0,
    "uniqueItems": False,
}
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n\s*\n")
LIMIT_WORD = re.compile(
    r"\b(max(imum)?|limit\w*|longer|up to|at most|more than|calendar|UTC|(in|ex)clusive(ly)?|"
    r"(\d+|one|a)[ -](year|month|week|day|hour)s?)\b",
    re.IGNORECASE,
)

Object: TypeAlias = dict[str, Any]
Tree: TypeAlias = "dict[str, Node]"
Node: TypeAlias = "Leaf | Tree"
Part = TypeVar("Part", dict[str, Any], list[Any], str)
Built = TypeVar("Built")


class DocumentError(Exception):
    """What was given is no document that can be compared."""


class RemoteReferenceError(DocumentError):
    """A reference leads out of the document, and nothing is fetched for it."""


@dataclass(frozen=True)
class Leaf:
    """A value of a document. Two are equal if their values are.

    Attributes:
        value: What is compared.
        source: The mark in ``x-source``; what has none is documented.
        said: Whether it stands in the document, and is no default.
        text: How to show it, if not as the value.
    """

    value: Any
    source: str = field(default=DOCUMENTED, compare=False)
    said: bool = field(default=True, compare=False)
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        return (self.text or words(self.value)) + ("" if self.said else ", by default")


def words(value: Any) -> str:
    """A value as a person writes it."""
    if isinstance(value, list):
        return ", ".join(map(words, value)) or "none"
    return value if isinstance(value, str) else json.dumps(value, default=str)


def part(of: Object, name: str, kind: type[Part]) -> Part:
    """A part of a document; empty if it is not there.

    Raises:
        DocumentError: It is of another kind.
    """
    value = of.get(name)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise DocumentError(f"{name} must be of type {kind.__name__}: {words(value)[:40]}")
    return value


def read_operations(document: Object) -> list[Tree]:
    """What a document says about our operation: a tree for each path that is it, mostly one.

    Raises:
        DocumentError: It is neither OpenAPI 3.0 nor 3.1, or not well made.
    """
    if "swagger" in document:
        raise DocumentError("Swagger 2 is not read: convert the document to OpenAPI 3 first")
    version = str(document.get("openapi", "not there"))
    if not re.match(r"3\.[01](\.|$)", version):
        raise DocumentError(f"openapi must be 3.0 or 3.1: {version}")
    try:
        return Reader(document, siblings_count=version.startswith("3.1")).operations()
    except RecursionError as error:
        raise DocumentError("a schema of the operation contains itself") from error


class Reader:
    """Reads the trees of one document.

    Args:
        document: The document.
        siblings_count: Whether what stands beside a ``$ref`` adds to it, as it does since 3.1.
    """

    def __init__(self, document: Object, *, siblings_count: bool) -> None:
        self._document = document
        self._siblings_count = siblings_count
        self._trail: list[str] = []  # the references that are being followed

    def operations(self) -> list[Tree]:
        """The trees of our operation; path and server may share the prefix in any way."""
        trees = [
            self._follow(item, partial(self._operation, str(path)))
            for path, item in part(self._document, "paths", dict).items()
            if str(path).endswith(PATH) or PATH.endswith(str(path))
        ]
        return [tree for tree in trees if tree]

    def _operation(self, path: str, item: Object) -> Tree:
        operation = part(item, "get", dict)
        base_urls = self._base_urls(path, [operation, item, self._document])
        if not operation or not base_urls:
            return {}
        return {
            "servers": Leaf(base_urls),
            **_limits(operation, part(operation, "summary", str)),
            **_leaves(operation, {"deprecated": False}),
            "parameters": self._parameters(item, operation),
            "security": self._security(operation),
            "responses": self._nodes(_statuses(operation), self._response),
        }

    def _base_urls(self, path: str, places: list[Object]) -> list[str]:
        """What stands before our path, for each server of the innermost place that has any."""
        servers: list[Any] = next(
            (found for place in places if (found := part(place, "servers", list))), [{}]
        )
        urls = [self._follow(server, _url).rstrip("/") + path for server in servers]
        return sorted({url.removesuffix(PATH) or "/" for url in urls if url.endswith(PATH)})

    def _parameters(self, item: Object, operation: Object) -> Tree:
        # Name and place identify a parameter; the operation's replaces the path's.
        found: dict[tuple[str, str], Object] = {}
        for each in part(item, "parameters", list) + part(operation, "parameters", list):
            parameter: Object = self._follow(each, dict)
            found[part(parameter, "name", str), part(parameter, "in", str)] = parameter
        tree: Tree = {}
        for (name, place), parameter in found.items():
            tree[f"{name} ({place})" if name in tree else name] = self._parameter(parameter)
        return tree

    def _parameter(self, parameter: Object) -> Tree:
        style = "form" if parameter.get("in") in ("query", "cookie") else "simple"
        serialised = {"style": style, "explode": parameter.get("style", style) == "form"}
        schema = self._node(parameter.get("schema", {}), self._flat)
        return {
            **_leaves(parameter, PARAMETER | serialised),
            **_limits(
                schema if isinstance(schema, dict) else {}, part(parameter, "description", str)
            ),
            **self._media(parameter),
            "content": self._content(parameter),
        }

    def _security(self, operation: Object) -> Tree:
        """The alternatives, numbered in an order that is the same for every document."""
        place = operation if "security" in operation else self._document
        trees: list[Tree] = [
            self._follow(each, self._alternative) for each in part(place, "security", list)
        ]
        trees.sort(key=lambda tree: [str(leaf) for leaf in tree.values()])
        return _numbered(trees)

    def _alternative(self, requirement: Object) -> Tree:
        """The schemes that are asked for together, mostly one. Their names mean nothing."""
        known = part(part(self._document, "components", dict), "securitySchemes", dict)
        trees: list[Tree] = []
        for name in requirement:
            if name not in known:
                raise DocumentError(f"the document has no security scheme {words(name)}")
            tree = self._follow(known[name], _scheme)
            scopes = sorted(map(words, part(requirement, name, list)))
            trees.append(tree | {"scopes": Leaf(scopes)} if scopes else tree)
        if not trees:
            return {"type": Leaf("none")}
        return trees[0] if len(trees) == 1 else _numbered(trees)

    def _response(self, response: Object) -> Tree:
        text = f"listed: {' '.join(part(response, 'description', str).split())}"
        return {
            # A status that we only infer has the mark at its description.
            "": Leaf("listed", _mark(response, "description"), text=text),
            "content": self._content(response),
            "headers": self._nodes(part(response, "headers", dict), self._header, str.lower),
        }

    def _header(self, header: Object) -> Tree:
        return _leaves(header, {"required": False, "deprecated": False}) | self._media(header)

    def _content(self, of: Object) -> Tree:
        return self._nodes(part(of, "content", dict), self._listed_media, _media_type)

    def _listed_media(self, media: Object) -> Tree:
        return {"": Leaf("listed")} | self._media(media)

    def _media(self, of: Object) -> Tree:
        return {"schema": self._node(of["schema"], self._schema)} if "schema" in of else {}

    def _schema(self, schema: Object) -> Tree:
        schema = self._flat(schema)
        tree = _types(schema) | _leaves(schema, SCHEMA) | _enum(schema)
        if isinstance(extra := schema.get("additionalProperties"), dict):
            # An empty schema allows all, and so does true.
            tree["additionalProperties"] = self._node(extra or True, self._schema)
        if "items" in schema:
            tree["items"] = self._node(schema["items"], self._schema)
        if properties := part(schema, "properties", dict):
            tree["properties"] = self._nodes(properties, self._schema)
        for word in ("anyOf", "oneOf"):
            if options := part(schema, word, list):
                tree[word] = _numbered([self._node(option, self._schema) for option in options])
        return tree

    def _flat(self, schema: Object) -> Object:
        """A schema with ``allOf`` merged into it, and a choice between null and one other."""
        own = {name: value for name, value in schema.items() if name != "allOf"}
        merged = list(part(schema, "allOf", list))
        for word in ("anyOf", "oneOf"):
            options = [one for one in part(schema, word, list) if one != {"type": "null"}]
            if len(options) == 1:
                merged += options
                own |= {} if own.pop(word) == options else {"nullable": True}
        flat: Object = {}
        for each in [*(self._follow(one, self._flat) for one in merged), own]:
            properties = part(flat, "properties", dict) | part(each, "properties", dict)
            required = [words(one) for side in (flat, each) for one in part(side, "required", list)]
            flat = flat | each | {"properties": properties, "required": sorted(set(required))}
        return flat

    def _nodes(
        self, of: Object, build: Callable[[Object], Tree], name_of: Callable[[str], str] = str
    ) -> Tree:
        return {name_of(str(name)): self._node(value, build) for name, value in of.items()}

    def _node(self, value: object, build: Callable[[Object], Tree]) -> Node:
        """What is built of a value; a leaf if nothing can be."""
        if isinstance(value, bool):
            return Leaf(value)  # a schema that allows all or nothing
        try:
            return self._follow(value, build)
        except RemoteReferenceError as error:
            return Leaf(str(error))

    def _follow(self, value: object, build: Callable[[Object], Built]) -> Built:
        """What is built of an object, or of what it refers to.

        Raises:
            DocumentError: It is no object, or refers to nothing or to itself.
            RemoteReferenceError: It refers to another document.
        """
        if not isinstance(value, dict):
            raise DocumentError(f"an object is expected here: {words(value)[:40]}")
        if "$ref" not in value:
            return build(value)
        ref = words(value["$ref"])
        if not ref.startswith("#"):
            raise RemoteReferenceError(f"{ref} is in another document and was not fetched")
        if ref in self._trail:
            raise DocumentError(f"the reference {ref} leads back to itself")
        beside = {name: value[name] for name in value if self._siblings_count and name != "$ref"}
        self._trail.append(ref)
        try:
            return self._follow(self._target(ref), lambda found: build(found | beside))
        finally:
            self._trail.pop()

    def _target(self, ref: str) -> Any:
        target: Any = self._document
        for token in unquote(ref).split("/")[1:]:
            name = token.replace("~1", "/").replace("~0", "~")
            try:
                # YAML reads the name of a status as a number.
                named = (
                    {str(key): target[key] for key in target} if isinstance(target, dict) else {}
                )
                target = target[int(name)] if isinstance(target, list) else named[name]
            except (KeyError, IndexError, ValueError) as error:
                raise DocumentError(f"the reference {ref} leads to nothing") from error
        return target


def _mark(of: Object, name: str) -> str:
    marks = of.get("x-source")
    return str(marks.get(name, DOCUMENTED)) if isinstance(marks, dict) else DOCUMENTED


def _leaves(of: Object, defaults: Object) -> Tree:
    """The keywords of an object, each with its default where it is not there and has one."""
    tree: Tree = {}
    for name, default in defaults.items():
        if of.get(name) not in (None, []):
            tree[name] = Leaf(of[name], _mark(of, name))
        elif default is not None:
            tree[name] = Leaf(default, said=False)
    return tree


def _limits(of: Object, more: str) -> Tree:
    """The sentences about limits, in one spelling of blanks and emphasis."""
    texts = [re.sub(r"[`*]", "", text) for text in (more, part(of, "description", str))]
    sentences = [" ".join(one.split()) for text in texts for one in SENTENCE_END.split(text)]
    limits = list(dict.fromkeys(sentence for sentence in sentences if LIMIT_WORD.search(sentence)))
    leaf = Leaf(limits, _mark(of, "description"), text=" ".join(limits))
    return {"description": leaf} if limits else {}


def _statuses(operation: Object) -> Object:
    """The responses by status, without the extensions between them."""
    responses = part(operation, "responses", dict)
    return {name: value for name, value in responses.items() if not str(name).startswith("x-")}


def _types(schema: Object) -> Tree:
    """The types; null in 3.0's way and in 3.1's."""
    given = schema.get("type") or []
    types = set(map(words, given if isinstance(given, list) else [given]))
    if types and schema.get("nullable") is True:
        types.add("null")
    text = " or ".join(sorted(types, key=lambda name: (name == "null", name)))
    return {"type": Leaf(text, _mark(schema, "type"))} if text else {}


def _enum(schema: Object) -> Tree:
    values = [schema["const"]] if "const" in schema else part(schema, "enum", list)
    return {"enum": Leaf(sorted(values, key=words), _mark(schema, "enum"))} if values else {}


def _scheme(scheme: Object) -> Tree:
    tree = _leaves(scheme, dict.fromkeys(("type", "in", "name", "scheme", "bearerFormat")))
    if name := part(scheme, "name", str):
        # Ours is that of a header, which has no case.
        tree["name"] = Leaf(name.lower(), _mark(scheme, "name"), text=name)
    return tree


def _url(server: Object) -> str:
    """The address of a server, with the defaults of its variables."""
    variables = part(server, "variables", dict)
    return re.sub(
        r"{([^}]*)}",
        lambda match: words(part(variables, match[1], dict).get("default", match[0])),
        part(server, "url", str),
    )


def _media_type(name: str) -> str:
    return name.partition(";")[0].strip().lower()


def _numbered(trees: Sequence[Node]) -> Tree:
    return {str(number): tree for number, tree in enumerate(trees, 1)}
