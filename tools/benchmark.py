"""Measure our figures beside the reference's; see --help."""

import sys
from pathlib import Path

from downstream.speed.detection import add_arguments

# The slow reference implementations live with the tests. (After the import above: tests/downstream
# would be taken for the package.)
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from pointcontrast.benchmarks.command import main

if __name__ == "__main__":
    what = "VoteNet's sampling and grouping, and a training step"
    raise SystemExit(main(more={"detection": (what, add_arguments)}))
