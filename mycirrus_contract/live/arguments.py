"""The command line of ``mycirrus contract``. It imports no package of the extra."""

from pathlib import Path

from mycirrus_contract.arguments import Parser

BUDGET = 9  # requests of the check's own
THOROUGH = 15  # with this budget it sends all that it can send
CONTROLS = 3  # controls and repeats, on top of the budget
EXIT_CODES = """\
exit codes:
  0  every promise that was checked holds
  1  a promise is broken, or new drift was found, or an acceptance has expired
  2  bad usage, or every answer refused the key or is not the API's
  3  undecided: unreachable, throttled, or nothing to look at
  4  the check itself failed: nothing is said of the API"""


def parser() -> Parser:
    """The command line."""
    command = Parser(
        "mycirrus contract",
        "Send a few requests to the MyCirrus API, and say which promises it keeps.\n"
        "The key is taken from MYCIRRUS_API_KEY.",
        EXIT_CODES,
    )
    command.add_argument("--base-url", metavar="URL", help="default: MYCIRRUS_BASE_URL, or the API")
    command.add_argument(
        "--instruments", metavar="A,B", help="serial numbers; default: MYCIRRUS_INSTRUMENTS"
    )
    command.add_argument("--start", metavar="TIME", help="default: 365 days before the end")
    command.add_argument("--end", metavar="TIME", help="default: now")
    command.add_argument(
        "--interval", type=float, default=1.0, metavar="SECONDS", help="between requests; default 1"
    )
    command.add_argument(
        "--budget",
        type=int,
        default=BUDGET,
        metavar="N",
        help=f"the most requests, besides up to two through the SDK and up to {CONTROLS} controls "
        f"and repeats; default {BUDGET}; with {THOROUGH} it sends all that it can send",
    )
    command.add_argument(
        "--report-dir",
        type=Path,
        metavar="DIR",
        help="write report.md, report.html, junit.xml, cassette.json and questions.patch here",
    )
    command.add_argument(
        "--accept", type=Path, metavar="FILE", help="drift that was looked at, with an expiry"
    )
    command.add_argument(
        "--questions",
        type=Path,
        metavar="FILE",
        help="the file of open questions that questions.patch is for, which creates it if it is "
        "missing; default: openapi/questions.yaml of this project",
    )
    command.add_argument(
        "--allow-undecided", action="store_true", help="exit with code 0 in place of 3"
    )
    command.add_argument(
        "--standin", action="store_true", help="check the stand-in, which is started for it"
    )
    return command
