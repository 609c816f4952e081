"""Whether the hand-written code follows the spec, and where to look if it does not.

When the spec changes and the code does not, hundreds of tests would fail for one reason. So
``conftest.py`` asks here first: what is found fails `test_follow.py`, and the other tests are
skipped until the code follows.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

import yaml

from cirrus_ext import calibration_log, ranges
from mycirrus_contract.conformity import reply_problems
from mycirrus_contract.messages import Request
from mycirrus_contract.model import PATH, SPEC_FILE, STRICT_FILE, strict, tolerant
from mycirrus_contract.standin.fleet import PAGE_EXAMPLE
from mycirrus_contract.standin.rules import DEMO_KEY, LOG_PATH, World, answer
from tests.support.paths import ROOT

GOOD = {
    "instruments": [PAGE_EXAMPLE.instrument],
    "start": "2022-01-01T00:00:00Z",
    "end": "2022-12-31T00:00:00Z",
}
STARTS = [datetime(2024, 2, 29, tzinfo=UTC), datetime(2023, 3, 1, tzinfo=UTC)]


def where(file: Path, *pointer: str) -> str:
    """The line of a YAML file that a pointer leads to, or that of the last part that is there."""
    node = yaml.compose(file.read_text(encoding="utf-8"))
    line = 0
    for name in pointer:
        for key, value in node.value if isinstance(node, yaml.MappingNode) else []:
            if key.value == name:
                line, node = key.start_mark.line, value
                break
        else:
            break
    return f"{file.relative_to(ROOT)}:{line + 1}"


def fields_of_a_record() -> Iterator[str]:
    """The fields that records name are fields of an item."""
    known = tolerant().document["components"]["schemas"]["CalibrationLogItem"]["properties"]
    for name in sorted(calibration_log.KNOWN_FIELDS - set(known)):
        line = where(SPEC_FILE, "components", "schemas", "CalibrationLogItem", "properties")
        yield f"{line}: an item has no field {name!r}; cirrus_ext/calibration_log.py reads it"


def parameters_of_a_request() -> Iterator[str]:
    """The SDK sends every parameter that is required, and none that is unknown."""
    parameters = {one.name: one.required for one in tolerant().operation(PATH).parameters}
    line = where(SPEC_FILE, "paths", PATH, "get", "parameters")
    for name, required in parameters.items():
        if required and name not in GOOD:
            yield f"{line}: {name!r} is required; cirrus_ext/calibration_log.py does not send it"
    for name in GOOD.keys() - parameters:
        yield f"{line}: there is no parameter {name!r}; cirrus_ext/calibration_log.py sends it"


def longest_range() -> Iterator[str]:
    """One request of the SDK may be as long as the range rule allows, and no longer."""
    rule = tolerant().operation(PATH).known_range_rule()
    if any(rule.latest_end(start) != ranges.one_year_after(start) for start in STARTS):
        line = where(SPEC_FILE, "paths", PATH, "get", "x-cirrus-range", "max")
        yield (
            f"{line}: a range may have {rule.max}; cirrus_ext/ranges.py (one_year_after) and "
            "mycirrus_contract/standin/rules.py (_check_range) say a year"
        )


def scope() -> Iterator[str]:
    if tolerant().operation(PATH).scope != calibration_log.SCOPE:
        line = where(SPEC_FILE, "paths", PATH, "get", "x-cirrus-scope")
        yield f"{line}: another scope than SCOPE in cirrus_ext/calibration_log.py"


def answers_of_the_stand_in() -> Iterator[str]:
    """The answers of the stand-in to a valid request and to a wrong key fit the strict reading."""
    for key in (DEMO_KEY, "wrong"):
        request = Request("GET", LOG_PATH, urlencode(GOOD, doseq=True), {"x-api-key": key})
        reply = answer(request, World(entries=(PAGE_EXAMPLE,)))
        for problem in reply_problems(reply, strict().operation(PATH)):
            line = where(STRICT_FILE, "components", "schemas", "CalibrationLogItem")
            yield (
                f"{where(SPEC_FILE, 'components', 'schemas', 'CalibrationLogItem')} or {line}: "
                f"{problem} in what mycirrus_contract/standin/rules.py answers with {reply.status}"
            )


CHECKS = (
    fields_of_a_record,
    parameters_of_a_request,
    longest_range,
    scope,
    answers_of_the_stand_in,
)


@cache
def problems() -> list[str]:
    """Where the code does not follow, all checks together."""
    return [problem for check in CHECKS for problem in check()]
