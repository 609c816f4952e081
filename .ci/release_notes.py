"""Print the changelog's section of a tag, if tag, version and changelog agree."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECTION = re.compile(
    r"^## \[(?P<version>[^\]]+)\] - \d{4}-\d\d-\d\d\n(?P<text>.*?)(?=^## |\Z)",
    re.MULTILINE | re.DOTALL,
)


def release_notes(tag: str, root: Path = ROOT) -> str:
    """The section of a tag such as `v0.1.0` in CHANGELOG.md.

    Raises:
        ValueError: The tag is not that of the version, or the section is missing or empty.
    """
    version = re.search(r'"(.+)"$', (root / "cirrus_ext" / "version.py").read_text("utf-8").strip())
    if version is None or tag != f"v{version[1]}":
        raise ValueError(
            f"the tag {tag} is not the version in cirrus_ext/version.py: "
            f"expected v{version[1] if version else '?'}"
        )
    changelog = (root / "CHANGELOG.md").read_text("utf-8")
    sections = {match["version"]: match["text"].strip() for match in SECTION.finditer(changelog)}
    if not sections.get(version[1]):
        raise ValueError(
            f"CHANGELOG.md has no entry under '## [{version[1]}] - YYYY-MM-DD': "
            "rename [Unreleased] and commit before you tag"
        )
    return sections[version[1]]


if __name__ == "__main__":
    try:
        print(release_notes(sys.argv[1]))
    except ValueError as error:
        sys.exit(f"release_notes: {error}")
