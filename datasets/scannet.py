"""Convert ScanNet v2 to training pairs or labelled scenes, and list the files to download.

python datasets/scannet.py downloads --for crops
python datasets/scannet.py pairs data/scannet --output data/scannet_pairs
python datasets/scannet.py scenes data/scannet --output data/scannet_scenes
python datasets/scannet.py verify data/scannet_scenes
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from downstream.releases.scannet.downloads import PURPOSES, download_list
from downstream.releases.scannet.release import (
    SENS,
    SPLITS,
    find_scans,
    names_left_out,
    read_split,
    scan_file,
)
from downstream.releases.scannet.scenes import SceneSettings, convert_scans, report_on_objects
from pointcontrast.errors import InputError, run_command
from pointcontrast.preparation.conversion_cli import (
    Commands,
    add_unit_option,
    convert_scenes,
    print_lines,
    print_missing,
)

_SPLIT_FILES = Path(__file__).resolve().parent / "splits"
_FRAME_SKIP = 25  # as in the authors' code; scans have 30 frames per second


def _pairs(arguments: argparse.Namespace) -> int:
    """Prepare pairs from the scans with a .sens file."""
    from pointcontrast.prepare_cli import main as prepare_pairs

    ids = read_split(_SPLIT_FILES, arguments.split)
    scans = [scan for scan in find_scans(arguments.release, ids) if scan_file(scan, SENS).exists()]
    if not scans:
        raise InputError(f"no scan of {arguments.release} has a {SENS} file; see `downloads`")
    print_lines(names_left_out(arguments.release))
    print_missing(len(scans), len(ids), f"scans of {arguments.split}")
    # where an option is repeated, argparse takes the last
    defaults = ["--output", str(arguments.output), "--frame-skip", str(_FRAME_SKIP)]
    return prepare_pairs([*map(str, scans), *defaults, *arguments.others])


def _scenes(arguments: argparse.Namespace) -> int:
    ids = read_split(_SPLIT_FILES, arguments.split)
    scans = find_scans(arguments.release, ids)
    print_lines(names_left_out(arguments.release))
    print_missing(len(scans), len(ids), f"scans of {arguments.split}")
    settings = SceneSettings(
        align=arguments.align,
        labels=arguments.labels,
        label_map=arguments.label_map,
        unit=1.0 if arguments.unit is None else arguments.unit,
    )
    has_labels = arguments.labels and arguments.split != "test"
    return convert_scenes(
        arguments,
        partial(convert_scans, scans, arguments.output, settings),
        partial(report_on_objects, arguments.output) if has_labels else None,
    )


def _downloads(arguments: argparse.Namespace) -> int:
    ids = read_split(_SPLIT_FILES, arguments.split)
    print(download_list(arguments.purpose, arguments.split, ids, files=arguments.files))
    return 0


def _commands() -> Commands:
    commands = Commands(__doc__)
    release = "folder with scans/ or scans_test/"
    pairs = commands.add(
        "pairs", "prepare scenes with a pair list from .sens files", _pairs, takes_others=True
    )
    pairs.epilog = "All further options are those of tools/prepare_pairs.py."
    pairs.add_argument("release", type=Path, help=release)
    pairs.add_argument(
        "--output", "-o", type=Path, required=True, help="folder of the prepared scenes"
    )
    scenes = commands.add_conversion(
        "scenes", "convert meshes and labels to labelled scenes", _scenes, release=release
    )
    scenes.add_argument(
        "--align",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="rotate the walls parallel to the axes (axisAlignment)",
    )
    scenes.add_argument(
        "--labels", action=argparse.BooleanOptionalAction, default=True, help="read the labels"
    )
    scenes.add_argument(
        "--label-map", type=Path, help="label map (.tsv), in place of that of the release"
    )
    add_unit_option(scenes, "metres")
    downloads = commands.add("downloads", "list the files to download for a purpose", _downloads)
    downloads.add_argument(
        "--for", dest="purpose", choices=PURPOSES, required=True, help="purpose of the download"
    )
    downloads.add_argument("--files", action="store_true", help="list every single file")
    for each in (pairs, scenes, downloads):
        each.add_argument("--split", choices=SPLITS, default="trainval", help="split of the scans")
    commands.add_verify()
    return commands


if __name__ == "__main__":
    sys.exit(run_command(_commands().run))
