"""The images that detection is timed on, as the released recipe sees them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from downstream.augmentation.boxes import BoxAugmentation
from downstream.benchmarks import SUNRGBD
from downstream.data import CloudDataset
from downstream.releases.sunrgbd.images import ImageSettings, convert_images, find_images
from downstream.samples import SampleMaker
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.errors import InputError
from tests.releases.sunrgbd.release import write_sunrgbd_release
from tools.speed.recorded_data import RECORDED

RECORDED_IMAGES = RECORDED / "sunrgbd_trainval"
"""Real images next to the checkout, where there are any."""


def open_images(
    release: Path | None, output: Path, num_points: int, voxel_size: float
) -> CloudDataset:
    """Convert images and serve them as the released recipe trains on them.

    Args:
        release: SUN RGB-D in either form that ``datasets/sunrgbd.py`` reads; None takes
            :data:`RECORDED_IMAGES`, or else generates four images.
        output: Empty folder for the scenes.
        num_points: Points per cloud.
        voxel_size: Metres.

    Raises:
        InputError: The folder is no release, or none of its images has boxes.
    """
    if release is None and RECORDED_IMAGES.is_dir():
        release = RECORDED_IMAGES
    if release is None:
        release = Path(tempfile.mkdtemp(dir=output.parent))
        write_sunrgbd_release(release, num_train=3, num_validation=1)
    images = find_images(release, "v1").images
    finished, failures = convert_images(images, output, ImageSettings())
    if not finished:
        raise InputError(f"{release} has no image with boxes: {failures or 'none is labelled'}")
    mean_sizes = np.ones((len(SUNRGBD.class_names), 3)).tolist()  # any: only time is measured
    return CloudDataset(
        SUNRGBD(str(output), num_points=num_points, mean_sizes=mean_sizes),
        sorted(scene.scene for scene in finished),
        SampleMaker(NetworkInput(voxel_size=voxel_size, features=("ones",)), BoxAugmentation()),
        seed=0,
        training=True,
    )
