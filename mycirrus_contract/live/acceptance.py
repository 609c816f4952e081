"""Drift that somebody has looked at and accepts for a while: a reviewed file.

    - promise: "in-order"              # the name of a finding
      marks: ["newest first"]          # what exactly is accepted; anything else is still drift
      reason: "Asked the vendor, ticket 4711; histories are sorted by the SDK anyway."
      expires: "2027-03-31"            # the last day, in UTC

Only drift can be accepted, never a broken promise. An acceptance that has expired fails the run,
whether the drift is still there or not, so that the file stays true.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from cirrus_ext import ConfigurationError
from mycirrus_contract.problems import NOT_SHOWN

from .checks import PROMISES
from .questions import JUDGED_BY_A_PROMISE, LOOKS
from .verdicts import Finding, Judgement, Verdict

LONGEST = timedelta(days=366)
FIELDS = {"promise", "marks", "reason", "expires"}
NAMES = {promise.name for promise in PROMISES} | (set(LOOKS) - JUDGED_BY_A_PROMISE)


@dataclass(frozen=True)
class Acceptance:
    """One accepted drift.

    Attributes:
        promise: The name of the finding.
        marks: The marks of the drift that are accepted.
        reason: Why.
        expires: The last day on which it is accepted, in UTC.
    """

    promise: str
    marks: frozenset[str]
    reason: str
    expires: date


def load(path: Path, today: date) -> list[Acceptance]:
    """Read a file of accepted drift.

    Args:
        path: Of the file.
        today: In UTC; nothing is accepted for more than a year from it.

    Raises:
        ConfigurationError: It cannot be read, or an entry is not as it has to be.
    """
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path} is not YAML in UTF-8") from error
    if not isinstance(entries, list):
        raise ConfigurationError(f"{path} must be a list of entries")
    accepted = [
        _entry(f"{path}, entry {number}", one, today) for number, one in enumerate(entries, 1)
    ]
    names = [acceptance.promise for acceptance in accepted]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"{path} has more than one entry for {name}")
    return accepted


def _entry(where: str, entry: Any, today: date) -> Acceptance:
    if not isinstance(entry, dict) or set(entry) != FIELDS:
        raise ConfigurationError(f"{where} must have the fields {', '.join(sorted(FIELDS))}")
    if not isinstance(entry["promise"], str) or entry["promise"] not in NAMES:
        raise ConfigurationError(
            f"{where}: there is no promise {entry['promise']!r}; there are "
            f"{', '.join(sorted(NAMES))}"
        )
    marks = entry["marks"]
    if not isinstance(marks, list) or not marks or not all(isinstance(one, str) for one in marks):
        raise ConfigurationError(
            f"{where}: marks must be a list of texts in quotes, as the report shows them"
        )
    if not isinstance(entry["reason"], str) or not entry["reason"].strip():
        raise ConfigurationError(f"{where}: reason must be a text that says why")
    return Acceptance(
        entry["promise"],
        frozenset(marks),
        entry["reason"].strip(),
        _day(where, entry["expires"], today),
    )


def _day(where: str, value: Any, today: date) -> date:
    try:
        day = datetime.strptime(str(value), "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise ConfigurationError(f"{where}: expires must be a day such as 2027-03-31") from None
    if day > today + LONGEST:
        raise ConfigurationError(f"{where}: expires must be within a year from now: {day}")
    return day


def apply(
    findings: Iterable[Finding], accepted: Iterable[Acceptance], today: date
) -> list[Finding]:
    """Let accepted drift be no drift, and expired acceptances be one.

    Args:
        findings: Of a run.
        accepted: What the file says.
        today: In UTC.
    """
    by_name = {acceptance.promise: acceptance for acceptance in accepted}
    findings = list(findings)
    applied = [_applied(finding, by_name.pop(finding.name, None), today) for finding in findings]
    return applied + [
        Finding(
            acceptance.promise,
            "An acceptance of what this run has not seen",
            _expired(acceptance, "nothing of it was seen"),
        )
        for acceptance in by_name.values()
        if acceptance.expires < today
    ]


def _applied(finding: Finding, acceptance: Acceptance | None, today: date) -> Finding:
    if acceptance is None or finding.verdict == Verdict.BROKEN:
        return finding
    if acceptance.expires < today:
        judgement = finding.judgement
        return replace(finding, judgement=_expired(acceptance, judgement.because, judgement.marks))
    if finding.verdict == Verdict.HOLDS:
        judgement = replace(
            finding.judgement, advice=f"the acceptance of {finding.name} is not needed: remove it"
        )
        return replace(finding, judgement=judgement)
    marks = finding.judgement.marks
    is_named = set(marks) <= acceptance.marks and not any(NOT_SHOWN in mark for mark in marks)
    if finding.verdict != Verdict.DRIFT or not is_named:
        return finding
    because = (
        f"{finding.judgement.because}; accepted until {acceptance.expires}: {acceptance.reason}"
    )
    return replace(
        finding,
        judgement=replace(finding.judgement, verdict=Verdict.ACCEPTED, because=because, advice=""),
    )


def _expired(acceptance: Acceptance, because: str, marks: tuple[str, ...] = ()) -> Judgement:
    return Judgement(
        Verdict.DRIFT,
        f"{because}; its acceptance ended on {acceptance.expires}",
        f"look at {acceptance.promise} again: renew its acceptance with a reason, or remove it",
        marks,
    )
