"""Whether one exchange keeps the contract: its request and its reply, each with the other in mind.

Pure functions, for the mocks of the tests, the answers of the stand-in and those of the live API.
"""

import re
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from .messages import Reply, Request
from .model import PATH, Contract, Problem, strict
from .times import TIME, instant, moment_of

_CHARSET = re.compile(r"charset=\"?([^\s;\"]+)", re.IGNORECASE)
_DELTA_SECONDS = re.compile(r"[0-9]+")  # RFC 9110, 10.2.3


def reply_problems(reply: Reply, contract: Contract) -> list[Problem]:
    """Say how a reply breaks the contract: status, media type, headers, body.

    Args:
        reply: What was answered.
        contract: The tolerant or the strict reading.
    """
    if reply.status not in contract.statuses:
        return [Problem("status", f"{reply.status} is not in the contract")]
    problems = _header_problems(reply, contract)
    if not reply.is_json:
        return [*problems, Problem("body", "is not JSON in UTF-8")]
    return problems + contract.body_problems(reply.status, reply.json)


def _header_problems(reply: Reply, contract: Contract) -> list[Problem]:
    problems = []
    known = contract.operation["responses"][str(reply.status)]["content"]
    if reply.media_type not in known:
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
    """Say how a request breaks the contract, but for its key.

    Method, path, unknown and repeated parameters, the schema of each, UTC, and the range rule.

    Args:
        request: What was asked.
        contract: The tolerant or the strict reading.
    """
    if request.path != urlsplit(contract.base_url).path + PATH:
        return [Problem("path", "is none of the contract")]
    if request.method != "GET":
        return [Problem("method", f"{request.method} is not in the contract")]
    given = request.parameters
    known = {parameter["name"]: parameter for parameter in contract.operation["parameters"]}
    problems = [
        Problem("query", f"has an unknown parameter: {name}") for name in given.keys() - known
    ]
    for name, parameter in known.items():
        values = given.get(name, [])
        problems += [
            Problem(f"query {name}", text)
            for text in _parameter_problems(values, parameter["schema"], contract)
        ]
    return problems or _range_problems(given, contract)


def _parameter_problems(
    values: list[str], schema: dict[str, object], contract: Contract
) -> list[str]:
    if not values:
        return ["is missing"]
    if schema["type"] == "array":
        if not all(value.strip() for value in values):
            return ["has a blank value"]
        return [problem.text for problem in contract.problems(schema, values)]
    if len(values) > 1:
        return ["is given more than once"]
    problems = [problem.text for problem in contract.problems(schema, values[0])]
    if schema.get("format") == "date-time" and not _is_as_shown(values[0]):
        problems.append("is not written in UTC with a Z, as on the vendor's page")
    return problems


def _is_as_shown(text: str) -> bool:
    match = TIME.fullmatch(text)
    return match is not None and match["offset"] == "Z"


def _range_problems(given: dict[str, list[str]], contract: Contract) -> list[Problem]:
    rule = contract.range_rule
    start, end = instant(given[rule.start][0]), instant(given[rule.end][0])
    if start >= end:
        return [Problem("range", f"{rule.start} is not before {rule.end}")]
    violation = rule.violation(moment_of(start), moment_of(end))
    return [] if violation is None else [Problem("range", violation)]


def asked_wrongly(request: Request, reply: Reply | None) -> list[str]:
    """Say what is wrong with a request, in the strict reading, and with what it got in mind.

    A request against the contract is right where it is refused: with 400, or with 401, which comes
    before anything else is looked at.

    Args:
        request: What was asked.
        reply: What was answered; None if nothing came.
    """
    status = None if reply is None else reply.status
    problems = [str(problem) for problem in request_problems(request, strict())]
    if status in {400, 401}:
        problems = []
    if not request.headers.get("x-api-key") and status != 401:
        problems.append("X-Api-Key is missing, and that is answered with 401")
    return problems


def answered_wrongly(request: Request, reply: Reply | None) -> list[str]:
    """Say what is wrong with a reply, in the strict reading, and with what was asked in mind.

    A request that keeps the contract is not refused with 400.
    """
    if reply is None:
        return []
    problems = [str(problem) for problem in reply_problems(reply, strict())]
    if reply.status == 400 and not request_problems(request, strict()):
        problems.append("status 400 refuses a request that the contract allows")
    return problems
