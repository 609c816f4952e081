"""What the suite finds wrong with a stand-in."""

from dataclasses import dataclass

from mycirrus_contract.messages import Request

LONGEST = 300  # characters of a request that are shown


@dataclass(frozen=True)
class Complaint:
    """One thing that is wrong.

    Attributes:
        check: Who found it.
        text: What it is, in words.
        request: What was requested, without the key.
    """

    check: str
    text: str
    request: str = ""

    @classmethod
    def of(cls, check: str, text: str, request: Request | None) -> "Complaint":
        shown = "" if request is None else f"{request.method} {request.path}?{request.query}"
        return cls(check, text, shown[:LONGEST])

    def __str__(self) -> str:
        return f"{self.check}: {self.text}" + (f"\n    {self.request}" if self.request else "")
