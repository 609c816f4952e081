"""Finds the API key: in a file, the environment, or the system's keyring."""

import os
import stat
from importlib import import_module
from pathlib import Path

from cirrus_ext.settings import API_KEY_VARIABLE, Secret

from .echo import echo
from .exits import CommandError
from .text import decoded

# Under these names `keyring set mycirrus api-key` keeps it.
KEYRING_SERVICE, KEYRING_USER = "mycirrus", "api-key"

# Bytes. A key has a few dozen; a larger file was named by mistake.
MAX_FILE = 4096


def find_key(file: str | None, *, quiet: bool = False) -> tuple[Secret, str]:
    """Return the key from the file, else from the environment, else from the keyring.

    Args:
        file: A file that holds the key. If other users can read it, there is a warning.
        quiet: Whether to leave out warnings.

    Returns:
        The key, and the place where it was found.

    Raises:
        CommandError: There is no key, or it is invalid.
    """
    secret, origin = _found(file, quiet=quiet)
    if problem := secret.problem():
        raise CommandError(f"the API key in {origin} {problem}")
    return secret, origin


def _found(file: str | None, *, quiet: bool) -> tuple[Secret, str]:
    if file is not None:
        return _read(Path(file), quiet=quiet), file
    if value := os.environ.get(API_KEY_VARIABLE):
        return Secret(value), API_KEY_VARIABLE
    if (kept := _key_in_keyring()) is not None:
        return kept, "the keyring"
    raise CommandError(f"no API key: set {API_KEY_VARIABLE}, or give --api-key-file FILE")


def _read(path: Path, *, quiet: bool) -> Secret:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MAX_FILE + 1)
    except (OSError, ValueError) as error:
        # Without the name, which may be the key itself.
        problem = error.strerror if isinstance(error, OSError) else "not the name of a file"
        raise CommandError(f"--api-key-file: {problem}; give the name of a file") from None
    if len(content) > MAX_FILE:
        raise CommandError(f"--api-key-file {path}: holds more than a key")
    is_open = os.name == "posix" and stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH)
    if is_open and not quiet:
        echo(f"warning: {path} can be read by others; chmod 600 {path}")
    try:
        secret = Secret(decoded(content).strip())
    except ValueError:
        raise CommandError(f"--api-key-file {path}: must be text in UTF-8") from None
    if not secret.reveal():
        raise CommandError(f"--api-key-file {path}: is empty")
    return secret


def _key_in_keyring() -> Secret | None:
    """Return the key in the keyring; None if it has none, or if there is no keyring."""
    try:
        value = import_module("keyring").get_password(KEYRING_SERVICE, KEYRING_USER)
    except Exception:  # noqa: BLE001 - no such package, no keyring, or it is locked: there is none
        return None
    return Secret(value) if value else None
