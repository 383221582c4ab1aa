"""The command line of evaluation.

PyTorch and what needs it are imported when networks are read, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from downstream.predictions import FORMATS
from pointcontrast.command_help import CommandHelp, CommandParser, add_import_argument
from pointcontrast.errors import InputError, run_command

if TYPE_CHECKING:
    from downstream.benchmarks import Benchmark, Split

BEST = "best.safetensors"
SPLITS = ("train", "validation", "test")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate each run; several are also scored together, as folds of one benchmark."""
    import torch

    from downstream.evaluate import Evaluation, evaluate_network, joined, write_evaluation
    from downstream.network_file import read_network
    from downstream.predictions.writer import PredictionWriter

    evaluations: list[Evaluation] = []
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for path in arguments.runs:
        finetuned = read_network(path, arguments.engine)
        benchmark = finetuned.benchmark(**_changes(arguments, finetuned.benchmark_arguments))
        folder = _output(arguments, path, benchmark)
        split = arguments.split or benchmark.final_split
        writer = None
        if arguments.predictions is not None:
            writer = PredictionWriter(
                folder / "predictions",
                arguments.predictions,
                benchmark,
                split,
                partial=arguments.partial_submission,
            )
        _say_unlabelled(benchmark, split, "predicted" if writer else "left out")
        evaluation = evaluate_network(
            finetuned,
            benchmark,
            split,
            device=device,
            max_voxels=arguments.max_voxels,
            overlap=arguments.overlap,
            num_votes=arguments.votes,
            on_prediction=None if writer is None else writer.write,
        )
        if writer is not None and arguments.predictions != "window":
            print(f"predictions {writer.finish()}")
        if evaluation is not None:
            write_evaluation(folder, evaluation)
            print(f"{evaluation.table()}\nwritten to {folder}\n")
            evaluations.append(evaluation)
    if len(evaluations) > 1:
        together = joined(evaluations)
        folder = arguments.output or Path(arguments.runs[0]).parent / "folds"
        write_evaluation(folder, together)
        print(f"{together.table()}\nwritten to {folder}")
    return 0


def _say_unlabelled(benchmark: Benchmark, split: Split, fate: str) -> None:
    names = benchmark.names(split)
    lacking = sum(not benchmark.has_truth(name) for name in names)
    if lacking:
        print(
            f"{lacking} of the {len(names)} clouds of the {split} split have no "
            f"{benchmark.truth}: they are {fate}, not scored"
        )


def _changes(arguments: argparse.Namespace, trained: dict[str, Any]) -> dict[str, Any]:
    """Arguments of the benchmark that differ from training."""
    import yaml

    changes: dict[str, Any] = {} if arguments.root is None else {"root": arguments.root}
    if not arguments.detection:
        return changes
    if "detection" not in trained:
        raise InputError("--detection is for networks that detect boxes")
    settings: dict[str, Any] = {}
    for word in arguments.detection:
        name, _, value = word.partition("=")
        if name not in trained["detection"]:
            known = ", ".join(f"{key}={was}" for key, was in trained["detection"].items())
            raise InputError(f"--detection {word}: give NAME=VALUE of {known}")
        settings[name] = yaml.safe_load(value)
        if type(settings[name]) is not type(trained["detection"][name]):
            raise InputError(
                f"--detection {word}: {name} is a {type(trained['detection'][name]).__name__}, "
                f"such as {trained['detection'][name]}"
            )
    return {**changes, "detection": {**trained["detection"], **settings}}


def _output(arguments: argparse.Namespace, path: Path, benchmark: Benchmark) -> Path:
    """Folder for the scores of one run; never that of the scores that training wrote."""
    base = arguments.output or (path if path.is_dir() else path.parent) / "evaluation"
    name = arguments.split or benchmark.final_split
    if path.is_file() and path.name != BEST:
        name += f"_{path.stem}"
    if arguments.votes > 1:
        name += f"_{arguments.votes}_votes"
    name += "".join(f"_{word.replace('=', '_')}" for word in arguments.detection)
    if len(arguments.runs) > 1 and arguments.output is not None:
        name += f"_{(benchmark.fold() or path.name).replace(' ', '_')}"
    return base / name


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        description="Score finetuned networks on their benchmark, and write their predictions.",
        formatter_class=CommandHelp,
    )
    parser.add_argument(
        "runs",
        type=Path,
        nargs="+",
        help="run folders (their best network) or network files; several are folds of one "
        "benchmark, such as the six areas of S3DIS, and are also scored together",
    )
    add_import_argument(parser)
    parser.add_argument("--root", help="folder of the data (default: that of training)")
    parser.add_argument(
        "--split",
        choices=SPLITS,
        help="split to evaluate (default: the benchmark's own, usually test)",
    )
    parser.add_argument(
        "--votes",
        type=int,
        default=1,
        help="rotations about the vertical whose probabilities are averaged",
    )
    parser.add_argument(
        "--max-voxels",
        type=int,
        default=2_000_000,
        help="voxels above which a scene is evaluated in overlapping blocks",
    )
    parser.add_argument(
        "--overlap",
        type=float,
        default=1.0,
        help="context around each block, metres",
    )
    parser.add_argument(
        "--detection",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="post-processing and scoring of boxes that differ from training, such as "
        "per_class=false suppression=none interpolation=11_point "
        "(DetectionSettings in downstream/tasks/detection.py)",
    )
    parser.add_argument(
        "--predictions",
        choices=FORMATS,
        help="also write the predictions: ply (point clouds), png (pictures) or scannet (files to "
        "submit to its benchmark); window shows them one by one",
    )
    parser.add_argument(
        "--partial-submission",
        action="store_true",
        help="with --predictions scannet: pack the scans that are there, though some are missing",
    )
    parser.add_argument(
        "--output", "-o", type=Path, help="folder to write to (default: RUN/evaluation)"
    )
    parser.add_argument(
        "--engine",
        choices=("auto", "native", "minkowski"),
        default="auto",
        help="sparse engine",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; see ``tools/evaluate.py --help``. Returns the exit status."""
    return run_command(lambda: run(_parser().parse_args(argv)))


if __name__ == "__main__":
    raise SystemExit(main())
