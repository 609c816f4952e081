"""Replaces what is secret or personal in a run, before anything is judged, shown or written.

Serial numbers, users, messages and all other texts of a body are replaced by texts of the same
shape: a letter by a letter, a digit by a digit, and equal texts of a run by equal texts. So halves
still add up, and wrong shapes stay wrong. Fields that the spec does not know are numbered. Texts of
an error body stay, unless they contain something secret. No answer keeps the key, even if the
server echoes it.
"""

import json
import math
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any
from urllib.parse import urlencode

from mycirrus_contract.messages import Reply, Request

from .exchange import (
    ERROR_TEXTS,
    KNOWN_TYPES,
    NOT_SHOWN,
    TOLERANT,
    TRACE_HEADERS,
    Exchange,
    spelling,
)
from .leaks import (
    LIKE_A_TIME,
    RFC_9457,
    SHORTEST,
    SHORTEST_KEY,
    LeakError,
    Secrets,
    any_word,
    personal_texts,
)
from .plan import unknown_like

CHARSET = re.compile(r"charset=\"?([A-Za-z0-9-]{1,12})\"?", re.IGNORECASE)
RETRY_AFTER = re.compile(r"\d{1,9}|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT", re.ASCII)
TRACE = re.compile(r"[A-Za-z0-9._:;=|/+-]{1,128}")
FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
E_MAIL = re.compile(r"\S@\S")
PART_OF_A_KEY = 6  # so many characters of the key in a text make it a secret
PART_WITHOUT_DIGITS = 12  # the same for a part that may be a word


class Redactor:
    """Replaces what must not be shown, and equal texts by equal texts.

    Args:
        api_key: The key; it is in no result.
        exchanges: All of a run, as received: none of their texts is used as a replacement.
    """

    def __init__(self, api_key: str, exchanges: Iterable[Exchange]) -> None:
        exchanges = list(exchanges)
        self._api_key = api_key
        self._key_parts = set(_parts(spelling(api_key)))
        self._chance = random.SystemRandom()
        self._replacements: dict[str, str] = {}
        self._numbers: dict[str, Any] = {}
        self._names: dict[str, str] = {}
        self.serials = {serial for one in exchanges for serial in one.request.instruments}
        texts = {api_key, *self.serials}
        replies = [one.reply for one in exchanges if one.reply is not None]
        for reply in sorted(replies, key=lambda reply: reply.status != 200):
            texts.update(self._name_fields(reply.json))
            texts.update(personal_texts(reply.json, are_errors=reply.status != 200))
        personal = {spelling(text) for text in texts - {api_key}}
        self._personal = {text for text in personal if len(text) >= SHORTEST}
        users = {str(item.get("user")) for one in exchanges for item in one.items}
        self._short_names = any_word(user for user in users if 1 < len(user) < SHORTEST)
        self._taken = set(texts)
        self.secrets = Secrets(api_key, self.serials, texts)
        first = exchanges[0].request.instruments[0] if exchanges else ""
        if unknown_like(first) in self.serials:  # it is made of the first one, in a replay too
            unknown = unknown_like(self.text(first))
            self._replacements[unknown_like(first)] = unknown
            self._taken.add(unknown)

    def __repr__(self) -> str:
        return f"<Redactor of {len(self._taken)} texts>"

    def exchange(self, exchange: Exchange) -> Exchange:
        """The exchange without secrets."""
        serials = tuple(map(self.text, exchange.request.instruments))
        return replace(
            exchange,
            request=replace(exchange.request, instruments=serials),
            reply=None if exchange.reply is None else self._reply(exchange.reply),
            sent=None if exchange.sent is None else self._sent(exchange.sent),
        )

    def _sent(self, sent: Request) -> Request:
        pairs = [
            (name, ",".join(self.text(one) if one in self.serials else one for one in parts))
            for name, values in sent.parameters.items()
            for value in values
            for parts in ([value] if value in self.serials else value.split(","),)
        ]
        return replace(sent, query=urlencode(pairs))

    def text(self, text: str) -> str:
        """The replacement of a text."""
        if text and text not in self._replacements:
            self._replacements[text] = self._new(text)
        return self._replacements.get(text, "")

    def _new(self, text: str) -> str:
        shape = text if any(map(str.isalnum, text)) else "x" * len(text)
        for attempt in range(10_000):
            longer = shape + "x" * (attempt // 100)  # short texts run out of replacements
            candidate = self._with_serials("".join(map(self._other, longer)), text)
            both = f"{candidate}\n{unknown_like(candidate)}"  # of the unknown serial, perhaps
            if candidate not in self._taken and not self.secrets.are_in(both):
                self._taken.add(candidate)
                return candidate
        raise LeakError("there is no replacement for a text of an answer")

    def _with_serials(self, candidate: str, text: str) -> str:
        """A candidate with the replacement of each serial that a text holds, spelled alike."""
        if text in self.serials:
            return candidate
        for serial in self.serials:
            characters = re.sub(r"[\W_]", "", self.text(serial))
            for match in _spellings(serial).finditer(text):
                shown = iter(characters)
                part = "".join(
                    (next(shown).lower() if one.islower() else next(shown))
                    if one.isalnum()
                    else one
                    for one in match[0]
                )
                candidate = candidate[: match.start()] + part + candidate[match.end() :]
        return candidate

    def _other(self, letter: str) -> str:
        if letter.isdecimal():
            return self._chance.choice("0123456789")
        if letter.isalpha():
            alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
            return self._chance.choice(alphabet if letter.isupper() else alphabet.lower())
        return letter if letter.isascii() and letter.isprintable() else "x"

    def _reply(self, reply: Reply) -> Reply:
        headers = dict(self._headers(reply.headers))
        if not reply.body:
            return Reply(reply.status, headers, b"")
        if reply.is_json:
            try:
                body = self._value("", reply.json, can_stay=reply.status != 200)
            except RecursionError:
                pass
            else:
                return Reply(reply.status, headers, json.dumps(body, ensure_ascii=False).encode())
        text = f"{len(reply.body)} bytes that are not JSON"
        return Reply(reply.status, headers, text.encode())

    def _headers(self, headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        content_type = headers.get("content-type")
        if content_type is not None:
            kind = content_type.partition(";")[0].strip().lower()
            charset = CHARSET.search(content_type)
            known = kind if kind in {*KNOWN_TYPES, "application/json"} else "application/x-other"
            yield "content-type", known + (f"; charset={charset[1]}" if charset else "")
        retry_after = headers.get("retry-after")
        if retry_after is not None:
            yield "retry-after", retry_after if RETRY_AFTER.fullmatch(retry_after) else "other"
        for name in TRACE_HEADERS:
            value = headers.get(name, "")
            if TRACE.fullmatch(value) and self._is_readable(value):
                yield name, value

    def _value(self, name: str, value: Any, *, can_stay: bool) -> Any:
        """A value of a field; the texts of an error may stay."""
        if isinstance(value, list):
            return [self._value(name, one, can_stay=can_stay) for one in value]
        if isinstance(value, dict):
            return {
                self._field(key): self._value(
                    key, one, can_stay=can_stay and (key in ERROR_TEXTS or name == "errors")
                )
                for key, one in value.items()
            }
        if isinstance(value, str):
            return self._string(name, value, can_stay=can_stay)
        if isinstance(value, bool) or value is None or name in {"time", "status"}:
            return value
        return self._number(value)

    def _string(self, name: str, value: str, *, can_stay: bool) -> str:
        if name in {"", "time"} and LIKE_A_TIME.fullmatch(value):
            return value
        if can_stay and name:
            shown = self._with_serials(value, value)
            if self._is_readable(shown):
                return shown
        return NOT_SHOWN if can_stay and name else self.text(value)

    def _is_readable(self, text: str) -> bool:
        """Whether a text of the vendor contains nothing that we know to be secret."""
        bare = spelling(text)
        if self._api_key in text or any(part in bare for part in self._key_parts):
            return False
        if E_MAIL.search(text) or self._short_names.search(text):
            return False
        return not any(secret in bare for secret in self._personal)

    def _field(self, name: str) -> str:
        """The name of a field; a number if the spec does not know it."""
        return name if name.lower() in _known_names() else self._names[name]

    def _name_fields(self, value: Any) -> Iterator[str]:
        """Number the unknown fields of a body, and yield those that are no names."""
        if isinstance(value, list):
            for one in value:
                yield from self._name_fields(one)
        elif isinstance(value, dict):
            for name, one in value.items():
                if name.lower() not in _known_names():
                    self._names.setdefault(name, f"field_{len(self._names) + 1}")
                    if name and not FIELD_NAME.fullmatch(name):
                        yield name
                yield from self._name_fields(one)

    def _number(self, value: float) -> Any:
        text = repr(value)
        if text not in self._numbers:
            self._numbers[text] = self._new_number(text)
        return self._numbers[text]

    def _new_number(self, text: str) -> Any:
        """A finite number with as many digits."""
        taken = {*self._numbers.values()}
        for attempt in range(10_000):
            longer = "1" * (attempt // 100) + text.lstrip("-")
            digits = re.sub(r"[0-9]", lambda _: self._chance.choice("123456789"), longer)
            number = json.loads(digits)
            if (
                digits != text
                and math.isfinite(number)
                and number not in taken
                and not self.secrets.are_in(repr(number))
            ):
                return number
        raise LeakError("there is no replacement for a number of an answer")


@cache
def _known_names() -> frozenset[str]:
    """The names of fields and parameters that the spec or RFC 9457 knows."""
    schemas = TOLERANT.document["components"]["schemas"].values()
    fields = {name for schema in schemas for name in schema.get("properties", {})}
    parameters = {parameter.name for parameter in TOLERANT.parameters}
    return frozenset(fields | parameters | RFC_9457)


@cache
def _spellings(serial: str) -> re.Pattern[str]:
    """A serial number in any case, with any blanks or punctuation between its characters."""
    characters = re.sub(r"[\W_]", "", serial) or serial
    return re.compile(r"[\W_]*".join(map(re.escape, characters)), re.IGNORECASE)


def _parts(key: str) -> Iterator[str]:
    """The parts of a key that must not be shown: the whole, and those that are not words."""
    if len(key) >= SHORTEST_KEY:
        yield key
    for length in (PART_OF_A_KEY, PART_WITHOUT_DIGITS):
        for part in (key[start : start + length] for start in range(len(key) - length + 1)):
            if length == PART_WITHOUT_DIGITS or re.search(r"\d", part):
                yield part
