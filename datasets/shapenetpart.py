"""Convert ShapeNetPart, shapes as text, to shape sets with parts and the official splits.

python datasets/shapenetpart.py shapes data/shapenetpart --output data/shapenetpart_shapes
python datasets/shapenetpart.py verify data/shapenetpart_shapes
"""

from __future__ import annotations

import argparse
import sys
from functools import partial

from downstream.releases.shapenetpart.shapes import convert_release
from downstream.shapes.command import add_shape_conversion, add_shape_verify, convert_shapes
from pointcontrast.errors import run_command
from pointcontrast.preparation.conversion_cli import Commands


def _shapes(arguments: argparse.Namespace) -> int:
    convert = partial(convert_release, arguments.release, arguments.output)
    return convert_shapes(arguments, convert)


def _commands() -> Commands:
    commands = Commands(__doc__)
    add_shape_conversion(commands, _shapes, release="folder with synsetoffset2category.txt")
    add_shape_verify(commands)
    return commands


if __name__ == "__main__":
    sys.exit(run_command(_commands().run))
