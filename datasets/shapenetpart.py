"""ShapeNetPart: shapes as text -> shape sets, one a category, with parts and the official splits.

python datasets/shapenetpart.py shapes data/shapenetpart --output data/shapenetpart_shapes
python datasets/shapenetpart.py verify data/shapenetpart_shapes
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from downstream.releases.shapenetpart.categories import SYNSETS
from downstream.releases.shapenetpart.shapes import convert_release
from downstream.shapes.conversion import add_shape_verify, report_shape_sets
from pointcontrast.errors import run_command
from pointcontrast.preparation.conversion_cli import Commands
from pointcontrast.preparation.prepare_cli import add_worker_options, check_worker_options


def _shapes(arguments: argparse.Namespace) -> int:
    check_worker_options(vars(arguments))
    started = time.perf_counter()
    done = convert_release(
        arguments.release,
        arguments.output,
        num_workers=arguments.num_workers,
        scheduler=arguments.scheduler,
        memory_limit=arguments.memory_limit,
        progress=True,
    )
    num_here = len(done.finished) + len(done.failures)
    if num_here < len(SYNSETS):
        print(f"{num_here} of the {len(SYNSETS)} categories are here; the others are passed over")
    if done.num_unlisted:
        print(f"{done.num_unlisted} shapes that no split lists are passed over")
    return report_shape_sets(done.finished, done.failures, arguments.output, started)


def _commands() -> Commands:
    commands = Commands(__doc__)
    shapes = commands.add("shapes", "the release -> shape sets", _shapes)
    shapes.add_argument("release", type=Path, help="folder with synsetoffset2category.txt")
    shapes.add_argument("--output", "-o", type=Path, required=True, help="folder of the shape sets")
    add_worker_options(shapes)
    add_shape_verify(commands)
    return commands


def main() -> int:
    """Read the command line and do what it says."""
    return _commands().run()


if __name__ == "__main__":
    sys.exit(run_command(main))
