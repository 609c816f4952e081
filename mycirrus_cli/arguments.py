"""The command line, as ``--help`` shows it."""

import argparse
from collections.abc import Mapping
from typing import Any, NoReturn

from .exits import CommandError
from .help import EXAMPLES, KEY, RANGE, exit_codes

# The table, and those of `formats.FORMATS`; --help need not wait for that module.
FORMATS = ("table", "csv", "json", "ndjson", "parquet", "xlsx")

# Their options are those of mycirrus_contract, which --help does not load.
PASSED_ON = {
    "contract": "check whether the API still keeps its contract; needs the extra contract",
    "standin": "serve a stand-in for the API, for development; needs the extra contract",
}
COMMANDS = ("log", "sync", "report", "doctor", *PASSED_ON, "completion")
MOST_CONCURRENT = 64

# Options that people may try; the next word would be the key, which must not be shown.
_KEY_OPTIONS = ("--api-key", "--apikey", "--api_key", "--key", "--token")


class Parser(argparse.ArgumentParser):
    """A parser that reports an error in one line, and shows nothing that may be a key.

    Attributes:
        commands: The parsers of its commands, by name.
    """

    def __init__(self, **options: object) -> None:
        self.commands: Mapping[str, argparse.ArgumentParser] = {}
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **options,  # type: ignore[arg-type]  # handed on to argparse
        )

    def error(self, message: str) -> NoReturn:
        """Raise an error, which is shown like any other."""
        raise CommandError(f"{message}; see {self.prog} --help")

    def print_help(self, file: Any = None) -> None:
        """Print the help; argparse would not notice that it cannot be written."""
        print(self.format_help(), end="", file=file)


def parser() -> Parser:
    """Return the parser of the command line."""
    command = Parser(
        prog="mycirrus",
        usage="%(prog)s COMMAND [OPTIONS]",
        description="The calibration logs of Cirrus Research instruments, from the MyCirrus API.",
        epilog="\n\n".join([EXAMPLES["mycirrus"], KEY, exit_codes()]),
    )
    command.add_argument("--version", action="store_true", help="show the version")
    commands = command.add_subparsers(
        prog=command.prog, dest="command", metavar="COMMAND", required=True
    )
    _add_log(commands)
    _add_sync(commands)
    _add_report(commands)
    _add_doctor(commands)
    for name, text in PASSED_ON.items():
        commands.add_parser(name, help=text)
    _add_completion(commands)
    command.commands = commands.choices
    return command


def parse(words: list[str]) -> argparse.Namespace:
    """Read the command line.

    Raises:
        CommandError: It is wrong.
        SystemExit: It asks for help or for the version.
    """
    if any(word.partition("=")[0].lower() in _KEY_OPTIONS for word in words):
        raise CommandError(
            "the API key is never an argument: set MYCIRRUS_API_KEY, or give --api-key-file FILE"
        )
    if words[:1] == ["--version"]:
        from importlib.metadata import version  # noqa: PLC0415 - --help must be quick

        print("mycirrus", version("mycirrus-sdk"))  # the SDK has it too, and takes longer to load
        raise SystemExit
    if words and words[0] in PASSED_ON:
        return argparse.Namespace(command=words[0], words=words[1:])
    command = next((word for word in words if not word.startswith("-")), None)
    if command not in {*COMMANDS, None}:
        raise CommandError(f"no such command: there are {', '.join(COMMANDS)}")
    options, rest = parser().parse_known_args(words)
    # argparse takes serial numbers in one place only: the others are left over.
    mark = rest.index("--") if "--" in rest else len(rest)
    unknown = [word for word in rest[:mark] if word.startswith("-")]
    serials = [word for word in rest[:mark] if word not in unknown] + rest[mark + 1 :]
    if unknown or (serials and not hasattr(options, "serials")):
        raise CommandError(_not_understood(options.command, unknown))
    if serials:
        options.serials = options.serials + serials
    return options


def _not_understood(command: str, unknown: list[str]) -> str:
    """Return the message about unknown options, or about one serial number too many."""
    if not unknown:
        return f"one serial number at most; see mycirrus {command} --help"
    from difflib import get_close_matches  # noqa: PLC0415 - --help must be quick

    named = " ".join(map(_without_value, unknown))
    guesses = get_close_matches(_without_value(unknown[0]), _options_of(command), 1)
    guess = f"; did you mean {guesses[0]}? See" if guesses else "; see"
    return f"no such option: {named}{guess} mycirrus {command} --help"


def _options_of(command: str) -> list[str]:
    """Return the long options of a command."""
    shown = parser().commands[command].format_help()
    return [word for word in shown.replace(",", " ").split() if word.startswith("--")]


def _without_value(option: str) -> str:
    """Return the name of an option, because its value may be a key."""
    return option.partition("=")[0] if option.startswith("--") else option[:2]


def _workers(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_CONCURRENT:
        raise argparse.ArgumentTypeError(f"must be from 1 to {MOST_CONCURRENT}: {text}")
    return int(text)


def _add_command(
    commands: "argparse._SubParsersAction[Parser]", name: str, usage: str, summary: str, *notes: str
) -> Parser:
    return commands.add_parser(
        name,
        usage=f"%(prog)s {usage}",
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog="\n\n".join([*notes, exit_codes()]),
    )


def _add_log(commands: "argparse._SubParsersAction[Parser]") -> None:
    command = _add_command(
        commands,
        "log",
        "[OPTIONS] SERIAL ...",
        "fetch the calibration log of instruments, over any length of time",
        *(EXAMPLES["log"], RANGE, KEY),
    )
    _add_query(command)
    output = command.add_argument_group("output")
    output.add_argument(
        "--format",
        choices=FORMATS,
        help="default: by the end of the name of OUTPUT, else table",
    )
    output.add_argument(
        "--output",
        metavar="OUTPUT",
        help="write to this file, which is complete or stays as it was; default: standard output",
    )
    _add_time_zone(output, "table and xlsx")
    _add_dry_run(output)
    _add_connection(command)


def _add_sync(commands: "argparse._SubParsersAction[Parser]") -> None:
    command = _add_command(
        commands,
        "sync",
        "[OPTIONS] ARCHIVE [SERIAL ...]",
        "keep an archive of the log up to date, and notice changes of the past",
        *(EXAMPLES["sync"], RANGE, KEY),
    )
    command.add_argument("archive", metavar="ARCHIVE", help="a SQLite file, such as fleet.db")
    group = _add_instruments(
        command, "serial numbers to add; those that are in ARCHIVE are always requested"
    )
    _add_start(
        group,
        start="the first moment of the range of new instruments",
        last="instead of --start: the length of the range, up to now",
    )
    group.add_argument(
        "--verify",
        action="store_true",
        help="read everything again, and not only the last 364 days",
    )
    group.add_argument(
        "--retire",
        action="append",
        default=[],
        metavar="SERIAL",
        help="stop requesting this instrument, and keep its entries; may be repeated",
    )
    _add_dry_run(group)
    integrity = command.add_argument_group("integrity")
    integrity.add_argument(
        "--check",
        action="store_true",
        help="send no request, and check that ARCHIVE is as it was written",
    )
    integrity.add_argument(
        "--head",
        metavar="HEX",
        help="with --check: also check that ARCHIVE continues from this head, which an earlier run "
        "printed",
    )
    _add_connection(command)


def _add_report(commands: "argparse._SubParsersAction[Parser]") -> None:
    command = _add_command(
        commands,
        "report",
        "--output OUTPUT [OPTIONS] SERIAL ...",
        "write an HTML report for an audit: time lines, gaps, and all entries",
        *(EXAMPLES["report"], RANGE, KEY),
    )
    _add_query(command)
    output = command.add_argument_group("output")
    output.add_argument(
        "--output", metavar="OUTPUT", required=True, help="the file to write, such as report.html"
    )
    _add_time_zone(output, "the report")
    output.add_argument(
        "--max-gap",
        metavar="SPAN",
        help="mark instruments without an entry for longer than this, in days or weeks such as "
        "400d, and exit with code 4",
    )
    _add_connection(command)


def _add_doctor(commands: "argparse._SubParsersAction[Parser]") -> None:
    command = _add_command(
        commands,
        "doctor",
        "[OPTIONS] [SERIAL]",
        "check the key, the network, the clock and the scope, with two requests at most",
        KEY,
    )
    command.add_argument(
        "serial",
        nargs="?",
        metavar="SERIAL",
        help="a serial number that the key may read; default: the first of MYCIRRUS_INSTRUMENTS",
    )
    _add_connection(command, quiet=False)


def _add_completion(commands: "argparse._SubParsersAction[Parser]") -> None:
    command = _add_command(
        commands,
        "completion",
        "{bash,zsh}",
        "print a script that completes the command in bash or zsh",
        EXAMPLES["completion"],
    )
    command.add_argument("shell", choices=("bash", "zsh"), help="your shell")


def _add_query(command: argparse.ArgumentParser) -> None:
    group = _add_instruments(command, "serial numbers; - reads standard input")
    group.add_argument(
        "--from",
        dest="archive",
        metavar="ARCHIVE",
        help="read an archive of mycirrus sync, and send no request; default: all that is in it",
    )
    _add_start(
        group,
        start="the first moment of the range; this, --last or --from is needed",
        last="instead of --start: the length of the range",
    )
    group.add_argument(
        "--end",
        metavar="TIME",
        help="the first moment after the range; default: now, or the last update of ARCHIVE",
    )


def _add_instruments(command: argparse.ArgumentParser, serials: str) -> "argparse._ArgumentGroup":
    group = command.add_argument_group("instruments and range")
    group.add_argument("serials", nargs="*", default=[], metavar="SERIAL", help=serials)
    group.add_argument(
        "--instruments-file",
        metavar="FILE",
        help="serial numbers, one in a line; blank lines and lines that start with # are skipped",
    )
    return group


def _add_start(group: "argparse._ArgumentGroup", *, start: str, last: str) -> None:
    # Not required by argparse, which would report them before an unknown option.
    either = group.add_mutually_exclusive_group()
    either.add_argument("--start", metavar="TIME", help=start)
    either.add_argument("--last", metavar="SPAN", help=last)


def _add_dry_run(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--dry-run", action="store_true", help="list the requests, and send none")


def _add_time_zone(output: "argparse._ArgumentGroup", shown: str) -> None:
    output.add_argument(
        "--time-zone",
        metavar="ZONE",
        help=f"show the times of {shown} in this zone, such as Europe/London, with their offset "
        "from UTC; TIME without an offset stays midnight UTC",
    )


def _add_connection(command: argparse.ArgumentParser, *, quiet: bool = True) -> None:
    connection = command.add_argument_group("connection")
    connection.add_argument(
        "--api-key-file", metavar="FILE", help="a file that holds the API key and nothing else"
    )
    connection.add_argument(
        "--base-url", metavar="URL", help="default: MYCIRRUS_BASE_URL, else the vendor's server"
    )
    if quiet:
        connection.add_argument(
            "--concurrency", type=_workers, metavar="N", help="simultaneous requests; default 4"
        )
        command.add_argument("--quiet", action="store_true", help="print no messages but errors")
    command.add_argument(
        "-v", "--verbose", action="store_true", help="print details of errors and retries"
    )
