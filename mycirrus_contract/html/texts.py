"""Text that somebody else has written, made fit to be shown."""

import unicodedata

UNSHOWN = "\N{REPLACEMENT CHARACTER}"


def plain(value: object) -> str:
    """A text on one line, of characters that every format can hold and that do nothing.

    What cannot be seen, such as an escape or a mark that turns the direction of writing, is
    replaced by a character that can.
    """
    text = str(value)
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isspace():
        return " "
    hidden = unicodedata.category(character) in {"Cc", "Cf", "Cs"}
    code = ord(character)
    is_no_character = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return UNSHOWN if hidden or is_no_character else character
