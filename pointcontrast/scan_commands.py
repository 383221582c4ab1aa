"""What the commands that apply a network to scans share: arguments, outputs, failures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pointcontrast.command_help import add_import_argument
from pointcontrast.errors import NO_ROOM, InputError, file_problem

if TYPE_CHECKING:  # --help answers without NumPy and PyTorch
    from pointcontrast.data.network_input import FeatureName
    from pointcontrast.recordings.single_scan import SingleScan

_OTHERS = {"color": "ones or normals", "normal": "ones or colours"}


def add_scan_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the network, the scans and the outputs to a command's arguments."""
    parser.add_argument(
        "network", metavar="NETWORK", help="run's folder, network file, address or released .pth"
    )
    parser.add_argument(
        "scans",
        nargs="+",
        type=Path,
        metavar="SCAN",
        help="point cloud, mesh or labelled scene, or a folder of them",
    )
    parser.add_argument(
        "--output", "-o", type=Path, required=True, metavar="FOLDER", help="folder for the results"
    )
    add_import_argument(parser)
    parser.add_argument("--force", action="store_true", help="replace results that exist")
    parser.add_argument(
        "--up",
        nargs=3,
        type=float,
        metavar=("X", "Y", "Z"),
        help="up direction of the scans (default: 0 0 1, or what a labelled scene states)",
    )
    parser.add_argument(
        "--unit",
        type=_positive,
        metavar="METRES",
        help="metres per unit of the coordinates of the scans, such as 0.001 for millimetres "
        "(default: what a file states, else 1); results stay in the unit of the file",
    )
    parser.add_argument(
        "--device", help="device, such as cuda:1 or cpu (default: a GPU if there is one)"
    )
    parser.add_argument("--png", action="store_true", help="draw a picture of each scan")


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def check_scan(scan: SingleScan, features: Sequence[FeatureName]) -> None:
    """Refuse a scan that lacks what a network takes as input.

    Raises:
        InputError: It has no colours or no normals and ``features`` names them.
    """
    from pointcontrast.data.network_input import first_lacking

    lacking = first_lacking(features, colors=scan.colors, normals=scan.normals)
    if lacking is not None:
        raise InputError(
            f"{scan.name} has no {lacking[1]}, and the network was trained on them; give a scan "
            f"with {lacking[1]}, or a network that was pretrained on {_OTHERS[lacking[0]]}"
        )


def apply_to_scans(
    arguments: argparse.Namespace,
    suffixes: Sequence[str],
    apply: Callable[[SingleScan, Path], str],
    *,
    any_size: bool = False,
) -> int:
    """Apply a network to each scan; one that fails is named at the end and stops no other.

    Args:
        arguments: Of :func:`add_scan_arguments`.
        suffixes: Endings of the files that one scan leaves, such as ``.ply``.
        apply: Takes a scan and the path of its results without a suffix, writes them and returns
            a line on what was found.
        any_size: Whether the network takes scans of any size, as those for shapes do.

    Returns:
        Exit status: 0, or 1 where a scan failed.

    Raises:
        InputError: A scan does not exist, or a result exists already and ``--force`` is not given.
    """
    from tqdm import tqdm

    from pointcontrast.files import check_output_folder
    from pointcontrast.recordings.single_scan import find_scans, read_single_scan, unique_names

    check_output_folder(arguments.output)
    scans = find_scans(arguments.scans)
    names = unique_names(scans)
    stems = [arguments.output / name for name in names]
    if not arguments.force:
        for stem in stems:
            for path in (stem.with_name(stem.name + suffix) for suffix in suffixes):
                if path.exists():
                    raise InputError(f"{path} exists; give another --output, or --force")
    failures = []
    bar = tqdm(
        zip(scans, names, stems, strict=True),
        total=len(scans),
        unit="scan",
        disable=len(scans) == 1 or not sys.stderr.isatty(),
    )
    for path, name, stem in bar:
        try:
            scan = read_single_scan(path, name, arguments.unit, any_size=any_size)
            for note in scan.notes:
                bar.write(f"note: {path}: {note}")
            bar.write(f"{path}: {apply(scan, stem)}")
        except InputError as error:
            text = str(error)
            failures.append(text if str(path) in text else f"{path}: {text}")
        except OSError as error:
            if error.filename is None or error.errno in NO_ROOM:
                raise
            failures.append(file_problem(error))
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    if failures and len(scans) > 1:
        print(f"{len(failures)} of {len(scans)} scans failed", file=sys.stderr)
    return 0 if not failures else 2 if len(failures) == len(scans) == 1 else 1
