"""Where the vendor's OpenAPI document and ours differ, where they agree, and what it answers."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from textwrap import shorten
from typing import TypeAlias, TypeVar

from mycirrus_contract.model import PATH

from .operation_tree import DOCUMENTED, DocumentError, Leaf, Node, Object, Tree, read_operations

INFERRED = "inferred"
LONGEST_SUMMARY = 200  # characters

# A document that leaves these out has chosen all the same: they decide what is sent.
CHOSEN_BY_DEFAULT = {"style", "explode"}
REFUSALS = {"400", "413", "414", "422", "4XX"}  # what a bad request may be documented to get
PAGING = re.compile(r"page|offset|cursor|skip|total|^(limit|top|count|link)$", re.IGNORECASE)
INSTRUMENT = re.compile(r"instrument|serial", re.IGNORECASE)
STATUS = re.compile(r"^responses\.([^.]+)(?=\.)")

Side: TypeAlias = "Node | None"


@dataclass(frozen=True)
class Difference:
    """A place at which the documents differ, and where what we say comes from, if we say it."""

    where: str
    vendor: str
    ours: str
    source: str


@dataclass(frozen=True)
class Agreement:
    """A place at which the vendor's document says what we have only inferred."""

    where: str
    value: str
    source: str


Entry = TypeVar("Entry", Difference, Agreement)


@dataclass(frozen=True)
class Comparison:
    """What came out; `answers` has what the document says to open questions, by their ids."""

    differences: list[Difference]
    agreements: list[Agreement]
    answers: dict[str, str]


def compare(vendor: Object, ours: Object) -> Comparison:
    """Compare what two documents say about our operation.

    Raises:
        DocumentError: One of them cannot be read.
    """
    (our_tree,) = read_operations(ours)
    found = read_operations(vendor)
    if not found:
        absent = Difference("paths", f"no GET {PATH}", f"GET {PATH}", DOCUMENTED)
        return Comparison([absent], [], {})
    found = [tree for tree in found if tree["servers"] == our_tree["servers"]] or found
    if len(found) > 1:
        urls = " and ".join(str(tree["servers"]) for tree in found)
        raise DocumentError(f"GET {PATH} is there {len(found)} times, at {urls}: keep one")
    pairs = list(_pairs("", our_tree, found[0]))
    return Comparison(
        differences=_grouped([_difference(*pair) for pair in pairs if pair[1] != pair[2]]),
        agreements=_grouped([agreed for pair in pairs if (agreed := _agreement(*pair))]),
        answers={name: says for name, answer in ANSWERS.items() if (says := answer(found[0]))},
    )


def _pairs(where: str, ours: Side, theirs: Side) -> Iterator[tuple[str, Side, Side]]:
    """Both sides of every place, down to where one of them has nothing below."""
    if not isinstance(ours, dict) or not isinstance(theirs, dict):
        yield where, ours, theirs
        return
    for name in ours | theirs:
        yield from _pairs(f"{where}.{name}".strip("."), ours.get(name), theirs.get(name))


def _difference(where: str, ours: Side, theirs: Side) -> Difference:
    return Difference(where, _summary(theirs, ours), _summary(ours, theirs), _source(ours))


def _agreement(where: str, ours: Side, theirs: Side) -> Agreement | None:
    if not isinstance(ours, Leaf) or not isinstance(theirs, Leaf) or ours != theirs:
        return None
    speaks = theirs.said or where.rpartition(".")[2] in CHOSEN_BY_DEFAULT
    inferred = ours.source.startswith(INFERRED)
    return Agreement(where, str(theirs), ours.source) if speaks and inferred else None


def _source(side: Side) -> str:
    """Where one side comes from; of a tree, the first leaf tells."""
    while isinstance(side, dict):
        side = next(iter(side.values()), None)
    return side.source if side and side.said else ""


def _summary(side: Side, other: Side) -> str:
    """One side of a difference, in words."""
    if side is None:
        return "not listed" if isinstance(other, dict) else "not said"
    if isinstance(side, Leaf):
        return str(side)
    text = str(side[""]) if "" in side else ", ".join(_phrases("", side)) or "anything"
    return shorten(text, LONGEST_SUMMARY, placeholder=" ...")


def _phrases(where: str, side: Node) -> Iterator[str]:
    """What is said at a place and below it."""
    if isinstance(side, dict):
        for name, below in side.items():
            yield from _phrases(f"{where}.{name}".strip("."), below)
    elif side.said:
        yield f"{where} {side}"


def _grouped(entries: list[Entry]) -> list[Entry]:
    """What is the same for several statuses, once."""
    groups: dict[Entry, list[str]] = {}
    for entry in entries:
        general = replace(entry, where=STATUS.sub("responses.*", entry.where))
        groups.setdefault(general, []).extend(STATUS.findall(entry.where))
    return [
        replace(entry, where=re.sub(r"^responses\.\*", f"responses.{','.join(names)}", entry.where))
        for entry, names in groups.items()
    ]


def _at(tree: Tree, *names: str) -> Tree:
    """The tree at a place; empty if there is none."""
    for name in names:
        below = tree.get(name)
        tree = below if isinstance(below, dict) else {}
    return tree


def _said(tree: Tree, name: str) -> str:
    """The leaf of a tree in words; empty if there is none."""
    leaf = tree.get(name)
    return str(leaf) if isinstance(leaf, Leaf) else ""


def _body(tree: Tree, status: str) -> Tree:
    return _at(tree, "responses", status, "content", "application/json", "schema")


def _comma_arrays(tree: Tree) -> str:
    parameter = _at(tree, "parameters", "instruments")
    return f"style {parameter['style']}; explode {parameter['explode']}" if parameter else ""


def _instrument_named(tree: Tree) -> str:
    names = _at(_body(tree, "200"), "items", "properties")
    return ", ".join(f"there is a field {name}" for name in names if INSTRUMENT.search(name))


def _extra_fields(tree: Tree) -> str:
    item = _at(_body(tree, "200"), "items")
    names = ", ".join(_at(item, "properties"))
    return f"fields: {names}; more of them: {item['additionalProperties']}" if names else ""


def _null_fields(tree: Tree) -> str:
    item = _at(_body(tree, "200"), "items")
    types = {name: _said(_at(item, "properties", name), "type") for name in ("user", "message")}
    said = [f"{name}: {type_}" for name, type_ in types.items() if type_]
    return "; ".join([*said, f"required: {item['required']}"]) if said else ""


def _statuses(wanted: set[str], tree: Tree) -> str:
    listed = {status: _at(tree, "responses", status) for status in _at(tree, "responses")}
    return "; ".join(
        f"{status}: {_said(response, '').removeprefix('listed: ')}"
        for status, response in listed.items()
        if status in wanted
    )


def _retry_after(tree: Tree) -> str:
    return "429 has the header" if "retry-after" in _at(tree, "responses", "429", "headers") else ""


def _page_limit(tree: Tree) -> str:
    headers = _at(tree, "responses", "200", "headers")
    found = [f"parameter {name}" for name in _at(tree, "parameters") if PAGING.search(name)]
    found += [f"header {name}" for name in headers if PAGING.search(name)]
    most = _said(_body(tree, "200"), "maxItems")
    return "; ".join([*found, *([f"at most {most} items"] if most else [])])


def _error_codes(tree: Tree) -> str:
    errors = {
        status: _said(_at(_body(tree, status), "properties", "error"), "enum")
        for status in _at(tree, "responses")
    }
    return "; ".join(f"{status}: {codes}" for status, codes in errors.items() if codes)


def _sentences(pattern: str, name: str, tree: Tree) -> str:
    """What the operation and one of its parameters say about limits, as far as a pattern fits."""
    leaves = [place.get("description") for place in (tree, _at(tree, "parameters", name))]
    limits = [one for leaf in leaves if isinstance(leaf, Leaf) for one in leaf.value]
    return " ".join(one for one in limits if re.search(pattern, one, re.IGNORECASE))


def _pattern(tree: Tree) -> str:
    return _said(_at(tree, "parameters", "start", "schema"), "pattern")


# The questions of openapi/questions.yaml that a document can speak to, and what it then says.
ANSWERS: dict[str, Callable[[Tree], str]] = {
    "over-long-status": partial(_statuses, REFUSALS),
    "reversed-status": partial(_statuses, REFUSALS),
    "invalid-status": partial(_statuses, REFUSALS),
    "unknown-instrument": partial(_statuses, {"404"}),
    "year": partial(_sentences, r"36[56] days|calendar", "end"),
    "start-inclusive": partial(_sentences, "clusive", "start"),
    "end-inclusive": partial(_sentences, "clusive", "end"),
    "naive-times": _pattern,
    "offsets": _pattern,
    "comma-arrays": _comma_arrays,
    "instrument-named": _instrument_named,
    "extra-fields": _extra_fields,
    "null-fields": _null_fields,
    "retry-after": _retry_after,
    "page-limit": _page_limit,
    "error-codes": _error_codes,
}
