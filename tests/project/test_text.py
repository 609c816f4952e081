"""Text from other sources is shown completely, and controls neither a terminal nor a page."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from mycirrus_contract.text import LONGEST, REPLACEMENT, brief, markdown, plain

X = REPLACEMENT
ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (200, "200"),
        ("é…ü 5 µPa \U0001f50a 校准", "é…ü 5 µPa \U0001f50a 校准"),
        ("a\r\n\tb\u2028c\x85d\x1fe", "a   b c d e"),
        ("a\x1b[31mb\x00\x7f\x9b", f"a{X}[31mb{X}{X}{X}"),
        ("a\u202eb\u200bc\u2066\ufeff", f"a{X}b{X}c{X}{X}"),
        ("\ud800 \ufffe \ufdd0 \U0001ffff", f"{X} {X} {X} {X}"),
        ("می\u200cروند", "می\u200cروند"),  # Persian
        ("क्\u200dष", "क्\u200dष"),  # Devanagari
        ("\U0001f469\u200d\U0001f527", "\U0001f469\u200d\U0001f527"),  # one emoji of two
        ("QT1\u200d2 An\u200dna \u200cم", f"QT1{X}2 An{X}na {X}م"),
    ],
)
def test_plain_text_has_only_visible_characters_and_the_joiners_of_scripts(
    text: object, expected: str
) -> None:
    assert plain(text) == expected


@given(ANY_TEXT)
def test_plain_text_has_no_control_character_and_is_as_long_as_the_text(text: str) -> None:
    shown = plain(text)
    hidden = {one for one in shown if unicodedata.category(one) in {"Cc", "Cf", "Cs"}}

    assert len(shown) == len(text)
    assert hidden <= {"\u200c", "\u200d"}
    shown.encode()


def test_a_brief_text_is_cut_and_has_single_spaces() -> None:
    assert brief(" a\n\n b ") == "a b"
    assert brief("x" * LONGEST) == "x" * LONGEST
    assert brief("x" * (LONGEST + 1)) == "x" * (LONGEST - 1) + "…"


@pytest.mark.parametrize(
    "text",
    [
        "<b>x</b> &amp; `c` *i* _u_ [l](https://127.0.0.1/) ![i](j) $m$ ~~s~~ \\# \\|",
        "a | b",
        "snake_case_name __init__",
    ],
)
def test_markdown_shows_markup_literally(text: str) -> None:
    (paragraph,) = [
        one.children or []
        for one in MarkdownIt("gfm-like", {"linkify": False}).parse(f"x {markdown(text)}")
        if one.children
    ]

    assert {part.type for part in paragraph} <= {"text", "text_special"}
    assert "".join(part.content for part in paragraph) == f"x {text}"


def test_markdown_leaves_no_address_that_becomes_a_link() -> None:
    assert not re.search(r"(?<!\\)://|www\.", markdown("https://127.0.0.1/ www.example.org"))
