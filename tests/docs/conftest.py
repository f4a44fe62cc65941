"""The documents' tests use the houses of the program's own tests: a store that is planted, the web asked without a server."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "prober"))
