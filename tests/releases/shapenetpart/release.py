"""A small ShapeNetPart release of parametric shapes: the stand-in for data that cannot be shipped.

python -m tests.releases.shapenetpart.release data/mini_shapenetpart --num-shapes 10
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from downstream.releases.shapenetpart.categories import (
    CATEGORY_NAMES,
    PARTS_OF_CATEGORY,
    SYNSETS,
)
from downstream.releases.shapenetpart.layout import CATEGORY_FILE, LISTS
from downstream.shapes.shape_set import Shape
from pointcontrast.errors import InputError, run_command
from pointcontrast.files import atomic_file, write_json
from pointcontrast.recordings.reconstruction.surface_points import sample_surface
from tests.releases.shapenetpart.parametric import parametric_shape

SPLIT_OF = ("train", "train", "validation", "test", "train")
"""The split of shape ``number`` of a category is that at ``number % 5``."""


def shape_id(seed: int, synset: str, number: int) -> str:
    """32 hexadecimal digits, as the release has them."""
    return hashlib.md5(f"{seed}/{synset}/{number}".encode(), usedforsecurity=False).hexdigest()


def shape_truth(seed: int, synset: str, number: int, num_points: int) -> Shape:
    """What shape ``number`` of a category shows, before it is rounded to text.

    Args:
        seed: of the release.
        synset: the category.
        number: of the shape.
        num_points: about so many points, by area; each solid has one at least.

    Returns:
        A pure function of all four.
    """
    rng = np.random.default_rng([seed, int(synset), number])
    solids = parametric_shape(synset, rng)
    first = PARTS_OF_CATEGORY[SYNSETS.index(synset)].start
    areas = [_area(solid.vertices[solid.triangles]) for _, solid in solids]
    density = num_points / sum(areas)
    clouds = [
        sample_surface(solid.vertices, solid.triangles, None, density, num_points, rng)
        for _, solid in solids
    ]
    parts = [
        np.full(len(cloud), first + part, dtype=np.int32)
        for (part, _), cloud in zip(solids, clouds, strict=True)
    ]
    order = rng.permutation(sum(map(len, parts)))  # the release's points are in no order
    normals = [cloud.normals for cloud in clouds if cloud.normals is not None]
    return Shape(
        id=shape_id(seed, synset, number),
        coord=np.concatenate([cloud.points for cloud in clouds])[order],
        normal=np.concatenate(normals)[order],
        part=np.concatenate(parts)[order],
    )


def write_shapenetpart_release(
    output: Path,
    num_shapes: int = 10,
    seed: int = 0,
    *,
    num_points: int = 2500,
    synsets: Sequence[str] = SYNSETS,
    progress: bool = False,
) -> None:
    """Write a release.

    Args:
        output: gets the folders of the categories, their list and the split lists.
        num_shapes: of each category; of five, three train, one validates, one tests.
        seed: of the release.
        num_points: about so many of each shape.
        synsets: the categories.
        progress: show a progress bar.

    Raises:
        InputError: no shapes are asked for.
    """
    if min(num_shapes, num_points) < 1:
        raise InputError(f"num_shapes {num_shapes} and num_points {num_points} must be 1 or more")
    lists: dict[str, list[str]] = {split: [] for split in LISTS}
    tasks = [(synset, number) for synset in synsets for number in range(num_shapes)]
    for synset, number in tqdm(tasks, "shapes", disable=None if progress else True):
        shape = shape_truth(seed, synset, number, num_points)
        with atomic_file(output / synset / f"{shape.id}.txt") as partial:
            partial.write_text(_text(shape), encoding="ascii")
        lists[SPLIT_OF[number % len(SPLIT_OF)]].append(f"shape_data/{synset}/{shape.id}")
    rng = np.random.default_rng(seed)
    for split, entries in lists.items():
        write_json(output / LISTS[split], [entries[row] for row in rng.permutation(len(entries))])
    with atomic_file(output / CATEGORY_FILE) as partial:
        names = dict(zip(SYNSETS, CATEGORY_NAMES, strict=True))
        partial.write_text("".join(f"{names[synset]}\t{synset}\n" for synset in synsets), "ascii")


def _area(corners: np.ndarray) -> float:
    """Of triangles (T, 3 corners, 3)."""
    edges = corners[:, 1:] - corners[:, :1]
    return float(np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1).sum() / 2)


def _text(shape: Shape) -> str:
    """Seven numbers a line, six decimals each, as in the release."""
    arrays = shape.arrays()
    table = np.concatenate([arrays["coord"], arrays["normal"], arrays["part"][:, None]], axis=1)
    line = " ".join(["%.6f"] * table.shape[1]) + "\n"
    return (line * len(table)) % tuple(table.ravel())


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Write a small ShapeNetPart release of parametric shapes.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("output", type=Path, help="folder of the release")
    parser.add_argument("--num-shapes", type=int, default=10, help="of each category")
    parser.add_argument("--num-points", type=int, default=2500, help="of each shape, about")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    write_shapenetpart_release(
        arguments.output,
        arguments.num_shapes,
        arguments.seed,
        num_points=arguments.num_points,
        progress=True,
    )
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
