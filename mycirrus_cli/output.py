"""Where the output goes: to standard output, or to a file that is whole or not there at all."""

import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .exits import CommandError

STANDARD_OUTPUT = "-"


def path_of(output: str | None) -> Path | None:
    """The file that ``--output`` names; None for standard output."""
    return None if output is None or output == STANDARD_OUTPUT else Path(output)


@contextmanager
def opened(path: Path | None) -> Generator[BinaryIO]:
    """Give a stream to write to.

    Args:
        path: A file to replace; None for standard output.

    Raises:
        CommandError: There is nowhere to write.
    """
    if path is not None:
        with replaced(path) as file:
            yield file
    elif sys.stdout is None:
        raise CommandError("standard output is closed: give --output FILE")
    else:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()


@contextmanager
def replaced(path: Path) -> Generator[BinaryIO]:
    """Write a file beside another, which takes the other's place if the block ends well.

    Raises:
        CommandError: It cannot be written.
    """
    target = checked(path)
    try:
        number, name = tempfile.mkstemp(".tmp", f".{target.name}.", target.parent)
    except OSError as error:
        raise CommandError(f"--output {path}: {error.strerror}") from None
    beside = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            yield file
            file.flush()
            os.fsync(number)
        _take_mode(beside, target)
        beside.replace(target)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise


def checked(path: Path) -> Path:
    """The file behind a path, if one can be written there.

    Raises:
        CommandError: It is something else than a file, or its folder is not there.
    """
    try:
        target = path.resolve()
    except (OSError, RuntimeError):  # Python 3.11 and 3.12 call a link to itself a RuntimeError
        raise CommandError(f"--output {path}: is a link that leads nowhere") from None
    if target.is_dir():
        raise CommandError(f"--output {path}: is a folder; give the name of a file")
    if target.exists() and not target.is_file():
        raise CommandError(f"--output {path}: is not a file; leave --output out for a pipe")
    if not target.parent.is_dir():
        raise CommandError(f"--output {path}: there is no folder {target.parent}")
    return target


def _take_mode(beside: Path, target: Path) -> None:
    """Who may read the file: as before, or as for any new one."""
    if target.exists():
        beside.chmod(target.stat().st_mode & 0o777)
        return
    umask = os.umask(0)
    os.umask(umask)
    beside.chmod(0o666 & ~umask)
