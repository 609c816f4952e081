"""Every fault of the scorecard ends as it promises, sync and async."""

import pytest

from .scorecard import COMPARED, ROWS, Row


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.number}. {row.fault}")
def test_a_fault_ends_as_promised(row: Row, colour: str) -> None:
    """The checks are in ``scorecard.py``, which prints them too."""
    row.check(colour)


def test_the_scorecard_has_the_faults_of_the_fields_comparison_and_more() -> None:
    """Numbered without a gap."""
    assert [row.number for row in ROWS] == list(range(1, len(ROWS) + 1))
    assert len(ROWS) > COMPARED == 20
