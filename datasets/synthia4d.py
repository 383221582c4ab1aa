"""Synthia4D: frames as PLY files -> labelled scenes.

python datasets/synthia4d.py frames data/Synthia4D --output data/synthia4d_scenes
python datasets/synthia4d.py verify data/synthia4d_scenes
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from downstream.releases.synthia4d.frames import FrameSettings, convert_frames, find_frames
from downstream.releases.synthia4d.layout import Split, read_split
from pointcontrast.errors import run_command
from pointcontrast.preparation.conversion_cli import Commands, convert_scenes
from pointcontrast.preparation.prepare_cli import add_worker_options

_SPLIT_FILE = Path(__file__).resolve().parent / "splits" / "synthia4d_cvpr19.json"
_SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def _frames(arguments: argparse.Namespace) -> int:
    settings = FrameSettings(grid=arguments.grid)
    splits = _SPLITS if arguments.split == "all" else (arguments.split,)
    wanted = [
        f"{sequence}/{frame}"
        for split in splits
        for sequence, frames in read_split(arguments.split_file, split).items()
        for frame in frames
    ]
    names = find_frames(arguments.release, wanted)
    if len(names) < len(wanted):
        print(f"{len(names)} of {len(wanted)} frames are here; the others are passed over")
    convert = partial(convert_frames, arguments.release, names, arguments.output, settings)
    return convert_scenes(arguments, convert)


def _commands() -> Commands:
    commands = Commands(__doc__)
    frames = commands.add("frames", "frames -> labelled scenes", _frames)
    frames.add_argument("release", type=Path, help="folder with SYNTHIA-SEQS-01-DAWN, ...")
    frames.add_argument("--output", "-o", type=Path, required=True, help="folder of the scenes")
    frames.add_argument("--split", choices=(*_SPLITS, "all"), default="all", help="which frames")
    frames.add_argument("--split-file", type=Path, default=_SPLIT_FILE, help="of the frames")
    frames.add_argument(
        "--grid",
        type=float,
        default=0.0,
        help="keep one point a cell of this size, metres; 0 keeps all, other work has 0.075",
    )
    add_worker_options(frames)
    commands.add_verify()
    return commands


def main() -> int:
    """Read the command line and do what it says."""
    return _commands().run()


if __name__ == "__main__":
    sys.exit(run_command(main))
