"""Lists of few training scenes, or few annotated points or boxes a scene, to share and train on.

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
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from downstream import benchmarks
from downstream.benchmarks import DetectionScenes, ShapeNet, ShapeNetPart
from downstream.label_lists.boxes import (
    NUM_BOXES,
    BoxList,
    ListedBoxes,
    box_checksum,
    limited_boxes,
    read_box_list,
    write_box_list,
)
from downstream.label_lists.point_choice import (
    NUM_POINTS,
    clustered_points,
    limited_points,
    points_rng,
)
from downstream.label_lists.points import (
    PointList,
    label_checksum,
    read_point_list,
    write_point_list,
)
from downstream.label_lists.scenes import (
    FRACTIONS,
    choose_scenes,
    limited_scenes,
    read_scene_list,
    read_scene_list_comment,
    write_scene_list,
)
from pointcontrast.errors import InputError, run_command
from pointcontrast.labelled_scene import LabelledScene, find_labelled_scenes, read_labelled_scene
from pointcontrast.preparation.conversion_cli import Commands

_SHAPES = (ShapeNet.__name__, ShapeNetPart.__name__)
_SCENES = ("ScanNet", "S3DIS", "Synthia4D", "LabelledScenes")
_DETECTION = ("SUNRGBD", "ScanNetDetection", "DetectionScenes")
_SCENE_LIST_VERSION = 1


def _scenes(arguments: argparse.Namespace) -> int:
    names = _names(arguments)
    categories = [name.partition("/")[0] for name in names]
    groups = categories if arguments.benchmark in _SHAPES else None
    for fraction in arguments.fraction:
        chosen = limited_scenes(names, fraction, arguments.seed, groups)
        path = arguments.output / f"{_stem(arguments)}_scenes_{fraction:g}_seed{arguments.seed}.txt"
        comment = (
            f"{_origin(arguments)}: {len(chosen)} of {len(names)} scenes, fraction {fraction:g}, "
            f"seed {arguments.seed}, version {_SCENE_LIST_VERSION}"
        )
        write_scene_list(path, chosen, comment)
        print(f"{len(chosen)} of {len(names)} in {path}")
    return 0


def _points(arguments: argparse.Namespace) -> int:
    if arguments.source.is_file():
        raise InputError(f"{arguments.source} is a file; give the folder of the labelled scenes")
    names = _names(arguments)
    points: dict[int, dict[str, NDArray[np.int64]]] = {n: {} for n in arguments.num_points}
    checksums: dict[int, dict[str, int]] = {n: {} for n in arguments.num_points}
    sizes: dict[str, int] = {}
    for name in tqdm(names, "scenes", unit="scene", disable=None):
        scene = read_labelled_scene(arguments.source / name, check_values=False)
        if scene.semantic is None:
            raise InputError(f"{arguments.source / name} has no labels; convert it with them")
        sizes[name] = len(scene)
        for count in arguments.num_points:
            rows = _choose(scene, count, name, arguments)
            points[count][name] = rows
            checksums[count][name] = label_checksum(scene.semantic, rows)
    for count, rows_of in points.items():
        path = (
            arguments.output
            / f"{_stem(arguments)}_points_{count}_{arguments.method}_seed{arguments.seed}.npz"
        )
        made = PointList(
            points=rows_of,
            num_points=sizes,
            checksums=checksums[count],
            source=str(path),
            meta={
                "dataset": _origin(arguments),
                "num_points": count,
                "method": arguments.method,
                "seed": arguments.seed,
            },
        )
        write_point_list(path, made)
        fewer = sum(len(rows) < count for rows in rows_of.values())
        note = f" (all labelled points of {fewer} that have fewer)" if fewer else ""
        print(f"{count} points of each of {len(rows_of)} scenes{note} in {path}")
    return 0


def _choose(
    scene: LabelledScene, count: int, name: str, arguments: argparse.Namespace
) -> NDArray[np.int64]:
    assert scene.semantic is not None
    rng = points_rng(arguments.seed, name)
    if arguments.method == "random":
        return limited_points(scene.semantic, count, rng)
    return clustered_points(scene.semantic, count, rng, coord=scene.coord, color=scene.color)


def _boxes(arguments: argparse.Namespace) -> int:
    if arguments.source.is_file():
        raise InputError(f"{arguments.source} is a file; give the folder of the labelled scenes")
    benchmark = getattr(benchmarks, arguments.benchmark or DetectionScenes.__name__)
    if arguments.classes is not None and benchmark is not DetectionScenes:
        raise InputError(f"--classes: {arguments.benchmark} has classes of its own")
    classes = {} if arguments.classes is None else {"classes": arguments.classes}
    reader = benchmark(root=str(arguments.source), **classes)
    listed: dict[int, dict[str, ListedBoxes]] = {n: {} for n in arguments.num_boxes}
    for name in tqdm(_names(arguments), "scenes", unit="scene", disable=None):
        if not (arguments.source / name / "boxes.npy").exists():
            raise InputError(f"{arguments.source / name} has no boxes; convert it with them")
        boxes = reader.boxes(name)
        for count in arguments.num_boxes:
            rows = limited_boxes(boxes, count, points_rng(arguments.seed, name))
            listed[count][name] = ListedBoxes(tuple(rows.tolist()), len(boxes), box_checksum(boxes))
    origin = _origin(arguments)
    origin += f", classes {' '.join(arguments.classes)}" if arguments.classes else ""
    for count, scenes in listed.items():
        path = arguments.output / f"{_stem(arguments)}_boxes_{count}_seed{arguments.seed}.json"
        meta = {"dataset": origin, "boxes_a_scene": count, "seed": arguments.seed}
        write_box_list(path, BoxList(scenes, source=str(path), meta=meta))
        fewer = sum(len(scene.rows) < count for scene in scenes.values())
        note = f" (all boxes of {fewer} that have fewer)" if fewer else ""
        print(f"{count} boxes of each of {len(scenes)} scenes{note} in {path}")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    path: Path = arguments.list
    if path.suffix == ".json":
        return _show_boxes(path)
    if path.suffix == ".txt":
        names = read_scene_list(path)
        print(read_scene_list_comment(path) or f"{path} does not say how it was made")
        print(_number_of_scenes(names))
        return 0
    points = read_point_list(path)
    described = ", ".join(f"{key} {value}" for key, value in points.meta.items())
    print(described or f"{path} does not say how it was made")
    sizes = Counter(len(rows) for rows in points.points.values())
    total = sum(size * number for size, number in sizes.items())
    share = f", {total / sum(points.num_points.values()):.3%} of all" if points.num_points else ""
    print(f"{total} points{share}, {min(sizes)} to {max(sizes)} a scene")
    print(_number_of_scenes(points.names))
    return 0


def _show_boxes(path: Path) -> int:
    boxes = read_box_list(path)
    described = ", ".join(f"{key} {value}" for key, value in boxes.meta.items())
    print(described or f"{path} does not say how it was made")
    sizes = [len(scene.rows) for scene in boxes.scenes.values()]
    everything = sum(scene.num_boxes for scene in boxes.scenes.values())
    print(f"{sum(sizes)} boxes of {everything}, {min(sizes)} to {max(sizes)} a scene")
    print(_number_of_scenes(boxes.names))
    return 0


def _number_of_scenes(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"1 scene: {names[0]}"
    return f"{len(names)} scenes: {names[0]} to {names[-1]}"


def _names(arguments: argparse.Namespace) -> list[str]:
    """The scenes that may be chosen."""
    source: Path = arguments.source
    if arguments.benchmark is not None:
        names = getattr(benchmarks, arguments.benchmark)(root=str(source)).names("train")
    elif source.is_file():
        names = list(read_scene_list(source))
    else:
        folders = find_labelled_scenes(source)
        names = [folder.relative_to(source).as_posix() for folder in folders]
    if arguments.scenes_from is not None:
        names = list(choose_scenes(names, read_scene_list(arguments.scenes_from)))
    if arguments.only is not None:
        names = [name for name in names if any(fnmatchcase(name, p) for p in arguments.only)]
        if not names:
            raise InputError(f"{source} has no scene like {' or '.join(arguments.only)}")
    return names


def _origin(arguments: argparse.Namespace) -> str:
    """What the scenes were chosen from, without the folders of this machine."""
    parts = [_stem(arguments) if arguments.benchmark is None else f"{arguments.benchmark} train"]
    parts += [] if arguments.scenes_from is None else [f"in {arguments.scenes_from.name}"]
    parts += [] if arguments.only is None else [f"only {' '.join(arguments.only)}"]
    return ", ".join(parts)


def _stem(arguments: argparse.Namespace) -> str:
    if arguments.benchmark is not None:
        return arguments.benchmark.lower()
    return arguments.source.resolve().stem


def _commands() -> Commands:
    commands = Commands(__doc__)
    scenes = commands.add("scenes", "a fraction of the training scenes", _scenes)
    points = commands.add("points", "a number of annotated points a training scene", _points)
    scenes.add_argument("source", type=Path, help="folder of labelled scenes, or a list of scenes")
    boxes = commands.add("boxes", "a number of labelled boxes a training scene", _boxes)
    for each in (points, boxes):
        each.add_argument("source", type=Path, help="folder of labelled scenes")
    for each, known in (
        (scenes, (*_SCENES, *_DETECTION, *_SHAPES)),
        (points, _SCENES),
        (boxes, _DETECTION),
    ):
        each.add_argument(
            "--benchmark", choices=known, help="take its training split; else all that is there"
        )
        each.add_argument("--scenes-from", type=Path, help="take those of this list of scenes")
        each.add_argument("--only", nargs="+", metavar="PATTERN", help="take names like these")
        each.add_argument("--output", "-o", type=Path, required=True, help="folder of the lists")
        each.add_argument("--seed", type=int, default=0, help="of the choice")
    scenes.add_argument(
        "--fraction", type=float, nargs="+", default=FRACTIONS, help="of the scenes"
    )
    points.add_argument("--num-points", type=int, nargs="+", default=NUM_POINTS, help="a scene")
    points.add_argument(
        "--method",
        choices=("random", "kmeans"),
        default="random",
        help="any labelled points, or those in the middle of clusters of place and colour",
    )
    boxes.add_argument("--num-boxes", type=int, nargs="+", default=NUM_BOXES, help="a scene")
    boxes.add_argument(
        "--classes", nargs="+", help="count boxes of these; else of the benchmark's, or of all"
    )
    show = commands.add("show", "say what is in a list", _show)
    show.add_argument(
        "list", type=Path, help="a list of scenes (.txt), of boxes (.json) or of points"
    )
    return commands


def main() -> int:
    """Read the command line and do what it says."""
    return _commands().run()


if __name__ == "__main__":
    sys.exit(run_command(main))
