"""The offline suite: all that is requested of the stand-in, and what each check is good for.

Three clients: schemathesis (``test_schemathesis.py``), the requests below that schemathesis does
not come to, and the SDK itself. Every answer goes through the same oracles. `CHECKS` has them all,
each with a mutant that shows that it can fail.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from mycirrus_contract.messages import Reply, Request
from mycirrus_contract.model import PATH, tolerant
from mycirrus_contract.oracles import ORACLES, SLOWEST
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.fleet import INSTRUMENTS, fleet
from mycirrus_contract.standin.rules import DEMO_KEY, KEY_WITHOUT_SCOPE, LOG_PATH, World
from tests.support.clock import FakeClock

from .complaints import Complaint

SERIALS = [instrument.serial for instrument in INSTRUMENTS]
WORLD = World(entries=fleet(datetime(2026, 1, 1, tzinfo=UTC)))

START, END = "2024-03-01T00:00:00Z", "2025-03-01T00:00:00Z"
MIDDLE = "2024-09-01T00:00:00Z"
BOTH = ["QT123456", "QT234567"]


@dataclass
class CheckingClient:
    """Asks the stand-in and lets every oracle look at the answer.

    Attributes:
        standin: Is called in process.
        complaints: What the oracles and the checks have found.
    """

    standin: Standin
    complaints: list[Complaint] = field(default_factory=list)

    def __call__(
        self, *, key: str | None = DEMO_KEY, method: str = "GET", path: str = LOG_PATH, **query: Any
    ) -> Reply:
        """Ask for the log of two instruments over a year, with a change; None leaves one out."""
        parameters = {"instruments": BOTH, "start": START, "end": END} | query
        kept = {name: value for name, value in parameters.items() if value is not None}
        headers = {} if key is None else {"x-api-key": key}
        request = Request(method, path, urlencode(kept, doseq=True), headers)
        clock = FakeClock()
        self.standin.sleep = clock.sleep
        reply = self.standin.handle(request)
        for oracle in ORACLES:
            text = oracle(request, reply, self.standin.world)
            self.complain(oracle.__name__, text, request)
        if clock.seconds > SLOWEST:
            self.complain("answers_in_time", f"the answer took {clock.seconds:.0f} s", request)
        return reply

    def complain(self, check: str, text: str | None, request: Request | None = None) -> None:
        """Add what a check has found, if it has."""
        if text is not None:
            self.complaints.append(Complaint.of(check, text, request))


Sequence = Callable[[CheckingClient], str | None]


def send_at_the_edges_of_the_rules(send: CheckingClient) -> None:
    """Requests at and beyond each rule, which schemathesis rarely or never sends."""
    for serials in (
        *(BOTH, BOTH[::-1], BOTH[:1], BOTH[1:], ["QT000000"], ["QT1"], SERIALS, BOTH * 2),
        *([BOTH[0], "QT000000"], ["qt123456"], ["QT123456 "]),
    ):
        send(instruments=serials)
    for start, end in (
        ("2022-06-07T11:18:42.814Z", "2023-06-07T11:18:42.814Z"),  # a year, from an item on
        ("2021-06-07T11:18:42.814Z", "2022-06-07T11:18:42.814Z"),  # a year, up to it
        ("2022-06-07T00:00:00Z", "2022-06-07T11:00:00Z"),  # up to just before it
        ("2022-06-07T11:30:00Z", "2022-06-08T00:00:00Z"),  # from just after it on
        ("2024-02-29T00:00:00Z", "2025-03-01T00:00:00Z"),  # a year from a leap day
        ("2024-03-01T00:00:00Z", "2025-03-01T00:00:00.001Z"),  # over it by a millisecond
        ("2023-01-01T00:00:00Z", "2024-01-02T00:00:00Z"),  # 366 days, and no leap day in them
        ("2022-06-01T00:00:00Z", "2023-06-03T00:00:00Z"),  # 367 days
        ("2024-02-29T00:00:00Z", "2024-02-29T23:59:59.9999999Z"),  # a leap day, seven digits
        ("2024-03-01t00:00:00z", "2025-03-01t00:00:00z"),
        ("2024-03-01 00:00:00Z", "2025-03-01 00:00:00Z"),
        ("2020-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
        ("2025-03-01T00:00:00Z", "2024-03-01T00:00:00Z"),  # reversed
        ("2024-03-01T00:00:00Z", "2024-03-01T00:00:00Z"),  # of no length
        ("2024-03-01T00:00:00", "2025-03-01T00:00:00"),  # naive
        ("2024-03-01T00:00:00+00:00", "2025-03-01T00:00:00+00:00"),
        ("2024-03-01T00:00:00+05:00", "2025-03-01T00:00:00+05:00"),
        ("2024-03-01", "2025-03-01"),
        ("2024-02-30T00:00:00Z", "2024-12-01T00:00:00Z"),
        ("yesterday", "today"),
        ("", ""),
    ):
        send(start=start, end=end)
    for nothing in (None, [""]):
        send(instruments=nothing)
        send(start=nothing)
        send(end=nothing)
    send(start=[START, MIDDLE])
    send(end=[MIDDLE, END])
    for key in (
        *(None, "", "wrong", DEMO_KEY[:-1], DEMO_KEY + "x", DEMO_KEY.upper(), KEY_WITHOUT_SCOPE),
        f"Bearer {DEMO_KEY}",
    ):
        send(key=key)


def answers_the_same_twice(send: CheckingClient) -> str | None:
    """The same request, sent twice in a row and once more later, has one answer."""
    first, second = send().body, send().body
    send(instruments=BOTH[:1])
    third = send().body
    return None if first == second == third else "the same request got different answers"


def adds_up_over_time(send: CheckingClient) -> str | None:
    """Two halves of a range have what the whole has."""
    whole = send().bag
    halves = send(end=MIDDLE).bag + send(start=MIDDLE).bag
    return _difference(whole, halves, "the whole range", "its two halves")


def adds_up_over_instruments(send: CheckingClient) -> str | None:
    """Two instruments together have what each has alone."""
    together = send().bag
    alone = send(instruments=BOTH[:1]).bag + send(instruments=BOTH[1:]).bag
    return _difference(together, alone, "two instruments together", "each alone")


def _difference(one: Counter[str], other: Counter[str], name: str, other_name: str) -> str | None:
    if one == other:
        return None
    more, less = (one - other).total(), (other - one).total()
    return f"{name}: {more} items more and {less} fewer than {other_name}"


def has_items_to_look_at(send: CheckingClient) -> str | None:
    """The log of two instruments over a year has items; without them no check proves anything."""
    count = sum(1 for _ in send().objects())
    return None if count > 20 else f"{count} items for two instruments and a year"


def takes_only_get(send: CheckingClient) -> str | None:
    """Other methods get 405 with the allowed one (RFC 9110, 15.5.6)."""
    for method in ("POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"):
        reply = send(method=method)
        if reply.status != 405:
            return f"{method} gets {reply.status}, not 405"
        if reply.headers.get("allow") != "GET":
            return f"the 405 to {method} does not say Allow: GET"
    return None


def throttles_as_documented(send: CheckingClient) -> str | None:
    """Too many requests get the page's 429; others get none."""
    send.standin.script[len(send.standin.requests) + 3] = "429-wait-1"
    replies = [send() for _ in range(4)]
    statuses = [reply.status for reply in replies]
    if statuses != [200, 200, 429, 200]:
        return f"a third request of four that is one too many: {statuses}"
    documented = tolerant().operation(PATH).example(429)
    return None if replies[2].json == documented else "the body of the 429 is not the page's"


SEQUENCES: tuple[Sequence, ...] = (
    answers_the_same_twice,
    adds_up_over_time,
    adds_up_over_instruments,
    has_items_to_look_at,
    takes_only_get,
    throttles_as_documented,
)


def run_all_checks(standin: Standin) -> list[Complaint]:
    send = CheckingClient(standin)
    send_at_the_edges_of_the_rules(send)
    for sequence in SEQUENCES:
        send.complain(sequence.__name__, sequence(send))
    return send.complaints


@dataclass(frozen=True)
class Check:
    """One check of the suite.

    Attributes:
        name: Of a check of schemathesis, an oracle, a sequence of requests, or the SDK's loop.
        kills: A mutant that it catches, as proof that it can fail.
        kept: Why it is there all the same, if it catches none.
    """

    name: str
    kills: str = ""
    kept: str = ""


ONE_GET = "not applicable: one operation, GET, that makes, changes and links to nothing"
CHECKS: tuple[Check, ...] = (
    # schemathesis
    Check("not_a_server_error", "500 for what is no time"),
    Check("status_code_conformance", "201 for 200"),
    Check("content_type_conformance", "JSON as text"),
    Check("response_headers_conformance", kept="the contract names no header of a reply yet"),
    Check("response_schema_conformance", "list in an object"),
    Check("negative_data_rejection", "no key needed"),
    Check("positive_data_acceptance", "at most a month"),
    Check("missing_required_header", "no key needed"),
    Check("unsupported_method", "POST is answered too"),
    Check("allow_header_conformance", "Allow says too much"),
    Check("ignored_auth", "any key will do"),
    Check("use_after_free", kept=ONE_GET),
    Check("ensure_resource_availability", kept=ONE_GET),
    Check("object_level_authorization", kept=ONE_GET),
    # oracles
    Check("fits_the_contract", "naive times"),
    Check("requires_a_key", "no scope needed"),
    Check("accepts_valid_requests", "400 for milliseconds"),
    Check("refuses_invalid_requests", "naive is UTC"),
    Check("has_only_items_of_the_range", "whole days"),
    Check("is_sorted_by_time", "last two exchanged"),
    Check("has_no_duplicates", "first item twice"),
    Check("has_only_items_of_the_instruments", "one item of another"),
    Check("is_complete", "first item is lost"),
    Check("answers_in_time", "slow for long ranges"),
    # sequences of requests
    Check("answers_the_same_twice", "one less every second time"),
    Check("adds_up_over_time", "long ranges are thinned"),
    Check("adds_up_over_instruments", "last instrument only"),
    Check("has_items_to_look_at", "always empty"),
    Check("takes_only_get", "Allow says too much"),
    Check("throttles_as_documented", "429 from the first request on"),
    # the SDK
    Check("sdk_is_understood", "400 for milliseconds"),
    Check("sdk_returns_what_was_served", "null for an empty list"),
)
