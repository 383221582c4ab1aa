"""Convert SUN RGB-D, the release or the output of VoteNet's scripts, to labelled scenes.

python datasets/sunrgbd.py scenes data/sunrgbd --output data/sunrgbd_scenes
python datasets/sunrgbd.py scenes data/sunrgbd --output data/sunrgbd_v2 --labels v2
python datasets/sunrgbd.py scenes data/sunrgbd_trainval --output data/sunrgbd_scenes
python datasets/sunrgbd.py verify data/sunrgbd_scenes
"""

from __future__ import annotations

import argparse
import sys
from functools import partial

from downstream.releases.sunrgbd.images import (
    ImageSettings,
    convert_images,
    find_images,
    report,
)
from pointcontrast.errors import run_command
from pointcontrast.preparation.conversion_cli import Commands, convert_scenes, print_lines


def _scenes(arguments: argparse.Namespace) -> int:
    settings = ImageSettings(
        labels=arguments.labels,
        max_points=arguments.max_points,
        keep_empty=arguments.keep_empty,
    )
    found = find_images(arguments.release, settings.labels)
    print_lines([*(f"note: {note}" for note in found.notes), *found.left_out])
    return convert_scenes(
        arguments,
        partial(convert_images, found.images, arguments.output, settings, failures=found.failures),
        partial(report, found.images, arguments.output),
    )


def _commands() -> Commands:
    commands = Commands(__doc__)
    scenes = commands.add_conversion(
        "scenes",
        "convert images to labelled scenes with boxes",
        _scenes,
        release="folder with SUNRGBD/, SUNRGBDMeta3DBB_v2.mat, SUNRGBDMeta2DBB_v2.mat and "
        "SUNRGBDtoolbox/; or the folder sunrgbd_trainval of VoteNet's MATLAB script; or a folder "
        "with sunrgbd_pc_bbox_votes_50k_v1_train/ and ..._val/",
        unit="image",
    )
    scenes.add_argument(
        "--labels",
        choices=("v1", "v2"),
        default="v1",
        help="version of the boxes; VoteNet and PointContrast report results on v1",
    )
    scenes.add_argument(
        "--max-points",
        type=int,
        default=50_000,
        help="maximum number of points per image, drawn at random; 0 keeps all points",
    )
    scenes.add_argument(
        "--keep-empty",
        action="store_true",
        help="keep images without a box of the ten classes, which VoteNet leaves out",
    )
    commands.add_verify()
    return commands


if __name__ == "__main__":
    sys.exit(run_command(_commands().run))
