"""Write furnished synthetic rooms: posed RGB-D folders and, on request, labelled scenes.

python datasets/synthetic_rooms.py --output data/rooms --num-rooms 8 --num-frames 40 --seed 0
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pointcontrast.errors import run_command
from pointcontrast.synthetic.source import write_rooms


def main() -> None:
    """Read the command line and write the rooms."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, required=True, help="folder of RGB-D folders")
    parser.add_argument("--labelled-output", type=Path, help="folder of labelled scenes, if wanted")
    parser.add_argument("--num-rooms", type=int, default=8)
    parser.add_argument("--first-room", type=int, default=0, help="number of the first room")
    parser.add_argument("--num-frames", type=int, default=40, help="frames a room")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--width", type=int, default=320, help="pixels")
    parser.add_argument("--height", type=int, default=240, help="pixels")
    parser.add_argument("--field-of-view", type=float, default=60.0, help="horizontal, degrees")
    parser.add_argument(
        "--sensor-noise", action=argparse.BooleanOptionalAction, default=True, help="a real sensor"
    )
    parser.add_argument(
        "--labels", action=argparse.BooleanOptionalAction, default=True, help="label images"
    )
    parser.add_argument("--density", type=float, default=2500.0, help="points a square metre")
    write_rooms(**vars(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(run_command(main))
