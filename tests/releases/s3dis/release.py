"""Write a small S3DIS release of synthetic rooms.

python -m tests.releases.s3dis.release data/mini_s3dis --num-rooms 2

Folders, file names and lines follow Stanford3dDataset_v1.2. As in the real release, each room has
a place in its building, z is up, and ``<room>.txt`` holds the points of all annotations. There are
no beams, columns or stairs. Pictures and monitors are labelled as boards.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from downstream.releases.s3dis.rooms import ANNOTATIONS, AREAS, room_name
from pointcontrast.errors import InputError, run_command
from pointcontrast.files import atomic_folder
from pointcontrast.synthetic.pieces import CLASS_NAMES as ROOM_CLASS_NAMES
from pointcontrast.synthetic.render import Renderer, SurfacePoints
from pointcontrast.synthetic.rooms import make_room
from tests.releases.command import add_damage_option, release_parser
from tests.releases.damage import check_damaged
from tests.releases.s3dis.damage import DAMAGES, damage_room

_CLASS_OF = {
    "desk": "table",
    "cabinet": "bookcase",
    "picture": "board",
    "monitor": "board",
} | {
    name: name
    for name in ("wall", "floor", "ceiling", "door", "window", "table", "chair", "sofa", "bookcase")
}
"""Class of the synthetic rooms -> class of S3DIS. All other classes become clutter."""


def write_s3dis_release(
    output: Path,
    num_rooms: int = 2,
    seed: int = 0,
    *,
    areas: tuple[int, ...] = AREAS,
    density: float = 400.0,
    damaged: Mapping[str, str] | None = None,
    progress: bool = False,
) -> list[Path]:
    """Write a release.

    Args:
        output: Folder that receives ``Area_1/office_1/office_1.txt``,
            ``Area_1/office_1/Annotations/wall_1.txt`` and so on.
        num_rooms: Number of rooms per area.
        seed: Seed of the release. A room is a pure function of the seed, its area, its number and
            the density.
        areas: Areas to write.
        density: Points per square metre of surface; a room has about 160 square metres.
        damaged: Room (``Area_1/office_1``) -> damage, a key of ``damage.DAMAGES``.
        progress: Whether to show a progress bar.

    Returns:
        Folders of the rooms, sorted by area and number.

    Raises:
        InputError: A number is out of range, or a damage or its room is unknown.
    """
    damaged = damaged or {}
    if num_rooms < 1 or not areas or not set(areas) <= set(AREAS):
        raise InputError(
            f"num_rooms {num_rooms} must be 1 or more, and areas {areas} some of {AREAS}"
        )
    tasks = [(area, number) for area in areas for number in range(1, num_rooms + 1)]
    rooms = [output / f"Area_{area}" / f"office_{number}" for area, number in tasks]
    check_damaged(damaged, {room_name(room) for room in rooms}, DAMAGES)
    for room, task in zip(
        tqdm(rooms, "rooms", unit="room", disable=None if progress else True), tasks, strict=True
    ):
        rng = np.random.default_rng([seed, *task])
        points = Renderer(make_room(rng)).sample_points(density, rng)
        _write_room(room, points, rng.uniform((-20, -20, 0), (20, 20, 1)))
        if room_name(room) in damaged:
            damage_room(room, damaged[room_name(room)])
    return rooms


def _write_room(room: Path, points: SurfacePoints, corner: NDArray[np.float64]) -> None:
    """Write the objects of a room at its place in the building."""
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


def main() -> None:
    """Write a release as the command line says."""
    parser = release_parser(__doc__)
    parser.add_argument("--num-rooms", type=int, default=2, help="number of rooms per area")
    parser.add_argument("--areas", type=int, nargs="+", default=AREAS, help="areas to write")
    parser.add_argument("--density", type=float, default=400.0, help="points per square metre")
    add_damage_option(parser, "room", "Area_5/office_1", DAMAGES)
    write_s3dis_release(**vars(parser.parse_args()), progress=True)


if __name__ == "__main__":
    sys.exit(run_command(main))
