"""Measure our figures beside the reference's; see --help."""

import sys
from pathlib import Path

# The slow reference implementations live with the tests.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from pointcontrast.benchmarks.command import main

if __name__ == "__main__":
    raise SystemExit(main())
