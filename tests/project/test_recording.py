"""The recording in the README shows the command as it is, and can do no harm to who looks at it."""

import importlib.util
import re
import shlex
import sys
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest

from mycirrus_cli.arguments import parser
from tests.support.paths import ROOT

NAMESPACE = "http://www.w3.org/2000/svg"
MOST_BYTES = 150_000


@pytest.fixture(scope="module")
def record() -> ModuleType:
    """The program that records."""
    spec = importlib.util.spec_from_file_location("record", ROOT / "docs" / "record.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def picture(record: ModuleType) -> ET.Element:
    """The recording on disk, which has to be well-formed."""
    return ET.fromstring(record.FILE.read_text(encoding="utf-8"))  # noqa: S314 - our own file


def test_every_recorded_command_is_accepted_by_the_parser(record: ModuleType) -> None:
    """An option that was renamed must not live on in the README."""
    commands = [" ".join(lines).replace(" \\ ", " ") for lines in record.COMMANDS]
    ours = [words for words in map(shlex.split, commands) if words[0] == "mycirrus"]

    assert len(ours) == 3
    for words in ours:
        assert parser().parse_args(words[1:]).command == "log"


def test_the_recording_has_the_commands_as_text(record: ModuleType, picture: ET.Element) -> None:
    """So they can be searched for, and the file is that of this program."""
    texts = {"".join(one.itertext()) for one in picture.iter(f"{{{NAMESPACE}}}text")}
    first = {record.PROMPT + lines[0] for lines in record.COMMANDS}
    more = {f"> {line}" for lines in record.COMMANDS for line in lines[1:]}

    assert first | more <= texts


@pytest.mark.parametrize(
    "text",
    [
        "No entry: QT999999",
        "waiting 2 s, as the server asked",
        "the same command goes on from there",
        "fleet.csv is written",
        "instrument,time,user,message",
    ],
)
def test_the_recording_shows_what_the_command_can_do(picture: ET.Element, text: str) -> None:
    """The note, the wait, the interruption, the end, the file."""
    assert any(text in "".join(one.itertext()) for one in picture.iter(f"{{{NAMESPACE}}}text"))


def test_the_recording_loads_and_runs_nothing(record: ModuleType, picture: ET.Element) -> None:
    """No script, no address but the name of SVG, no font, no image."""
    text = record.FILE.read_text(encoding="utf-8")
    names = {one.tag.removeprefix(f"{{{NAMESPACE}}}") for one in picture.iter()}
    attributes = {name for one in picture.iter() for name in one.attrib}

    assert re.findall(r"\w+://[^\"]*", text) == [NAMESPACE]
    assert names == {"svg", "title", "desc", "style", "rect", "circle", "g", "text", "tspan"}
    assert not {name for name in attributes if name.startswith("on") or name.endswith("href")}
    assert not re.search(r"@import|@font-face|url\(", text)


def test_the_recording_names_nothing_of_the_machine(picture: ET.Element) -> None:
    """No path, no port."""
    text = " ".join(picture.itertext())

    assert not re.search(r"/(home|root|tmp|Users|usr)\b|127\.0\.0\.1|localhost", text)


def test_the_recording_is_small(record: ModuleType) -> None:
    """It is loaded with the README."""
    assert record.FILE.stat().st_size < MOST_BYTES


def test_the_recording_says_what_it_shows_to_whom_cannot_see_it(picture: ET.Element) -> None:
    """With a role, a title and a description."""
    labels = picture.attrib["aria-labelledby"].split()
    named = {one.attrib["id"]: one.text for one in picture.iter() if "id" in one.attrib}

    assert picture.attrib["role"] == "img"
    assert all(named[label] for label in labels)
    assert len(labels) == 2


def test_who_wants_no_motion_sees_the_end(record: ModuleType, picture: ET.Element) -> None:
    """The lines that are there at the end are there without an animation, and no others."""
    text = record.FILE.read_text(encoding="utf-8")
    lines = [one for one in picture if one.tag == f"{{{NAMESPACE}}}g"]
    last = ["".join(one.itertext()) for one in lines if "end" in one.attrib["class"].split()]

    assert "@media (prefers-reduced-motion:reduce){.l{animation:none!important}}" in text
    assert ".end{visibility:visible}" in text
    assert last[0].startswith("$ mycirrus log QT123456")
    assert last[-1] == "$"
    assert len(last) <= record.LINES


def test_no_two_lines_are_at_the_same_place_at_the_same_time(
    record: ModuleType, picture: ET.Element
) -> None:
    """At the end there is one line in each row."""
    del record
    rows = [
        one.attrib["y"]
        for group in picture.iter(f"{{{NAMESPACE}}}g")
        if "end" in group.attrib["class"].split()
        for one in group.iter(f"{{{NAMESPACE}}}text")
    ]

    assert len(rows) == len(set(rows))
