"""Writer of TUM RGB-D's layout, and of what ORB-SLAM leaves beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pointcontrast.types import Frame
from tests.recordings.rgbd.writers.pose_tables import in_units, pose_row, save_image

CAMERA = "camera.txt"


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
