"""Where the output goes: to a stream, or to a file that is complete or stays as it was."""

import errno
import os
import re
import shutil
import stat
import sys
import tempfile
from argparse import Namespace
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .echo import echo
from .exits import FAILED, CommandError

STANDARD_OUTPUT = {"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}
# Their targets may be regular files, to which the output is appended.
DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,9})|/dev/std(err)")
DATABASE = b"SQLite format 3\0"  # how an archive begins
# The errors of fsync on file systems that do not support it.
NO_FSYNC = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EROFS}


def path_of(options: Namespace) -> Path | None:
    """Return the path that ``--output`` names; None for standard output.

    Raises:
        CommandError: It ends in a slash, or is a file that the run reads.
    """
    output: str | None = options.output
    if output is None or output in STANDARD_OUTPUT:
        return None
    if not output or output.endswith(("/", os.sep)):
        raise CommandError(f"--output {output!r}: give the name of a file")
    inputs = {
        "--from": options.archive,
        "--instruments-file": options.instruments_file,
        "--api-key-file": options.api_key_file,
        "standard input": "/dev/stdin" if "-" in options.serials else None,
    }
    for name, file in inputs.items():
        with suppress(OSError):  # one of the two does not exist
            if file is not None and Path(output).is_file() and Path(output).samefile(file):
                raise CommandError(f"--output {output}: is {name} as well; give another name")
    return Path(output)


@contextmanager
def opened(path: Path | None, *, quiet: bool = False) -> Generator[BinaryIO]:
    """Open the output for writing.

    Args:
        path: A file to replace, a named pipe or a device; None for standard output.
        quiet: Whether to leave out warnings.

    Raises:
        CommandError: It cannot be written.
    """
    if path is None:
        if not sys.stdout.writable():
            raise CommandError("standard output is closed: give --output FILE")
        yield sys.stdout.buffer
        sys.stdout.flush()
    elif (stream := _stream(path)) is not None:
        try:
            with stream:
                yield stream
        except BrokenPipeError:
            line = f"--output {path}: its reader closed it before the end"
            raise CommandError(line, FAILED) from None
    else:
        with replaced(path, quiet=quiet) as file:
            yield file


def _stream(path: Path) -> BinaryIO | None:
    """Open a path that names an open file, a named pipe or a device; None for any other.

    Raises:
        CommandError: It cannot be opened.
    """
    with one_line(f"--output {path}"):
        if descriptor := DESCRIPTOR.fullmatch(str(path)):
            return os.fdopen(os.dup(int(descriptor[1] or 2)), "wb")
        mode = path.stat().st_mode if path.exists() else stat.S_IFREG
        if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
            return path.open("wb")
    return None


@contextmanager
def one_line(name: str) -> Generator[None]:
    """Name what was given in an error of the operating system, which becomes bad usage."""
    try:
        yield
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from None


def resolved(name: str, path: Path) -> Path:
    """Return the file that a path leads to, which may not be there yet.

    Args:
        name: What to call it in an error.
        path: The path.

    Raises:
        CommandError: It cannot be a file.
    """
    with one_line(name):
        try:
            target = path.resolve()
            is_loop = target.is_symlink()  # which raises nothing in Python 3.13
        except RuntimeError:
            is_loop = True
        if is_loop:
            raise CommandError(f"{name}: is a link that leads nowhere")
        if target.is_dir():
            raise CommandError(f"{name}: is a folder; give the name of a file")
        if target.exists() and not target.is_file():
            raise CommandError(f"{name}: is not a file")
        if not target.parent.is_dir():
            raise CommandError(f"{name}: there is no folder {target.parent}")
    return target


@contextmanager
def replaced(path: Path, *, quiet: bool = False) -> Generator[BinaryIO]:
    """Write a temporary file, which replaces another one if the block ends without an error.

    Raises:
        CommandError: It cannot be written.
    """
    target = checked(path)
    with one_line(f"--output {path}"):
        # Its length does not depend on the target's name, which may be as long as a name can be.
        number, name = tempfile.mkstemp(".tmp", ".mycirrus.", target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            yield file
            file.flush()
            _fsync(number)
        warnings = _keep_attributes(temporary, target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    warnings += _move(temporary, target)
    if warnings and not quiet:
        echo(f"warning: {path}: {', '.join(warnings)}")


def checked(path: Path) -> Path:
    """Return the file that a path leads to, if it can be written.

    Raises:
        CommandError: It cannot, as far as can be known before.
    """
    target = resolved(f"--output {path}", path)
    with one_line(f"--output {path}"):
        if target.exists():
            with suppress(PermissionError), target.open("rb") as file:
                if file.read(len(DATABASE)) == DATABASE:
                    raise CommandError(
                        f"--output {path}: is a database, such as an archive of mycirrus sync; "
                        "give another name"
                    )
            try:
                os.close(os.open(target, os.O_WRONLY))  # refused if read-only mount or immutable
            except PermissionError as error:
                # A file without write permission can be replaced, but not in another's /tmp.
                if error.errno != errno.EACCES or _is_protected(target):
                    raise
    return target


def _is_protected(target: Path) -> bool:
    """Return whether the sticky bit of its folder keeps this user from replacing a file."""
    folder = target.parent.stat()
    owners = {0, folder.st_uid, target.stat().st_uid}
    return bool(folder.st_mode & stat.S_ISVTX) and os.geteuid() not in owners


def _fsync(number: int) -> None:
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in NO_FSYNC:
            raise


def _keep_attributes(temporary: Path, target: Path) -> list[str]:
    """Give the new file the owner, mode and access list of the old one, as far as possible.

    Returns:
        Warnings, for what is not possible.
    """
    try:
        if not target.exists():
            umask = os.umask(0)
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
            return []
        shutil.copystat(target, temporary)
        os.utime(temporary)
    except OSError as error:
        return [f"its mode could not be set ({error.strerror})"]
    return _keep_owner(temporary, target)


def _keep_owner(temporary: Path, target: Path) -> list[str]:
    old, new = target.stat(), temporary.stat()
    if (old.st_uid, old.st_gid) == (new.st_uid, new.st_gid):
        return []
    try:
        os.chown(temporary, old.st_uid, old.st_gid)
        temporary.chmod(stat.S_IMODE(old.st_mode))  # chown clears some bits
    except OSError as error:
        with suppress(OSError):  # what the old group might do, the new one may not
            temporary.chmod(stat.S_IMODE(old.st_mode) & ~0o070)
        return [f"its owner and group could not be kept ({error.strerror})"]
    return []


def _move(temporary: Path, target: Path) -> list[str]:
    """Put the temporary file in the target's place, or its content if that is not possible.

    Returns:
        Warnings.

    Raises:
        CommandError: Neither is possible; the temporary file stays.
    """
    try:
        temporary.replace(target)
    except OSError as error:
        try:
            with temporary.open("rb") as source, target.open("r+b") as file:
                shutil.copyfileobj(source, file)
                file.truncate()
        except OSError:
            raise CommandError(
                f"{target} could not be replaced ({error.strerror}): its new content is in "
                f"{temporary}",
                FAILED,
            ) from None
        temporary.unlink()
        return [f"was not replaced but overwritten ({error.strerror})"]  # it is a mount point
    return []
