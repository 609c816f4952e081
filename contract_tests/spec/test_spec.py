"""The spec says what the vendor's pages say, and marks whatever else it says."""

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import pytest

from mycirrus_contract.model import PATH, QUESTIONS_FILE, SPEC_FILE, load_yaml, strict, tolerant
from mycirrus_contract.problems import schema_problems
from mycirrus_contract.standin.rules import ROUTES
from mycirrus_contract.standin.switches import Switches

from .page import PAGES

Pointer = tuple[str, ...]
Document = dict[str, Any]

SPEC = load_yaml(SPEC_FILE)
STRICT: Document = dict(strict().document)
QUESTIONS = load_yaml(QUESTIONS_FILE)["questions"]
SOURCE = re.compile(r"(inferred|vendor|observed \d{4}-\d\d-\d\d): \S")


def leaves(value: Any, pointer: Pointer = (), mark: str = "") -> Iterator[tuple[Pointer, Any, str]]:
    """Every value of a document that holds no others: the way to it, itself, and its mark.

    An element of a list is known by its name, or by its number if it has none. A mark is what the
    nearest ``x-source`` around the value says: to its keyword, or to all that is below.
    """
    if isinstance(value, dict) and value:
        marks = value.get("x-source", {})
        mark, marks = (marks, {}) if isinstance(marks, str) else (mark, marks)
        for name, below in value.items():
            if name != "x-source":
                yield from leaves(below, (*pointer, name), marks.get(name, mark))
    elif isinstance(value, list) and any(isinstance(element, dict) for element in value):
        for number, element in enumerate(value):
            yield from leaves(element, (*pointer, element.get("name", str(number))), mark)
    else:
        yield pointer, " ".join(value.split()) if isinstance(value, str) else value, mark


def page_as_spec(page: Document) -> Document:
    """A spec with only what a page of the vendor says."""
    return {
        "servers": [{"url": page["curl_url"].partition(page["path"])[0]}],
        "paths": {
            page["path"]: {
                page["method"]: {
                    "summary": page["summary"],
                    "description": " ".join(page["sentences"]),
                    "x-cirrus-scope": page["scope"],
                    "parameters": [_page_parameter(one) for one in page["parameters"]],
                    "responses": {
                        status: _page_response(one, page["media_type"])
                        for status, one in page["responses"].items()
                    },
                }
            }
        },
    }


def _page_parameter(parameter: Document) -> Document:
    schema = {name: parameter[name] for name in ("type", "format", "items") if name in parameter}
    return {
        "name": parameter["name"],
        "in": "query",
        "required": parameter["required"],
        "example": parameter["example"],
        "schema": schema | {"description": " ".join(parameter["sentences"])},
    }


def _page_response(response: Document, media_type: str) -> Document:
    content: Document = {"example": response["example"]}
    if isinstance(response["example"], list):
        content["schema"] = {"type": "array"}
    return {"description": response["description"], "content": {media_type: content}}


ON_PAGES = {pointer: value for page in PAGES for pointer, value, _ in leaves(page_as_spec(page))}


def is_a_name_of_ours(pointer: Pointer) -> bool:
    """Whether a leaf only names or connects parts of the document."""
    is_of_operation = pointer[0] == "paths" and len(pointer) > 3
    return (
        pointer[0] in {"openapi", "tags"}
        or pointer[-1] == "$ref"
        or (is_of_operation and pointer[3] in {"operationId", "tags", "security"})
    )


def unmarked(document: Document) -> list[Pointer]:
    """What a spec says that is neither on a page, nor marked, nor a name of ours."""
    return [
        pointer
        for pointer, value, mark in leaves(document)
        if not (pointer in ON_PAGES and ON_PAGES[pointer] == value)
        and not is_a_name_of_ours(pointer)
        and not (isinstance(mark, str) and SOURCE.match(mark))
    ]


@pytest.mark.parametrize("document", [SPEC, STRICT], ids=["tolerant", "strict"])
def test_each_reading_is_a_valid_openapi_3_1_document(document: Document) -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator  # noqa: PLC0415 - it takes long

    errors = [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()]

    assert document["openapi"] == "3.1.0"
    assert not errors


def test_everything_on_the_vendors_pages_is_in_the_spec_to_the_letter() -> None:
    said = {pointer: value for pointer, value, _ in leaves(SPEC)}
    missing = {
        pointer: value
        for pointer, value in ON_PAGES.items()
        if pointer not in said or said[pointer] != value
    }

    assert ON_PAGES
    assert not missing, f"in contract_tests/spec/pages and not in {SPEC_FILE.name}: {missing}"


def test_whatever_is_not_on_a_page_is_marked_with_its_source() -> None:
    found = ["/".join(pointer) for pointer in unmarked(SPEC)]

    assert not found, f"{SPEC_FILE.name}: on no page of the vendor's, and without x-source: {found}"


def _log(document: Document) -> Document:
    operation: Document = document["paths"][PATH]["get"]
    return operation


def _item(document: Document) -> Document:
    schema: Document = document["components"]["schemas"]["CalibrationLogItem"]
    return schema


def _second_operation(document: Document) -> Document:
    """Like the log, at another path."""
    document["paths"]["/other"] = {"get": _log(document)}
    operation: Document = document["paths"]["/other"]["get"]
    return operation


UNMARKED: dict[str, Callable[[Document], object]] = {
    "maximum": lambda spec: _log(spec)["parameters"][0]["schema"].update(maxItems=50),
    "field": lambda spec: _item(spec)["properties"].update(instrument={"type": "string"}),
    "status": lambda spec: _log(spec)["responses"].update({"404": {"description": "None"}}),
    "parameter": lambda spec: _log(spec)["parameters"].append({"name": "page", "in": "query"}),
    "another text": lambda spec: _log(spec).update(summary="Fetch items"),
    "no mark": lambda spec: _item(spec)["x-source"].pop("required"),
    "a mark without a reason": lambda spec: _item(spec)["x-source"].update(required="inferred"),
    "an operation": _second_operation,
    "an operation whose mark has no reason": lambda spec: _second_operation(spec).update(
        {"x-source": "vendor"}
    ),
}


@pytest.mark.parametrize("change", UNMARKED.values(), ids=list(UNMARKED))
def test_an_unmarked_addition_is_found(change: Callable[[Document], object]) -> None:
    document = copy.deepcopy(SPEC)
    change(document)

    assert unmarked(document)


def test_one_mark_covers_an_operation_and_needs_none_for_names() -> None:
    document = copy.deepcopy(SPEC)
    operation = copy.deepcopy(_log(document))
    document["paths"]["/other"] = {"get": operation | {"x-source": "vendor: https://example.com"}}

    assert unmarked(document) == []


def examples_of(document: Document) -> Iterator[tuple[str, Any, Any]]:
    """Each example of a document: the way to it, the schema that it has to fit, and itself."""
    yield from _examples_below(document, ())


def _examples_below(node: Any, pointer: Pointer) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(node, list):
        node = {str(number): below for number, below in enumerate(node)}
    if not isinstance(node, dict):
        return
    where = "/".join(pointer)
    if not (pointer and pointer[-1] == "properties"):  # those are names of fields, no keywords
        schema, named = node.get("schema", node), node.get("examples", [])
        several = [one["value"] for one in named.values()] if isinstance(named, dict) else named
        one = [node["example"]] if "example" in node else []
        yield from ((where, schema, example) for example in (*one, *several))
    for name, below in node.items():
        if name not in {"example", "examples", "x-source"}:
            yield from _examples_below(below, (*pointer, name))


@pytest.mark.parametrize("document", [SPEC, STRICT], ids=["tolerant", "strict"])
def test_every_example_fits_its_schema(document: Document) -> None:
    examples = list(examples_of(document))

    assert len(examples) >= len(ON_PAGES.keys() & {p for p in ON_PAGES if p[-1] == "example"}) > 0
    for where, schema, example in examples:
        assert not schema_problems(document, schema, example), f"{SPEC_FILE.name}: {where}"


BAD_EXAMPLES: dict[str, Callable[[Document], object]] = {
    "of a parameter": lambda spec: _log(spec)["parameters"][1].update(example="2023-01-01"),
    "one of several": lambda spec: _log(spec)["parameters"][1].update(
        examples={"naive": {"value": "2022-06-07T11:18:42"}}
    ),
    "of a status": lambda spec: _log(spec)["responses"]["200"]["content"][
        "application/json"
    ].update(example=[{"user": "Quantum Demo"}]),
    "of a field": lambda spec: _item(spec)["properties"]["user"].update(examples=[5]),
    "of another operation": lambda spec: _second_operation(spec)["parameters"][2].update(
        example=["2023-01-01T00:00:00Z"]
    ),
}


@pytest.mark.parametrize("change", BAD_EXAMPLES.values(), ids=list(BAD_EXAMPLES))
def test_an_example_that_does_not_fit_is_found(change: Callable[[Document], object]) -> None:
    document = copy.deepcopy(SPEC)
    change(document)

    assert any(schema_problems(document, schema, one) for _, schema, one in examples_of(document))


def test_each_operation_names_its_key_and_statuses_itself() -> None:
    """The generator ignores security of the document; ``default`` would make any status legal."""
    assert "security" not in SPEC
    for operation in tolerant().operations:
        schemes = {name for one in operation.definition.get("security", []) for name in one}
        assert schemes <= set(SPEC["components"]["securitySchemes"]), operation
        assert all(
            re.fullmatch(r"[1-5]\d\d", status) for status in operation.definition["responses"]
        )


def test_each_route_of_the_stand_in_asks_for_the_scope_of_its_operation() -> None:
    for path, route in ROUTES.items():
        assert tolerant().operation(path).scope == route.scope


def test_every_open_question_is_of_an_operation_and_says_what_it_has_to() -> None:
    assert set(QUESTIONS) <= {operation.path for operation in tolerant().operations}
    questions = [question for of_path in QUESTIONS.values() for question in of_path]
    for question in questions:
        texts = [question[name] for name in ("id", "question", "assumed", "if_wrong", "answer_by")]
        assert all(isinstance(text, str) and text for text in texts), question
    assert len({question["id"] for question in questions}) == len(questions)


def test_every_switch_of_the_stand_in_is_an_open_question_with_the_assumed_default() -> None:
    asked = {
        name: value
        for question in tolerant().operation(PATH).open_questions
        for name, value in (question["switch"] or {}).items()
    }

    assert asked == {field.name: field.default for field in fields(Switches)}
