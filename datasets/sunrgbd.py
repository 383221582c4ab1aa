"""SUN RGB-D: images with boxes -> labelled scenes, from the release or from VoteNet's MATLAB step.

python datasets/sunrgbd.py scenes data/sunrgbd --output data/sunrgbd_scenes
python datasets/sunrgbd.py scenes data/sunrgbd --output data/sunrgbd_v2 --labels v2
python datasets/sunrgbd.py scenes data/sunrgbd_trainval --output data/sunrgbd_scenes
python datasets/sunrgbd.py verify data/sunrgbd_scenes
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from downstream.releases.sunrgbd.images import (
    ImageSettings,
    convert_images,
    find_images,
    report,
)
from pointcontrast.errors import run_command
from pointcontrast.preparation.conversion_cli import Commands, convert_scenes
from pointcontrast.preparation.prepare_cli import add_worker_options
from pointcontrast.preparation.scene_conversion import ConvertedScene


def _scenes(arguments: argparse.Namespace) -> int:
    settings = ImageSettings(
        labels=arguments.labels,
        max_points=arguments.max_points,
        keep_empty=arguments.keep_empty,
    )
    images, notes = find_images(arguments.release, settings.labels)
    for note in notes:
        print(f"note: {note}")
    finished: list[ConvertedScene] = []

    def convert(**options: object) -> tuple[list[ConvertedScene], dict[str, str]]:
        run = partial(convert_images, images, arguments.output, settings)
        scenes, failures = run(**options)  # pyright: ignore[reportArgumentType]
        finished.extend(scenes)
        return scenes, failures

    status = convert_scenes(arguments, convert)
    print(report(images, arguments.output, finished))
    return status


def _commands() -> Commands:
    commands = Commands(__doc__)
    scenes = commands.add("scenes", "images -> labelled scenes", _scenes)
    scenes.add_argument(
        "release",
        type=Path,
        help="folder with SUNRGBD/, SUNRGBDMeta3DBB_v2.mat, SUNRGBDMeta2DBB_v2.mat and "
        "SUNRGBDtoolbox/, or the sunrgbd_trainval of VoteNet's MATLAB step",
    )
    scenes.add_argument("--output", "-o", type=Path, required=True, help="folder of the scenes")
    scenes.add_argument(
        "--labels",
        choices=("v1", "v2"),
        default="v1",
        help="of the boxes; v1 are those of VoteNet's and PointContrast's figures",
    )
    scenes.add_argument(
        "--max-points", type=int, default=50_000, help="of an image, drawn at random; 0 keeps all"
    )
    scenes.add_argument(
        "--keep-empty",
        action="store_true",
        help="keep images without a box of the ten classes; VoteNet's figures are without them",
    )
    add_worker_options(scenes)
    commands.add_verify()
    return commands


def main() -> int:
    """Read the command line and do what it says."""
    return _commands().run()


if __name__ == "__main__":
    sys.exit(run_command(main))
