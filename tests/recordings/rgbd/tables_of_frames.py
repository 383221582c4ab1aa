"""Writers of layouts whose poses are tables: TUM RGB-D, Stray Scanner, ARKitScenes, ScanNet++.

Each takes posed frames and writes what its recorder would. Depth is rounded to the units of the
format. Options make the variants that are met.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial.transform import Rotation

from pointcontrast.recordings.sequence import PosedSequence
from pointcontrast.types import Frame
from tests.helpers import small_scenes

CAMERA = "camera.txt"
LARGE = small_scenes.INTRINSICS * np.array([[12.0], [12.0], [1.0]])
"""Intrinsics of the small scenes' camera with images of 1920 x 1440 pixels."""
LARGE[:2, 2] += 5.5


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


def frame_times(count: int, start: float = 1305031453.374112) -> list[float]:
    """Times of depth images at 30 Hz."""
    return [start + i / 30 for i in range(count)]


def write_tum(
    folder: Path,
    frames: Sequence[Frame],
    *,
    units_per_metre: float = 5000.0,
    color_delay: float = 0.008,
    times: Sequence[float] | None = None,
    trajectory: str = "groundtruth.txt",
    camera: bool = True,
) -> Path:
    """Write ``rgb.txt depth.txt groundtruth.txt`` with a pose at the time of each depth image."""
    times = frame_times(len(frames)) if times is None else times
    lists: dict[str, list[str]] = {"rgb": [], "depth": []}
    for frame, time in zip(frames, times, strict=True):
        depth_path, color_path = f"depth/{time:.6f}.png", f"rgb/{time + color_delay:.6f}.png"
        save_image(folder / depth_path, in_units(frame.depth, units_per_metre))
        assert frame.color is not None
        save_image(folder / color_path, frame.color)
        lists["depth"].append(f"{time:.6f} {depth_path}")
        lists["rgb"].append(f"{time + color_delay:.6f} {color_path}")
    for name, rows in lists.items():
        kind = "color images" if name == "rgb" else "depth maps"
        head = [f"# {kind}", "# file: 'made.bag'", "# timestamp filename"]
        (folder / f"{name}.txt").write_text("\n".join([*head, *rows]) + "\n")
    head = ["# ground truth trajectory", "# file: 'made.bag'", "# timestamp tx ty tz qx qy qz qw"]
    rows = [pose_row(t, f.world_from_camera) for f, t in zip(frames, times, strict=True)]
    (folder / trajectory).write_text("\n".join([*head, *rows]) + "\n")
    if camera:
        write_camera(folder, frames[0])
    return folder


def write_camera(folder: Path, frame: Frame) -> None:
    """Write fx fy cx cy of a frame as ``camera.txt``."""
    k = frame.intrinsics
    (folder / CAMERA).write_text(" ".join(f"{v:.17g}" for v in (k[0, 0], k[1, 1], *k[:2, 2])))


def write_associations(folder: Path, *, depth_first: bool) -> None:
    """Replace ``rgb.txt`` and ``depth.txt`` by ``associations.txt``."""
    rows = {}
    for name in ("rgb", "depth"):
        path = folder / f"{name}.txt"
        rows[name] = [line for line in path.read_text().splitlines() if not line.startswith("#")]
        path.unlink()
    order = ("depth", "rgb") if depth_first else ("rgb", "depth")
    lines = [" ".join(pair) for pair in zip(*(rows[name] for name in order), strict=True)]
    (folder / "associations.txt").write_text("\n".join(lines) + "\n")


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


def write_scannet_pp(
    folder: Path, frames: Sequence[Frame], *, camera: NDArray[np.float64] | None = None
) -> Path:
    """Write the extracted frames of ScanNet++'s iPhone data; ``camera`` is that of 1920 x 1440."""
    camera = LARGE if camera is None else camera
    content = {}
    for number, frame in enumerate(frames):
        name = f"frame_{number:06d}"
        save_image(folder / "depth" / f"{name}.png", in_units(frame.depth, 1000))
        path = folder / "rgb" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(frame.color)).save(path, quality=95, subsampling=0)
        content[name] = {
            "timestamp": number / 60,
            "pose": (np.eye(4) + np.eye(4, k=3) * 50).tolist(),
            "intrinsic": camera.tolist(),
            "imu": {},
            "aligned_pose": frame.world_from_camera.tolist(),
        }
    (folder / "pose_intrinsic_imu.json").write_text(json.dumps(content))
    return folder


WRITERS: dict[str, Callable[[Path, Sequence[Frame]], Path]] = {
    "tum": write_tum,
    "stray_scanner": write_stray_scanner,
    "arkit_scenes": write_arkit_scenes,
    "scannet_pp": write_scannet_pp,
}
"""Writers by the name of the layout."""


def read_all(sequence: PosedSequence) -> list[Frame]:
    """Read every frame of a recording of depth images."""
    frames = [sequence.read(index) for index in range(len(sequence))]
    assert all(isinstance(frame, Frame) for frame in frames)
    return [frame for frame in frames if isinstance(frame, Frame)]
