"""Write a small ShapeNetPart release of parametric shapes.

python -m tests.releases.shapenetpart.release data/mini_shapenetpart --num-shapes 10
"""

from __future__ import annotations

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
from tests.releases.command import release_parser
from tests.releases.shapenetpart.shapes import parametric_shape

SPLIT_OF = ("train", "train", "validation", "test", "train")
"""Splits by the remainder of a shape's number: shape ``i`` is in ``SPLIT_OF[i % 5]``."""


def shape_id(seed: int, synset: str, number: int) -> str:
    """Return an id of 32 hexadecimal digits, as in the release."""
    return hashlib.md5(f"{seed}/{synset}/{number}".encode(), usedforsecurity=False).hexdigest()


def shape_truth(seed: int, synset: str, number: int, num_points: int) -> Shape:
    """Return shape ``number`` of a category, before it is rounded to text.

    Args:
        seed: Seed of the release.
        synset: Category.
        number: Number of the shape.
        num_points: Approximate number of points. They are spread by area, with at least one per
            solid.

    Returns:
        Shape, a pure function of the arguments.
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
    order = rng.permutation(sum(map(len, parts)))  # points of the release have no order
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
        output: Folder that receives the folders of the categories, their list and the split lists.
        num_shapes: Number of shapes per category. Of every five shapes, three are for training,
            one for validation and one for testing.
        seed: Seed of the release.
        num_points: Approximate number of points per shape.
        synsets: Categories to write.
        progress: Whether to show a progress bar.

    Raises:
        InputError: ``num_shapes`` or ``num_points`` is less than 1.
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
    """Area of triangles with corners (T, 3, 3)."""
    edges = corners[:, 1:] - corners[:, :1]
    return float(np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1).sum() / 2)


def _text(shape: Shape) -> str:
    """Format seven numbers per line, with six decimals, as in the release."""
    arrays = shape.arrays()
    table = np.concatenate([arrays["coord"], arrays["normal"], arrays["part"][:, None]], axis=1)
    line = " ".join(["%.6f"] * table.shape[1]) + "\n"
    return (line * len(table)) % tuple(table.ravel())


def main() -> None:
    """Write a release as the command line says."""
    parser = release_parser(__doc__)
    parser.add_argument("--num-shapes", type=int, default=10, help="number of shapes per category")
    parser.add_argument(
        "--num-points", type=int, default=2500, help="approximate number of points per shape"
    )
    write_shapenetpart_release(**vars(parser.parse_args()), progress=True)


if __name__ == "__main__":
    sys.exit(run_command(main))
