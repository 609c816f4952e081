"""The hand-written code follows the spec."""

from collections.abc import Callable, Iterator

import pytest

from mycirrus_contract.model import PATH, SPEC_FILE

from .follow import CHECKS, where


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_code_follows_the_spec(check: Callable[[], Iterator[str]]) -> None:
    if problems := list(check()):
        pytest.fail("\n".join(problems), pytrace=False)


def test_the_line_of_a_pointer_is_found() -> None:
    lines = SPEC_FILE.read_text(encoding="utf-8").splitlines()
    file, _, number = where(SPEC_FILE, "paths", PATH, "get", "x-cirrus-range").partition(":")

    assert file == "openapi/mycirrus.yaml"
    assert lines[int(number) - 1].strip() == "x-cirrus-range:"
