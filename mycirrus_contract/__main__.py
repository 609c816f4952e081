"""``python -m mycirrus_contract``: check the contract of the live API, or of another server."""

import sys

from .live.command import main

if __name__ == "__main__":
    sys.exit(main())
