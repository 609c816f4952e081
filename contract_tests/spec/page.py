"""What the vendor's page shows, as data."""

from pathlib import Path

from mycirrus_contract.model import load_yaml

PAGE_FILE = Path(__file__).with_name("vendor_page.yaml")
PAGE = load_yaml(PAGE_FILE)
