"""Lists of few training scenes, or few annotated points a scene, to share and to train on.

python datasets/label_lists.py scenes ScanNet data/scannet_scenes --output lists --seed 0
python datasets/label_lists.py points ScanNet data/scannet_scenes --output lists --seed 0
python datasets/label_lists.py show lists/scannet_points_20_seed0.npz
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from downstream import benchmarks
from downstream.benchmarks import Benchmark, ShapeNet, ShapeNetPart
from downstream.label_lists import (
    PointList,
    limited_points,
    limited_scenes,
    points_rng,
    read_point_list,
    read_scene_list,
    write_point_list,
    write_scene_list,
)
from pointcontrast.conversion_cli import Commands
from pointcontrast.errors import InputError, run_command

_BENCHMARKS = ("ScanNet", "S3DIS", "Synthia4D", "ShapeNetPart", "ShapeNet", "LabelledScenes")
_FRACTIONS = (0.01, 0.05, 0.1, 0.2)  # limited reconstructions of the data-efficient benchmark
_NUM_POINTS = (20, 50, 100, 200)  # its limited annotations


def _scenes(arguments: argparse.Namespace) -> int:
    benchmark = _open(arguments)
    names = benchmark.names("train")
    shapes = isinstance(benchmark, ShapeNetPart | ShapeNet)
    groups = [name.partition("/")[0] for name in names] if shapes else None
    for fraction in arguments.fraction:
        chosen = limited_scenes(names, fraction, arguments.seed, groups)
        path = arguments.output / f"{_stem(arguments)}_scenes_{fraction:g}_seed{arguments.seed}.txt"
        what = f"{arguments.benchmark}, train: {len(chosen)} of {len(names)}"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_scene_list(path, chosen, f"{what}, fraction {fraction:g}, seed {arguments.seed}")
        print(f"{len(chosen)} of {len(names)} in {path}")
    return 0


def _points(arguments: argparse.Namespace) -> int:
    benchmark = _open(arguments)
    if isinstance(benchmark, ShapeNet):
        raise InputError("ShapeNet's labels are those of whole shapes; make a list of scenes")
    chosen: dict[int, dict[str, NDArray[np.int64]]] = {n: {} for n in arguments.num_points}
    sizes: dict[str, int] = {}
    for name in tqdm(benchmark.names("train"), "scenes", unit="scene", disable=None):
        labels = benchmark.read(name).labels
        if labels is None:
            raise InputError(f"{name} has no labels; convert it with them")
        sizes[name] = len(labels)
        for count, points in chosen.items():
            points[name] = limited_points(labels, count, points_rng(arguments.seed, name))
    for count, points in chosen.items():
        path = arguments.output / f"{_stem(arguments)}_points_{count}_seed{arguments.seed}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        meta = {"benchmark": arguments.benchmark, "points": count, "seed": arguments.seed}
        write_point_list(
            path, PointList(points=points, num_points=sizes, source=str(path), meta=meta)
        )
        print(f"{count} points of each of {len(points)} scenes in {path}")
    return 0


def _show(arguments: argparse.Namespace) -> int:
    path: Path = arguments.list
    if path.suffix == ".txt":
        names = read_scene_list(path)
        print(f"{len(names)} scenes: {names[0]} to {names[-1]}")
        return 0
    points = read_point_list(path)
    total = sum(len(rows) for rows in points.points.values())
    print(f"{total} points of {len(points.names)} scenes; {dict(points.meta) or 'no description'}")
    return 0


def _open(arguments: argparse.Namespace) -> Benchmark:
    return getattr(benchmarks, arguments.benchmark)(root=str(arguments.root))


def _stem(arguments: argparse.Namespace) -> str:
    return arguments.benchmark.lower()


def _commands() -> Commands:
    commands = Commands(__doc__)
    scenes = commands.add("scenes", "a fraction of the training scenes", _scenes)
    points = commands.add("points", "a number of annotated points a training scene", _points)
    for each in (scenes, points):
        each.add_argument("benchmark", choices=_BENCHMARKS, help="whose training split")
        each.add_argument("root", type=Path, help="folder of its converted data")
        each.add_argument("--output", "-o", type=Path, required=True, help="folder of the lists")
        each.add_argument("--seed", type=int, default=0, help="of the choice")
    scenes.add_argument(
        "--fraction", type=float, nargs="+", default=_FRACTIONS, help="of the scenes"
    )
    points.add_argument("--num-points", type=int, nargs="+", default=_NUM_POINTS, help="a scene")
    show = commands.add("show", "say what is in a list", _show)
    show.add_argument("list", type=Path, help="a list of scenes (.txt) or of points")
    return commands


def main() -> int:
    """Read the command line and do what it says."""
    arguments = _commands().parser.parse_args()
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(run_command(main))
