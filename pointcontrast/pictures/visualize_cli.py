"""The command line of ``tools/visualize.py``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pointcontrast.errors import InputError, run_command
from pointcontrast.pictures.drawing import has_display
from pointcontrast.pictures.visualize import draw_correspondences, draw_features
from pointcontrast.runs.report import compare_runs


def main(argv: Sequence[str] | None = None) -> int:
    """The command line of ``tools/visualize.py``.

    Args:
        argv: the arguments, None for those of the process.

    Returns:
        The exit status, see :func:`pointcontrast.errors.run_command`.
    """
    args = vars(_parser().parse_args(argv))
    command, run = args.pop("command"), args.pop("run")

    def body() -> None:
        arguments = args if command == "curves" else _with_output_paths(args, command)
        for path in run(**arguments):
            print(path)

    return run_command(body)


def _run_features(*, merge_all: bool, views: list[int] | None, **settings: Any) -> list[Path]:
    merged = merge_all or settings["max_views"] is not None
    if merged and views:
        raise InputError("--view draws single views, --all and --max-views merge; give one")
    return draw_features(views=None if merged else views or [0], **settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="visualize.py", description="Pictures of a backbone's features, and of runs."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    features = commands.add_parser("features", help="colour points by the PCA of their features")
    features.set_defaults(run=_run_features)
    features.add_argument(
        "--view",
        dest="views",
        type=int,
        nargs="+",
        metavar="I",
        help="views to draw, a row each (default: 0)",
    )
    features.add_argument(
        "--all", dest="merge_all", action="store_true", help="draw all views merged into one scene"
    )
    features.add_argument(
        "--max-views", type=int, metavar="K", help="merge K evenly spaced views instead of all"
    )
    features.add_argument(
        "--compare-untrained", action="store_true", help="add a network with random weights"
    )
    features.add_argument("--size", type=int, nargs=2, default=(1000, 750), metavar=("W", "H"))
    features.add_argument(
        "--cut-ceiling", type=float, default=0.0, metavar="FRACTION", help="take off the top"
    )
    matches = commands.add_parser("correspondences", help="match two views by their features")
    matches.set_defaults(run=draw_correspondences)
    matches.add_argument(
        "--view", dest="views", type=int, nargs=2, default=(0, 1), metavar=("I", "J")
    )
    matches.add_argument("--num-matches", type=int, default=100, metavar="M")
    matches.add_argument(
        "--tolerance", type=float, metavar="METRES", help="of a right match (default: 2 voxels)"
    )
    matches.add_argument("--size", type=int, nargs=2, default=(1600, 800), metavar=("W", "H"))
    for command in (features, matches):
        _add_shared_arguments(command)
    curves = commands.add_parser("curves", help="draw loss and match accuracy of runs")
    curves.set_defaults(run=compare_runs)
    curves.add_argument("--runs", dest="folders", type=Path, nargs="+", required=True)
    curves.add_argument("--png", type=Path, default=Path("curves.png"))
    return parser


def _add_shared_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--checkpoint", type=Path, required=True, help="a backbone file, or its run's folder"
    )
    command.add_argument(
        "--views", dest="scene", type=Path, required=True, help="folder of a prepared scene"
    )
    command.add_argument(
        "--output",
        type=Path,
        help="folder for <scene>_<command>.png and .ply (default, where "
        "no window can be opened: the checkpoint's folder)",
    )
    command.add_argument("--png", type=Path, help="write the picture to this file")
    command.add_argument("--ply", type=Path, help="write the points to this file")
    command.add_argument(
        "--window",
        choices=("auto", "always", "never"),
        default="auto",
        help="auto: a window where there is a display and no file is asked for",
    )
    command.add_argument(
        "--azimuth", type=float, metavar="DEGREES", help="look from outside, from this side"
    )
    command.add_argument("--elevation", type=float, default=40.0, metavar="DEGREES")
    command.add_argument("--seed", type=int, default=0, help="of everything random")


def _with_output_paths(args: dict[str, Any], command: str) -> dict[str, Any]:
    """Replace the folder ``output`` by a PNG and a PLY in it, where files are needed."""
    output, png, ply = args.pop("output"), args["png"], args["ply"]
    window = args["window"]
    no_window = window == "never" or (window == "auto" and not has_display())
    if output or (no_window and not (png or ply)):
        run = args["checkpoint"]
        folder = output or (run if run.is_dir() else run.parent)
        stem = re.sub(r"[^\w.-]+", "_", args["scene"].resolve().name) + f"_{command}"
        args["png"], args["ply"] = png or folder / f"{stem}.png", ply or folder / f"{stem}.ply"
    return {**args, "size": tuple(args["size"])}
