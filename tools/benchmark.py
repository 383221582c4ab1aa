"""Measure our figures beside the reference's; see --help."""

import sys
from pathlib import Path

if __name__ == "__main__":  # processes that are started on the way need none of it, but the path
    # The benchmarks lie in tools/speed, the slow reference implementations in tests/oracles.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

    from tools.speed.command import main

    raise SystemExit(main())
