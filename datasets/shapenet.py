"""ShapeNetCore (v1 or v2): meshes -> shape sets of sampled points, one a category.

python datasets/shapenet.py shapes data/ShapeNetCore.v2 --output data/shapenet_shapes
python datasets/shapenet.py verify data/shapenet_shapes
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from downstream.releases.shapenet.categories import SYNSETS
from downstream.releases.shapenet.shapes import SamplingSettings, convert_release
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
        SamplingSettings(num_points=arguments.num_points, seed=arguments.seed),
        split_file=arguments.split_file,
        num_workers=arguments.num_workers,
        scheduler=arguments.scheduler,
        memory_limit=arguments.memory_limit,
        progress=True,
    )
    num_here = len(done.finished) + len(done.failures)
    if num_here < len(SYNSETS):
        print(f"{num_here} of the {len(SYNSETS)} categories are here; the others are passed over")
    if done.num_unlisted:
        print(f"{done.num_unlisted} models that the split file does not name are passed over")
    return report_shape_sets(done.finished, done.failures, arguments.output, started)


def _commands() -> Commands:
    commands = Commands(__doc__)
    shapes = commands.add("shapes", "the release -> shape sets", _shapes)
    shapes.add_argument("release", type=Path, help="folder of the synsets' folders")
    shapes.add_argument("--output", "-o", type=Path, required=True, help="folder of the shape sets")
    shapes.add_argument("--split-file", type=Path, help="all.csv, if it is not in the release")
    defaults = SamplingSettings()
    shapes.add_argument("--num-points", type=int, default=defaults.num_points, help="of a shape")
    shapes.add_argument("--seed", type=int, default=defaults.seed, help="of the points")
    add_worker_options(shapes)
    add_shape_verify(commands)
    return commands


def main() -> int:
    """Read the command line and do what it says."""
    return _commands().run()


if __name__ == "__main__":
    sys.exit(run_command(main))
