"""Takes what is secret or personal out of a run, before anything is judged, shown or written.

Serial numbers, users, messages and whatever else a server may have put into a body become
stand-ins of the same shape: a letter for a letter, a digit for a digit, the same one for the same
text throughout a run. So sums still add up and wrong shapes stay wrong. The key is never in an
answer that is kept, not even where the server echoes it.
"""

import html
import json
import math
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, quote_plus

from mycirrus_contract.messages import Reply
from mycirrus_contract.model import PATH, tolerant
from mycirrus_contract.text import brief, markdown

from .checks import KNOWN_TYPES
from .exchange import UNKNOWN_SERIAL, Exchange

# What a top-level object may call its parts; any other name there could be a datum itself.
PARTS = {
    *("count", "data", "entries", "items", "log", "next", "page", "records", "result", "results"),
    *("total", "value", "values", "error", "description", "code", "status", "title", "detail"),
    *("time", "timestamp"),
}
FIELDS = {"time", "user", "message", "error", "description"}
FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
ERROR_CODE = re.compile(r"[A-Za-z]{1,40}")
LIKE_A_TIME = re.compile(
    r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d([.,]\d{0,12})?)?)?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII
)
CHARSET = re.compile(r"charset=\"?([A-Za-z0-9-]{1,12})\"?", re.IGNORECASE)
RETRY_AFTER = re.compile(r"\d{1,9}|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT", re.ASCII)


LEFT = "a text of an answer is left in what was to be written: nothing was"


class LeakError(RuntimeError):
    """Something secret is left in what was to be written. Nothing was written."""


class Redactor:
    """Replaces what must not be shown, the same text always by the same.

    Args:
        api_key: The key; it is nowhere in what comes out.
        exchanges: All of a run, as they came: nothing of theirs is used as a stand-in.
    """

    def __init__(self, api_key: str, exchanges: Iterable[Exchange]) -> None:
        exchanges = list(exchanges)
        self._api_key = api_key
        self._chance = random.SystemRandom()
        self._stand_ins: dict[str, str] = {}
        self._numbers: dict[str, Any] = {}
        self.serials = {
            serial
            for exchange in exchanges
            for serial in exchange.question.instruments
            if serial != UNKNOWN_SERIAL
        }
        self.secrets = {api_key, *self.serials}
        for exchange in exchanges:
            if exchange.reply is not None:
                self.secrets.update(_texts(exchange.reply.json))
                if isinstance(exchange.reply.json, dict):
                    self.secrets.update(set(exchange.reply.json) - PARTS - {""})
        self._taken = set(self.secrets)

    def __repr__(self) -> str:
        return f"<Redactor of {len(self.secrets)} texts>"

    def exchange(self, exchange: Exchange) -> Exchange:
        """The same with stand-ins."""
        question = replace(
            exchange.question, instruments=self.instruments(exchange.question.instruments)
        )
        reply = None if exchange.reply is None else self._reply(exchange.reply)
        return replace(exchange, question=question, reply=reply)

    def instruments(self, serials: Iterable[str]) -> tuple[str, ...]:
        """Serial numbers as they are shown."""
        return tuple(one if one == UNKNOWN_SERIAL else self.text(one) for one in serials)

    def text(self, text: str) -> str:
        """The stand-in of a text."""
        if text and text not in self._stand_ins:
            self._stand_ins[text] = self._new(text)
        return self._stand_ins.get(text, "")

    def _new(self, text: str) -> str:
        never = [self._api_key, *(serial for serial in self.serials if len(serial) > 2)]
        shape = text if any(map(str.isalnum, text)) else "x" * len(text)
        for attempt in range(10_000):
            longer = shape + "x" * (attempt // 100)  # short texts run out of stand-ins
            candidate = "".join(map(self._other, longer))
            if candidate not in self._taken and not any(one in candidate for one in never):
                self._taken.add(candidate)
                return candidate
        raise LeakError("there is no stand-in for a text of an answer")

    def _other(self, letter: str) -> str:
        if letter.isdecimal():
            return self._chance.choice("0123456789")
        if letter.isalpha():
            alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
            return self._chance.choice(alphabet if letter.isupper() else alphabet.lower())
        return letter if letter.isascii() and letter.isprintable() else "x"

    def _reply(self, reply: Reply) -> Reply:
        headers = dict(_headers(reply.headers))
        if not reply.body:
            return Reply(reply.status, headers, b"")
        if reply.is_json:
            try:
                body = self._whole(reply)
            except RecursionError:
                pass
            else:
                return Reply(reply.status, headers, json.dumps(body, ensure_ascii=False).encode())
        text = f"{len(reply.body)} bytes that are not JSON"
        return Reply(reply.status, headers, text.encode())

    def _whole(self, reply: Reply) -> Any:
        body = reply.json
        if isinstance(body, dict):
            return {
                name if name in PARTS else self.text(name): self._part(name, value, reply.status)
                for name, value in body.items()
            }
        return self._value("", body)

    def _part(self, name: str, value: Any, status: int) -> Any:
        if isinstance(value, str) and status != 200 and value not in self.secrets:
            if name == "error" and ERROR_CODE.fullmatch(value):
                return value
            if name == "description" and value in _documented():
                return value
        return self._value(name, value)

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self._value(name, one) for one in value]
        if isinstance(value, dict):
            return {self._field(key): self._value(key, one) for key, one in value.items()}
        if isinstance(value, str):
            may_stay = name in {"", "time"} and LIKE_A_TIME.fullmatch(value)
            return value if may_stay else self.text(value)
        if isinstance(value, bool) or value is None or name == "time":
            return value
        return self._number(value)

    def _field(self, name: str) -> str:
        """The name of a field, unless it is a datum elsewhere: then it may be one here."""
        if name in FIELDS:
            return name
        is_datum = name in self.secrets or any(
            serial.lower() in name.lower() for serial in self.serials if len(serial) > 2
        )
        return name if FIELD_NAME.fullmatch(name) and not is_datum else self.text(name)

    def _number(self, value: float) -> Any:
        text = repr(value)
        if text not in self._numbers:
            self._numbers[text] = self._new_number(text)
        return self._numbers[text]

    def _new_number(self, text: str) -> Any:
        """A number of as many digits; JSON has no infinity to fall into."""
        taken = {*self._numbers.values()}
        for attempt in range(10_000):
            longer = "1" * (attempt // 100) + text.lstrip("-")
            digits = re.sub(r"[0-9]", lambda _: self._chance.choice("123456789"), longer)
            number = json.loads(digits)
            if digits != text and math.isfinite(number) and number not in taken:
                return number
        raise LeakError("there is no stand-in for a number of an answer")

    def check(self, text: str, blank: str = "", said: str = "") -> None:
        """Refuse to let a report go in which something secret is left.

        Args:
            text: What is to be written.
            blank: The same with nothing of an answer in it: what is in there too says nothing.
            said: What the judgements say: a user or message may say it too.

        Raises:
            LeakError: Something is left. The message does not say what.
        """
        self._check_key_and_serials(text, blank)
        for secret in self.secrets - self.serials:
            if _is_telling(secret) and any(
                form in text and form not in blank and form not in said for form in _forms(secret)
            ):
                raise LeakError(LEFT)

    def check_bodies(self, text: str, bodies: Iterable[Any]) -> None:
        """Refuse to let a cassette go in which something secret is left.

        Args:
            text: What is to be written.
            bodies: The parsed bodies in it, which may be long.

        Raises:
            LeakError: Something is left. The message does not say what.
        """
        self._check_key_and_serials(text, text if len(self._api_key) < 8 else "")
        if any(not self.secrets.isdisjoint(_texts(body)) for body in bodies):
            raise LeakError(LEFT)

    def _check_key_and_serials(self, text: str, blank: str) -> None:
        # A key of a few letters is none, and may be a word of ours.
        exempt = blank if len(self._api_key) < 8 else ""
        if any(form in text and form not in exempt for form in _forms(self._api_key)):
            raise LeakError("the key is left in what was to be written; nothing was written")
        for serial in self.serials:
            if _has_word(text, serial) and not _has_word(blank, serial):
                raise LeakError("a serial number is left in what was to be written: nothing was")


def _documented() -> set[str]:
    operation = tolerant().operation(PATH)
    return {operation.example(status)["description"] for status in (401, 403, 429)}


def _headers(headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    content_type = headers.get("content-type")
    if content_type is not None:
        kind = content_type.partition(";")[0].strip().lower()
        charset = CHARSET.search(content_type)
        known = kind if kind in {*KNOWN_TYPES, "application/json"} else "application/x-other"
        yield "content-type", known + (f"; charset={charset[1]}" if charset else "")
    retry_after = headers.get("retry-after")
    if retry_after is not None:
        yield "retry-after", retry_after if RETRY_AFTER.fullmatch(retry_after) else "other"


def _texts(value: Any, name: str = "") -> Iterator[str]:
    """Every text of a body that is a datum: values, and names that are none of a field."""
    if isinstance(value, str):
        if value and not (name in {"", "time"} and LIKE_A_TIME.fullmatch(value)):
            yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one, name)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key and not FIELD_NAME.fullmatch(key):
                yield key
            if key == "error" and isinstance(one, str) and ERROR_CODE.fullmatch(one):
                continue
            if key == "description" and isinstance(one, str) and one in _documented():
                continue
            yield from _texts(one, key)


def _is_telling(text: str) -> bool:
    """Whether finding a text somewhere says anything: words of ours are everywhere.

    What is judged and shown has been through the redactor; this only looks for what went past it.
    """
    return len(text) >= 12 and " " in text


def _has_word(text: str, word: str) -> bool:
    """Whether a serial number stands somewhere, and not as a part of something longer."""
    if len(word) < 3 or (word.isdecimal() and len(word) < 5):
        return False  # a status, a year, a number of items
    forms = "|".join(re.escape(form) for form in sorted(_forms(word)))
    alone = f"(?<![A-Za-z0-9])(?:{forms})(?![A-Za-z0-9])"
    return re.search(alone, text, re.IGNORECASE) is not None


def _forms(text: str) -> set[str]:
    """A text as the formats write it."""
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
