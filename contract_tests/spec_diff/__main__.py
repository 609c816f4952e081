"""``make spec-diff``: compare our operation with the vendor's own OpenAPI document.

    python -m contract_tests.spec_diff PATH-OR-URL

What we have only inferred, and the vendor's document says too, may then be marked as the vendor's.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import httpx
import yaml
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mycirrus_contract.model import QUESTIONS_FILE, SPEC_FILE, load_yaml, tolerant

from .comparison import Comparison, compare
from .operation_tree import DocumentError, Object, RemoteReferenceError

NO_DIFFERENCE, DIFFERENCES, BAD_USAGE, UNREACHABLE = range(4)
EXIT_CODES = """\
exit codes:
  0  no difference
  1  differences
  2  bad usage, or a document that cannot be read
  3  the address gives no document: unreachable, an error status, or a redirect
(make turns each of 1, 2 and 3 into 2; for the number call this program.)"""

PROGRAM = "python -m contract_tests.spec_diff"
LAST_PORT = 65_535
TIMEOUT = 30.0  # seconds that the server may be silent
# Also what only looks like an address: it may hold a password, so it is never shown as a path.
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:|//")

Rows = Iterable[tuple[str, str]]


class UnreachableError(Exception):
    """The address gave no document."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command = argparse.ArgumentParser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [-h] PATH-OR-URL",
        description="Compare GET /data/calibrations/log in a vendor's OpenAPI document (3.0 or "
        "3.1, YAML or JSON) with openapi/mycirrus.yaml. Of an address, redirects are not followed.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    # Any number, because argparse would quote the ones that are too many.
    command.add_argument("document", nargs="*", metavar="PATH-OR-URL", help="the document")
    return command


def main(arguments: list[str] | None = None) -> int:
    """Read, compare, print.

    Returns:
        The exit code, see `EXIT_CODES`.
    """
    given = parser().parse_args(arguments).document
    if len(given) != 1:
        return _failed(
            f"give one path or address, not {len(given)}: {PROGRAM} PATH-OR-URL", BAD_USAGE
        )
    try:
        name, document = read(given[0])
        comparison = compare(document, dict(tolerant().document))
    except RemoteReferenceError as error:
        return _failed(f"{error}: bundle the document into one file first", BAD_USAGE)
    except DocumentError as error:
        return _failed(str(error), BAD_USAGE)
    except UnreachableError as error:
        return _failed(str(error), UNREACHABLE)
    except KeyboardInterrupt:
        return _failed("stopped", 130)
    print_comparison(Console(highlight=False), name, comparison)
    return DIFFERENCES if comparison.differences else NO_DIFFERENCE


def _failed(text: str, exit_code: int) -> int:
    print(f"spec-diff: {_printable(text)}", file=sys.stderr)
    return exit_code


def read(given: str) -> tuple[str, Object]:
    """Read a document, and name it without anything secret.

    Raises:
        DocumentError: There is no document in it.
        UnreachableError: The address did not give it.
    """
    if ADDRESS.match(given):
        name, content = _fetch(given)
    else:
        name = given
        try:
            content = Path(given).read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "no path"
            raise DocumentError(f"{given} cannot be read: {reason}") from error
    document = _parsed(name, content)
    if not isinstance(document, dict):
        raise DocumentError(f"{name} is no OpenAPI document: it has no fields")
    return name, document


def _fetch(given: str) -> tuple[str, bytes]:
    """Get a document, without following redirects.

    Raises:
        DocumentError: Nothing can be sent to this address.
        UnreachableError: There was no answer, or one without a document.
    """
    try:
        url = httpx.URL(given)
        if url.userinfo:
            raise DocumentError("the address must have no user and no password")
        whole = url.scheme in {"http", "https"} and url.host and (url.port or 0) <= LAST_PORT
        if not whole:
            raise DocumentError("give a path, or an address such as https://host/openapi.yaml")
        answer = httpx.get(url, timeout=TIMEOUT, follow_redirects=False)
    except httpx.HTTPError as error:
        raise UnreachableError(f"{_shown(url)} gives no answer: {_reason(error)}") from error
    except (httpx.InvalidURL, ValueError) as error:
        raise DocumentError(
            "nothing can be sent to this address: check it, and the proxies of the environment"
        ) from error
    if answer.next_request is not None:
        target = _shown(answer.next_request.url)
        raise UnreachableError(
            f"{_shown(url)} redirects to {target}, which is not followed: give that address"
        )
    if answer.status_code != 200:
        raise UnreachableError(f"{_shown(url)} answered {answer.status_code}")
    return _shown(url), answer.content


def _shown(url: httpx.URL) -> str:
    """An address without what may be secret: user, password, query and fragment."""
    return f"{url.scheme}://{url.netloc.decode()}{url.path}"


def _reason(error: httpx.HTTPError) -> str:
    """The kind of an error; only that of a connection has a text without parts of addresses."""
    if isinstance(error, httpx.TimeoutException):
        return f"none within {TIMEOUT:.0f} s"
    return str(error) if isinstance(error, httpx.ConnectError) else type(error).__name__


def _parsed(name: str, content: bytes) -> object:
    """The values of a JSON or YAML text.

    Raises:
        DocumentError: It is neither.
    """
    try:
        text = content.decode("utf-8-sig")
        return json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except Exception as error:  # PyYAML lets KeyError, AttributeError and more out
        mark = getattr(error, "problem_mark", None)
        line = getattr(error, "lineno", None) or (mark and mark.line + 1)
        raise DocumentError(
            f"{name} is neither JSON nor YAML in UTF-8" + (f": see line {line}" if line else "")
        ) from error


def print_comparison(console: Console, name: str, comparison: Comparison) -> None:
    """Print what differs, what agrees, and what the document says to open questions."""
    _print_line(console, 0, f"{name} beside openapi/{SPEC_FILE.name}")
    _print_heading(console, len(comparison.differences), "difference")
    for one in comparison.differences:
        ours = f"{one.ours} ({one.source})" if one.source else one.ours
        _print_entry(console, one.where, [("vendor", one.vendor), ("we", ours)])
    mark = f"on what we inferred, which may be marked `vendor: {name}`"
    _print_heading(console, len(comparison.agreements), "agreement", mark)
    for agreed in comparison.agreements:
        _print_entry(console, agreed.where, [("both", agreed.value), ("so far", agreed.source)])
    _print_heading(console, len(comparison.answers), "open question", "that the document speaks to")
    for question in load_yaml(QUESTIONS_FILE)["questions"]:
        if says := comparison.answers.get(question["id"]):
            rows = [("vendor", says), ("assumed", question["assumed"])]
            _print_entry(console, question["id"], rows)


def _print_heading(console: Console, count: int, noun: str, more: str = "") -> None:
    counted = f"{count or 'no'} {noun}{'' if count == 1 else 's'} {more}".strip()
    console.print()
    console.print(Text(_printable(counted), style="bold"))


def _print_line(console: Console, indent: int, text: str) -> None:
    console.print(Padding(Text(_printable(text), overflow="fold"), (0, 0, 0, indent), expand=False))


def _print_entry(console: Console, title: str, rows: Rows) -> None:
    _print_line(console, 2, title)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, min_width=len("assumed"))
    table.add_column(overflow="fold")
    for label, text in rows:
        table.add_row(label, Text(_printable(text)))
    console.print(Padding(table, (0, 0, 0, 4), expand=False))


def _printable(text: str) -> str:
    """The text without characters that would steer a terminal."""
    return "".join(one if one.isprintable() else " " for one in text)


if __name__ == "__main__":
    sys.exit(main())
