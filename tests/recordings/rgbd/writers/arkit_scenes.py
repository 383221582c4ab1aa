"""Writer of ARKitScenes' layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from pointcontrast.types import Frame
from tests.recordings.rgbd.writers.pose_tables import in_units, save_image


def write_arkit_scenes(
    folder: Path,
    frames: Sequence[Frame],
    *,
    poses_every: int = 1,
    confidence: Sequence[NDArray[np.uint8]] | None = None,
) -> Path:
    """Write ``47333462_frames`` with poses of the world in the camera, one every few images."""
    rows = []
    for number, frame in enumerate(frames):
        time = 6845.706 + number / 60
        name = f"47333462_{time:.3f}"
        save_image(folder / "lowres_depth" / f"{name}.png", in_units(frame.depth, 1000))
        save_image(folder / "lowres_wide" / f"{name}.png", np.asarray(frame.color))
        if confidence is not None:
            save_image(folder / "confidence" / f"{name}.png", confidence[number])
        height, width = frame.depth.shape
        k = frame.intrinsics
        # as the release: now and then the name is a millisecond off
        pincam = f"47333462_{time + (0.001 if number % 3 == 1 else 0):.3f}.pincam"
        (folder / "lowres_wide_intrinsics").mkdir(exist_ok=True)
        (folder / "lowres_wide_intrinsics" / pincam).write_text(
            f"{width} {height} {k[0, 0]:.17g} {k[1, 1]:.17g} {k[0, 2]:.17g} {k[1, 2]:.17g}"
        )
        if number % poses_every == 0:
            inverse = np.linalg.inv(frame.world_from_camera)
            vector = Rotation.from_matrix(inverse[:3, :3]).as_rotvec()
            numbers = " ".join(f"{v:.17g}" for v in (*vector, *inverse[:3, 3]))
            rows.append(f"{time + 0.0004:.8f} {numbers}")
    (folder / "lowres_wide.traj").write_text("\n".join(rows) + "\n")
    return folder
