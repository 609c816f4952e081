"""Drift that is accepted for a while, in a reviewed file.

    - promise: "in-order"              # the name of a finding
      marks: ["newest first"]          # what exactly is accepted; anything else is still drift
      reason: "Asked the vendor, ticket 4711; histories are sorted by the SDK anyway."
      expires: "2027-03-31"            # the last day, in UTC

Only drift can be accepted, never a broken promise. An acceptance that has expired fails the run,
whether the drift is still there or not, so that the file stays true; for one that matches nothing
in a run, the run prints a note.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from cirrus_ext import ConfigurationError

from .checks import PROMISES
from .facts import OBSERVERS
from .questions import JUDGED_BY_A_PROMISE
from .verdicts import Finding, Judgement, Verdict

LONGEST = timedelta(days=366)
FIELDS = {"promise", "marks", "reason", "expires"}
NAMES = {promise.name for promise in PROMISES} | (set(OBSERVERS) - JUDGED_BY_A_PROMISE)


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


class _DuplicateKeyError(yaml.YAMLError):
    """A mapping has a key twice, of which YAML would silently take the last."""


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - as in YAML
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                line = node.start_mark.line + 1
                raise _DuplicateKeyError(f"line {line}: the key {key!r} is given twice")
        return super().construct_mapping(node, deep)


def load(path: Path, today: date) -> list[Acceptance]:
    """Read a file of accepted drift.

    Args:
        path: Of the file.
        today: In UTC; an acceptance ends at most a year later.

    Raises:
        ConfigurationError: It cannot be read, or an entry is invalid.
    """
    try:
        # A subclass of the safe loader.
        entries = yaml.load(path.read_text(encoding="utf-8"), _Loader) or []  # noqa: S506
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except _DuplicateKeyError as error:
        raise ConfigurationError(f"{path}, {error}") from error
    except (UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
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
) -> tuple[list[Finding], list[str]]:
    """Change drift to accepted where an acceptance applies, and to drift where it has expired.

    Args:
        findings: Of a run.
        accepted: The entries of the file.
        today: In UTC.

    Returns:
        The findings, and a note for each acceptance that does not apply.
    """
    shown = {finding.name: finding for finding in findings}
    notices = []
    for acceptance in accepted:
        finding = shown.get(acceptance.promise)
        if (notice := _notice(finding, acceptance)) is not None:
            notices.append(f"the acceptance of {acceptance.promise} {notice}")
        if acceptance.expires < today:
            finding = finding or Finding(
                acceptance.promise,
                "An acceptance of drift that this run has not seen",
                Judgement(Verdict.NOT_ASKED, "it was not seen"),
            )
            shown[finding.name] = _expired(finding, acceptance)
        elif finding is not None and _applies(finding, acceptance):
            shown[finding.name] = _accepted(finding, acceptance)
    return list(shown.values()), notices


def _notice(finding: Finding | None, acceptance: Acceptance) -> str | None:
    """Say what an acceptance does not match; None if it matches all marks of the run."""
    if finding is None:
        return "matches nothing in this run"
    if finding.verdict == Verdict.BROKEN:
        return "does not apply: this is broken, and only drift can be accepted"
    if finding.verdict != Verdict.DRIFT:
        return f"matches nothing in this run: {finding.verdict}"
    marks = set(finding.judgement.marks)
    if not marks <= acceptance.marks:
        return f"does not name {', '.join(sorted(marks - acceptance.marks))}"
    unseen = sorted(acceptance.marks - marks)
    return f"names what was not seen in this run: {', '.join(unseen)}" if unseen else None


def _applies(finding: Finding, acceptance: Acceptance) -> bool:
    """Whether each mark of a drift is accepted."""
    marks = set(finding.judgement.marks)
    return finding.verdict == Verdict.DRIFT and bool(marks) and marks <= acceptance.marks


def _accepted(finding: Finding, acceptance: Acceptance) -> Finding:
    judgement = finding.judgement
    because = f"{judgement.because}; accepted until {acceptance.expires}: {acceptance.reason}"
    judgement = replace(judgement, verdict=Verdict.ACCEPTED, because=because, advice="")
    return replace(finding, judgement=judgement)


def _expired(finding: Finding, acceptance: Acceptance) -> Finding:
    """The finding with an expired acceptance: drift, unless it is broken."""
    if finding.verdict == Verdict.BROKEN:
        return finding
    because = f"{finding.judgement.because}; its acceptance ended on {acceptance.expires}"
    advice = f"renew the acceptance of {acceptance.promise} with a reason, or remove it"
    marks = finding.judgement.marks
    return replace(finding, judgement=Judgement(Verdict.DRIFT, because, advice, marks))
