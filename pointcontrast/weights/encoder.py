"""Backbone files as functions from a cloud to features."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pointcontrast.data.collate import collate_views
from pointcontrast.runs.batch_norm import measure_batch_norm
from pointcontrast.scenes.scene_meta import SceneMeta
from pointcontrast.types import PointCloud, VoxelizedView
from pointcontrast.weights.backbone_file import build_backbone, load_backbone

Encode = Callable[[PointCloud], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""A network applied to a cloud: points (N, 3) of its voxels in world metres, features (N, C)."""


@dataclass(frozen=True)
class Encoder:
    """A network ready to turn clouds into features.

    Attributes:
        encode: see :data:`Encode`.
        voxel_size: metres, the one that the network was trained with.
    """

    encode: Encode
    voxel_size: float


def load_encoder(
    checkpoint: Path,
    meta: SceneMeta,
    untrained_seed: int | None = None,
    calibration_views: Sequence[PointCloud] = (),
) -> Encoder:
    """Load a backbone file as a function from a cloud to features.

    Args:
        checkpoint: a backbone file (``pointcontrast.weights.backbone_file``).
        meta: of the scene that the clouds are from; its ``up`` and ``floor_height`` are used.
        untrained_seed: if given, the same network with the random weights of that seed instead.
        calibration_views: of the same scene; if there are any, batch norm's statistics are
            measured on them, all in one pass. A new network has none of its own, and would look
            worse beside a trained one than its weights are. Where the views are too small for
            that (a single voxel on some level), the statistics stay as they are and the log
            says so.

    Raises:
        InputError: the file is absent, damaged or of another kind.
    """
    with torch.random.fork_rng(devices=[]):  # a new network draws from the global generator
        backbone, metadata = load_backbone(checkpoint)
        if untrained_seed is not None:
            torch.manual_seed(untrained_seed)
            backbone = build_backbone(metadata).eval()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    backbone.to(device)

    def network_input(cloud: PointCloud) -> VoxelizedView:
        return metadata.network_input(cloud, meta.up, meta.floor_height)

    @torch.inference_mode()
    def encode(cloud: PointCloud) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        voxels = network_input(cloud)
        batch = collate_views([voxels])
        features = backbone.encode(batch.coordinates.to(device), batch.features.to(device))
        return voxels.points, features.cpu().numpy()

    if calibration_views:
        batch = collate_views([network_input(view) for view in calibration_views])
        try:
            measure_batch_norm(
                backbone,
                [lambda: backbone.encode(batch.coordinates.to(device), batch.features.to(device))],
            )
        except ValueError as error:
            logging.getLogger(__name__).warning("batch norm's statistics stay: %s", error)
    return Encoder(encode, metadata.network_input.voxel_size)
