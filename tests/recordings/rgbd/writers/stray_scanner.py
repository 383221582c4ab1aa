"""Writer of Stray Scanner's layout, with a lossless video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from pointcontrast.types import Frame
from tests.recordings.rgbd.writers.pose_tables import in_units, quaternion, save_image


def write_video(path: Path, images: Sequence[NDArray[np.uint8]]) -> None:
    """Write a lossless H.264 video, so that its colours can be compared."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=30)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "rgb24"
        stream.options = {"qp": "0", "preset": "ultrafast"}
        for image in images:
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def write_stray_scanner(
    folder: Path,
    frames: Sequence[Frame],
    *,
    colors: Sequence[NDArray[np.uint8]] | None = None,
    camera: NDArray[np.float64] | None = None,
    confidence: Sequence[NDArray[np.uint8]] | None = None,
    with_cameras: bool = False,
) -> Path:
    """Write a Stray Scanner folder.

    ``colors`` and ``camera`` are the images of the video and their intrinsics, of any size; the
    frames' own by default.
    """
    folder.mkdir(parents=True)
    camera = frames[0].intrinsics if camera is None else camera
    names = ["timestamp", "frame", "x", "y", "z", "qx", "qy", "qz", "qw"]
    names += ["fx", "fy", "cx", "cy"] if with_cameras else []
    rows = [", ".join(names)]
    for number, frame in enumerate(frames):
        save_image(folder / "depth" / f"{number:06d}.png", in_units(frame.depth, 1000))
        sure = np.full(frame.depth.shape, 2, np.uint8)
        save_image(
            folder / "confidence" / f"{number:06d}.png",
            sure if confidence is None else confidence[number],
        )
        numbers = [*frame.world_from_camera[:3, 3], *quaternion(frame.world_from_camera)]
        numbers += [camera[0, 0], camera[1, 1], *camera[:2, 2]] if with_cameras else []
        words = [f"{1000 + number / 60:.6f}", f"{number:06d}", *(f"{v:.17g}" for v in numbers)]
        rows.append(", ".join(words))
    (folder / "odometry.csv").write_text("\n".join(rows) + "\n")
    (folder / "camera_matrix.csv").write_text(
        "\n".join(", ".join(f"{v:.17g}" for v in row) for row in camera)
    )
    images = [np.asarray(frame.color) for frame in frames] if colors is None else colors
    write_video(folder / "rgb.mp4", images)
    return folder
