"""Makes text from elsewhere safe to show: in a terminal, in HTML, XML and Markdown.

Imports nothing of this project, so that each part of it can use it.
"""

import re
import unicodedata

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
LONGEST = 1_000  # characters in a report: a server may send an error text of a megabyte
JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
INVISIBLE = {"Cc", "Cf", "Cs"}  # control, format (direction of writing included), surrogate


def plain(value: object, replacement: str = REPLACEMENT) -> str:
    """Return a text on one line, with only visible characters that each format can hold.

    Args:
        value: Any text, or a value to be converted to one.
        replacement: Stands for each character that is invisible or that changes how others are
            shown. A joiner is kept between letters outside ASCII, where scripts need it.
    """
    text = str(value)
    if text.isprintable():
        return text
    neighbours = zip(f" {text}", text, f"{text[1:]} ", strict=False)
    return "".join(_visible(*three, replacement) for three in neighbours)


def _visible(before: str, character: str, after: str, replacement: str) -> str:
    if character.isspace():
        return " "
    if character in JOINERS and _is_joined(before) and _is_joined(after):
        return character
    code = ord(character)
    is_noncharacter = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    is_hidden = is_noncharacter or unicodedata.category(character) in INVISIBLE
    return replacement if is_hidden else character


def _is_joined(character: str) -> bool:
    """Whether it is a letter, a mark or a symbol (emoji) outside ASCII."""
    return not character.isascii() and unicodedata.category(character)[0] in "LMS"


def brief(value: object) -> str:
    """Return a plain text without double spaces, of at most `LONGEST` characters."""
    text = " ".join(plain(value).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


MARKDOWN = str.maketrans(
    {character: f"\\{character}" for character in "\\`*[]~$"}
    | {"|": "&#124;", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
)


def markdown(value: object) -> str:
    """Return a brief text that GitHub shows as it is: no table cell, no link, no markup."""
    text = brief(value).translate(MARKDOWN)
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)  # no markup inside a word
    return re.sub(r"(?<=:)(?=//)|(?<=\bwww)(?=\.)", r"\\", text)
