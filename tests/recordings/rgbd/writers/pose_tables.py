"""What writers of layouts with tables of poses share: quaternions, rows, images in units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial.transform import Rotation


def quaternion(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """x y z w of a pose."""
    return Rotation.from_matrix(pose[:3, :3]).as_quat()


def pose_row(time: float, pose: NDArray[np.float64]) -> str:
    """``t tx ty tz qx qy qz qw`` with all digits."""
    return " ".join([f"{time:.6f}", *(f"{v:.17g}" for v in (*pose[:3, 3], *quaternion(pose)))])


def save_image(path: Path, image: NDArray) -> None:
    """Write an image of 16-bit integers or of colours."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def in_units(depth: NDArray[np.float32], units_per_metre: float) -> NDArray[np.uint16]:
    """Depth in whole units, 0 beyond what 16 bits hold."""
    units = np.rint(depth.astype(np.float64) * units_per_metre)
    return np.where(units < 65535, units, 0).astype(np.uint16)
