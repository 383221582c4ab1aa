"""Convert S3DIS (Stanford3dDataset_v1.2), rooms as text, to labelled scenes.

python datasets/s3dis.py rooms data/Stanford3dDataset_v1.2 --output data/s3dis_scenes
python datasets/s3dis.py rooms data/Stanford3dDataset_v1.2 --output data/s3dis_1cm --grid 0.01
python datasets/s3dis.py verify data/s3dis_scenes
"""

from __future__ import annotations

import argparse
import sys
from functools import partial

from downstream.releases.grid import GridSettings
from downstream.releases.s3dis.rooms import (
    AREAS,
    NUM_ROOMS,
    convert_rooms,
    find_rooms,
    names_left_out,
)
from pointcontrast.errors import run_command
from pointcontrast.preparation.conversion_cli import (
    Commands,
    add_unit_option,
    convert_scenes,
    print_lines,
    print_missing,
)


def _rooms(arguments: argparse.Namespace) -> int:
    settings = GridSettings(grid=arguments.grid, unit=arguments.unit)
    rooms = find_rooms(arguments.release, arguments.areas)
    print_lines(names_left_out(arguments.release, arguments.areas))
    for area in sorted(set(arguments.areas)):
        found = sum(room.parent.name == f"Area_{area}" for room in rooms)
        print_missing(found, NUM_ROOMS[area], f"rooms of area {area}")
    return convert_scenes(arguments, partial(convert_rooms, rooms, arguments.output, settings))


def _commands() -> Commands:
    commands = Commands(__doc__)
    rooms = commands.add_conversion(
        "rooms",
        "convert rooms to labelled scenes",
        _rooms,
        release="folder with Area_1, Area_2, ...",
        unit="room",
    )
    rooms.add_argument(
        "--areas", type=int, nargs="+", choices=AREAS, default=AREAS, help="areas to convert"
    )
    rooms.add_argument(
        "--grid",
        type=float,
        default=0.0,
        help="keep the first point of each grid cell of this size, metres; cells with different "
        "labels are ignored. 0 keeps all points; the authors' code uses 0.01",
    )
    add_unit_option(rooms, "metres")
    commands.add_verify()
    return commands


if __name__ == "__main__":
    sys.exit(run_command(_commands().run))
