"""Searches the reports of a run for what must not be in them."""

import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from mycirrus_contract.messages import Reply
from mycirrus_contract.text import brief, markdown

from .exchange import ERROR_TEXTS

RFC_9457 = {"type", "title", "status", "detail", "instance", "errors"}
LIKE_A_TIME = re.compile(
    r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d([.,]\d{0,12})?)?)?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII
)
SHORTEST_KEY = 8  # characters; a shorter key is not real, and may be a word of the report
SHORTEST = 4  # characters of a user or a message that hide a text in which they are
LEFT = "a text of an answer is left in a report; nothing was written"


class LeakError(RuntimeError):
    """Something secret is left in a report. Nothing was written."""


class Secrets:
    """What must be in no report: the key, and the serials, users and messages of a run."""

    def __init__(self, api_key: str, serials: set[str], texts: set[str]) -> None:
        self._key_forms = _forms(api_key) if len(api_key) >= SHORTEST_KEY else set()
        self._serials = serials
        self._serial_word = any_word(serial for serial in serials if _is_distinctive(serial))
        self._texts = texts

    def are_in(self, text: str) -> bool:
        """Whether the key or a serial number is in a text."""
        return self._has_key(text) or self._serial_word.search(text) is not None

    def _has_key(self, text: str) -> bool:
        return any(form in text for form in self._key_forms)

    def check(self, text: str, blank: str = "", judgements: str = "") -> None:
        """Refuse a report in which something secret is left.

        Args:
            text: The report.
            blank: The report without any part of an answer: what it contains is no leak.
            judgements: Texts of the judgements, which may equal a user or a message.

        Raises:
            LeakError: Something is left. The message does not say what.
        """
        self._check_key_and_serials(text, blank)
        for secret in self._texts - self._serials:
            if _is_telling(secret) and any(
                form in text and form not in blank and form not in judgements
                for form in _forms(secret)
            ):
                raise LeakError(LEFT)

    def check_replies(self, text: str, replies: Iterable[Reply]) -> None:
        """Refuse a cassette in which something secret is left.

        Args:
            text: The cassette.
            replies: The replies in it, whose bodies may be long.

        Raises:
            LeakError: Something is left. The message does not say what.
        """
        self._check_key_and_serials(text)
        for reply in replies:
            # A short word of an error may also be the name of a user.
            shortest = 1 if reply.status == 200 else SHORTEST
            left = self._texts.intersection(personal_texts(reply.json))
            if any(len(one) >= shortest for one in left):
                raise LeakError(LEFT)

    def _check_key_and_serials(self, text: str, blank: str = "") -> None:
        if self._has_key(text):
            raise LeakError("the key is left in a report; nothing was written")
        found, harmless = (
            set(map(str.casefold, self._serial_word.findall(one))) for one in (text, blank)
        )
        if found - harmless:
            raise LeakError("a serial number is left in a report; nothing was written")


def personal_texts(value: Any, name: str = "", *, are_errors: bool = False) -> Iterator[str]:
    """Every text of a body that may be personal: of an error, those in unknown fields."""
    if isinstance(value, str):
        if value and not (name in {"", "time"} and LIKE_A_TIME.fullmatch(value)):
            yield value
    elif isinstance(value, list):
        for one in value:
            yield from personal_texts(one, name, are_errors=are_errors)
    elif isinstance(value, dict):
        for key, one in value.items():
            if not are_errors or key not in {*ERROR_TEXTS, *RFC_9457}:
                yield from personal_texts(one, key)


def _is_telling(text: str) -> bool:
    """Whether a text is long enough to be no common word of a report."""
    return len(text) >= 12 and " " in text


def _is_distinctive(serial: str) -> bool:
    """Whether a serial number is not just a status, a year, a count or zeros."""
    shortest = 5 if serial.isdecimal() else 3
    return len(serial) >= shortest and re.search(r"[^\W_0]", serial) is not None


def any_word(words: Iterable[str]) -> re.Pattern[str]:
    """Any of some words in any of its forms, and not as a part of a longer word."""
    forms = sorted({re.escape(form) for word in words for form in _forms(word)})
    return re.compile(
        f"(?<![A-Za-z0-9])(?:{'|'.join(forms) or '(?!)'})(?![A-Za-z0-9])", re.IGNORECASE
    )


def _forms(text: str) -> set[str]:
    """A text as each format writes it."""
    return {
        text,
        html.escape(text),
        html.escape(text, quote=False),
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        quote(text, safe="", errors="replace"),
        quote_plus(text, errors="replace"),
        brief(text),
        html.escape(brief(text)),
        markdown(text),
    }
