"""``--output`` is a complete file or the old one, on any file system, or a stream."""

import errno
import gc
import io
import os
import socket
import sqlite3
import stat
import sys
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

import pytest

from mycirrus_cli.arguments import FORMATS
from mycirrus_cli.main import main
from mycirrus_contract.messages import Reply, Request
from mycirrus_contract.standin.adapters import Standin, serve
from mycirrus_contract.standin.rules import DEMO_KEY
from tests.support.command import (
    FLEET,
    LINES,
    LOG,
    NOWHERE,
    TIMEOUT,
    YEARS,
    client_defaults,
    environment,
    mycirrus,
    mycirrus_process,
    refused,
    run_main,
)
from tests.support.windows import not_on_windows


def failing(number: int) -> Callable[..., None]:
    """A function of the operating system that fails."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


# Files


def test_a_run_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_bytes(b"old")
    standin = Standin(script={7: "401"})
    done = mycirrus("log", *FLEET, *YEARS, "--output", str(file), standin=standin)

    assert done.returncode == 1
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


@not_on_windows("its modes and links are of another kind")
def test_a_file_keeps_its_mode_and_a_link_stays_a_link(tmp_path: Path) -> None:
    """Although another file takes its place. A new file gets the mode of any new file."""
    old, new, link = tmp_path / "old.csv", tmp_path / "new.csv", tmp_path / "link.csv"
    old.touch()
    old.chmod(0o640)
    link.symlink_to(old)
    plain = tmp_path / "plain"
    mask = os.umask(0o027)
    try:
        plain.touch()
        for name in (link, new):
            mycirrus(*LOG, "--output", str(name))
    finally:
        os.umask(mask)

    assert link.is_symlink()
    assert old.read_bytes() == new.read_bytes() != b""
    assert stat.S_IMODE(old.stat().st_mode) == 0o640
    assert new.stat().st_mode == plain.stat().st_mode


@pytest.fixture
def another_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of user 1234 and group 2345, as far as ``stat`` tells."""
    file = tmp_path / "log.csv"
    file.touch()
    file.chmod(0o640)
    real = Path.stat

    def of_another(self: Path, **options: bool) -> os.stat_result:
        found = real(self, **options)
        if self.name != file.name:
            return found
        return os.stat_result((*found[:4], 1234, 2345, *found[6:10]))

    monkeypatch.setattr(Path, "stat", of_another)
    return file


@not_on_windows("there is no os.chown")
def test_a_file_keeps_owner_and_group(another_owner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = list[tuple[int, int]]()
    monkeypatch.setattr(os, "chown", lambda _, user, group: changes.append((user, group)))
    done = mycirrus(*LOG, "--quiet", "--output", str(another_owner))

    assert (done.returncode, done.stderr, changes) == (0, "", [(1234, 2345)])


@not_on_windows("there is no os.chown")
def test_no_other_group_gets_the_rights_of_one_that_cannot_be_kept(
    another_owner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "chown", failing(errno.EPERM))
    done = mycirrus(*LOG, "--output", str(another_owner))

    assert done.returncode == 0
    assert "its owner and group could not be kept" in done.stderr
    assert stat.S_IMODE(another_owner.stat().st_mode) == 0o600


@pytest.mark.parametrize("exists", [True, False])
def test_a_file_system_without_modes_and_fsync_gets_the_file_and_a_warning_unless_quiet(
    *, exists: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As CIFS, exFAT and some FUSE mounts are."""
    file = tmp_path / "log.csv"
    if exists:
        file.touch()
    monkeypatch.setattr(os, "chmod", failing(errno.EPERM))
    monkeypatch.setattr(os, "fsync", failing(errno.EINVAL))
    done = mycirrus(*LOG, "--output", str(file))
    quiet = mycirrus(*LOG, "--quiet", "--output", str(file))

    assert (done.returncode, quiet.returncode, quiet.stderr) == (0, 0, "")
    assert done.stderr.splitlines()[0] == (
        f"mycirrus: warning: {file}: its mode could not be set (Operation not permitted)"
    )
    assert file.read_bytes().count(b"\n") == LINES
    assert list(tmp_path.iterdir()) == [file]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "log.csv"
    file.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", failing(errno.ENOSPC))
    done = mycirrus(*LOG, "--output", str(file))

    assert (done.returncode, done.stderr) == (1, f"mycirrus: {file}: No space left on device\n")
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"old"]


def test_a_mount_point_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``docker -v FILE:FILE`` makes one; what was there may be longer."""
    file, expected = tmp_path / "log.csv", mycirrus(*LOG).stdout.encode()
    file.write_bytes(b"x" * 2 * len(expected))
    monkeypatch.setattr(Path, "replace", failing(errno.EBUSY))
    done = mycirrus(*LOG, "--output", str(file))

    assert done.returncode == 0
    assert "was not replaced but overwritten (Device or resource busy)" in done.stderr
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [expected]


def test_what_was_fetched_is_kept_if_the_file_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "replace", failing(errno.EACCES))
    done = mycirrus(*LOG, "--output", str(tmp_path / "log.csv"))
    (kept,) = tmp_path.iterdir()

    assert done.returncode == 1
    assert done.stderr.endswith(f"(Permission denied): its new content is in {kept}\n")
    assert kept.read_bytes().count(b"\n") == LINES


def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    name = "n" * 251 + ".csv"

    assert mycirrus(*LOG, "--output", name, cwd=tmp_path).returncode == 0
    assert [one.name for one in tmp_path.iterdir()] == [name]


@not_on_windows("links, sockets and descriptors have no such names")
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("n" * 252 + ".csv", "File name too long"),
        ("new/", "--output 'new/': give the name of a file"),
        ("", "--output '': give the name of a file"),
        (".", "is a folder"),
        ("no/where.csv", "there is no folder"),
        ("file/log.csv", "there is no folder"),
        ("link", "is a link that leads nowhere"),
        ("socket", "is not a file"),
        ("/dev/fd/987", "Bad file descriptor"),
        ("/dev/fd/99999999999999999999", "No such file or directory"),
        ("list", "--output list: is --instruments-file as well; give another name\n"),
        ("hard-link", "--output hard-link: is --instruments-file as well; give another name\n"),
        ("key", "--output key: is --api-key-file as well; give another name\n"),
        ("fleet", "--output fleet: is a database, such as an archive of mycirrus sync; give"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_a_request(
    name: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("link").symlink_to("link")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    Path("list").write_text("QT234567")
    Path("hard-link").hardlink_to("list")
    Path("key").write_text(DEMO_KEY)
    Path("key").chmod(0o600)
    with closing(sqlite3.connect("fleet")) as connection:
        connection.execute("CREATE TABLE empty (id)")
    inputs = ("--instruments-file", "list", "--api-key-file", "key")

    assert line in refused(*LOG, *inputs, "--output", name, cwd=tmp_path)


@pytest.mark.parametrize(
    ("problem", "mode", "code"),
    [
        (errno.EROFS, 0o755, 2),  # a read-only mount
        (errno.EPERM, 0o755, 2),  # an immutable file
        (errno.EACCES, 0o755, 0),  # no permission to write it, but to replace it
        pytest.param(errno.EACCES, 0o1777, 2, marks=not_on_windows("there is no sticky bit")),
    ],
)
def test_a_file_that_cannot_be_replaced_is_refused_before_a_request(
    problem: int, mode: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a shared folder such as /tmp, only its owner may replace it."""
    file, real = tmp_path / "log.csv", os.open
    file.touch()
    tmp_path.chmod(mode)

    def opened(path: Any, *arguments: Any, **options: Any) -> int:
        if path == file:
            raise OSError(problem, os.strerror(problem))
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1, raising=False)
    done = mycirrus(*LOG, "--output", str(file), standin=(standin := Standin()))

    assert (done.returncode, bool(standin.requests)) == (code, code == 0)
    assert code == 0 or done.stderr == f"mycirrus: --output {file}: {os.strerror(problem)}\n"


# Streams


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_has_several_names(name: str) -> None:
    done = mycirrus(*LOG, "--output", name)

    assert (done.returncode, len(done.stdout.splitlines())) == (0, LINES)


@not_on_windows("a named pipe is no file")
def test_a_named_pipe_gets_the_output(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received = list[bytes]()
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()), daemon=True)
    reader.start()
    done = mycirrus(*LOG, "--output", str(pipe))
    reader.join(TIMEOUT)

    assert done.returncode == 0
    assert received[0].count(b"\n") == LINES
    assert list(tmp_path.iterdir()) == [pipe]


@not_on_windows("a named pipe is no file")
def test_a_named_pipe_that_its_reader_closes_before_the_end_is_an_error(tmp_path: Path) -> None:
    """Unlike standard output: what ``--output`` names is not complete."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    class Closing(Standin):
        def handle(self, request: Request) -> Reply:
            with suppress(OSError):
                os.close(reader)
            return super().handle(request)

    done = mycirrus(*LOG, "--concurrency", "1", "--output", str(pipe), standin=Closing())

    assert done.returncode == 1
    assert done.stderr == f"mycirrus: --output {pipe}: its reader closed it before the end\n"


@not_on_windows("there is no /dev/fd")
def test_an_open_file_is_continued_and_not_replaced(tmp_path: Path) -> None:
    """As in ``--output /dev/fd/3 3>> FILE``."""
    file = tmp_path / "log.csv"
    file.write_bytes(b"old\n")
    with file.open("ab") as stream:
        done = mycirrus(*LOG, "--output", f"/dev/fd/{stream.fileno()}")

    assert done.returncode == 0
    assert file.read_bytes().startswith(b"old\ninstrument,")
    assert file.read_bytes().count(b"\n") == LINES + 1


def test_a_shell_can_append_the_output_and_substitute_a_process(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    script = f'"$@" /dev/stdout >> {file}; "$@" >(cat >> {file})'
    file.write_text("old\n")
    with serve(Standin()) as url:
        done = mycirrus_process(*LOG, "--quiet", "--output", script=script, base_url=url)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert file.read_bytes().startswith(b"old\ninstrument,time")
    assert file.read_bytes().count(b"instrument,time") == 2


def full() -> TextIO:
    return Path("/dev/full").open("w", encoding="utf-8")


def full_and_unbuffered() -> TextIO:
    """As with PYTHONUNBUFFERED: the first ``write`` fails, and not the last ``flush``."""
    file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115 - the stream closes it
    return io.TextIOWrapper(cast("BinaryIO", file), "utf-8", write_through=True)


def broken() -> TextIO:
    """A pipe without a reader."""
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "w", encoding="utf-8")


@pytest.mark.parametrize(
    ("stdout", "code", "line"),
    [
        (full, 1, "No space left on device\n"),
        (full_and_unbuffered, 1, "No space left on device\n"),
        (broken, 0, ""),
    ],
)
@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("standin", "--help"),
        ("standin",),
        ("completion", "bash"),
        ("log", "QT1", "--last", "1y", "--dry-run"),
        ("log", "QT123456", *YEARS, "--quiet"),
        (*LOG, "--quiet"),
    ],
    ids=" ".join,
)
def test_a_full_disk_is_an_error_and_a_pipe_that_its_reader_has_closed_is_not(
    words: tuple[str, ...], stdout: Callable[[], TextIO], code: int, line: str
) -> None:
    def program() -> int:
        with stdout() as sys.stdout:
            return main(words)

    with client_defaults(transport=Standin().transport()):
        done = run_main(program, environment(NOWHERE))

    assert done.returncode == code
    assert done.stderr.endswith(line)
    assert done.stderr.count("\n") == code


@pytest.mark.parametrize("stdout", [full, full_and_unbuffered, broken])
def test_a_contract_check_that_cannot_print_ends_with_4_and_not_as_if_a_promise_were_broken(
    stdout: Callable[[], TextIO],
) -> None:
    def program() -> int:
        with stdout() as sys.stdout:
            return main(("contract", "--standin"))

    done = run_main(program, environment())

    assert done.returncode == 4
    assert "contract: the check itself failed: " in done.stderr


@pytest.mark.parametrize("form", FORMATS)
def test_a_device_that_is_full_is_an_error_with_each_format(form: str) -> None:
    words = ("log", "QT123456", *YEARS, "--format", form, "--output", "/dev/full")
    done = mycirrus(*words)
    gc.collect()  # writes nothing more

    assert (done.returncode, done.stderr) == (1, "mycirrus: /dev/full: No space left on device\n")


@pytest.mark.parametrize(
    ("name", "words", "code", "line"),
    [
        ("stdout", LOG, 2, "mycirrus: standard output is closed: give --output FILE\n"),
        *(
            ("stdout", words, 1, "mycirrus: standard output is closed\n")
            for words in (
                ("--help",),
                ("standin", "--help"),
                ("standin",),
                ("--version",),
                ("completion", "bash"),
                ("doctor", "QT123456"),
                ("log", "QT123456", *YEARS, "--dry-run"),
            )
        ),
        ("stderr", ("log",), 2, ""),
        ("stdin", ("log", "-", "--last", "1y"), 2, "mycirrus: standard input is closed: give "),
    ],
)
def test_a_closed_stream_is_no_fault(
    name: str, words: tuple[str, ...], code: int, line: str
) -> None:
    def program() -> int:
        setattr(sys, name, None)
        return main(words)

    with client_defaults(transport=Standin().transport()):
        done = run_main(program, environment(NOWHERE))

    assert done.returncode == code
    assert done.stderr.startswith(line)


def test_a_message_that_cannot_be_written_changes_no_exit_code() -> None:
    """Python would end with 120 if it could not write at its end either."""
    assert mycirrus_process("log", script='exec "$@" 2> /dev/full').returncode == 2
