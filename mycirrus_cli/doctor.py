"""``mycirrus doctor``: checks the key, the network, the clock and the scope."""

import os
import shutil
import textwrap
import time
from argparse import Namespace
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

from cirrus_ext.calibration_log import SCOPE
from cirrus_ext.client import CirrusClient
from cirrus_ext.errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    AuthenticationError,
    CirrusError,
    PermissionDeniedError,
)
from cirrus_ext.ranges import check_serial
from cirrus_ext.retry import RetryPolicy, http_date
from cirrus_ext.settings import Secret, find_base_url
from mycirrus_contract.text import plain

from .exits import DONE, FAILED
from .keys import find_key
from .query import utc_now
from .sdk_errors import KEYS_PAGE, exit_code
from .text import quantity

# At most two requests: the second one only if the first one failed.
POLICY = RetryPolicy(max_attempts=2, total_timeout=60.0, max_retry_after=10.0)
INSTRUMENTS_VARIABLE = "MYCIRRUS_INSTRUMENTS"
# Requested if no serial number is given. The answer of the API to it is not documented.
NO_SERIAL = "QT000000"
RANGE = timedelta(days=30)
# A Date header has whole seconds, and an answer takes some time.
CLOCK_TOLERANCE = timedelta(seconds=30)


class Finding(NamedTuple):
    """The result of one check, and its explanation."""

    verdict: Literal["ok", "FAULT", "?"]
    words: str

    def in_lines(self, about: str, width: int) -> str:
        """Return the text that is printed: subject, verdict, and the explanation beside them."""
        return textwrap.fill(
            plain(self.words, "?"),
            max(width, 40),
            initial_indent=f"{about:<9}{self.verdict:<7}",
            subsequent_indent=" " * 16,
            break_long_words=False,
            break_on_hyphens=False,
        )


@dataclass
class Examination:
    """What one request to the server has shown.

    Attributes:
        serial: The requested instrument.
        named: Whether the user named it.
        server: The address of the server.
        error: The error, if there was one.
        entries: The number of entries.
        seconds: The duration.
        date: The ``Date`` header of the answer.
        at: The time of this machine when the answer arrived.
    """

    serial: str
    named: bool
    server: str
    error: CirrusError | None = None
    entries: int = 0
    seconds: float = 0.0
    date: str | None = None
    at: datetime | None = None

    def note(self, response: Any) -> None:
        """Keep the times of an answer; a hook of httpx."""
        self.date, self.at = response.headers.get("date"), utc_now()


def run(options: Namespace) -> int:
    """Send one request, and print what it shows.

    Returns:
        The exit code.

    Raises:
        CommandError: There is no key.
        ConfigurationError: Not an address.
        InvalidRequestError: Not a serial number.
    """
    server = find_base_url(options.base_url)
    api_key, origin = find_key(options.api_key_file)
    found = _examine(options.serial, server, api_key)
    findings = {
        "key": _key(found, origin),
        "network": _network(found),
        "clock": _clock(found),
        "scope": _scope(found),
    }
    for about, finding in findings.items():
        print(finding.in_lines(about, shutil.get_terminal_size().columns))
    if found.error is not None:
        return exit_code(found.error)
    return FAILED if any(one.verdict == "FAULT" for one in findings.values()) else DONE


def _examine(serial: str | None, server: str, api_key: Secret) -> Examination:
    """Request the log of the last days."""
    # the first instrument of the contract check
    usual = os.environ.get(INSTRUMENTS_VARIABLE, "").partition(",")[0].strip()
    known = usual or None if serial is None else serial
    if known is not None:
        check_serial(INSTRUMENTS_VARIABLE if serial is None else "SERIAL", known)
    found = Examination(known or NO_SERIAL, known is not None, server)
    end = utc_now()
    with CirrusClient(api_key.reveal(), base_url=server, retry=POLICY) as client:
        client.raw.get_httpx_client().event_hooks["response"].append(found.note)
        began = time.monotonic()
        try:
            log = client.calibration_log([found.serial], start=end - RANGE, end=end)
            found.entries = len(log)
        except CirrusError as error:
            found.error = error
        found.seconds = time.monotonic() - began
    return found


def _key(found: Examination, origin: str) -> Finding:
    if isinstance(found.error, AuthenticationError):
        return Finding(
            "FAULT",
            f"the server does not accept the key in {origin} ({_status(found.error)}): make one at "
            f"{KEYS_PAGE}",
        )
    if found.error is None or isinstance(found.error, PermissionDeniedError):
        return Finding("ok", f"the server accepts the key in {origin}")
    return Finding("?", f"there is one in {origin}; the server did not judge it")


def _network(found: Examination) -> Finding:
    error = found.error
    if isinstance(error, APIConnectionError):
        return Finding("FAULT", f"{error}: check the network, the proxy, and {found.server}")
    if isinstance(error, APIResponseError):
        return Finding("FAULT", f"what answers at {found.server} is not the API: {error}")
    if isinstance(error, APIStatusError) and error.status_code not in {401, 403}:
        return Finding("FAULT", f"{found.server} answers, but with {error}")
    return Finding("ok", f"{found.server} answers in {found.seconds:.2f} s")


def _clock(found: Examination) -> Finding:
    theirs = http_date(found.date or "")
    if theirs is None or found.at is None:
        return Finding("?", "the server sent no time")
    ahead = found.at - theirs
    if abs(ahead) <= CLOCK_TOLERANCE:
        return Finding("ok", f"within {CLOCK_TOLERANCE.seconds} s of the server's")
    side = "ahead of" if ahead > timedelta() else "behind"
    return Finding(
        "FAULT",
        f"{timedelta(seconds=round(abs(ahead).total_seconds()))} {side} the server's: set it, or "
        "--last and a missing --end mean another range than you think",
    )


def _scope(found: Examination) -> Finding:
    if found.error is None and not found.named:
        return Finding("ok", "the key may read the log; no serial number was named")
    if found.error is None:
        entries = quantity(found.entries, "entry")
        words = f"{entries} of {found.serial} in the last {RANGE.days} days could be read"
        return Finding("ok", words)
    if not isinstance(found.error, PermissionDeniedError):
        return Finding("?", "not known, because the request failed")
    refusal = f"the key may not read the log of {found.serial} ({_status(found.error)})"
    if not found.named:
        return Finding("?", f"{refusal}; name one of your instruments: mycirrus doctor SERIAL")
    return Finding(
        "FAULT",
        f"{refusal}: it needs the scope {SCOPE}, which is chosen when a key is made, at "
        f"{KEYS_PAGE}, and access to this instrument",
    )


def _status(error: APIStatusError) -> str:
    return f"{error.status_code} {error.code or ''}".strip()
