"""The vendor's own document is compared with ours: each difference is named, and nothing else."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

from contract_tests.spec_diff.__main__ import main
from contract_tests.spec_diff.comparison import ANSWERS, Comparison, compare
from mycirrus_contract.model import PATH, QUESTIONS_FILE, SPEC_FILE, load_yaml, merge

FOLDER = Path(__file__).with_name("vendor_documents")
SAME_FILE, DIFFERENT_FILE = FOLDER / "same.yaml", FOLDER / "different.json"
SAME = load_yaml(SAME_FILE)
DIFFERENT = json.loads(DIFFERENT_FILE.read_text(encoding="utf-8"))
OURS = load_yaml(SPEC_FILE)

Patch = dict[str, Any]
Said = list[tuple[str, str, str]]

BODY = "responses.200.content.application/json"
ITEM = f"{BODY}.schema.items"
ERRORS = "responses.400,401,403,429.content.application/json"
SECRET = "hunter2"  # noqa: S105 - the one that must not be shown


def operation(**patch: Any) -> Patch:
    """A change of our operation."""
    return {"paths": {PATH: {"get": patch}}}


def response(status: int, patch: Patch | None) -> Patch:
    """A change of one of its responses."""
    return operation(responses={status: patch})


def component(kind: str, name: str, /, **patch: Any) -> Patch:
    """A change of something that it refers to."""
    return {"components": {kind: {name: patch}}}


def parameter(name: str, /, **patch: Any) -> Patch:
    """A change of a parameter."""
    return component("parameters", name, **patch)


def item(**patch: Any) -> Patch:
    """A change of the schema of an item."""
    return component("schemas", "CalibrationLogEntry", **patch)


def scheme(**patch: Any) -> Patch:
    """A change of the security scheme."""
    return component("securitySchemes", "apikey", **patch)


def compared(patch: Patch) -> Comparison:
    """The comparison of ours with a document that is the same but for a change."""
    return compare(merge(SAME, patch), OURS)


def differences(comparison: Comparison) -> Said:
    """Where, what the vendor says, what we say."""
    return [(one.where, one.vendor, one.ours) for one in comparison.differences]


@pytest.mark.parametrize(
    ("document", "validator"),
    [(SAME, OpenAPIV30SpecValidator), (DIFFERENT, OpenAPIV31SpecValidator)],
    ids=["same", "different"],
)
def test_the_documents_of_the_tests_are_valid_openapi(document: Any, validator: Any) -> None:
    """A vendor could publish them."""
    plain = json.loads(json.dumps(document, default=str))

    assert not [str(error) for error in validator(plain).iter_errors()]


def test_our_own_document_does_not_differ_from_itself() -> None:
    """Whatever stands in it."""
    assert not compare(OURS, OURS).differences


INSTRUMENTS = "parameters.instruments"
BESIDE = component(
    "responses", "Forbidden", content={"application/json": {"schema": {"type": "a"}}}
)
RANGE = [{"$ref": f"#/components/parameters/{name}"} for name in ("Instruments", "Start", "End")]
UTC = "Must be in UTC. For example, 2023-01-01T00:00:00Z is 1st January 2023 at midnight UTC."
YEAR = (
    "The maximum date range per request is 1 year. "
    "If you request a longer range, the server will respond with an error."
)
TEXT = {"type": "string"}
SERIALS = "schema.type array, schema.minItems 1, schema.items.type string"
ERROR_FIELDS = "properties.error.type string, properties.description.type string"
MORE = (
    "items.additionalProperties true, items.properties.time.type string, "
    "items.properties.time.format date-time, items.properties.user.type string or ..."
)

ONE_CHANGE: dict[str, tuple[Patch, Said]] = {
    "nothing": ({}, []),
    "server": (
        {"servers": [{"url": "https://eu.mycirrus.cloud/v1"}]},
        [("servers", "https://eu.mycirrus.cloud/v1", "https://api.mycirrus.cloud/v1")],
    ),
    "two servers": (
        {"servers": [{"url": "https://b.c/v1/"}, {"url": "https://api.mycirrus.cloud/v1"}]},
        [("servers", "https://api.mycirrus.cloud/v1, https://b.c/v1", OURS["servers"][0]["url"])],
    ),
    "no server": ({"servers": None}, [("servers", "/", "https://api.mycirrus.cloud/v1")]),
    "no operation": (
        {"paths": {PATH: None}},
        [("paths", f"no GET {PATH}", f"GET {PATH}")],
    ),
    "another method": (
        {"paths": {PATH: {"get": None, "post": {"responses": {}}}}},
        [("paths", f"no GET {PATH}", f"GET {PATH}")],
    ),
    "a path that only ends alike": (
        {"paths": {PATH: None, f"/meta{PATH[1:]}": SAME["paths"][PATH]}},
        [("paths", f"no GET {PATH}", f"GET {PATH}")],
    ),
    "deprecated": (operation(deprecated=True), [("deprecated", "true", "false, by default")]),
    "missing parameter": (
        {"paths": {PATH: {"parameters": RANGE[1:]}}},
        [
            (
                INSTRUMENTS,
                "not listed",
                f"in query, required true, style form, explode true, {SERIALS}",
            )
        ],
    ),
    "page parameter": (
        operation(parameters=[{"name": "page", "in": "query", "schema": {"type": "integer"}}]),
        [("parameters.page", "in query, schema.type integer", "not listed")],
    ),
    "the same name in another place": (
        operation(parameters=[{"name": "start", "in": "header", "schema": TEXT}]),
        [("parameters.start (header)", "in header, schema.type string", "not listed")],
    ),
    "in": (
        parameter("Start", **{"in": "path"}),
        [
            ("parameters.start.in", "path", "query"),
            ("parameters.start.style", "simple, by default", "form, by default"),
            ("parameters.start.explode", "false, by default", "true, by default"),
        ],
    ),
    "required": (
        parameter("End", required=None),
        [("parameters.end.required", "false, by default", "true")],
    ),
    "type of a parameter": (
        parameter("Start", schema={"type": "integer"}),
        [("parameters.start.schema.type", "integer", "string")],
    ),
    "format": (
        parameter("Start", schema={"format": "date"}),
        [("parameters.start.schema.format", "date", "date-time")],
    ),
    "no format": (
        parameter("Start", schema={"format": None}),
        [("parameters.start.schema.format", "not said", "date-time")],
    ),
    "type of the items": (
        parameter("Instruments", schema={"items": {"type": "integer"}}),
        [(f"{INSTRUMENTS}.schema.items.type", "integer", "string")],
    ),
    "explode": (
        parameter("Instruments", explode=False),
        [(f"{INSTRUMENTS}.explode", "false", "true")],
    ),
    "style, which changes the default of explode": (
        parameter("Instruments", style="pipeDelimited"),
        [
            (f"{INSTRUMENTS}.style", "pipeDelimited", "form"),
            (f"{INSTRUMENTS}.explode", "false, by default", "true"),
        ],
    ),
    "minItems": (
        parameter("Instruments", schema={"minItems": None}),
        [(f"{INSTRUMENTS}.schema.minItems", "0, by default", "1")],
    ),
    "maxItems": (
        parameter("Instruments", schema={"maxItems": 50}),
        [(f"{INSTRUMENTS}.schema.maxItems", "50", "not said")],
    ),
    "pattern": (
        parameter("Instruments", schema={"items": {"pattern": "^QT"}}),
        [(f"{INSTRUMENTS}.schema.items.pattern", "^QT", "not said")],
    ),
    "enum": (
        parameter("Instruments", schema={"items": {"enum": ["QT2", "QT1"]}}),
        [(f"{INSTRUMENTS}.schema.items.enum", "QT1, QT2", "not said")],
    ),
    "content instead of a schema": (
        parameter("Instruments", schema=None, content={"application/json": {}}),
        [
            (
                f"{INSTRUMENTS}.schema",
                "not listed",
                "type array, minItems 1, items.type string",
            ),
            (f"{INSTRUMENTS}.content.application/json", "listed", "not listed"),
        ],
    ),
    "another limit in words": (
        operation(description="Get records. The maximum is 366 days."),
        [("description", "The maximum is 366 days.", YEAR)],
    ),
    "no limit in words": (
        operation(description="Get records."),
        [("description", "not said", YEAR)],
    ),
    "another zone in words": (
        parameter("Start", description="Start of the range, inclusive, in local time."),
        [("parameters.start.description", "Start of the range, inclusive, in local time.", UTC)],
    ),
    "no key at all": (
        operation(security=[]),
        [("security.1", "not listed", "type apiKey, in header, name X-Api-Key")],
    ),
    "a key that may be left out": (
        operation(security=[{}, {"apikey": []}]),
        [("security.2", "type none", "not listed")],
    ),
    "type of the scheme": (
        scheme(**{"type": "http", "scheme": "bearer", "in": None, "name": None}),
        [
            ("security.1.type", "http", "apiKey"),
            ("security.1.in", "not said", "header"),
            ("security.1.name", "not said", "X-Api-Key"),
            ("security.1.scheme", "bearer", "not said"),
        ],
    ),
    "place of the key": (scheme(**{"in": "query"}), [("security.1.in", "query", "header")]),
    "name of the key": (
        scheme(name="Authorization"),
        [("security.1.name", "Authorization", "X-Api-Key")],
    ),
    "scopes": (
        operation(security=[{"apikey": ["data.system:read"]}]),
        [("security.1.scopes", "data.system:read", "not said")],
    ),
    "two keys at once": (
        merge(
            component("securitySchemes", "app", type="apiKey", **{"in": "header", "name": "App"}),
            operation(security=[{"apikey": [], "app": []}]),
        ),
        [
            ("security.1.type", "not said", "apiKey"),
            ("security.1.in", "not said", "header"),
            ("security.1.name", "not said", "X-Api-Key"),
            ("security.1.1", "type apiKey, in header, name x-api-key", "not listed"),
            ("security.1.2", "type apiKey, in header, name App", "not listed"),
        ],
    ),
    "missing status": (
        response(401, None),
        [
            (
                "responses.401",
                "not listed",
                "listed: Your access token is invalid or has expired",
            )
        ],
    ),
    "other statuses": (
        operation(
            responses={404: {"description": "Not\n found"}, "default": {"description": "Oops"}}
        ),
        [
            ("responses.404", "listed: Not found", "not listed"),
            ("responses.default", "listed: Oops", "not listed"),
        ],
    ),
    "media type": (
        component("responses", "Forbidden", content={"application/json": None, "text/plain": {}}),
        [
            ("responses.403.content.application/json", "not listed", "listed"),
            ("responses.403.content.text/plain", "listed", "not listed"),
        ],
    ),
    "header": (
        component("responses", "TooManyRequests", headers={"Retry-After": {"schema": TEXT}}),
        [("responses.429.headers.retry-after", "schema.type string", "not listed")],
    ),
    "type of the body": (
        response(
            200, {"content": {"application/json; charset=utf-8": {"schema": {"type": "object"}}}}
        ),
        [(f"{BODY}.schema.type", "object", "array")],
    ),
    "no schema of the body": (
        response(200, {"content": {"application/json; charset=utf-8": {"schema": None}}}),
        [
            (
                f"{BODY}.schema",
                "not listed",
                "type array, items.type object, items.required time, " + MORE,
            )
        ],
    ),
    "type of a field": (
        item(properties={"time": {"type": "integer"}}),
        [(f"{ITEM}.properties.time.type", "integer", "string")],
    ),
    "a field that cannot be null": (
        item(properties={"user": {"nullable": None}}),
        [(f"{ITEM}.properties.user.type", "string", "string or null")],
    ),
    "required fields": (
        item(required=["user", "time"]),
        [(f"{ITEM}.required", "time, user", "time")],
    ),
    "no required fields": (item(required=None), [(f"{ITEM}.required", "none, by default", "time")]),
    "no more fields": (
        item(additionalProperties=False),
        [(f"{ITEM}.additionalProperties", "false", "true")],
    ),
    "more fields of one type": (
        item(additionalProperties={"type": "string"}),
        [(f"{ITEM}.additionalProperties", "type string", "true")],
    ),
    "another field": (
        item(properties={"instrument": TEXT}),
        [(f"{ITEM}.properties.instrument", "type string", "not listed")],
    ),
    "missing field": (
        item(properties={"message": None}),
        [(f"{ITEM}.properties.message", "not listed", "type string or null")],
    ),
    "enum of a field": (
        item(properties={"message": {"enum": ["a", None]}}),
        [(f"{ITEM}.properties.message.enum", "a, null", "not said")],
    ),
    "constant": (
        item(properties={"message": {"const": "a"}}),
        [(f"{ITEM}.properties.message.enum", "a", "not said")],
    ),
    "choice of types": (
        item(properties={"message": {"oneOf": [{"type": "integer"}, TEXT]}}),
        [(f"{ITEM}.properties.message.oneOf", "1.type integer, 2.type string", "not listed")],
    ),
    "the same in all errors": (
        component("schemas", "Error", required=["error"]),
        [(f"{ERRORS}.schema.required", "error", "none, by default")],
    ),
    "a word beside a reference, since 3.1": (
        merge(BESIDE, {"openapi": "3.1.0"}),
        [("responses.403.content.application/json.schema.type", "a", "object")],
    ),
    "reference to another document": (
        {"components": {"schemas": {"Error": {"$ref": "errors.yaml#/Error"}}}},
        [
            (
                f"{ERRORS}.schema",
                "errors.yaml#/Error is in another document and was not fetched",
                f"type object, additionalProperties true, {ERROR_FIELDS}",
            )
        ],
    ),
}


@pytest.mark.parametrize(("patch", "said"), ONE_CHANGE.values(), ids=list(ONE_CHANGE))
def test_each_difference_is_named_and_nothing_else_is(patch: Patch, said: Said) -> None:
    """With both sides, after one change to a document that is the same."""
    assert differences(compared(patch)) == said


LOG = SAME["paths"][PATH]
SAME_IN_OTHER_WORDS: dict[str, Patch] = {
    "OpenAPI 3.1": {
        "openapi": "3.1.1",
        "components": {
            "schemas": {
                "CalibrationLogEntry": {
                    "properties": {
                        "user": {"allOf": None, "anyOf": [TEXT, {"type": "null"}]},
                        "message": {"nullable": None, "type": ["null", "string"]},
                    }
                }
            }
        },
    },
    "prefix in the path": {
        "servers": [{"url": "https://api.mycirrus.cloud/"}],
        "paths": {PATH: None, f"/v1{PATH}": LOG},
    },
    "more of the path in the server": {
        "servers": [{"url": "https://api.mycirrus.cloud/v1/data"}],
        "paths": {PATH: None, "/calibrations/log": LOG},
    },
    "server of the operation": merge(
        operation(servers=SAME["servers"]), {"servers": [{"url": "https://b.c"}]}
    ),
    "server of the path": {
        "servers": None,
        "paths": {PATH: {"servers": SAME["servers"]}},
    },
    "parameters of the operation": merge(
        operation(parameters=RANGE), {"paths": {PATH: {"parameters": None}}}
    ),
    "parameter of the operation in place of the path's": merge(
        operation(parameters=[{"$ref": "#/components/parameters/Start"}]),
        {"paths": {PATH: {"parameters": [*RANGE, {"name": "start", "in": "query"}]}}},
    ),
    "path item elsewhere": {
        "paths": {PATH: {"$ref": "#/components/pathItems/log~1item"}},
        "components": {"pathItems": {"log/item": LOG}},
    },
    "reference into a list and to a status": {
        "paths": {
            PATH: {
                "parameters": [{"$ref": "#/x-parameters/0"}, *RANGE[1:]],
                "get": {"responses": {429: {"$ref": "#/x-responses/429"}}},
            },
        },
        "x-parameters": [SAME["components"]["parameters"]["Instruments"]],
        "x-responses": {429: SAME["components"]["responses"]["TooManyRequests"]},
    },
    "security of the operation": merge(operation(security=[{"apikey": []}]), {"security": None}),
    "another name of the scheme": {
        "security": [{"key": []}],
        "components": {"securitySchemes": {"key": SAME["components"]["securitySchemes"]["apikey"]}},
    },
    "what is sent by default": parameter("Instruments", style="form", explode=True),
    "what counts by default": merge(
        operation(deprecated=False), parameter("End", deprecated=False)
    ),
    "an empty schema for more fields": item(additionalProperties={}),
    "no word on more fields": item(additionalProperties=None),
    "required in two parts": item(required=None, allOf=[{"required": ["time"]}, {}]),
    "a choice of one": item(properties={"user": {"allOf": None, "oneOf": [TEXT]}}),
    "a word beside a reference, before 3.1": BESIDE,
    "a text beside the schema": parameter(
        "Start", description="Start.", schema={"description": f"Start.\n\n**{UTC}**"}
    ),
    "an extension between the responses": operation(responses={"x-note": "none of them is ours"}),
    "other texts": operation(operationId="log", tags=["Logs"], description=f"New! {YEAR}"),
}


@pytest.mark.parametrize("patch", SAME_IN_OTHER_WORDS.values(), ids=list(SAME_IN_OTHER_WORDS))
def test_what_only_is_written_otherwise_is_no_difference(patch: Patch) -> None:
    """3.0 or 3.1, here or there, said or left to a default."""
    assert not differences(compared(patch))


def test_of_two_versions_of_the_operation_that_at_our_address_is_taken() -> None:
    """A vendor may publish both in one document."""
    both = {"servers": [{"url": "https://api.mycirrus.cloud"}], "paths": {PATH: None}}

    assert not differences(compared(merge(both, {"paths": {f"/v2{PATH}": {}, f"/v1{PATH}": LOG}})))
    assert not differences(compared(merge(both, {"paths": {f"/v2{PATH}": LOG, f"/v1{PATH}": LOG}})))


@pytest.mark.parametrize(
    ("patch", "source"),
    [
        (parameter("Start", schema={"format": "date"}), "documented"),
        (parameter("Instruments", explode=False), "inferred: as style"),
        (item(properties={"message": None}), "inferred: the page's example; null because nothing"),
        (response(400, None), "inferred: the page says that a longer range"),
        (response(401, None), "documented"),
        (scheme(name="Authorization"), "vendor: https://docs.mycirrus.cloud/guides/authentication"),
        (parameter("Start", schema={"pattern": "Z$"}), ""),
        (operation(deprecated=True), ""),
    ],
)
def test_a_difference_says_where_ours_comes_from(patch: Patch, source: str) -> None:
    """From the marks of the spec; what we do not say comes from nowhere."""
    (found,) = compared(patch).differences

    assert found.source[: len(source) or None] == source


INFERRED_AND_SAID = {
    f"{INSTRUMENTS}.style": "form, by default",
    f"{INSTRUMENTS}.explode": "true, by default",
    f"{INSTRUMENTS}.schema.minItems": "1",
    f"{ITEM}.type": "object",
    f"{ITEM}.required": "time",
    f"{ITEM}.additionalProperties": "true",
    f"{ITEM}.properties.time.type": "string",
    f"{ITEM}.properties.time.format": "date-time",
    f"{ITEM}.properties.user.type": "string or null",
    f"{ITEM}.properties.message.type": "string or null",
    "responses.400": "listed: There is an error in the request",
}


@pytest.mark.parametrize(
    ("patch", "gone"),
    [
        ({}, set()),
        (item(additionalProperties=None), {f"{ITEM}.additionalProperties"}),
        (item(additionalProperties=False), {f"{ITEM}.additionalProperties"}),
        (parameter("Instruments", explode=False), {f"{INSTRUMENTS}.explode"}),
        (response(400, None), {"responses.400"}),
    ],
)
def test_an_agreement_is_what_we_inferred_and_the_vendor_says(patch: Patch, gone: set[str]) -> None:
    """Silence is none, but for how an array is sent; neither is what was documented all along."""
    agreements = compared(patch).agreements

    assert {one.where: one.value for one in agreements} == {
        where: value for where, value in INFERRED_AND_SAID.items() if where not in gone
    }
    assert all(one.source.startswith("inferred: ") for one in agreements)


REFUSED = "400: There is an error in the request"
ANSWERS_OF_SAME = {
    "over-long-status": REFUSED,
    "reversed-status": REFUSED,
    "invalid-status": REFUSED,
    "comma-arrays": "style form, by default; explode true, by default",
    "extra-fields": "fields: time, user, message; more of them: true",
    "null-fields": "user: string or null; message: string or null; required: time",
}
LIMITED = "The maximum is 366 days. Ends are inclusive."
CODES = {"enum": ["AccessDenied", "NotFound"]}
CODES_SAID = "; ".join(f"{status}: AccessDenied, NotFound" for status in (400, 401, 403, 429))
LAST_PAGE: Patch = {"X-Total-Count": {}, "X-RateLimit-Limit": {}}
SPOKEN_TO: dict[str, tuple[Patch, dict[str, str]]] = {
    "nothing more": ({}, {}),
    "another status": (
        response(422, {"description": "The range is too long"}),
        dict.fromkeys(
            ("over-long-status", "reversed-status", "invalid-status"),
            f"{REFUSED}; 422: The range is too long",
        ),
    ),
    "404": (
        response(404, {"description": "No such instrument"}),
        {"unknown-instrument": "404: No such instrument"},
    ),
    "limit": (
        operation(description=LIMITED),
        {
            "year": "The maximum is 366 days.",
            "start-inclusive": "Ends are inclusive.",
            "end-inclusive": "Ends are inclusive.",
        },
    ),
    "end": (
        parameter("End", description="The end, exclusive."),
        {"end-inclusive": "The end, exclusive."},
    ),
    "pattern": (
        parameter("Start", schema={"pattern": "Z$"}),
        {"naive-times": "Z$", "offsets": "Z$"},
    ),
    "commas": (
        parameter("Instruments", explode=False),
        {"comma-arrays": "style form, by default; explode false"},
    ),
    "no instruments": ({"paths": {PATH: {"parameters": RANGE[1:]}}}, {"comma-arrays": ""}),
    "instrument": (
        item(properties={"serialNumber": TEXT}),
        {
            "instrument-named": "there is a field serialNumber",
            "extra-fields": "fields: time, user, message, serialNumber; more of them: true",
        },
    ),
    "nulls": (
        item(required=["time", "user"], properties={"user": {"nullable": None}, "message": {}}),
        {"null-fields": "user: string; message: string or null; required: time, user"},
    ),
    "no body": (response(200, {"content": None}), {"extra-fields": "", "null-fields": ""}),
    "Retry-After": (
        component("responses", "TooManyRequests", headers={"Retry-After": {}}),
        {"retry-after": "429 has the header"},
    ),
    "pages": (
        merge(
            operation(parameters=[{"name": "limit", "in": "query"}]),
            response(
                200,
                {
                    "headers": LAST_PAGE,
                    "content": {"application/json; charset=utf-8": {"schema": {"maxItems": 9}}},
                },
            ),
        ),
        {"page-limit": "parameter limit; header x-total-count; at most 9 items"},
    ),
    "codes": (
        component("schemas", "Error", properties={"error": CODES}),
        {"error-codes": CODES_SAID},
    ),
}


@pytest.mark.parametrize(("patch", "says"), SPOKEN_TO.values(), ids=list(SPOKEN_TO))
def test_the_open_questions_that_a_document_speaks_to_are_named(
    patch: Patch, says: dict[str, str]
) -> None:
    """With what it says; one that it does not speak to is not named."""
    expected = {name: said for name, said in (ANSWERS_OF_SAME | says).items() if said}

    assert compared(patch).answers == expected


def test_every_question_that_can_be_spoken_to_is_in_the_list() -> None:
    """By the id that it has there, and each is tried above."""
    known = {question["id"] for question in load_yaml(QUESTIONS_FILE)["questions"]}
    tried = {name for _, says in SPOKEN_TO.values() for name in says} | set(ANSWERS_OF_SAME)

    assert tried == set(ANSWERS) <= known


TREE = {"type": "object", "properties": {"below": {"$ref": "#/components/schemas/Error"}}}
ENDLESS = {"allOf": [{"$ref": "#/components/schemas/Endless"}]}
UNREADABLE: dict[str, tuple[Patch, str]] = {
    "Swagger 2": ({"swagger": "2.0"}, "convert the document to OpenAPI 3 first"),
    "a later OpenAPI": ({"openapi": "3.2.0"}, "openapi must be 3.0 or 3.1: 3.2.0"),
    "no OpenAPI": ({"openapi": None}, "openapi must be 3.0 or 3.1: not there"),
    "dangling": (
        response(401, {"$ref": "#/components/responses/Nowhere"}),
        "the reference #/components/responses/Nowhere leads to nothing",
    ),
    "beyond a list": (
        {"paths": {PATH: {"parameters": [{"$ref": "#/security/7"}]}}},
        "the reference #/security/7 leads to nothing",
    ),
    "circle": (
        {"components": {"schemas": {"Error": {"$ref": "#/components/schemas/Error"}}}},
        "the reference #/components/schemas/Error leads back to itself",
    ),
    "tree": (component("schemas", "Error", **TREE), "leads back to itself"),
    "tree without end": (
        merge(
            component("schemas", "Endless", properties={"below": ENDLESS}),
            item(properties={"time": ENDLESS}),
        ),
        "a schema of the operation contains itself",
    ),
    "path item elsewhere": (
        {"paths": {PATH: {"$ref": "paths.yaml#/log"}}},
        "paths.yaml#/log is in another document and was not fetched: bundle the document",
    ),
    "parameter elsewhere": (
        {"components": {"parameters": {"Start": {"$ref": "https://b.c/d.yaml"}}}},
        "https://b.c/d.yaml is in another document and was not fetched: bundle the document",
    ),
    "twice": (
        {"paths": {PATH: None, f"/a{PATH}": LOG, f"/b{PATH}": LOG}},
        "is there 2 times, at https://api.mycirrus.cloud/v1/a and https://api.mycirrus.cloud/v1/b",
    ),
    "paths": ({"paths": ["a"]}, "paths must be of type dict: a"),
    "parameters": (operation(parameters={"a": 1}), "parameters must be of type list"),
    "response": (operation(responses={401: "no"}), "an object is expected here: no"),
    "server": ({"servers": [None]}, "an object is expected here: null"),
    "scheme": (operation(security=[{"oauth": []}]), "the document has no security scheme oauth"),
}


@pytest.mark.parametrize(("patch", "says"), UNREADABLE.values(), ids=list(UNREADABLE))
def test_a_document_that_cannot_be_compared_is_refused_in_a_line(
    patch: Patch, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what is wrong, with exit code 2."""
    path = tmp_path / "vendor.json"
    path.write_text(json.dumps(merge(SAME, patch), default=str), encoding="utf-8")
    exit_code = main([str(path)])
    printed = capsys.readouterr()

    assert (exit_code, printed.out, printed.err.count("\n")) == (2, "", 1)
    assert says in printed.err
    assert printed.err.startswith("spec-diff: ")


ENDLESS_YAML = b"""\
openapi: 3.0.0
paths:
  /data/calibrations/log:
    get:
      responses: {200: {content: {a/b: {schema: &a {properties: {below: *a}}}}}}
"""


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"openapi: 3.0.0\n\tpaths: {}", "is neither JSON nor YAML in UTF-8: see line 2"),
        (b'{"openapi": "3.0.0",\n"paths": {},}', "is neither JSON nor YAML in UTF-8: see line 2"),
        (b"\xff\xfe\x00", "is neither JSON nor YAML in UTF-8"),
        (b"when: 2023-13-45", "is neither JSON nor YAML in UTF-8"),
        (b"sure: !!bool perhaps", "is neither JSON nor YAML in UTF-8"),
        (b"[" * 1_000, "is neither JSON nor YAML in UTF-8"),
        (b"", "is no OpenAPI document: it has no fields"),
        (b"<!DOCTYPE html><p>Sign in</p>", "is no OpenAPI document: it has no fields"),
        (ENDLESS_YAML, "a schema of the operation contains itself"),
    ],
    ids=["YAML", "JSON", "bytes", "date", "tag", "depth", "empty", "HTML", "alias"],
)
def test_a_file_that_is_no_document_is_refused_in_a_line(
    content: bytes, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is in it."""
    path = tmp_path / "vendor.yaml"
    path.write_bytes(content)
    exit_code = main([str(path)])
    printed = capsys.readouterr()

    assert (exit_code, printed.out, printed.err.count("\n")) == (2, "", 1)
    assert says in printed.err


BAD_USAGE = {
    "nothing": ([], "give one path or address, not 0"),
    "two": ([str(SAME_FILE), f"https://me:{SECRET}@b.c/d"], "give one path or address, not 2"),
    "no file": (["nowhere.yaml"], "nowhere.yaml cannot be read: No such file or directory"),
    "folder": ([str(FOLDER)], "cannot be read: Is a directory"),
    "no path": (["a\0b"], "cannot be read: no path"),
    "password": ([f"https://me:{SECRET}@b.c/d.yaml"], "must have no user and no password"),
    "user": ([f"https://{SECRET}@b.c/d.yaml"], "must have no user and no password"),
    "other scheme": ([f"ftp://me:{SECRET}@b.c/d.yaml"], "must have no user and no password"),
    "one slash": ([f"https:/me:{SECRET}@b.c/d.yaml"], "give a path, or an address such as"),
    "no scheme": ([f"me:{SECRET}@b.c/d.yaml"], "give a path, or an address such as"),
    "only slashes": ([f"//me:{SECRET}@b.c/d.yaml"], "must have no user and no password"),
    "port": ([f"https://b.c:99999999/d.yaml?token={SECRET}"], "give a path, or an address such as"),
    "no port": ([f"https://me:{SECRET}/d.yaml"], "nothing can be sent to this address"),
    "no host": (["https:///d.yaml"], "give a path, or an address such as"),
}


@pytest.mark.parametrize(("words", "says"), BAD_USAGE.values(), ids=list(BAD_USAGE))
def test_bad_usage_is_one_line_and_exit_code_2(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It shows nothing that may be a secret, and nothing is sent."""
    exit_code = main(words)
    printed = capsys.readouterr()

    assert (exit_code, printed.out, printed.err.count("\n")) == (2, "", 1)
    assert says in printed.err
    assert SECRET not in printed.err


class Vendor(BaseHTTPRequestHandler):
    """A server with a document, and with what else may be at an address."""

    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        """Answer by the path."""
        self.seen.append(self.path)
        path, _, _ = self.path.partition("?")
        if path == "/silent":
            return
        self.send_response({"/same": 200, "/moved": 302, "/odd": 302}.get(path, 404))
        if path in {"/moved", "/odd"}:
            place = f"//me:{SECRET}@127.0.0.1:9/same?token={SECRET}"
            self.send_header(
                "Location", f"http:{place}" if path == "/moved" else f"http://me:{SECRET}/d"
            )
        self.end_headers()
        self.wfile.write(SAME_FILE.read_bytes() if path == "/same" else b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    """The vendor's server, on a socket."""
    Vendor.seen.clear()
    with HTTPServer(("127.0.0.1", 0), Vendor) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_document_is_read_from_an_address(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its query, which is not shown: there may be a key in it."""
    exit_code = main([f"{address}/same?token={SECRET}"])
    printed = capsys.readouterr()

    assert (exit_code, printed.err) == (0, "")
    assert printed.out.startswith(f"{address}/same beside openapi/mycirrus.yaml\n")
    assert Vendor.seen == [f"/same?token={SECRET}"]
    assert SECRET not in printed.out


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("moved", "/moved redirects to http://127.0.0.1:9/same, which is not followed"),
        ("odd", "/odd gives no answer: RemoteProtocolError"),
        ("nowhere", "/nowhere answered 404"),
        ("silent", "/silent gives no answer: RemoteProtocolError"),
    ],
)
def test_an_address_without_a_document_is_one_line_and_exit_code_3(
    path: str, says: str, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A redirect is not followed, but said."""
    exit_code = main([f"{address}/{path}?token={SECRET}"])
    printed = capsys.readouterr()

    assert (exit_code, printed.out, printed.err.count("\n")) == (3, "", 1)
    assert f"spec-diff: {address}{says}" in printed.err
    assert len(Vendor.seen) == 1
    assert SECRET not in printed.err


def test_an_address_where_nobody_is_has_exit_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    """A line, no traceback."""
    with HTTPServer(("127.0.0.1", 0), Vendor) as server:
        port = server.server_port
    exit_code = main([f"http://127.0.0.1:{port}/d.yaml"])

    assert exit_code == 3
    assert f"http://127.0.0.1:{port}/d.yaml gives no answer: " in capsys.readouterr().err


def test_a_proxy_that_makes_no_sense_is_bad_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line, no traceback."""
    monkeypatch.setenv("HTTP_PROXY", "foo://127.0.0.1:1")

    assert main(["http://127.0.0.1:9/d.yaml"]) == 2
    assert "the proxies of the environment" in capsys.readouterr().err


def printed_of(
    document: Any,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> tuple[int, str]:
    """The exit code, and what is printed on 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(folder)
    (folder / "vendor.json").write_text(json.dumps(document, default=str), encoding="utf-8")
    exit_code = main(["vendor.json"])
    return exit_code, capsys.readouterr().out


def test_a_document_that_differs_in_all_ways_is_readable_on_80_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both sides of each difference, the source of ours, and the assumption of each question."""
    exit_code, text = printed_of(DIFFERENT, tmp_path, monkeypatch, capsys)
    squeezed = " ".join(text.split())

    assert exit_code == 1
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "\x1b" not in text
    for part in (
        "35 differences servers vendor https://api.example.net/v2 we https://api.mycirrus.cloud/v1",
        "parameters.instruments.explode vendor false we true (inferred: as style)",
        "parameters.page vendor in query, schema.type integer, schema.minimum 1 we not listed",
        "4 agreements on what we inferred, which may be marked `vendor: vendor.json`",
        "parameters.instruments.style both form, by default so far inferred: the page's curl",
        "14 open questions that the document speaks to",
        "instrument-named vendor there is a field instrument assumed no",
    ):
        assert part in squeezed


def test_a_document_that_does_not_differ_has_exit_code_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what it says counts as well."""
    exit_code, text = printed_of(SAME, tmp_path, monkeypatch, capsys)

    assert exit_code == 0
    assert "\nno differences\n\n11 agreements on what we inferred" in text


def test_a_byte_order_mark_is_no_part_of_a_document(tmp_path: Path) -> None:
    """Some editors write one."""
    path = tmp_path / "vendor.json"
    path.write_text(json.dumps(SAME, default=str, indent="\t"), encoding="utf-8-sig")

    assert main([str(path)]) == 0


def test_a_text_of_the_vendors_cannot_steer_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither by escapes, nor by the markup of rich, nor by half a character."""
    patch = response(404, {"description": "\x1b[2J\x07[bold]gone[/] \ud800 ."})
    exit_code, text = printed_of(merge(SAME, patch), tmp_path, monkeypatch, capsys)

    assert exit_code == 1
    assert "listed: [2J [bold]gone[/]" in " ".join(text.split())
    assert "\x1b" not in text


def test_the_help_tells_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """Of them 0 to 3."""
    with pytest.raises(SystemExit) as caught:
        main(["--help"])

    assert caught.value.code == 0
    assert re.findall(r"^  (\d)  ", capsys.readouterr().out, re.MULTILINE) == ["0", "1", "2", "3"]
