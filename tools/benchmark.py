"""Measure speed and memory against the reference's; see ``--help``."""

import sys
from pathlib import Path

if __name__ == "__main__":  # a process that a benchmark starts imports this file again
    # The benchmarks are in tools/speed, the slow references in tests/oracles: both from this
    # checkout, whatever is installed. Processes that are started from here inherit the path.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

    from tools.speed.command import main

    raise SystemExit(main())
