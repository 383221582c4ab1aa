"""A small S3DIS release of synthetic rooms, in the exact layout of the real one.

python -m downstream.releases.s3dis.synthetic data/mini_s3dis --rooms-per-area 2
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from downstream.releases.s3dis.rooms import ANNOTATIONS, AREAS
from pointcontrast.errors import InputError, run_command
from pointcontrast.files import atomic_folder
from pointcontrast.synthetic.pieces import CLASS_NAMES as ROOM_CLASS_NAMES
from pointcontrast.synthetic.render import Renderer, SurfacePoints
from pointcontrast.synthetic.rooms import make_room

_CLASS_OF = {
    "desk": "table",
    "cabinet": "bookcase",
    "picture": "board",
    "monitor": "board",
} | {
    name: name
    for name in ("wall", "floor", "ceiling", "door", "window", "table", "chair", "sofa", "bookcase")
}
"""Class of the synthetic rooms -> class of S3DIS; all others are clutter."""


def write_s3dis_release(
    output: Path,
    rooms_per_area: int = 2,
    seed: int = 0,
    *,
    areas: tuple[int, ...] = AREAS,
    density: float = 400.0,
    progress: bool = False,
) -> list[Path]:
    """Write a release.

    Args:
        output: gets ``Area_1/office_1/office_1.txt``, ``Area_1/office_1/Annotations/wall_1.txt``
            and so on.
        rooms_per_area: how many.
        seed: of the release; a room is a pure function of it, its area and its number.
        areas: which.
        density: points a square metre.
        progress: show a progress bar.

    Returns:
        The rooms' folders, in order.

    Raises:
        InputError: a number is out of range.
    """
    if rooms_per_area < 1 or not set(areas) <= set(AREAS):
        raise InputError(
            f"rooms_per_area {rooms_per_area} must be 1 or more, and areas {areas} among {AREAS}"
        )
    tasks = [(area, number) for area in areas for number in range(1, rooms_per_area + 1)]
    rooms = []
    for area, number in tqdm(tasks, "rooms", unit="room", disable=None if progress else True):
        rng = np.random.default_rng([seed, area, number])
        points = Renderer(make_room(rng)).sample_points(density, rng)
        room = output / f"Area_{area}" / f"office_{number}"
        _write_room(room, points, rng.uniform((-20, -20, 0), (20, 20, 1)))
        rooms.append(room)
    return rooms


def _write_room(room: Path, points: SurfacePoints, corner: NDArray[np.float64]) -> None:
    """Write the objects of a room, moved to its place in the building."""
    coord = points.points + corner
    numbers: Counter[str] = Counter()
    with atomic_folder(room) as partial:
        (partial / ANNOTATIONS).mkdir()
        everything = []
        for semantic, instance in sorted(
            set(zip(points.semantic.tolist(), points.instance.tolist(), strict=True))
        ):
            name = _CLASS_OF.get(ROOM_CLASS_NAMES[semantic], "clutter")
            numbers[name] += 1
            rows = (points.semantic == semantic) & (points.instance == instance)
            text = _text(coord[rows], points.colors[rows])
            (partial / ANNOTATIONS / f"{name}_{numbers[name]}.txt").write_text(text, "ascii")
            everything.append(text)
        (partial / f"{room.name}.txt").write_text("".join(everything), "ascii")


def _text(coord: NDArray[np.float64], color: NDArray[np.uint8]) -> str:
    return "".join(
        f"{x:.3f} {y:.3f} {z:.3f} {r} {g} {b}\n"
        for (x, y, z), (r, g, b) in zip(coord.tolist(), color.tolist(), strict=True)
    )


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Write a small S3DIS release of synthetic rooms.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("output", type=Path, help="folder of the release")
    parser.add_argument("--rooms-per-area", type=int, default=2)
    parser.add_argument("--density", type=float, default=400.0, help="points a square metre")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    write_s3dis_release(
        arguments.output,
        arguments.rooms_per_area,
        arguments.seed,
        density=arguments.density,
        progress=True,
    )
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
