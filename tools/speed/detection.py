"""The figures of ``tools/benchmark.py detection``."""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import torch

from pointcontrast.backbones.res16unet_variants import VariantName
from pointcontrast.errors import InputError
from tools.speed.images import open_images
from tools.speed.point_sets import time_point_sets
from tools.speed.timing import Figures
from tools.speed.training_step import time_training_step


def benchmark_detection(
    release: Path | None = None,
    num_points: int = 20_000,
    num_seeds: int = 1024,
    num_proposals: int = 256,
    voxel_size: float = 0.025,
    variant: VariantName = "34C",
    rounds: int = 20,
    steps: int = 5,
) -> Figures:
    """Time sampling and grouping, and a training step; defaults are the released recipe's.

    Args:
        release: images of SUN RGB-D; see :func:`tools.speed.images.open_images`.
        num_points: drawn from each image.
        num_seeds: of each cloud's voxels.
        num_proposals: of the seeds' votes.
        voxel_size: metres.
        variant: of the backbone.
        rounds: how often sampling and grouping are measured on each cloud.
        steps: training steps that are measured, on all images together; at least 2.

    Returns:
        See :func:`time_point_sets` and :func:`time_training_step`.

    Raises:
        InputError: as of the three functions; or there are fewer than two steps.
    """
    if steps < 2:
        raise InputError(f"--steps {steps} must be 2 or more, for medians and quartiles")
    with tempfile.TemporaryDirectory() as folder:
        images = open_images(release, Path(folder) / "scenes", num_points, voxel_size)
        voxels = [torch.from_numpy(images[0, row].points) for row in range(len(images))]
        return {
            "num_threads": torch.get_num_threads(),
            "num_clouds": len(voxels),
            "rounds": rounds,
            "num_points": num_points,
            "voxel_size": voxel_size,
            "num_voxels_mean": round(statistics.mean(map(len, voxels))),
            **time_point_sets(voxels, num_seeds, num_proposals, rounds),
            **time_training_step(images, variant, num_seeds, num_proposals, steps),
        }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.set_defaults(benchmark=benchmark_detection)
    parser.add_argument(
        "--release", type=Path,
        help="images of SUN RGB-D, or what VoteNet's MATLAB script left of them (those in "
        "../shared/data, else generated ones)",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=20, help="of sampling and grouping")
    parser.add_argument("--steps", type=int, default=5, help="of training")
