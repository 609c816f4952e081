"""``python -m cirrus_ext`` is ``mycirrus``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
