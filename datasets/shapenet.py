"""Convert ShapeNetCore v1 or v2, meshes, to shape sets of sampled points.

python datasets/shapenet.py shapes data/ShapeNetCore.v2 --output data/shapenet_shapes
python datasets/shapenet.py verify data/shapenet_shapes
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from downstream.releases.shapenet.shapes import SamplingSettings, convert_release
from downstream.shapes.command import add_shape_conversion, add_shape_verify, convert_shapes
from pointcontrast.errors import run_command
from pointcontrast.preparation.conversion_cli import Commands


def _shapes(arguments: argparse.Namespace) -> int:
    convert = partial(
        convert_release,
        arguments.release,
        arguments.output,
        SamplingSettings(num_points=arguments.num_points, seed=arguments.seed),
        split_file=arguments.split_file,
    )
    return convert_shapes(arguments, convert)


def _commands() -> Commands:
    commands = Commands(__doc__)
    shapes = add_shape_conversion(
        commands, _shapes, release="folder with the folders of the synsets"
    )
    shapes.add_argument(
        "--split-file", type=Path, help="split file, by default all.csv in the release"
    )
    defaults = SamplingSettings()
    shapes.add_argument(
        "--num-points", type=int, default=defaults.num_points, help="number of points per shape"
    )
    shapes.add_argument("--seed", type=int, default=defaults.seed, help="seed of the sampling")
    add_shape_verify(commands)
    return commands


if __name__ == "__main__":
    sys.exit(run_command(_commands().run))
