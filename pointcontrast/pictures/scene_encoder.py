"""A backbone file as a function from the views of a scene to features, for pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pointcontrast.feature_network import load
from pointcontrast.scenes.scene_meta import SceneMeta
from pointcontrast.types import PointCloud

Encode = Callable[[PointCloud], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""A network applied to a view: points (M, 3) of its voxels in world metres, features (M, C)."""


@dataclass(frozen=True)
class Encoder:
    """A network ready to encode the views of one scene.

    Attributes:
        encode: See :data:`Encode`.
        voxel_size: Voxel size in metres that the network was trained with.
    """

    encode: Encode
    voxel_size: float


def load_encoder(
    network: Path,
    meta: SceneMeta,
    untrained_seed: int | None = None,
    calibration_views: Sequence[PointCloud] = (),
) -> Encoder:
    """Load a network for the views of a scene.

    Args:
        network: A backbone file or a run's folder; a finetuned network gives its backbone.
        meta: Metadata of the scene, for its up direction and floor.
        untrained_seed: Seed of random weights to take in place of the file's; None takes the
            file's.
        calibration_views: Views of the scene on which batch norm's statistics are measured. A
            network with random weights has none of its own, and would look worse next to a
            trained one than its weights are.

    Raises:
        InputError: The file is absent, damaged or of another kind.
    """
    found = load(network, finetuned=True)
    if untrained_seed is not None:
        found = found.with_random_weights(untrained_seed)
    if calibration_views:
        found.calibrate(calibration_views, meta.up, meta.floor_height)
    encode = partial(found.encode, up=meta.up, floor_height=meta.floor_height)
    return Encoder(encode, found.voxel_size)
