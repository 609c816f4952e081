"""Verdicts, and what they add up to."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Verdict(StrEnum):
    """What a run says about one promise."""

    HOLDS = "holds"
    DRIFT = "drift"  # within the spec, but not as we assume
    BROKEN = "broken"  # against the spec
    UNDECIDED = "undecided"  # evidence was sought and not had
    NOT_ASKED = "not asked"  # no budget was left for it


@dataclass(frozen=True)
class Finding:
    """The verdict on one promise.

    Attributes:
        promise: What the API promises, as a sentence.
        verdict: Whether it does.
        because: What was seen, without serials, users, messages or the key.
        advice: What to do about it; empty if nothing.
    """

    promise: str
    verdict: Verdict
    because: str
    advice: str = ""


def exit_code(findings: Iterable[Finding]) -> Literal[0, 1, 3]:
    """What the findings of a run add up to.

    Returns:
        1 if a promise is broken or drifts; else 3 if one is undecided; else 0.
    """
    verdicts = {finding.verdict for finding in findings}
    if verdicts & {Verdict.BROKEN, Verdict.DRIFT}:
        return 1
    return 3 if Verdict.UNDECIDED in verdicts else 0
