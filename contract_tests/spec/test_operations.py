"""Each operation of the contract is judged by what the spec says of it, and not of another."""

import copy
from typing import Any

import pytest

from mycirrus_contract.conformity import reply_problems, request_problems
from mycirrus_contract.messages import Reply, Request, json_reply
from mycirrus_contract.model import PATH, SPEC_FILE, Contract, UnknownOperationError, load_yaml

JSON_BODY = {"content": {"application/json": {"schema": {"type": "object"}}}}
INSTRUMENT: dict[str, Any] = {
    "parameters": [{"$ref": "#/components/parameters/Serial"}],
    "get": {
        "security": [{"apikey": []}],
        "x-cirrus-scope": "control.instruments:read",
        "parameters": [
            {"name": "limit", "in": "query", "schema": {"type": "integer", "maximum": 9}},
            {"name": "level", "in": "query", "schema": {"type": "number"}},
            {"name": "all", "in": "query", "schema": {"type": "boolean"}},
            {"name": "X-Page", "in": "header", "required": True, "schema": {"type": "string"}},
            {
                "name": "tags",
                "in": "query",
                "explode": False,
                "schema": {"type": "array", "items": {"type": "integer"}},
            },
        ],
        "responses": {
            "200": {"description": "OK", **JSON_BODY},
            "404": {"$ref": "#/components/responses/Missing"},
            "204": {"description": "Nothing"},
        },
    },
    "delete": {"responses": {"204": {"description": "Gone"}}},
}


def contract() -> Contract:
    """The spec with two more operations, and a third whose path the second would match."""
    document = copy.deepcopy(load_yaml(SPEC_FILE))
    document["paths"] |= {
        "/instruments/{serial}": INSTRUMENT,
        "/instruments/all": {"get": {"responses": {"200": {"description": "OK", **JSON_BODY}}}},
    }
    document["components"] |= {
        "parameters": {
            "Serial": {
                "name": "serial",
                "in": "path",
                "required": True,
                "schema": {"$ref": "#/components/schemas/Serial"},
            }
        },
        "responses": {"Missing": {"description": "None", **JSON_BODY}},
    }
    document["components"]["schemas"]["Serial"] = {"type": "string", "pattern": "^QT"}
    return Contract(document, {PATH: [{"id": "year"}]})


REQUESTS = [
    ("GET", "/v1/instruments/QT1", "", []),
    ("GET", "/v1/instruments/QT1", "limit=9&level=1.5&all=true&tags=1,2", []),
    ("GET", "/v1/instruments/all", "", []),
    ("GET", "/v1/instruments/XY1", "", ["path serial does not match ^QT"]),
    ("GET", "/v1/instruments/QT1", "limit=ten", ["query limit is not of type integer"]),
    ("GET", "/v1/instruments/QT1", "limit=10", ["query limit breaks maximum: 9"]),
    ("GET", "/v1/instruments/QT1", "limit=1&limit=2", ["query limit is given more than once"]),
    ("GET", "/v1/instruments/QT1", "level=high", ["query level is not of type number"]),
    ("GET", "/v1/instruments/QT1", "all=yes", ["query all is not of type boolean"]),
    ("GET", "/v1/instruments/QT1", "tags=1,b", ["query tags is not of type integer"]),
    ("GET", "/v1/instruments/QT1", "start=x", ["query has an unknown parameter: start"]),
    ("GET", "/v1/instruments/all", "limit=1", ["query has an unknown parameter: limit"]),
    ("PUT", "/v1/instruments/QT1", "", ["method PUT is not in the contract"]),
    ("DELETE", "/v1/instruments/all", "", ["method DELETE is not in the contract"]),
    ("GET", "/v1/instruments", "", ["path is not in the contract"]),
    ("GET", "/v1/instruments/QT1/log", "", ["path is not in the contract"]),
    ("GET", "/v2/instruments/QT1", "", ["path is not in the contract"]),
]


@pytest.mark.parametrize(("method", "path", "query", "problems"), REQUESTS)
def test_a_request_is_judged_by_the_operation_that_it_is_for(
    method: str, path: str, query: str, problems: list[str]
) -> None:
    request = Request(method, path, query, {"x-page": "1"})

    assert [str(problem) for problem in request_problems(request, contract())] == problems


def test_a_header_that_an_operation_needs_is_missed() -> None:
    (problem,) = request_problems(Request("GET", "/v1/instruments/QT1"), contract())

    assert str(problem) == "header X-Page is missing"


REPLIES = [
    (json_reply(200, {}), []),
    (json_reply(404, {}), []),
    (Reply(204, {}, b""), []),
    (Reply(204, {}, b"{}"), ["body is not empty"]),
    (json_reply(200, []), ["$ is not of type object"]),
    (json_reply(429, {}), ["status 429 is not in the contract"]),
]


@pytest.mark.parametrize(("reply", "problems"), REPLIES)
def test_a_reply_is_judged_by_the_operation_that_it_answers(
    reply: Reply, problems: list[str]
) -> None:
    operation = contract().operation("/instruments/QT1")

    assert [str(problem) for problem in reply_problems(reply, operation)] == problems


def test_range_scope_key_and_open_questions_are_those_of_the_operation() -> None:
    log, other = contract().operation(PATH), contract().operation("/instruments/{serial}")
    free = contract().operation("/instruments/all")

    assert log.known_range_rule().start == "start"
    assert other.range_rule is None
    assert (log.scope, other.scope) == ("data.system:read", "control.instruments:read")
    assert (log.key_headers, free.key_headers) == ({"X-Api-Key"}, set())
    assert ([one["id"] for one in log.open_questions], other.open_questions) == (["year"], ())
    with pytest.raises(LookupError, match=r"GET /instruments/\{serial\} has no x-cirrus-range"):
        other.known_range_rule()


def test_an_unknown_method_names_those_that_are_known() -> None:
    with pytest.raises(UnknownOperationError) as caught:
        contract().operation("/instruments/QT1", "POST")

    assert caught.value.allowed == ("GET", "DELETE")
