"""The texts of ``--help`` besides those of the options."""

import textwrap
from functools import cache

from .exits import EXIT_CODES

EXAMPLES = {
    "mycirrus": """\
examples:
  mycirrus log QT123456 QT234567 --start 2020-01-01 --end 2023-01-01
  mycirrus log QT123456 --last 18m --output log.csv
  mycirrus sync fleet.db QT123456 QT234567 --last 5y
  mycirrus report QT123456 --last 3y --max-gap 400d --output report.html
  mycirrus doctor QT123456""",
    "log": """\
examples:
  mycirrus log QT123456 --last 90d
  mycirrus log QT123456 --start 2020-01-01 --end 2023-01-01 --output log.csv
  mycirrus log QT123456 --last 5y --dry-run
  mycirrus log --from fleet.db --last 90d""",
    "sync": """\
examples, the first run, each later one, and a check without any request:
  mycirrus sync fleet.db QT123456 QT234567 --last 5y
  mycirrus sync fleet.db
  mycirrus sync --check fleet.db""",
    "report": """\
example, as a cron job that mails when it fails:
  mycirrus report QT123456 --last 3y --max-gap 400d --output report.html --quiet""",
    "completion": """\
for bash, in ~/.bashrc:
  eval "$(mycirrus completion bash)"
for zsh, in ~/.zshrc, after compinit:
  eval "$(mycirrus completion zsh)"
Where the command is in an environment of its own, put the line at the end of
that environment's bin/activate instead.""",
}
RANGE = """\
TIME is a date, which means midnight UTC, or an RFC 3339 time with Z or an
offset, such as 2023-01-01T08:00:00+01:00. The range is half-open: an entry at
--start belongs to it, one at --end does not. SPAN is a number with d (days),
w (weeks), m (calendar months) or y (calendar years), such as 90d or 18m."""
KEY = """\
The API key is taken from --api-key-file, else from MYCIRRUS_API_KEY, else from
the system's keyring (extra "keyring": keyring set mycirrus api-key). It is
never an argument, because other users of a machine can see those."""


@cache
def exit_codes() -> str:
    """Return the list of all exit codes."""
    lines = [
        textwrap.fill(
            text,
            78,
            initial_indent=f"  {code:<5}",
            subsequent_indent=" " * 7,
            break_on_hyphens=False,
        )
        for code, text in EXIT_CODES.items()
    ]
    return "exit codes:\n" + "\n".join(lines)
