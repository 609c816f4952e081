"""The key comes from a file, the environment or the keyring; never from an argument."""

import sys
import types
from pathlib import Path

import pytest

from mycirrus_cli.exits import CommandError
from mycirrus_cli.keys import KEYRING_SERVICE, KEYRING_USER, find_key
from mycirrus_contract.standin.adapters import Standin, serve
from mycirrus_contract.standin.rules import DEMO_KEY
from tests.support.command import YEARS, mycirrus

LOG = ("log", "QT123456", *YEARS, "--format", "csv", "--quiet")
SECRET = "Secret-key-0123456789"  # noqa: S105 - made up


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A file with the key, for its owner alone."""
    file = tmp_path / "key"
    file.write_text(f"{DEMO_KEY}\n")
    file.chmod(0o600)
    return file


def test_the_key_is_taken_from_a_file(key_file: Path) -> None:
    """Before the environment's, and with a line's end after it."""
    words = (*LOG, "--api-key-file", str(key_file))
    with serve(standin := Standin()) as url:
        done = mycirrus(*words, base_url=url, MYCIRRUS_API_KEY="another")

    assert (done.returncode, done.stderr) == (0, "")
    assert {request.headers["x-api-key"] for request in standin.requests} == {DEMO_KEY}


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o666])
def test_a_file_that_others_can_read_is_warned_about(key_file: Path, mode: int) -> None:
    """With what to do; the run goes on, and one that is to be quiet is."""
    key_file.chmod(mode)
    with serve(Standin()) as url:
        *words, quiet = (*LOG, "--api-key-file", str(key_file), "--quiet")
        words.remove("--quiet")
        done = mycirrus(*words, base_url=url)
        silent = mycirrus(*words, quiet, base_url=url)

    assert (done.returncode, silent.returncode, silent.stderr) == (0, 0, "")
    assert done.stderr.splitlines()[0] == (
        f"mycirrus: warning: {key_file} can be read by others; chmod 600 {key_file}"
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        (f"{SECRET}\n{SECRET}\n", "must be printable ASCII without blanks"),
        (f'"{SECRET} "', "must be printable ASCII without blanks"),
        (f"{SECRET}\x00", "must be printable ASCII without blanks"),
        (SECRET * 1000, "holds more than a key"),
        (None, "No such file"),
        ("\ufeff", "is empty"),
    ],
    ids=[
        "nothing",
        "a line",
        "two",
        "quotes",
        "nul",
        "long",
        "not there",
        "a mark of its encoding",
    ],
)
def test_a_file_without_a_key_is_refused_and_not_shown(
    content: str | None, problem: str, tmp_path: Path
) -> None:
    """Whatever is in it may be a secret all the same."""
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)
        file.chmod(0o600)
    done = mycirrus(*LOG, "--api-key-file", str(file))

    assert done.returncode == 2
    assert problem in done.stderr
    assert content is None or str(file) in done.stderr
    assert SECRET not in done.stderr


def test_without_a_key_one_line_says_where_to_put_it() -> None:
    """And nothing is sent."""
    with serve(standin := Standin()) as url:
        done = mycirrus(*LOG, base_url=url, MYCIRRUS_API_KEY="")

    assert (done.returncode, standin.requests) == (2, [])
    assert done.stderr == (
        "mycirrus: no API key: set MYCIRRUS_API_KEY, or give --api-key-file FILE\n"
    )


@pytest.mark.parametrize(
    "words",
    [
        (*LOG, "--api-key", SECRET),
        (*LOG, f"--api-key={SECRET}"),
        ("--api-key", SECRET, *LOG),
        (*LOG, "--key", SECRET),
        (*LOG, "--API-KEY", SECRET),
        (*LOG, "--token", SECRET),
        (*LOG, f"--api_key={SECRET}"),
        (*LOG, "--api-ke", SECRET),
        (*LOG, f"-k{SECRET}"),
        (*LOG, "--api-key-file", SECRET),
        (SECRET, *LOG),
        (*LOG, f"--api-key-fil={SECRET}"),
        ("doctor", "--api-key", SECRET),
        ("completion", "bash", "--api-key", SECRET),
    ],
    ids=range(14),
)
def test_a_key_as_an_argument_is_refused_and_not_repeated(words: tuple[str, ...]) -> None:
    """No option is short for that of the file, which would repeat it as a name."""
    with serve(standin := Standin()) as url:
        done = mycirrus(*words, base_url=url)

    assert (done.returncode, standin.requests) == (2, [])
    assert SECRET not in done.stdout + done.stderr
    assert done.stderr.count("\n") == 1


class Keyring(types.ModuleType):
    """A keyring that holds one key."""

    def get_password(self, service: str, user: str) -> str | None:
        """What `keyring set mycirrus api-key` has put there."""
        return SECRET if (service, user) == ("mycirrus", "api-key") else None


class Locked(types.ModuleType):
    """A keyring that does not open."""

    def get_password(self, service: str, user: str) -> str | None:
        """Raise, as backends do."""
        raise RuntimeError(service, user)


def test_the_keyring_is_asked_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the file and the environment."""
    monkeypatch.setitem(sys.modules, "keyring", Keyring("keyring"))

    assert (KEYRING_SERVICE, KEYRING_USER) == ("mycirrus", "api-key")
    assert find_key(None)[0].reveal() == SECRET
    assert find_key(None)[1] == "the keyring"
    monkeypatch.setenv("MYCIRRUS_API_KEY", DEMO_KEY)
    assert find_key(None)[0].reveal() == DEMO_KEY


@pytest.mark.parametrize("module", [None, Locked("keyring")], ids=["none", "locked"])
def test_no_keyring_is_no_fault(module: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is simply no key in it."""
    monkeypatch.setitem(sys.modules, "keyring", module)

    with pytest.raises(CommandError, match="no API key: set MYCIRRUS_API_KEY"):
        find_key(None)
