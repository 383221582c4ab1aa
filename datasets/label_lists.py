"""Make lists of few training scenes, or of few annotated points or boxes per scene.

python datasets/label_lists.py scenes data/scannet_scenes --benchmark ScanNet --output lists
python datasets/label_lists.py scenes data/s3dis_scenes --only "Area_[12346]/*" --output lists
python datasets/label_lists.py scenes datasets/splits/scannetv2_train.txt --output lists
python datasets/label_lists.py points data/scannet_scenes --benchmark ScanNet --output lists
python datasets/label_lists.py boxes data/scannet_scenes --benchmark ScanNetDetection -o lists
python datasets/label_lists.py show lists/scannet_points_20_random_seed0.npz
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

from downstream.label_lists.boxes import NUM_BOXES
from downstream.label_lists.candidates import Candidates
from downstream.label_lists.description import describe_list
from downstream.label_lists.making import (
    Method,
    make_box_lists,
    make_point_lists,
    make_scene_lists,
)
from downstream.label_lists.point_choice import NUM_POINTS
from downstream.label_lists.scenes import FRACTIONS
from pointcontrast.errors import run_command
from pointcontrast.preparation.conversion_cli import Command, Commands

_SHAPES = ("ShapeNet", "ShapeNetPart")
_SCENES = ("ScanNet", "S3DIS", "Synthia4D", "LabelledScenes")
_DETECTION = ("SUNRGBD", "ScanNetDetection", "DetectionScenes")


def _scenes(arguments: argparse.Namespace) -> int:
    make_scene_lists(
        _candidates(arguments),
        arguments.output,
        arguments.fraction,
        arguments.seed,
        by_folder=arguments.benchmark in _SHAPES,
    )
    return 0


def _points(arguments: argparse.Namespace) -> int:
    make_point_lists(
        _candidates(arguments),
        arguments.output,
        arguments.num_points,
        arguments.seed,
        arguments.method,
    )
    return 0


def _boxes(arguments: argparse.Namespace) -> int:
    make_box_lists(
        _candidates(arguments),
        arguments.output,
        arguments.num_boxes,
        arguments.seed,
        arguments.classes,
    )
    return 0


def _show(arguments: argparse.Namespace) -> int:
    print(describe_list(arguments.list))
    return 0


def _candidates(arguments: argparse.Namespace) -> Candidates:
    return Candidates(
        source=arguments.source,
        benchmark=arguments.benchmark,
        scenes_from=arguments.scenes_from,
        only=arguments.only,
    )


def _commands() -> Commands:
    commands = Commands(__doc__)
    folder = "folder of labelled scenes"
    scenes = _add(
        commands, "scenes", "choose a fraction of the training scenes", _scenes,
        source=f"{folder} or shape sets, or a list of scenes",
        benchmarks=(*_SCENES, *_DETECTION, *_SHAPES),
    )  # fmt: skip
    scenes.add_argument(
        "--fraction", type=float, nargs="+", default=FRACTIONS, help="fractions of the scenes"
    )
    points = _add(
        commands, "points", "choose annotated points in each training scene", _points,
        source=folder, benchmarks=_SCENES,
    )  # fmt: skip
    points.add_argument(
        "--num-points", type=int, nargs="+", default=NUM_POINTS, help="numbers of points per scene"
    )
    points.add_argument(
        "--method",
        choices=get_args(Method),
        default="random",
        help="random: any labelled points; kmeans: those nearest to the centres of clusters of "
        "positions and colours",
    )
    boxes = _add(
        commands, "boxes", "choose labelled boxes in each training scene", _boxes,
        source=folder, benchmarks=_DETECTION,
    )  # fmt: skip
    boxes.add_argument(
        "--num-boxes", type=int, nargs="+", default=NUM_BOXES, help="numbers of boxes per scene"
    )
    boxes.add_argument(
        "--classes",
        nargs="+",
        help="classes of the boxes; by default those of the benchmark, or all",
    )
    show = commands.add("show", "describe a list", _show)
    show.add_argument(
        "list", type=Path, help="list of scenes (.txt), of boxes (.json) or of points"
    )
    return commands


def _add(
    commands: Commands, name: str, text: str, run: Command, *, source: str,
    benchmarks: tuple[str, ...],
) -> argparse.ArgumentParser:  # fmt: skip
    added = commands.add(name, text, run)
    add = added.add_argument
    add("source", type=Path, help=source)
    add(
        "--benchmark",
        choices=benchmarks,
        help="choose from the training split of this benchmark; by default from all scenes",
    )
    add("--scenes-from", type=Path, help="choose from the scenes of this list")
    add("--only", nargs="+", metavar="PATTERN", help="choose from scenes with names like these")
    add("--output", "-o", type=Path, required=True, help="folder of the lists")
    add("--seed", type=int, default=0, help="seed of the choice")
    return added


if __name__ == "__main__":
    sys.exit(run_command(_commands().run))
