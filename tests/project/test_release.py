"""A release has one version in tag, package and changelog, and is published after all checks."""

import re
import runpy
from pathlib import Path

import pytest
from packaging.version import Version

import cirrus_ext
from mycirrus_contract.model import load_yaml
from tests.support.paths import ROOT

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
release_notes = runpy.run_path(str(ROOT / ".ci" / "release_notes.py"))["release_notes"]

RELEASED = """\
# Changelog

## [Unreleased]

- later

## [1.2.0] - 2026-12-01

### Added

- This.

## [1.1.0] - 2026-11-01

- That.
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Version 1.2.0, and its changelog."""
    (tmp_path / "cirrus_ext").mkdir()
    (tmp_path / "cirrus_ext" / "version.py").write_text('"""Doc."""\n\n__version__ = "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(RELEASED)
    return tmp_path


def test_the_notes_of_a_release_are_its_section_of_the_changelog(checkout: Path) -> None:
    assert release_notes("v1.2.0", checkout) == "### Added\n\n- This."


@pytest.mark.parametrize(
    ("tag", "before", "after", "message"),
    [
        ("v1.1.0", "", "", "the tag v1.1.0 is not the version .*: expected v1.2.0"),
        ("1.2.0", "", "", "the tag 1.2.0 is not the version"),
        ("v1.2.0", "## [1.2.0] - 2026-12-01", "", "no entry under '## [1.2.0] - YYYY-MM-DD'"),
        ("v1.2.0", "- 2026-12-01", "", "no entry under"),
        ("v1.2.0", "### Added\n\n- This.\n", "", "no entry under"),
    ],
)
def test_a_tag_without_its_version_or_its_section_is_no_release(
    checkout: Path, tag: str, before: str, after: str, message: str
) -> None:
    (checkout / "CHANGELOG.md").write_text(RELEASED.replace(before, after, 1))

    with pytest.raises(ValueError, match=message.replace("[", r"\[")):
        release_notes(tag, checkout)


def test_the_changelog_lists_versions_newest_first_and_none_after_the_current_one() -> None:
    titles = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)
    released = [re.fullmatch(r"\[([\d.]+)\] - \d{4}-\d\d-\d\d", title) for title in titles[1:]]
    versions = [Version(one[1]) for one in released if one is not None]

    assert titles[0] == "[Unreleased]"
    assert len(versions) == len(released)
    assert versions == sorted(versions, reverse=True)
    assert all(one <= Version(cirrus_ext.__version__) for one in versions)


def test_the_release_reads_the_version_of_the_package() -> None:
    with pytest.raises(ValueError, match=f"expected v{re.escape(cirrus_ext.__version__)}$"):
        release_notes("v", ROOT)


JOBS = load_yaml(ROOT / ".github" / "workflows" / "release.yml")["jobs"]


def test_nothing_is_published_that_was_not_checked_and_only_one_job_may() -> None:
    may_publish = [name for name, job in JOBS.items() if "id-token" in job["permissions"]]
    may_write = [name for name, job in JOBS.items() if "write" in str(job["permissions"])]

    assert (may_publish, may_write) == (["pypi"], ["pypi", "github"])
    assert JOBS["pypi"]["needs"] == "build"
    assert "build" in JOBS["github"]["needs"]
    assert ".ci/run" in [step.get("run") for step in JOBS["build"]["steps"]]


def test_every_action_is_pinned_to_one_commit_and_names_its_version() -> None:
    paths = [*ROOT.glob(".github/workflows/*.yml"), *ROOT.glob("action.yml")]
    uses = [
        use
        for path in paths
        for use in re.findall(r"uses: (?!\./)(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    pinned = {one.partition("@")[0]: one for one in uses}

    assert len(uses) > 10
    assert [one for one in uses if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", one)] == []
    assert set(uses) == set(pinned.values())
