"""Whether one exchange keeps the contract: its request and its reply, each judged beside the other.

Pure functions, for the mocks of the tests, the answers of the stand-in and those of the live API.
Each judges by the operation that was requested.
"""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from .messages import Reply, Request
from .model import Contract, UnknownOperationError, strict
from .operations import JSON, Operation, Parameter, types_of
from .problems import Problem
from .times import instant, moment_of

_CHARSET = re.compile(r"charset=\"?([^\s;\"]+)", re.IGNORECASE)
_DELTA_SECONDS = re.compile(r"[0-9]+")  # RFC 9110, 10.2.3
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")


def reply_problems(reply: Reply, operation: Operation) -> list[Problem]:
    """Say how a reply breaks the contract: status, media type, headers, body.

    Args:
        reply: What was answered.
        operation: What was requested, in the tolerant or the strict reading.
    """
    if reply.status not in operation.statuses:
        return [Problem("status", f"{reply.status} is not in the contract")]
    known = operation.media_types(reply.status)
    problems = _header_problems(reply, known)
    if not known:
        return [*problems, Problem("body", "is not empty")] if reply.body else problems
    if JSON not in known:
        return problems
    if not reply.is_json:
        return [*problems, Problem("body", "is not JSON in UTF-8")]
    return problems + operation.body_problems(reply.status, reply.json)


def _header_problems(reply: Reply, known: Mapping[str, Any]) -> list[Problem]:
    problems = []
    if known and reply.media_type not in known:
        problems.append(Problem("content-type", f"is not {' or '.join(known)}"))
    charset = _CHARSET.search(reply.headers.get("content-type", ""))
    if charset is not None and charset[1].lower() not in {"utf-8", "utf8"}:
        problems.append(Problem("content-type", "has another charset than UTF-8"))
    if not _is_retry_after(reply.headers.get("retry-after", "0")):
        problems.append(Problem("retry-after", "is neither seconds nor an HTTP date"))
    return problems


def _is_retry_after(value: str) -> bool:
    if _DELTA_SECONDS.fullmatch(value):
        return True
    try:
        parsedate_to_datetime(value)
    except ValueError:
        return False
    return True


def request_problems(request: Request, contract: Contract) -> list[Problem]:
    """Say how a request breaks the contract, apart from its key.

    Method, path, unknown and repeated parameters, the schema of each, and the range rule.

    Args:
        request: What was requested.
        contract: The tolerant or the strict reading.
    """
    try:
        operation = contract.operation_at(request.path, request.method)
    except UnknownOperationError as error:
        return [error.problem]
    known = {one.name for one in operation.parameters if one.location == "query"}
    problems = [
        Problem("query", f"has an unknown parameter: {name}")
        for name in request.parameters.keys() - known
    ]
    in_path = operation.path_values(contract.without_base(request.path)) or {}
    for parameter in operation.parameters:
        values = {
            "query": request.parameters.get(parameter.name, []),
            "path": [in_path[parameter.name]] if parameter.name in in_path else [],
            "header": [
                value for name, value in request.headers.items() if name == parameter.name.lower()
            ],
        }.get(parameter.location, [])
        problems += [
            Problem(f"{parameter.location} {parameter.name}", text)
            for text in parameter_problems(values, parameter, operation)
        ]
    return problems or _range_problems(request.parameters, operation)


def parameter_problems(values: list[str], parameter: Parameter, operation: Operation) -> list[str]:
    """Say how the values of one parameter break its schema, or that they are missing."""
    if not values:
        return ["is missing"] if parameter.required else []
    if "array" in types_of(parameter.schema):
        elements = values if parameter.explode else ",".join(values).split(",")
        types = types_of(parameter.schema.get("items", {}))
        value: Any = [_parsed(element, types) for element in elements]
    elif len(values) > 1:
        return ["is given more than once"]
    else:
        value = _parsed(values[0], types_of(parameter.schema))
    return [problem.text for problem in operation.problems(parameter.schema, value)]


def _parsed(text: str, types: set[str]) -> Any:
    """The JSON value of a text in a query; the text itself if it is no value of these types."""
    if types & {"integer", "number"} and (match := _NUMBER.fullmatch(text)):
        return float(text) if match[2] else int(text)
    if "boolean" in types and text in {"true", "false"}:
        return text == "true"
    return text


def _range_problems(given: dict[str, list[str]], operation: Operation) -> list[Problem]:
    rule = operation.range_rule
    if rule is None or not {rule.start, rule.end} <= given.keys():
        return []
    start, end = instant(given[rule.start][0]), instant(given[rule.end][0])
    if start >= end:
        return [Problem("range", f"{rule.start} is not before {rule.end}")]
    violation = rule.violation(moment_of(start), moment_of(end))
    return [] if violation is None else [Problem("range", violation)]


def request_violations(request: Request, reply: Reply | None) -> list[str]:
    """Say what is wrong with a request, in the strict reading.

    A request against the contract is right if it is refused with 400, or with 401, which a server
    decides before anything else.

    Args:
        request: What was requested.
        reply: What was answered; None if there was no answer.
    """
    status = None if reply is None else reply.status
    try:
        operation = strict().operation_at(request.path, request.method)
    except UnknownOperationError as error:
        return [str(error.problem)]
    problems = [str(problem) for problem in request_problems(request, strict())]
    if status in {400, 401}:
        problems = []
    for name in operation.key_headers:
        if not request.headers.get(name.lower()) and status != 401:
            problems.append(f"{name} is missing, and only a 401 may answer that")
    return problems


def reply_violations(request: Request, reply: Reply | None) -> list[str]:
    """Say what is wrong with a reply, in the strict reading.

    A request that keeps the contract is not refused with 400. If the contract has no such
    operation, the reply cannot be judged: see `request_violations`.
    """
    if reply is None:
        return []
    try:
        operation = strict().operation_at(request.path, request.method)
    except UnknownOperationError:
        return []
    problems = [str(problem) for problem in reply_problems(reply, operation)]
    if reply.status == 400 and not request_problems(request, strict()):
        problems.append("status 400 refuses a request that the contract allows")
    return problems
