"""S3DIS (Stanford3dDataset_v1.2): rooms as text -> labelled scenes.

python datasets/s3dis.py rooms data/Stanford3dDataset_v1.2 --output data/s3dis_scenes
python datasets/s3dis.py verify data/s3dis_scenes
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from downstream.releases.s3dis.rooms import AREAS, RoomSettings, convert_rooms, find_rooms
from pointcontrast.conversion_cli import Commands, report_scenes
from pointcontrast.errors import run_command
from pointcontrast.prepare_cli import add_worker_options, check_worker_options


def _rooms(arguments: argparse.Namespace) -> int:
    settings = RoomSettings(grid=arguments.grid)
    rooms = find_rooms(arguments.release, arguments.areas)
    check_worker_options(vars(arguments))
    start = time.perf_counter()
    finished, failures = convert_rooms(
        rooms,
        arguments.output,
        settings,
        num_workers=arguments.num_workers,
        scheduler=arguments.scheduler,
        memory_limit=arguments.memory_limit,
        progress=True,
    )
    seconds = time.perf_counter() - start
    return report_scenes(finished, failures, arguments.output, seconds)


def _commands() -> Commands:
    commands = Commands(__doc__)
    rooms = commands.add("rooms", "rooms -> labelled scenes", _rooms)
    rooms.add_argument("release", type=Path, help="folder with Area_1, Area_2, ...")
    rooms.add_argument("--output", "-o", type=Path, required=True, help="folder of the scenes")
    rooms.add_argument("--areas", type=int, nargs="+", choices=AREAS, default=AREAS, help="which")
    rooms.add_argument(
        "--grid",
        type=float,
        default=0.0,
        help="keep one point a cell of this size, metres; 0 keeps all, the authors' is 0.01",
    )
    add_worker_options(rooms)
    commands.add_verify()
    return commands


def main() -> int:
    """Read the command line and do what it says."""
    arguments = _commands().parser.parse_args()
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(run_command(main))
