"""Convert scans that you labelled yourself to labelled scenes.

python datasets/labelled.py scenes data/my_scans --output data/mine --classes classes.txt
python datasets/labelled.py scenes data/tiles --output data/mine --label-field Classification
python datasets/labelled.py verify data/mine
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from downstream.predictions.label_picture import draw_labelled_scenes
from downstream.releases.own_labels.class_list import ClassList, read_class_list
from downstream.releases.own_labels.classes_of_scans import classes_of
from downstream.releases.own_labels.report import count_labels, num_labelled
from downstream.releases.own_labels.scan_files import find_scans
from downstream.releases.own_labels.scenes import OwnSettings, convert_scans
from pointcontrast.errors import RunFailed, run_command
from pointcontrast.labelled_scene import UP_AXES
from pointcontrast.preparation.conversion_cli import Commands, convert_scenes, print_lines
from pointcontrast.preparation.scene_conversion import ConvertedScene


def _scenes(arguments: argparse.Namespace) -> int:
    settings = OwnSettings(
        label_field=arguments.label_field,
        instance_field=arguments.instance_field,
        unit=arguments.unit,
        up_axis=arguments.up,
    )
    given = [] if arguments.classes is None else [arguments.classes]
    scans, left_out = find_scans(arguments.release.absolute(), given)
    if arguments.classes is None:
        classes = classes_of(
            scans, settings.label_field, settings.instance_field, arguments.unlabelled
        )
        print(f"classes are those of {classes.source}: {', '.join(classes.names)}")
    else:
        classes = read_class_list(arguments.classes, arguments.unlabelled)
    print_lines([f"left out: {line}" for line in left_out])
    print_lines([f"note: {note}" for note in classes.notes])
    return convert_scenes(
        arguments,
        partial(convert_scans, scans, arguments.output, classes, settings),
        partial(_report, arguments.output, classes, arguments.pictures),
    )


def _report(
    output: Path, classes: ClassList, num_pictures: int, finished: list[ConvertedScene]
) -> str:
    lines = count_labels(output, finished, classes)
    if finished and not num_labelled(output, finished):
        raise RunFailed(f"{lines}\nno scene has a label; see --unlabelled and --label-field")
    pictures = draw_labelled_scenes(output, [each.scene for each in finished], num_pictures)
    if pictures:
        others = "" if len(pictures) == 1 else f" and {len(pictures) - 1} more"
        lines += f"\npictures: {pictures[0]}{others}"
    return lines


def _commands() -> Commands:
    commands = Commands(__doc__)
    scenes = commands.add_conversion(
        "scenes",
        "convert scans with labels to labelled scenes",
        _scenes,
        release="folder of scans: .ply .pcd .las .laz .e57 .npz .npy .txt .asc .csv .xyz .pts with "
        "a column of labels, .bin with .label (SemanticKITTI), .txt with .labels (Semantic3D), or "
        "folders with Annotations/CLASS_NUMBER.txt (S3DIS); boxes as NAME.json beside a scan",
        unit="scan",
    )
    scenes.add_argument(
        "--label-field",
        metavar="NAME",
        help="column with the labels: its name, or its number where columns have none (default: "
        "the one that is called label, class, classification or the like)",
    )
    scenes.add_argument(
        "--classes",
        type=Path,
        metavar="FILE",
        help="names of the classes: text with a name a line (labels count from 0) or a label and a "
        "name a line, JSON or YAML (default: ASPRS classes of LAS, or words in the files)",
    )
    scenes.add_argument(
        "--unlabelled",
        type=int,
        nargs="+",
        default=[],
        metavar="LABEL",
        help="labels that mean none, such as 255; -1 always does",
    )
    scenes.add_argument(
        "--instance-field", metavar="NAME", help="column with the numbers of objects, -1 for none"
    )
    scenes.add_argument(
        "--unit",
        type=float,
        metavar="METRES",
        help="metres per unit of the coordinates, such as 0.001 for millimetres (default: what a "
        "file states, else metres, which must fit)",
    )
    scenes.add_argument("--up", choices=UP_AXES, default="z", help="up direction of the scans")
    scenes.add_argument(
        "--pictures", type=int, default=4, metavar="N", help="scenes to draw, by class"
    )
    commands.add_verify()
    return commands


if __name__ == "__main__":
    sys.exit(run_command(_commands().run))
