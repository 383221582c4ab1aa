"""Measure our figures beside the reference's; see --help."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

if __name__ == "__main__":  # processes that are started on the way need none of it, but the path
    # The slow reference implementations live with the tests; without the root before them,
    # tests/downstream would be taken for the package.
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

    from downstream.speed.detection import add_arguments
    from pointcontrast.benchmarks.command import main

    what = "VoteNet's sampling and grouping, and a training step"
    raise SystemExit(main(more={"detection": (what, add_arguments)}))
