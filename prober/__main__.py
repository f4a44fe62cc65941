"""`python -m prober` is `prober`."""

import sys

from prober.cli import main

if __name__ == "__main__":
    sys.exit(main())
