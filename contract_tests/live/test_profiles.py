"""Plausible backends get the verdicts that the docs list, and none is *broken*."""

from datetime import date, timedelta

import pytest

from mycirrus_contract.live.acceptance import Acceptance, apply
from mycirrus_contract.live.arguments import THOROUGH
from mycirrus_contract.live.verdicts import exit_code
from tests.support.paths import ROOT

from .profiles import END, PROFILES, Profile
from .runs import exchanges_of, judged, not_holding

START = END - timedelta(days=365)
TODAY = date(2026, 11, 1)
NONE = "\N{EN DASH}"


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_a_plausible_backend_breaks_nothing_and_can_be_accepted(profile: Profile) -> None:
    transport = profile.standin().transport()
    exchanges = exchanges_of(transport, budget=THOROUGH, start=START, end=END)
    found = judged(exchanges).values()
    accepted = [
        Acceptance(one.name, frozenset(one.judgement.marks), "Asked the vendor.", TODAY)
        for one in found
        if one.judgement.marks
    ]

    assert not_holding(exchanges) == profile.expected
    assert "broken" not in profile.expected.values()
    assert exit_code(apply(found, accepted, TODAY)[0]) == 0


def test_the_table_of_the_docs_is_that_of_the_profiles() -> None:
    text = (ROOT / "docs" / "contract-checks.md").read_text("utf-8")
    rows = [
        f"| {profile.name} | {', '.join(f'`{name}`' for name in profile.expected) or NONE} |"
        for profile in PROFILES
    ]

    assert "\n".join(rows) in text
