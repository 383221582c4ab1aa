"""Write furnished synthetic rooms as posed RGB-D folders and, if wanted, labelled scenes.

python datasets/synthetic_rooms.py --output data/rooms --num-rooms 8 --num-frames 40 --seed 0
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pointcontrast.command_help import CommandHelp, CommandParser
from pointcontrast.errors import run_command
from pointcontrast.synthetic.source import write_rooms


def main() -> None:
    """Read the command line and write the rooms."""
    parser = CommandParser(
        description=__doc__.splitlines()[0] if __doc__ else None, formatter_class=CommandHelp
    )
    add = parser.add_argument
    add("--output", type=Path, required=True, help="folder of the RGB-D folders")
    add("--labelled-output", type=Path, help="folder of labelled scenes; by default none")
    add("--num-rooms", type=int, default=8, help="number of rooms")
    add("--first-room", type=int, default=0, help="number of the first room")
    add("--num-frames", type=int, default=40, help="frames per room")
    add("--seed", type=int, default=0, help="seed of the set of rooms")
    add("--width", type=int, default=320, help="width of an image, pixels")
    add("--height", type=int, default=240, help="height of an image, pixels")
    add("--field-of-view", type=float, default=60.0, help="horizontal field of view, degrees")
    add(
        "--sensor-noise",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="add the noise of a real sensor",
    )
    add(
        "--labels",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="write label images, too",
    )
    add("--density", type=float, default=2500.0, help="points per square metre of a labelled scene")
    write_rooms(**vars(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(run_command(main))
