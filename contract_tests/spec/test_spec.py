"""The spec says what the vendor's page says, and marks whatever else it says."""

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from mycirrus_contract.model import QUESTIONS_FILE, SPEC_FILE, Contract, load_yaml, strict, tolerant
from mycirrus_contract.standin.switches import Switches

from .page import PAGE

Pointer = tuple[str, ...]

SPEC = load_yaml(SPEC_FILE)
QUESTIONS = load_yaml(QUESTIONS_FILE)["questions"]
OPERATION: Pointer = ("paths", "/data/calibrations/log", "get")
SOURCE = re.compile(r"(inferred|vendor|observed \d{4}-\d\d-\d\d): \S")


def leaves(value: Any, pointer: Pointer = ()) -> Iterator[tuple[Pointer, Any]]:
    """Every value of a document that holds no others, with the way to it.

    A list is followed by the name of its elements, or by number if they have none.
    """
    if isinstance(value, dict) and value:
        for name, below in value.items():
            if name != "x-source":
                yield from leaves(below, (*pointer, name))
    elif isinstance(value, list) and any(isinstance(element, dict) for element in value):
        for number, element in enumerate(value):
            yield from leaves(element, (*pointer, element.get("name", str(number))))
    else:
        yield pointer, " ".join(value.split()) if isinstance(value, str) else value


def page_as_spec() -> dict[str, Any]:
    """What a spec would say that had nothing but the vendor's page."""
    return {
        "servers": [{"url": PAGE["curl_url"].partition(PAGE["path"])[0]}],
        "paths": {
            PAGE["path"]: {
                PAGE["method"]: {
                    "summary": PAGE["summary"],
                    "description": " ".join(PAGE["sentences"]),
                    "parameters": [_page_parameter(one) for one in PAGE["parameters"]],
                    "responses": {
                        status: _page_response(one) for status, one in PAGE["responses"].items()
                    },
                }
            }
        },
    }


def _page_parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    schema = {name: parameter[name] for name in ("type", "format", "items") if name in parameter}
    return {
        "name": parameter["name"],
        "in": "query",
        "required": parameter["required"],
        "example": parameter["example"],
        "schema": schema | {"description": " ".join(parameter["sentences"])},
    }


def _page_response(response: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {"example": response["example"]}
    if isinstance(response["example"], list):
        content["schema"] = {"type": "array"}
    return {
        "description": response["description"],
        "content": {PAGE["media_type"]: content},
    }


def is_ours(pointer: Pointer) -> bool:
    """Whether a leaf only names something, and the name is ours."""
    if pointer[:3] == OPERATION:
        return pointer[3] in {"operationId", "tags", "security"} or pointer[-1] == "$ref"
    return pointer[0] in {"openapi", "tags"} or pointer[-1] == "$ref"


def source_of(document: dict[str, Any], pointer: Pointer) -> str | None:
    """The mark of a leaf: what ``x-source`` of the object around it says of it."""
    around: Any = document
    for name in pointer[:-1]:
        if isinstance(around, list):
            named = {element.get("name", str(n)): element for n, element in enumerate(around)}
            around = named[name]
        else:
            around = around[name]
    marks = around.get("x-source", {}) if isinstance(around, dict) else {}
    return marks.get(pointer[-1]) if isinstance(marks, dict) else None


def unmarked(document: dict[str, Any]) -> list[Pointer]:
    """What a spec says that is neither on the page, nor marked, nor a name of ours."""
    page = dict(leaves(page_as_spec()))
    return [
        pointer
        for pointer, value in leaves(document)
        if not (pointer in page and page[pointer] == value)
        and not is_ours(pointer)
        and not SOURCE.match(source_of(document, pointer) or "")
    ]


def test_the_spec_is_a_valid_openapi_3_1_document() -> None:
    """openapi-spec-validator finds nothing wrong with it."""
    errors = [str(error) for error in OpenAPIV31SpecValidator(SPEC).iter_errors()]

    assert SPEC["openapi"] == "3.1.0"
    assert not errors


def test_the_strict_reading_is_a_valid_openapi_document_too() -> None:
    """The merge patch leaves a spec, not a torso."""
    errors = [str(error) for error in OpenAPIV31SpecValidator(strict().document).iter_errors()]

    assert not errors


def test_everything_on_the_vendors_page_is_in_the_spec_to_the_letter() -> None:
    """Parameters, texts, statuses, error bodies and the example of a 200."""
    said = dict(leaves(SPEC))
    missing = {
        pointer: value
        for pointer, value in leaves(page_as_spec())
        if pointer not in said or said[pointer] != value
    }

    assert not missing


def test_whatever_is_not_on_the_page_is_marked_with_its_source() -> None:
    """No line of ours passes for the vendor's."""
    assert not unmarked(SPEC)


def _add_maximum(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/data/calibrations/log"]["get"]["parameters"]
    parameters[0]["schema"]["maxItems"] = 50


def _add_field(document: dict[str, Any]) -> None:
    properties = document["components"]["schemas"]["CalibrationLogItem"]["properties"]
    properties["instrument"] = {"type": "string"}


def _add_status(document: dict[str, Any]) -> None:
    responses = document["paths"]["/data/calibrations/log"]["get"]["responses"]
    responses["404"] = {"description": "There is no such instrument"}


def _add_parameter(document: dict[str, Any]) -> None:
    parameters = document["paths"]["/data/calibrations/log"]["get"]["parameters"]
    parameters.append({"name": "page", "in": "query", "schema": {"type": "integer"}})


def _change_a_text(document: dict[str, Any]) -> None:
    document["paths"]["/data/calibrations/log"]["get"]["summary"] = "Fetch items"


def _drop_a_mark(document: dict[str, Any]) -> None:
    del document["components"]["schemas"]["CalibrationLogItem"]["x-source"]["required"]


def _mark_without_a_reason(document: dict[str, Any]) -> None:
    marks = document["components"]["schemas"]["CalibrationLogItem"]["x-source"]
    marks["required"] = "inferred"


@pytest.mark.parametrize(
    "change",
    [
        _add_maximum,
        _add_field,
        _add_status,
        _add_parameter,
        _change_a_text,
        _drop_a_mark,
        _mark_without_a_reason,
    ],
)
def test_an_unmarked_addition_is_found(change: Callable[[dict[str, Any]], None]) -> None:
    """Also inside an object that has marks for other things."""
    document = copy.deepcopy(SPEC)
    change(document)

    assert unmarked(document)


def examples_of(contract: Contract) -> list[tuple[str, Any, Any]]:
    """Each example of the spec with the schema that it has to fit."""
    operation = contract.operation
    parameters = [(one["name"], one["schema"], one["example"]) for one in operation["parameters"]]
    contents = [
        (status, response["content"]["application/json"])
        for status, response in operation["responses"].items()
    ]
    return parameters + [
        (status, content["schema"], content["example"])
        for status, content in contents
        if "example" in content
    ]


@pytest.mark.parametrize("contract", [tolerant(), strict()], ids=["tolerant", "strict"])
def test_every_example_fits_its_schema(contract: Contract) -> None:
    """In both readings, formats included; there are three parameters and four bodies."""
    examples = examples_of(contract)

    assert len(examples) == 7
    for name, schema, example in examples:
        assert not contract.problems(schema, example), name


def test_an_example_that_does_not_fit_is_found() -> None:
    """The check above can fail: a naive time, a number for a text, a missing time."""
    schema = {"$ref": "#/components/schemas/CalibrationLogItem"}

    assert tolerant().problems(schema, {"time": "2022-06-07T11:18:42"})
    assert tolerant().problems(schema, {"time": "2022-06-07T11:18:42Z", "user": 5})
    assert tolerant().problems(schema, {"user": "Quantum Demo"})


def test_the_operation_asks_for_its_key_itself() -> None:
    """At document level the generator would not see it."""
    (requirement,) = tolerant().operation["security"]

    assert set(requirement) <= set(SPEC["components"]["securitySchemes"])
    assert "security" not in SPEC


def test_no_status_is_made_legal_wholesale() -> None:
    """There is no ``default`` and no ``4XX``, which would hide an undocumented status."""
    assert tolerant().statuses == {200, 400, 401, 403, 429}


def test_every_open_question_says_what_it_has_to() -> None:
    """Each has an id of its own, an assumption, what follows if it is wrong, and a probe."""
    for question in QUESTIONS:
        texts = [question[name] for name in ("id", "question", "assumed", "if_wrong", "answer_by")]
        assert all(isinstance(text, str) and text for text in texts), question
    assert len({question["id"] for question in QUESTIONS}) == len(QUESTIONS)


def test_every_switch_of_the_stand_in_is_an_open_question_with_the_assumed_default() -> None:
    """What the stand-in plays by default is what questions.yaml assumes, and nothing else."""
    asked = {
        name: value for question in QUESTIONS for name, value in (question["switch"] or {}).items()
    }

    assert asked == {field.name: field.default for field in fields(Switches)}
