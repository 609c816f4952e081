"""What an answer means: the status decides which error it is, and the body explains it.

Pure: no I/O, and no HTTP library. Whatever a server says is scrubbed of the key and clipped.
"""

import json
from http import HTTPStatus
from typing import Any, cast

from .call import Call
from .errors import APIResponseError, APIStatusError, status_error_class

# What of a body is kept on an error, and of its words in a message: characters.
BODY_LIMIT = 2048
WORDS_LIMIT = 100

_HINTS = {
    401: "check the API key",
    403: "the key lacks a scope, or may not see these instruments",
}


def reason_of(status: int, retry_after: float | None) -> str:
    """A status in a few words: ``429 Too Many Requests, Retry-After 1 s``."""
    asked = "" if retry_after is None else f", Retry-After {retry_after:g} s"
    return f"{status} {_phrase(status)}".strip() + asked


def _phrase(status: int) -> str:
    """Python's name for a status; it has none for 520 and its like."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def status_error(
    call: Call, status: int, content: bytes, retry_after: float | None
) -> APIStatusError:
    """The error for an answer that is no 2xx.

    Args:
        call: The call that it answers.
        status: Its status.
        content: What was read of its body.
        retry_after: Seconds that it asks to wait, if it does.
    """
    code, description = _explanation(call, content)
    message = f"{status} {_one_line(code or _phrase(status))}".strip()
    if description:
        message += f": {_one_line(description)}"
    if hint := _hint(status, call.context.scope):
        message += f" ({hint})"
    return status_error_class(status)(
        f"{message} ({call.where})",
        status_code=status,
        code=code,
        description=description,
        retry_after=retry_after,
        body=_beginning(call, content),
    )


def response_error(
    call: Call, status: int, path: str, problem: str, content: bytes
) -> APIResponseError:
    """The error for a 2xx whose body does not fit the contract.

    Args:
        call: The call that it answers.
        status: Its status.
        path: Where in the body, as a JSON path.
        problem: What is wrong there, to be read after the path.
        content: What was read of its body.
    """
    message = call.settings.api_key.scrub(f"{status}, but {path} {problem} ({call.where})")
    error = APIResponseError(message, status_code=status, path=path, body=_beginning(call, content))
    return call.stamped(error, "not_retryable")


def _explanation(call: Call, content: bytes) -> tuple[str | None, str | None]:
    """``error`` and ``description`` of the documented body, as far as they are there."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return None, None
    if not isinstance(body, dict):
        return None, None
    fields = cast("dict[str, Any]", body)
    code, description = (
        call.settings.api_key.scrub(text) if isinstance(text, str) else None
        for text in (fields.get("error"), fields.get("description"))
    )
    return code, description


def _hint(status: int, scope: str | None) -> str | None:
    if status == 403 and scope is not None:
        return f"the key needs the scope {scope}, and access to these instruments"
    if 300 <= status <= 399:
        return "redirects are not followed; check base_url"
    return _HINTS.get(status)


def _beginning(call: Call, content: bytes) -> str:
    # Scrubbed before it is clipped: half a key is half a secret.
    text = content[: 8 * BODY_LIMIT].decode("utf-8", "replace")
    return call.settings.api_key.scrub(text)[:BODY_LIMIT]


def _one_line(text: str) -> str:
    """A server's words, fit for a message: clipped, and with nothing that moves a cursor."""
    words = text if len(text) <= WORDS_LIMIT else text[:WORDS_LIMIT] + "..."
    return "".join(letter if letter.isprintable() else "?" for letter in words)
