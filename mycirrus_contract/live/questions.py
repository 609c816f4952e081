"""The open questions of ``openapi/questions.yaml``, and what a run observed."""

from dataclasses import dataclass

from .evidence import Evidence
from .exchange import TOLERANT
from .facts import OBSERVERS, Observed
from .verdicts import Finding, Judgement, Verdict


@dataclass(frozen=True)
class OpenQuestion:
    """A question of the file, and what the run shows of it.

    Attributes:
        name: Its ``id``.
        question: As a sentence.
        assumed: What we assume.
        observed: What was observed; None if nothing was.
        requests: Where it was observed: ``request 7, no end``.
    """

    name: str
    question: str
    assumed: str
    observed: Observed | None
    requests: str = ""


def open_questions(evidence: Evidence) -> list[OpenQuestion]:
    """Every question of the file, with what the run shows of it."""
    found = []
    for entry in TOLERANT.open_questions:
        names, observe = OBSERVERS[entry["id"]]
        observed, sent = observe(evidence), evidence.all(names)
        requests = evidence.label(*sent) if observed is not None and sent else ""
        question = OpenQuestion(
            entry["id"], entry["question"], entry["assumed"], observed, requests
        )
        found.append(question)
    return found


def contradictions(questions: list[OpenQuestion]) -> list[Finding]:
    """An answer that contradicts the assumption is drift, unless a promise judges it."""
    return [
        Finding(
            question.name,
            f"{question.question} (assumed: {question.assumed})",
            Judgement(
                Verdict.DRIFT,
                f"{question.requests}: observed: {question.observed.answer}",
                "check it; then apply questions.patch, and change the assumption",
                (question.observed.answer,),
            ),
        )
        for question in questions
        if question.observed is not None
        and not question.observed.agrees
        and question.name not in JUDGED_BY_A_PROMISE
    ]


# A promise judges these.
JUDGED_BY_A_PROMISE = {
    "over-long-status",
    "reversed-status",
    "naive-times",
    "order",
    "instrument-named",
    "extra-fields",
    "null-fields",
    "answer-time",
}
