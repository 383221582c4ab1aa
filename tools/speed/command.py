"""The command line of ``tools/benchmark.py``."""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Callable
from pathlib import Path

import tools.speed
from pointcontrast.errors import run_command
from pointcontrast.files import write_json

Parser = argparse.ArgumentParser


def main(argv: list[str] | None = None) -> int:
    """Run one benchmark, print its figures, and write them as one flat JSON object.

    Args:
        argv: Arguments of the command; None takes those of the process.
    """
    parser = Parser(prog="benchmark.py", description=tools.speed.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def add(name: str, function: str, help_text: str, *groups: Callable[[Parser], None]) -> None:
        command = commands.add_parser(name, help=help_text)
        command.set_defaults(function=function)
        for add_arguments in groups:
            add_arguments(command)
        command.add_argument("--json", type=Path, help="write the figures to this file")

    pairs = (_add_root, _add_rooms, _add_voxel_size)
    add("pairs", "pair_loading.benchmark_pairs", "loading a training pair", *pairs, _add_pairs)
    add("engine", "engine.benchmark_engine", "a training step, native and MinkowskiEngine",
        _add_rooms, _add_voxel_size, _add_variant, _add_engine)  # fmt: skip
    add("prepare", "preparation.benchmark_preparation", "preparing scenes from .sens files",
        _add_generated_frames, _add_preparation)  # fmt: skip
    add("overlap", "overlap.benchmark_overlap", "the overlaps of all pairs of a scene",
        _add_room_frames, _add_overlap)  # fmt: skip
    add("run", "run.benchmark_run", "pairs per second, and time spent on checkpoints",
        *pairs, _add_variant, _add_run)  # fmt: skip
    add("passes", "passes.benchmark_passes", "a large batch in passes: time and memory",
        *pairs, _add_variant, _add_passes)  # fmt: skip
    add("detection", "detection.benchmark_detection",
        "VoteNet's sampling and grouping, and a training step",
        _add_voxel_size, _add_variant, _add_detection)  # fmt: skip
    arguments = vars(parser.parse_args(argv))
    del arguments["command"]
    path: Path | None = arguments.pop("json")
    module, _, function = arguments.pop("function").partition(".")

    def run() -> int:
        benchmark = getattr(importlib.import_module(f"tools.speed.{module}"), function)
        figures = benchmark(**arguments)
        print(json.dumps(figures, indent=2))
        if path is not None:
            write_json(path, figures)
        return 0

    return run_command(run)


def _add_root(parser: Parser) -> None:
    parser.add_argument(
        "--root", type=Path,
        help="a prepared folder (default: ../shared/data, prepared; without it, generated rooms)",
    )  # fmt: skip


def _add_rooms(parser: Parser) -> None:
    parser.add_argument(
        "--generated-rooms", type=int, default=4, help="number of rooms, where they are generated"
    )
    _add_generated_frames(parser)


def _add_generated_frames(parser: Parser, default: int = 40) -> None:
    parser.add_argument(
        "--generated-frames", type=int, default=default,
        help=f"frames per room, where rooms are generated (default: {default})",
    )  # fmt: skip


def _add_room_frames(parser: Parser) -> None:
    _add_generated_frames(parser, 100)


def _add_voxel_size(parser: Parser) -> None:
    parser.add_argument("--voxel-size", type=float, default=0.025, help="metres (default: 0.025)")


def _add_variant(parser: Parser) -> None:
    parser.add_argument("--variant", default="34C", help="variant of Res16UNet (default: 34C)")


def _add_pairs(parser: Parser) -> None:
    parser.add_argument("--num-pairs", type=int, default=16, help="pairs loaded per round")
    parser.add_argument("--rounds", type=int, default=5, help="times that each pair is loaded")


def _add_preparation(parser: Parser) -> None:
    parser.add_argument(
        "--frames", type=Path,
        help="a folder of posed RGB-D frames (default: the kitchen in ../shared/data; without it, "
        "a generated room)",
    )  # fmt: skip
    parser.add_argument("--num-scans", type=int, default=8, help="copies of the folder to prepare")
    parser.add_argument("--num-workers", type=int, default=2, help="processes of the second run")


def _add_engine(parser: Parser) -> None:
    parser.add_argument(
        "--frames", type=Path, nargs="+",
        help="folders of posed RGB-D frames (default: ../shared/data; without it, generated rooms)",
    )  # fmt: skip
    parser.add_argument(
        "--num-voxels", type=int, nargs="+", default=[10_000, 40_000, 160_000], help="batch sizes"
    )
    parser.add_argument("--rounds", type=int, default=5, help="training steps per engine")


def _add_run(parser: Parser) -> None:
    parser.add_argument("--num-pairs", type=int, default=160, help="pairs loaded for each figure")
    parser.add_argument("--steps", type=int, default=12, help="steps of the run")
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[0, 1, 2, 4], help="numbers of data workers"
    )


def _add_passes(parser: Parser) -> None:
    parser.add_argument("--num-pairs", type=int, default=8, help="pairs in the batch")
    parser.add_argument("--pairs-a-pass", type=int, default=2, help="pairs per pass, and per part")
    parser.add_argument("--rounds", type=int, default=5, help="steps of each kind")
    parser.add_argument(
        "--engines", nargs="+", choices=["native", "minkowski"], default=["native", "minkowski"],
        help="engines to measure",
    )  # fmt: skip


def _add_overlap(parser: Parser) -> None:
    parser.add_argument(
        "--frames", type=Path, nargs="+",
        help="folders of posed RGB-D frames in one world frame (default: the kitchen in "
        "../shared/data; without it, a generated room)",
    )  # fmt: skip
    parser.add_argument("--views", type=int, default=300, help="views of the scene")
    parser.add_argument(
        "--sample-pairs", type=int, default=200, help="pairs that the authors' loop is timed on"
    )
    parser.add_argument("--rounds", type=int, default=5, help="times that ours is measured")


def _add_detection(parser: Parser) -> None:
    parser.add_argument(
        "--release", type=Path,
        help="images of SUN RGB-D, or the output of VoteNet's MATLAB step (default: those in "
        "../shared/data; without it, generated ones)",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=20, help="of sampling and grouping")
    parser.add_argument("--steps", type=int, default=5, help="of training")
    parser.add_argument("--num-points", type=int, default=20_000, help="points per image")
    parser.add_argument("--num-seeds", type=int, default=1024, help="seeds per image")
    parser.add_argument("--num-proposals", type=int, default=256, help="proposals per image")
