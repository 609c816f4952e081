"""The key comes from a file, the environment or the keyring, and never from an argument."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mycirrus_cli.exits import CommandError
from mycirrus_cli.keys import find_key
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.rules import DEMO_KEY
from tests.support.command import LOG, YEARS, mycirrus, refused
from tests.support.windows import not_on_windows

SECRET = "Secret-key-0123456789"  # noqa: S105 - made up


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A file with the key, for its owner alone."""
    file = tmp_path / "key"
    file.write_text(f"{DEMO_KEY}\n")
    file.chmod(0o600)
    return file


def test_the_key_is_taken_from_a_file_before_the_environment(key_file: Path) -> None:
    words = (*LOG, "--quiet", "--api-key-file", str(key_file))
    done = mycirrus(*words, standin=(standin := Standin()), MYCIRRUS_API_KEY="another")

    assert (done.returncode, done.stderr) == (0, "")
    assert {request.headers["x-api-key"] for request in standin.requests} == {DEMO_KEY}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_may_have_a_byte_order_mark_and_blanks(key_file: Path, encoding: str) -> None:
    key_file.write_text(f" {DEMO_KEY}\r\n\r\n", encoding=encoding)

    assert find_key(str(key_file))[0].reveal() == DEMO_KEY


@not_on_windows("a mode says nothing about readers")
@pytest.mark.parametrize("mode", [0o604, 0o640])
def test_a_file_that_others_can_read_causes_a_warning(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    words = ("log", "QT123456", *YEARS, "--api-key-file", str(key_file))
    done, quiet = mycirrus(*words), mycirrus(*words, "--quiet")

    assert (done.returncode, quiet.returncode, quiet.stderr) == (0, 0, "")
    assert done.stderr.splitlines()[0] == (
        f"mycirrus: warning: {key_file} can be read by others; chmod 600 {key_file}"
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        (f"{SECRET}\n{SECRET}\n", "must be printable ASCII without blanks"),
        (f'"{SECRET}"', "must not be in quotes: remove them"),
        (f"{SECRET}\x00", "must be text in UTF-8"),
        (SECRET.encode("utf-16-le"), "must be text in UTF-8"),
        (SECRET * 1000, "holds more than a key"),
        (None, "No such file"),
        ("\ufeff", "is empty"),
    ],
    ids=range(9),
)
def test_an_invalid_key_file_is_refused(
    content: str | bytes | None, problem: str, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        file.chmod(0o600)
    line = refused(*LOG, "--api-key-file", str(file))

    assert problem in line
    assert content is None or str(file) in line
    assert SECRET not in line


@pytest.mark.parametrize("words", [LOG, ("doctor",)], ids=["log", "doctor"])
def test_without_a_key_one_line_says_where_to_put_it(words: tuple[str, ...]) -> None:
    line = refused(*words, MYCIRRUS_API_KEY="")

    assert line == "no API key: set MYCIRRUS_API_KEY, or give --api-key-file FILE\n"


@pytest.mark.parametrize(
    "words",
    [
        (*LOG, "--api-key", SECRET),
        ("--api-key", SECRET, *LOG),
        (*LOG, "--API-KEY", SECRET),
        (*LOG, f"--api_key={SECRET}"),
        (*LOG, "--api-ke", SECRET),
        (*LOG, f"-k{SECRET}"),
        (*LOG, "--api-key-file", SECRET),
        (SECRET, *LOG),
        (*LOG, f"--api-key-fil={SECRET}"),
        ("doctor", "--api-key", SECRET),
        ("completion", "bash", "--api-key", SECRET),
    ],
    ids=range(11),
)
def test_a_key_as_an_argument_is_refused_and_not_repeated(words: tuple[str, ...]) -> None:
    assert SECRET not in refused(*words)


@pytest.mark.parametrize("option", ["--api-key", "--TOKEN"])
def test_an_option_for_a_key_is_answered_with_the_places_for_it(option: str) -> None:
    assert refused(*LOG, option, SECRET) == (
        "the API key is never an argument: set MYCIRRUS_API_KEY, or give --api-key-file FILE\n"
    )


def test_the_keyring_is_asked_last(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {("mycirrus", "api-key"): SECRET}  # by `keyring set mycirrus api-key`
    keyring = SimpleNamespace(get_password=lambda *name: kept.get(name))
    monkeypatch.setitem(sys.modules, "keyring", cast("Any", keyring))

    assert find_key(None)[0].reveal() == SECRET
    assert find_key(None)[1] == "the keyring"
    monkeypatch.setenv("MYCIRRUS_API_KEY", DEMO_KEY)
    assert find_key(None)[0].reveal() == DEMO_KEY


@pytest.mark.parametrize("module", [None, SimpleNamespace()], ids=["missing", "broken"])
def test_a_keyring_that_cannot_be_used_has_no_key(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", module)

    with pytest.raises(CommandError, match="no API key: set MYCIRRUS_API_KEY"):
        find_key(None)
