"""``python -m mycirrus_contract.standin``: the same as ``mycirrus standin``."""

import sys

from .command import main

if __name__ == "__main__":
    sys.exit(main())
