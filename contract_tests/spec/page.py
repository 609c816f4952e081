"""What the vendor's pages show, as data: one file for each page."""

from pathlib import Path

from mycirrus_contract.model import PATH, load_yaml

PAGES = [load_yaml(path) for path in sorted(Path(__file__).with_name("pages").glob("*.yaml"))]
(PAGE,) = (page for page in PAGES if page["path"] == PATH)
