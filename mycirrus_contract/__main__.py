"""``python -m mycirrus_contract``: the same as ``mycirrus contract``."""

import sys

from .live.command import main

if __name__ == "__main__":
    sys.exit(main())
