"""The command line of ``tools/visualize.py``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from pointcontrast.command_help import CommandParser, add_import_argument
from pointcontrast.errors import InputError, run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``tools/visualize.py``.

    Args:
        argv: Arguments; None takes those of the process.

    Returns:
        Exit status, see :func:`pointcontrast.errors.run_command`.
    """

    def body() -> None:
        arguments = vars(_parser().parse_args(argv))
        for path in arguments.pop("run")(**arguments):
            print(path)

    return run_command(body)


def _features(*, merge_all: bool, views: list[int] | None, **settings: Any) -> list[Path]:
    from pointcontrast.pictures.feature_picture import draw_features

    merged = merge_all or settings["max_views"] is not None
    if merged and views:
        raise InputError("--view draws single views, --all and --max-views merge; give one")
    settings = _with_output_files(settings, "features")
    return draw_features(views=None if merged else views or [0], **settings)


def _correspondences(**settings: Any) -> list[Path]:
    from pointcontrast.pictures.correspondence_picture import draw_correspondences

    return draw_correspondences(**_with_output_files(settings, "correspondences"))


def _curves(**settings: Any) -> list[Path]:
    from pointcontrast.runs.report import compare_runs

    return compare_runs(**settings)


def _with_output_files(settings: dict[str, Any], command: str) -> dict[str, Any]:
    """Replace the folder ``output`` by a PNG and a PLY in it, if files are needed."""
    from pointcontrast.pictures.drawing import has_display

    output, png, ply = settings.pop("output"), settings["png"], settings["ply"]
    window = settings["window"]
    no_window = window == "never" or (window == "auto" and not has_display())
    if output or (no_window and not (png or ply)):
        network = settings["network"]
        folder = output or (network if network.is_dir() else network.parent)
        stem = re.sub(r"[^\w.-]+", "_", settings["scene"].resolve().name) + f"_{command}"
        png, ply = png or folder / f"{stem}.png", ply or folder / f"{stem}.ply"
    return {**settings, "png": png, "ply": ply, "size": tuple(settings["size"])}


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="visualize.py", description="Draw the features of a backbone, or the curves of runs."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_features(
        commands.add_parser("features", help="colour points by the PCA of their features")
    )
    _add_correspondences(
        commands.add_parser("correspondences", help="match two views by their features")
    )
    curves = commands.add_parser("curves", help="plot loss and match accuracy of runs")
    curves.set_defaults(run=_curves)
    curves.add_argument("--runs", dest="folders", type=Path, nargs="+", required=True)
    curves.add_argument("--png", type=Path, default=Path("curves.png"))
    return parser


def _add_features(command: argparse.ArgumentParser) -> None:
    command.set_defaults(run=_features)
    command.add_argument(
        "--view",
        dest="views",
        type=int,
        nargs="+",
        metavar="I",
        help="views to draw, one row each (default: 0)",
    )
    command.add_argument(
        "--all", dest="merge_all", action="store_true", help="draw all views merged into one scene"
    )
    command.add_argument(
        "--max-views", type=int, metavar="K", help="merge K evenly spaced views instead of all"
    )
    command.add_argument(
        "--compare-untrained", action="store_true", help="add a network with random weights"
    )
    command.add_argument("--size", type=int, nargs=2, default=(1000, 750), metavar=("W", "H"))
    command.add_argument(
        "--cut-ceiling",
        type=float,
        default=0.0,
        metavar="FRACTION",
        help="cut off the top of the scene, a fraction of its height",
    )
    _add_shared_arguments(command)


def _add_correspondences(command: argparse.ArgumentParser) -> None:
    command.set_defaults(run=_correspondences)
    command.add_argument(
        "--view", dest="views", type=int, nargs=2, default=(0, 1), metavar=("I", "J")
    )
    command.add_argument("--num-matches", type=int, default=100, metavar="M")
    command.add_argument(
        "--tolerance",
        type=float,
        metavar="METRES",
        help="largest error of a right match (default: 2 voxels)",
    )
    command.add_argument("--size", type=int, nargs=2, default=(1600, 800), metavar=("W", "H"))
    _add_shared_arguments(command)


def _add_shared_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--network", type=Path, required=True, help="backbone file, or its run's folder"
    )
    command.add_argument(
        "--checkpoint", action=_Renamed, default=argparse.SUPPRESS, help=argparse.SUPPRESS
    )
    command.add_argument(
        "--views", dest="scene", type=Path, required=True, help="folder of a prepared scene"
    )
    command.add_argument(
        "--output",
        type=Path,
        help="folder for <scene>_<command>.png and .ply (default without a display: the "
        "network's folder)",
    )
    add_import_argument(command)
    command.add_argument("--png", type=Path, help="write the picture to this file")
    command.add_argument("--ply", type=Path, help="write the points to this file")
    command.add_argument(
        "--window",
        choices=("auto", "always", "never"),
        default="auto",
        help="auto: open a window if there is a display and no file is asked for",
    )
    command.add_argument(
        "--azimuth",
        type=float,
        metavar="DEGREES",
        help="look from outside, from this side (default: from the camera of the view)",
    )
    command.add_argument("--elevation", type=float, default=40.0, metavar="DEGREES")
    command.add_argument("--seed", type=int, default=0, help="seed of everything random")


class _Renamed(argparse.Action):
    """The old name of ``--network``."""

    def __call__(self, *arguments: Any, **more: Any) -> NoReturn:
        raise InputError("--checkpoint is now --network: a backbone file, or its run's folder")
