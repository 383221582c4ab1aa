"""VoteNet's sampling and grouping, and a training step of the released recipe."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import torch

from pointcontrast.backbones.res16unet_variants import VariantName
from tools.speed.images import open_images
from tools.speed.point_sets import time_point_sets
from tools.speed.timing import Figures, require_rounds
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
        release: Images of SUN RGB-D; see :func:`tools.speed.images.open_images`.
        num_points: Points drawn from each image.
        num_seeds: Seeds per cloud, sampled from its voxels.
        num_proposals: Proposals per cloud, sampled from the seeds' votes.
        voxel_size: Metres.
        variant: Variant of the backbone.
        rounds: Measurements of sampling and grouping per cloud.
        steps: Training steps measured, each on all images; at least 2.

    Returns:
        See :func:`time_point_sets` and :func:`time_training_step`.

    Raises:
        InputError: One of the three functions raises it, or there are fewer than two steps.
    """
    require_rounds("steps", steps)
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
