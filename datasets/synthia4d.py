"""Convert Synthia4D, street scenes with one PLY file per frame, to labelled scenes.

python datasets/synthia4d.py frames data/Synthia4D --output data/synthia4d_scenes
python datasets/synthia4d.py verify data/synthia4d_scenes
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from downstream.releases.grid import GridSettings
from downstream.releases.synthia4d.frames import (
    convert_frames,
    find_frames,
    names_left_out,
)
from downstream.releases.synthia4d.layout import Split, read_split
from pointcontrast.errors import run_command
from pointcontrast.preparation.conversion_cli import (
    Commands,
    add_unit_option,
    convert_scenes,
    print_lines,
    print_missing,
)

_SPLIT_FILE = Path(__file__).resolve().parent / "splits" / "synthia4d_cvpr19.json"
_SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def _frames(arguments: argparse.Namespace) -> int:
    settings = GridSettings(grid=arguments.grid, unit=arguments.unit)
    splits = _SPLITS if arguments.split == "all" else (arguments.split,)
    wanted = [
        f"{sequence}/{frame}"
        for split in splits
        for sequence, frames in read_split(arguments.split_file, split).items()
        for frame in frames
    ]
    names = find_frames(arguments.release, wanted)
    print_lines(names_left_out(arguments.release, wanted))
    print_missing(len(names), len(wanted), "frames")
    convert = partial(convert_frames, arguments.release, names, arguments.output, settings)
    return convert_scenes(arguments, convert)


def _commands() -> Commands:
    commands = Commands(__doc__)
    frames = commands.add_conversion(
        "frames",
        "convert frames to labelled scenes",
        _frames,
        release="folder with SYNTHIA-SEQS-01-DAWN, ...",
        unit="frame",
    )
    frames.add_argument(
        "--split", choices=(*_SPLITS, "all"), default="all", help="split to convert"
    )
    frames.add_argument(
        "--split-file", type=Path, default=_SPLIT_FILE, help="JSON file with the frames per split"
    )
    frames.add_argument(
        "--grid",
        type=float,
        default=0.0,
        help="keep one point per grid cell of this size, metres; 0 keeps all points, "
        "SpatioTemporalSegmentation uses 0.075",
    )
    add_unit_option(frames, "centimetres")
    commands.add_verify()
    return commands


if __name__ == "__main__":
    sys.exit(run_command(_commands().run))
