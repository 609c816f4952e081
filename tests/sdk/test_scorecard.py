"""Every fault of the scorecard ends as it promises, sync and async, and none shows the key."""

import logging
import pickle
from collections.abc import Iterator

import httpx
import pytest

from cirrus_ext import CirrusError
from cirrus_ext.call import Call
from tests.sdk.faults import COMPARED, ROWS, Row
from tests.support.clients import KEY, frames_of


@pytest.fixture
def errors(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[CirrusError]]:
    seen: list[CirrusError] = []
    annotate = Call.annotate

    def keep(call: Call, error: CirrusError, reason: object) -> CirrusError:
        seen.append(error)
        return annotate(call, error, reason)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(Call, "annotate", keep)
    yield seen
    seen.clear()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.number}. {row.fault}")
def test_a_fault_ends_as_promised_and_does_not_show_the_key(
    row: Row, client_kind: str, errors: list[CirrusError], caplog: pytest.LogCaptureFixture
) -> None:
    """``scorecard.py`` prints the same table.

    The key is looked for in the errors, their pickles, the local variables of all frames that they
    went through, and in what ``cirrus_ext``, ``httpx`` and ``httpcore`` log at DEBUG.
    """
    for name in ("cirrus_ext", "httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, name)
    row.check(client_kind)

    assert KEY not in caplog.text
    assert not [record for record in caplog.records if KEY in repr(vars(record))]
    for error in errors:
        assert KEY not in f"{error!r}{error}{vars(error)!r}"
        assert KEY.encode() not in pickle.dumps(error)
        assert KEY not in frames_of(error)
        if isinstance(error.__cause__, httpx.RequestError):
            assert "X-Api-Key" not in error.__cause__.request.headers


def test_the_scorecard_has_the_faults_of_the_fields_comparison_and_more() -> None:
    assert [row.number for row in ROWS] == list(range(1, len(ROWS) + 1))
    assert len(ROWS) > COMPARED == 20
