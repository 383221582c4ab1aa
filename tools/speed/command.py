"""The command line of ``tools/benchmark.py``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import tools.speed
from pointcontrast.errors import run_command
from pointcontrast.files import write_json
from tools.speed.detection import add_arguments as add_detection
from tools.speed.engine import benchmark_engine
from tools.speed.overlap import benchmark_overlap
from tools.speed.pair_loading import benchmark_pairs
from tools.speed.passes import benchmark_passes
from tools.speed.preparation import benchmark_preparation
from tools.speed.run import benchmark_run
from tools.speed.timing import Figures


def main(argv: list[str] | None = None) -> int:
    """Run one benchmark, print its figures, and write them as one flat JSON object.

    Args:
        argv: Arguments of the command; None takes those of the process.
    """
    parser = argparse.ArgumentParser(prog="benchmark.py", description=tools.speed.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_pairs(commands.add_parser("pairs", help="loading a training pair"))
    _add_engine(commands.add_parser("engine", help="native and MinkowskiEngine, a training step"))
    _add_preparation(commands.add_parser("prepare", help="scenes with pairs from .sens files"))
    _add_overlap(commands.add_parser("overlap", help="the overlaps of all pairs of a scene"))
    _add_run(commands.add_parser("run", help="pairs a second, and time lost to checkpoints"))
    _add_passes(commands.add_parser("passes", help="a large batch in passes: time and memory"))
    add_detection(
        commands.add_parser(
            "detection", help="VoteNet's sampling and grouping, and a training step"
        )
    )
    for command in commands.choices.values():
        command.add_argument("--json", type=Path, help="write the figures here")
    arguments = vars(parser.parse_args(argv))
    del arguments["command"]
    path: Path | None = arguments.pop("json")
    benchmark: Callable[..., Figures] = arguments.pop("benchmark")

    def run() -> int:
        figures = benchmark(**arguments)
        print(json.dumps(figures, indent=2))
        if path is not None:
            write_json(path, figures)
        return 0

    return run_command(run)


def _add_pairs(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(benchmark=benchmark_pairs)
    _add_root(parser)
    parser.add_argument("--num-pairs", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--voxel-size", type=float, default=0.025, help="metres")


def _add_preparation(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(benchmark=benchmark_preparation)
    parser.add_argument("--frames", type=Path, help="a folder of frames (else the real kitchen)")
    parser.add_argument("--num-scans", type=int, default=8, help="copies of them")
    parser.add_argument("--num-workers", type=int, default=2, help="of the second run")


def _add_engine(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(benchmark=benchmark_engine)
    parser.add_argument(
        "--frames", type=Path, nargs="+",
        help="folders of posed RGB-D frames (those in ../shared/data, else generated rooms)",
    )  # fmt: skip
    parser.add_argument(
        "--num-voxels", type=int, nargs="+", default=[10_000, 40_000, 160_000], help="sizes"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--voxel-size", type=float, default=0.025, help="metres")
    parser.add_argument("--variant", default="34C", help="of Res16UNet")


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(benchmark=benchmark_run)
    _add_root(parser)
    parser.add_argument("--num-pairs", type=int, default=160, help="loaded for each figure")
    parser.add_argument("--steps", type=int, default=12, help="of the run")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2, 4])
    parser.add_argument("--voxel-size", type=float, default=0.025, help="metres")
    parser.add_argument("--variant", default="34C", help="of Res16UNet")


def _add_passes(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(benchmark=benchmark_passes)
    _add_root(parser)
    parser.add_argument("--num-pairs", type=int, default=8, help="of the batch")
    parser.add_argument("--pairs-a-pass", type=int, default=2, help="and a part")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--voxel-size", type=float, default=0.025, help="metres")
    parser.add_argument("--variant", default="34C", help="of Res16UNet")
    parser.add_argument(
        "--engines", nargs="+", choices=["native", "minkowski"], default=["native", "minkowski"]
    )


def _add_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--root", type=Path, help="a prepared folder (else ../shared/data is prepared, or rooms)"
    )


def _add_overlap(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(benchmark=benchmark_overlap)
    parser.add_argument(
        "--frames", type=Path, nargs="+",
        help="folders of posed RGB-D frames in one world frame (the kitchen in ../shared/data, "
        "else a generated room)",
    )  # fmt: skip
    parser.add_argument("--views", type=int, default=300, help="of the scene")
    parser.add_argument(
        "--sample-pairs", type=int, default=200, help="that the authors' way is timed on"
    )
    parser.add_argument("--rounds", type=int, default=5)
