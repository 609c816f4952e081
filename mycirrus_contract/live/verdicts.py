"""Verdicts, and the exit code of several."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Verdict(StrEnum):
    """What a run says about one promise; the worst comes first."""

    BROKEN = "broken"  # against what the vendor's page documents
    DRIFT = "drift"  # against what we infer or assume
    UNDECIDED = "undecided"  # evidence was sought and not found
    ACCEPTED = "accepted"  # drift that a reviewed file accepts
    HOLDS = "holds"
    NOT_ASKED = "not asked"  # the budget did not reach it


ORDER = list(Verdict)


@dataclass(frozen=True)
class Judgement:
    """What the answers say about a promise.

    Attributes:
        verdict: Whether it is kept.
        because: What was seen in which request, without serials, users, messages or the key.
        advice: What to do; empty if nothing.
        marks: What exactly is not as assumed; each has the same name in every run.
        crashed: Whether the check itself failed.
    """

    verdict: Verdict
    because: str
    advice: str = ""
    marks: tuple[str, ...] = ()
    crashed: bool = False


@dataclass(frozen=True)
class Finding:
    """The judgement on one promise.

    Attributes:
        name: Short, for files and commands: ``items-fit``.
        promise: What the API promises, as a sentence.
        judgement: Whether it does.
    """

    name: str
    promise: str
    judgement: Judgement

    @property
    def verdict(self) -> Verdict:
        """Whether the promise is kept."""
        return self.judgement.verdict


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Findings by verdict; those of the same verdict stay in their order."""
    return sorted(findings, key=lambda finding: ORDER.index(finding.verdict))


def exit_code(findings: Iterable[Finding]) -> Literal[0, 1, 3, 4]:
    """The exit code of the findings of a run.

    Returns:
        4 if a check crashed; else 1 if a promise is broken or drifts; else 3 if one is undecided;
        else 0.
    """
    findings = list(findings)
    verdicts = {finding.verdict for finding in findings}
    if any(finding.judgement.crashed for finding in findings):
        return 4
    if verdicts & {Verdict.BROKEN, Verdict.DRIFT}:
        return 1
    return 3 if Verdict.UNDECIDED in verdicts else 0
