"""ScanNet: raw release -> training pairs, labelled scenes; and what to download for each.

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
from downstream.releases.scannet.release import SENS, SPLITS, find_scans, read_split, scan_file
from downstream.releases.scannet.scenes import SceneSettings, convert_scans
from pointcontrast.errors import InputError, run_command
from pointcontrast.preparation.conversion_cli import Commands, convert_scenes
from pointcontrast.preparation.prepare_cli import add_worker_options
from pointcontrast.preparation.prepare_cli import main as prepare_pairs

_SPLIT_FILES = Path(__file__).resolve().parent / "splits"
_FRAME_SKIP = 25  # the authors', of 30 frames a second


def _pairs(arguments: argparse.Namespace) -> int:
    """Scans with a .sens file become scenes with a pair list: prepare_pairs on their folders."""
    ids = read_split(_SPLIT_FILES, arguments.split)
    scans = [scan for scan in find_scans(arguments.release, ids) if scan_file(scan, SENS).exists()]
    if not scans:
        raise InputError(f"no scan of {arguments.release} has a {SENS} file; see `downloads`")
    _say_how_many(len(scans), len(ids), arguments.split)
    # what this script does not know itself is prepare_pairs' to judge; the last one counts
    defaults = ["--output", str(arguments.output), "--frame-skip", str(_FRAME_SKIP)]
    return prepare_pairs([*map(str, scans), *defaults, *arguments.prepare])


def _scenes(arguments: argparse.Namespace) -> int:
    """Meshes and labels become labelled scenes."""
    ids = read_split(_SPLIT_FILES, arguments.split)
    scans = find_scans(arguments.release, ids)
    _say_how_many(len(scans), len(ids), arguments.split)
    settings = SceneSettings(
        align=arguments.align, labels=arguments.labels, label_map=arguments.label_map
    )
    return convert_scenes(arguments, partial(convert_scans, scans, arguments.output, settings))


def _downloads(arguments: argparse.Namespace) -> int:
    ids = read_split(_SPLIT_FILES, arguments.split)
    print(download_list(arguments.purpose, arguments.split, ids, files=arguments.files))
    return 0


def _say_how_many(found: int, wanted: int, split: str) -> None:
    if found < wanted:
        print(f"{found} of the {wanted} scans of {split} are here; the others are passed over")


def _commands() -> Commands:
    commands = Commands(__doc__)
    pairs = commands.add("pairs", ".sens files -> scenes with a pair list for pretraining", _pairs)
    pairs.epilog = "All further options are those of tools/prepare_pairs.py."
    scenes = commands.add("scenes", "meshes and labels -> labelled scenes", _scenes)
    for each in (pairs, scenes):
        each.add_argument("release", type=Path, help="folder with scans/ or scans_test/")
        each.add_argument("--output", "-o", type=Path, required=True, help="folder of the scenes")
    scenes.add_argument(
        "--align", action=argparse.BooleanOptionalAction, default=True, help="walls along the axes"
    )
    scenes.add_argument(
        "--labels", action=argparse.BooleanOptionalAction, default=True, help="take the labels"
    )
    scenes.add_argument("--label-map", type=Path, help="the .tsv, in place of the release's own")
    add_worker_options(scenes)
    downloads = commands.add("downloads", "print which files a purpose needs", _downloads)
    downloads.add_argument("--for", dest="purpose", choices=PURPOSES, required=True)
    downloads.add_argument("--files", action="store_true", help="name every single file")
    for each in (pairs, scenes, downloads):
        each.add_argument("--split", choices=SPLITS, default="trainval", help="which scans")
    commands.add_verify()
    return commands


def main() -> int:
    """Read the command line and do what it says."""
    parser = _commands().parser
    arguments, rest = parser.parse_known_args()
    if rest and arguments.command != "pairs":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    arguments.prepare = rest
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(run_command(main))
