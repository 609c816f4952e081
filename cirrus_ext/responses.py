"""What an error status means: the status decides the class of the error, the body explains it.

Pure: no I/O, and no HTTP library. The key is taken out of everything that a server says, and the
rest is cut to a length.
"""

import json
import zlib
from http import HTTPStatus
from typing import Any, cast

from .errors import APIStatusError, status_error_class
from .settings import Secret

# How many characters of a body an error keeps, and of its words a message.
BODY_LIMIT = 2048
WORDS_LIMIT = 100
# Of what is wrong in a body, for a message.
PROBLEM_LIMIT = 200

_HINTS = {
    401: "check the API key",
    403: "the key lacks a scope, or may not see these instruments",
}


class Gunzip:
    """Decodes gzip, in one member or in several (RFC 1952, section 2.2)."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)

    def decode(self, data: bytes) -> bytes:
        """Decode the next part of a body.

        Raises:
            zlib.error: It is not gzip.
        """
        decoded = b""
        # Zeros may follow a member.
        while data := data.lstrip(b"\0") if self._member.eof else data:
            if self._member.eof:
                self._member = zlib.decompressobj(wbits=31)
            decoded += self._member.decompress(data)
            data = self._member.unused_data
        return decoded

    @property
    def is_complete(self) -> bool:
        """Whether the last member has ended."""
        return self._member.eof


def is_cut_off(content: bytes) -> bool:
    """Return whether a body is the beginning of a JSON array or object, and not all of it."""
    encoding = json.detect_encoding(content)
    if content.decode(encoding, "ignore").lstrip()[:1] not in {"[", "{"}:
        return False
    try:
        json.loads(content)
    except json.JSONDecodeError as error:
        rest = error.doc[error.pos :].strip()
        in_a_string = error.msg.startswith("Unterminated") or (
            error.msg.startswith("Invalid") and len(rest) < len(r"\u0000")
        )
        in_a_number = not rest.strip(".eE+-")
        in_a_name = any(name.startswith(rest) for name in ("true", "false", "null"))
        return in_a_string or in_a_number or in_a_name
    except UnicodeDecodeError as error:
        return error.reason in {"unexpected end of data", "truncated data"}  # of UTF-8, of UTF-16
    except (RecursionError, ValueError):  # too deep, or a number of too many digits
        return False
    return False


def reason_of(status: int, retry_after: float | None) -> str:
    """Return a status in a few words: ``429 Too Many Requests, Retry-After 1 s``."""
    suffix = "" if retry_after is None else f", Retry-After {retry_after:g} s"
    return f"{status} {_phrase(status)}".strip() + suffix


def _phrase(status: int) -> str:
    """Return Python's name for a status; there is none for 520 and others."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def status_error(
    status: int,
    content: bytes,
    *,
    retry_after: float | None,
    key: Secret,
    scope: str | None,
    call: str,
) -> APIStatusError:
    """Return the error for a response that is not a 2xx.

    Args:
        status: Its status.
        content: Its body.
        retry_after: Seconds that it asks to wait.
        key: The API key, which is taken out of all texts.
        scope: The scope that the operation needs.
        call: The call in a few words, for the message.
    """
    code, description = _explanation(content, key)
    message = f"{status} {_one_line(code or _phrase(status))}".strip()
    if description:
        message += f": {_one_line(description)}"
    if hint := _hint(status, scope):
        message += f" ({hint})"
    return status_error_class(status)(
        f"{message} ({call})",
        status_code=status,
        code=code,
        description=description,
        retry_after=retry_after,
        body=beginning_of(content, key),
    )


def _explanation(content: bytes, key: Secret) -> tuple[str | None, str | None]:
    """Return ``error`` and ``description`` of the documented body, as far as they are present."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return None, None
    if not isinstance(body, dict):
        return None, None
    fields = cast("dict[str, Any]", body)
    code, description = (
        key.scrub(text) if isinstance(text, str) else None
        for text in (fields.get("error"), fields.get("description"))
    )
    return code, description


def _hint(status: int, scope: str | None) -> str | None:
    if status == 403 and scope is not None:
        return f"the key needs the scope {scope}, and access to these instruments"
    if 300 <= status <= 399:
        return "redirects are not followed; check base_url"
    return _HINTS.get(status)


def beginning_of(content: bytes, key: Secret) -> str:
    """Return the beginning of a body as text, without the key."""
    encoding = json.detect_encoding(content)
    enough = content[: 8 * BODY_LIMIT]  # a character has up to four bytes, and the key goes
    return key.scrub(enough.decode(encoding, "replace"), BODY_LIMIT)


def _one_line(text: str) -> str:
    """Return a server's text for a message: cut, and without control characters."""
    words = text if len(text) <= WORDS_LIMIT else text[:WORDS_LIMIT] + "..."
    return "".join(letter if letter.isprintable() else "?" for letter in words)
