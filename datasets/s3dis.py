"""S3DIS (Stanford3dDataset_v1.2): rooms as text -> labelled scenes.

python datasets/s3dis.py rooms data/Stanford3dDataset_v1.2 --output data/s3dis_scenes
python datasets/s3dis.py rooms data/Stanford3dDataset_v1.2 --output data/s3dis_1cm --grid 0.01
python datasets/s3dis.py verify data/s3dis_scenes
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from downstream.releases.s3dis.rooms import (
    AREAS,
    NUM_ROOMS,
    RoomSettings,
    convert_rooms,
    find_rooms,
)
from pointcontrast.errors import run_command
from pointcontrast.preparation.conversion_cli import Commands, convert_scenes
from pointcontrast.preparation.prepare_cli import add_worker_options


def _rooms(arguments: argparse.Namespace) -> int:
    settings = RoomSettings(grid=arguments.grid)
    rooms = find_rooms(arguments.release, arguments.areas)
    _say_how_many(rooms, arguments.areas)
    return convert_scenes(arguments, partial(convert_rooms, rooms, arguments.output, settings))


def _say_how_many(rooms: Sequence[Path], areas: Sequence[int]) -> None:
    found = Counter(room.parent.name for room in rooms)
    for area in sorted(set(areas)):
        here, all_rooms = found[f"Area_{area}"], NUM_ROOMS[area]
        if here < all_rooms:
            print(f"{here} of the {all_rooms} rooms of area {area} are here")


def _commands() -> Commands:
    commands = Commands(__doc__)
    rooms = commands.add("rooms", "rooms -> labelled scenes", _rooms)
    rooms.add_argument("release", type=Path, help="folder with Area_1, Area_2, ...")
    rooms.add_argument("--output", "-o", type=Path, required=True, help="folder of the scenes")
    rooms.add_argument(
        "--areas", type=int, nargs="+", choices=AREAS, default=AREAS, help="which areas"
    )
    rooms.add_argument(
        "--grid",
        type=float,
        default=0.0,
        help="keep the first point of each cell of this size, metres, as the authors do at 0.01; "
        "where labels disagree in a cell it is ignored; 0 keeps all points",
    )
    add_worker_options(rooms)
    commands.add_verify()
    return commands


def main() -> int:
    """Read the command line and do what it says."""
    return _commands().run()


if __name__ == "__main__":
    sys.exit(run_command(main))
