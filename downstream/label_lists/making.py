"""Making of lists of scenes, of points and of boxes, several sizes at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from downstream.label_lists.boxes import (
    BoxList,
    ListedBoxes,
    box_checksum,
    limited_boxes,
    write_box_list,
)
from downstream.label_lists.candidates import Candidates
from downstream.label_lists.point_choice import clustered_points, limited_points, points_rng
from downstream.label_lists.points import PointList, label_checksum, write_point_list
from downstream.label_lists.scenes import limited_scenes, write_scene_list
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import LabelledScene, read_labelled_scene

Method = Literal["random", "kmeans"]

_SCENE_LIST_VERSION = 1


def make_scene_lists(
    candidates: Candidates, output: Path, fractions: Sequence[float], seed: int, *, by_folder: bool
) -> None:
    """Write a list of scenes per fraction, and print a line for each.

    Args:
        candidates: Scenes to choose from.
        output: Folder of the lists.
        fractions: Fractions of the scenes.
        seed: Seed of the choice.
        by_folder: Whether the fraction is taken from each folder, such as the category of a shape.

    Raises:
        InputError: As of :meth:`Candidates.names` and
            :func:`downstream.label_lists.scenes.limited_scenes`.
    """
    names = candidates.names()
    groups = [name.partition("/")[0] for name in names] if by_folder else None
    for fraction in fractions:
        chosen = limited_scenes(names, fraction, seed, groups)
        path = output / f"{candidates.stem}_scenes_{fraction:g}_seed{seed}.txt"
        comment = (
            f"{candidates.origin}: {len(chosen)} of {len(names)} scenes, fraction {fraction:g}, "
            f"seed {seed}, version {_SCENE_LIST_VERSION}"
        )
        write_scene_list(path, chosen, comment)
        print(f"{len(chosen)} of {len(names)} in {path}")


def make_point_lists(
    candidates: Candidates, output: Path, sizes: Sequence[int], seed: int, method: Method
) -> None:
    """Write a list of points per size, and print a line for each.

    Args:
        candidates: Labelled scenes, in a folder.
        output: Folder of the lists.
        sizes: Numbers of points per scene.
        seed: Seed of the choice.
        method: "random" chooses any labelled points, "kmeans" those nearest to cluster centres.

    Raises:
        InputError: A scene has no labels, a size is not positive, or as of
            :meth:`Candidates.names`.
    """
    folder = candidates.folder()
    points: dict[int, dict[str, NDArray[np.int64]]] = {size: {} for size in sizes}
    checksums: dict[int, dict[str, int]] = {size: {} for size in sizes}
    num_points: dict[str, int] = {}
    for name in tqdm(candidates.names(), "scenes", unit="scene", disable=None):
        scene = read_labelled_scene(folder / name, check_values=False)
        if scene.semantic is None:
            raise InputError(f"{folder / name} has no labels; convert it with them")
        num_points[name] = len(scene)
        for size in sizes:
            rows = _choose(scene, scene.semantic, size, method, points_rng(seed, name))
            points[size][name] = rows
            checksums[size][name] = label_checksum(scene.semantic, rows)
    for size, rows_of in points.items():
        path = output / f"{candidates.stem}_points_{size}_{method}_seed{seed}.npz"
        meta = {"dataset": candidates.origin, "num_points": size, "method": method, "seed": seed}
        made = PointList(
            points=rows_of,
            num_points=num_points,
            checksums=checksums[size],
            source=str(path),
            meta=meta,
        )
        write_point_list(path, made)
        fewer = sum(len(rows) < size for rows in rows_of.values())
        note = f" (all labelled points of {fewer} that have fewer)" if fewer else ""
        print(f"{size} points of each of {len(rows_of)} scenes{note} in {path}")


def make_box_lists(
    candidates: Candidates,
    output: Path,
    sizes: Sequence[int],
    seed: int,
    classes: Sequence[str] | None = None,
) -> None:
    """Write a list of boxes per size, and print a line for each.

    Args:
        candidates: Labelled scenes with boxes, in a folder.
        output: Folder of the lists.
        sizes: Numbers of boxes per scene.
        seed: Seed of the choice.
        classes: Classes of the boxes; None is those of the benchmark, or all.

    Raises:
        InputError: A scene has no boxes, a size is not positive, classes are given for a benchmark
            that has its own, or as of :meth:`Candidates.names`.
    """
    from downstream import benchmarks  # only here: it imports PyTorch

    folder = candidates.folder()
    benchmark = getattr(benchmarks, candidates.benchmark or "DetectionScenes")
    if classes is not None and benchmark is not benchmarks.DetectionScenes:
        raise InputError(f"--classes: {candidates.benchmark} has classes of its own")
    chosen: dict[str, Any] = {} if classes is None else {"classes": list(classes)}
    reader = benchmark(root=str(folder), **chosen)
    listed: dict[int, dict[str, ListedBoxes]] = {size: {} for size in sizes}
    for name in tqdm(candidates.names(), "scenes", unit="scene", disable=None):
        if not (folder / name / "boxes.npy").exists():
            raise InputError(f"{folder / name} has no boxes; convert it with them")
        boxes = reader.boxes(name)
        for size in sizes:
            rows = limited_boxes(boxes, size, points_rng(seed, name))
            listed[size][name] = ListedBoxes(tuple(rows.tolist()), len(boxes), box_checksum(boxes))
    origin = candidates.origin + (f", classes {' '.join(classes)}" if classes else "")
    for size, scenes in listed.items():
        path = output / f"{candidates.stem}_boxes_{size}_seed{seed}.json"
        meta = {"dataset": origin, "num_boxes": size, "seed": seed}
        write_box_list(path, BoxList(scenes, source=str(path), meta=meta))
        fewer = sum(len(scene.rows) < size for scene in scenes.values())
        note = f" (all boxes of {fewer} that have fewer)" if fewer else ""
        print(f"{size} boxes of each of {len(scenes)} scenes{note} in {path}")


def _choose(
    scene: LabelledScene,
    labels: NDArray[np.int32],
    size: int,
    method: Method,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    if method == "random":
        return limited_points(labels, size, rng)
    return clustered_points(labels, size, rng, coord=scene.coord, color=scene.color)
