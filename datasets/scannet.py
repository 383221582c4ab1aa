"""ScanNet: raw release -> training pairs, labelled scenes; and what to download for each.

python datasets/scannet.py downloads --for crops
python datasets/scannet.py pairs data/scannet --output data/scannet_pairs
python datasets/scannet.py scenes data/scannet --output data/scannet_scenes
python datasets/scannet.py verify data/scannet_scenes
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pointcontrast.errors import InputError, run_command
from pointcontrast.labelled_scene import find_labelled_scenes, problems_of_scene
from pointcontrast.prepare_cli import add_worker_options, check_worker_options
from pointcontrast.prepare_cli import main as prepare_pairs
from pointcontrast.scannet.downloads import PURPOSES, download_list
from pointcontrast.scannet.release import SENS, SPLITS, find_scans, read_split, scan_file
from pointcontrast.scannet.scenes import SceneSettings, convert_scans

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
    check_worker_options(vars(arguments))
    finished, failures = convert_scans(
        scans,
        arguments.output,
        settings,
        num_workers=arguments.num_workers,
        scheduler=arguments.scheduler,
        memory_limit=arguments.memory_limit,
        progress=True,
    )
    for scene in finished:
        for note in scene.notes:
            print(f"note: {scene.scene}: {note}")
    points = sum(scene.num_points for scene in finished)
    size = sum(scene.num_bytes for scene in finished)
    print(
        f"{len(finished)} scenes ({sum(scene.reused for scene in finished)} finished before), "
        f"{points:,} points, {size / 1e6:.1f} MB in {arguments.output}"
    )
    return _report(failures)


def _downloads(arguments: argparse.Namespace) -> int:
    ids = read_split(_SPLIT_FILES, arguments.split)
    print(download_list(arguments.purpose, arguments.split, ids, files=arguments.files))
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    folders = find_labelled_scenes(arguments.scenes)
    found = {folder.name: problems_of_scene(folder) for folder in folders}
    print(f"{sum(not problems for problems in found.values())} of {len(found)} scenes are whole")
    return _report({name: "; ".join(problems) for name, problems in found.items() if problems})


def _say_how_many(found: int, wanted: int, split: str) -> None:
    if found < wanted:
        print(f"{found} of the {wanted} scans of {split} are here; the others are passed over")


def _report(failures: dict[str, str]) -> int:
    for scan, reason in failures.items():
        print(f"error: {scan}: {reason}", file=sys.stderr)
    return 1 if failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, text: str, run: object) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name, help=text, description=text, formatter_class=parser.formatter_class
        )
        added.set_defaults(run=run)
        if name != "verify":
            added.add_argument("--split", choices=SPLITS, default="trainval", help="which scans")
        return added

    pairs = command("pairs", ".sens files -> scenes with a pair list for pretraining", _pairs)
    pairs.epilog = "All further options are those of tools/prepare_pairs.py."
    scenes = command("scenes", "meshes and labels -> labelled scenes", _scenes)
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
    downloads = command("downloads", "print which files a purpose needs", _downloads)
    downloads.add_argument("--for", dest="purpose", choices=PURPOSES, required=True)
    downloads.add_argument("--files", action="store_true", help="name every single file")
    verify = command("verify", "check every byte of labelled scenes", _verify)
    verify.add_argument("scenes", type=Path, help="folder of labelled scenes")
    return parser


def main() -> int:
    """Read the command line and do what it says."""
    parser = _parser()
    arguments, rest = parser.parse_known_args()
    if rest and arguments.command != "pairs":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    arguments.prepare = rest
    return arguments.run(arguments)


if __name__ == "__main__":
    sys.exit(run_command(main))
