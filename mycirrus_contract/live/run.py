"""One run of the check, as the reports show it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from .evidence import Evidence
from .exchange import Exchange
from .questions import OpenQuestion
from .verdicts import Finding, Verdict, exit_code


@dataclass(frozen=True)
class Run:
    """What was sent, what was answered, and what it means. Holds nothing secret: see ``redaction``.

    Attributes:
        base_url: The server.
        instruments: Replacements of the serial numbers, of the same shape.
        start: Of the chosen range, in UTC.
        end: Of the chosen range, in UTC.
        began: When the run began, in UTC.
        version: Of this project.
        budget: The most requests of the probe's own.
        exchanges: Every request, in order.
        findings: A verdict for each promise.
        questions: What is open, and what was seen of it.
        notices: Notes about the acceptances.
    """

    base_url: str
    instruments: tuple[str, ...]
    start: datetime
    end: datetime
    began: datetime
    version: str
    budget: int
    exchanges: tuple[Exchange, ...]
    findings: tuple[Finding, ...]
    questions: tuple[OpenQuestion, ...]
    notices: tuple[str, ...] = ()

    def at(self, exchange: Exchange) -> datetime:
        """When a request was sent, in UTC."""
        return self.began + timedelta(seconds=exchange.began)

    @property
    def is_key_refused(self) -> bool:
        """Whether the API refused the key (401 or 403) in each answer that is not an outage."""
        statuses = {one.status or 0 for one in self.exchanges if one.request.key == "right"}
        told = {status for status in statuses if 200 <= status < 500} - {408, 429}
        return bool(told) and told <= {401, 403}

    @property
    def exit_code(self) -> int:
        """0 to 4, as the program exits."""
        code = exit_code(self.findings)
        is_refused = self.is_key_refused or Evidence(self.exchanges).is_elsewhere
        return 2 if code == 3 and is_refused else code

    @property
    def counts(self) -> dict[Verdict, int]:
        """The number of findings of each verdict, in the order of `Verdict`, zeros included."""
        counted = Counter(finding.verdict for finding in self.findings)
        return {verdict: counted[verdict] for verdict in Verdict}

    @property
    def advice(self) -> list[str]:
        """Each advice once."""
        return list(
            dict.fromkeys(
                finding.judgement.advice for finding in self.findings if finding.judgement.advice
            )
        )

    @property
    def answered(self) -> list[OpenQuestion]:
        """The open questions that were answered."""
        return [question for question in self.questions if question.observed is not None]

    @property
    def seconds(self) -> float:
        """The duration of the run."""
        return max((one.began + one.seconds for one in self.exchanges), default=0.0)


def in_words(findings: Iterable[Finding]) -> str:
    """The result in one sentence."""
    counted = Counter(finding.verdict for finding in findings)
    if set(counted) == {Verdict.HOLDS}:
        return f"All {counted[Verdict.HOLDS]} promises hold."
    parts = [f"{counted[verdict]} {verdict}" for verdict in Verdict if counted[verdict]]
    return f"Of {counted.total()} promises: {', '.join(parts) or 'none'}."
