"""Ranges of time in an archive: pairs of texts, which sort as the times do."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

Range = tuple[str, str]  # a start and an end


def text_of(moment: datetime) -> str:
    """Return a time as a text in UTC, always of the same length."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def time_of(text: str) -> datetime:
    """Return the time that `text_of` wrote."""
    return datetime.fromisoformat(text)


class Ranges:
    """Sorted ranges, none of which overlaps or touches another."""

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._ranges: list[Range] = []
        for one in ranges:
            self.add(one)

    def __iter__(self) -> Iterator[Range]:
        return iter(self._ranges)

    def add(self, new: Range) -> None:
        """Add a range, and join it with those that it overlaps or touches."""
        last = self._ranges[-1] if self._ranges else None
        if last is not None and last[0] <= new[0] <= last[1]:  # the usual case
            self._ranges[-1] = (last[0], max(last[1], new[1]))
            return
        near = [one for one in self._ranges if new[0] <= one[1] and one[0] <= new[1]]
        whole = (min([new, *near])[0], max(end for _, end in [new, *near]))
        self._ranges = sorted([one for one in self._ranges if one not in near] + [whole])

    def remove(self, start: str, end: str) -> None:
        """Remove what is between two times."""
        self._ranges = [
            part
            for first, last in self._ranges
            for part in ((first, min(last, start)), (max(first, end), last))
            if part[0] < part[1]
        ]

    def gaps(self, start: str, end: str) -> Iterator[Range]:
        """Yield the parts from start to end that are in none of them."""
        for first, last in self._ranges:
            if start < min(first, end):
                yield start, min(first, end)
            start = max(start, last)
        if start < end:
            yield start, end
