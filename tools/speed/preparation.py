"""From ``.sens`` files to scenes with pairs: views a second, and their size."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from pointcontrast.preparation.prepare import prepare
from pointcontrast.preparation.workers import Workers
from pointcontrast.recordings.layouts import find_sequences, open_sequence
from pointcontrast.recordings.rgbd.sens.writer import SensFrame, write_sens
from pointcontrast.types import Frame
from tools.speed.recorded_data import kitchen_or_room
from tools.speed.timing import Figures

COLOR_SIZE = (1296, 968)
"""Width and height of ScanNet's colour images, pixels."""


def benchmark_preparation(
    frames: Path | None, num_scans: int, num_workers: int, generated_frames: int = 40
) -> Figures:
    """Prepare scans with one process, then with several.

    A scan is a folder's frames written as ScanNet's recorder would, with colour enlarged to its
    size; all scans are copies of it. Files are in the page cache. The time includes the start of
    the workers.

    Args:
        frames: Folder of posed RGB-D frames with colour; None takes :func:`kitchen_or_room`.
        num_scans: Number of scans.
        num_workers: Processes of the second run.
        generated_frames: Frames of the generated room, where it is used.
    """
    with tempfile.TemporaryDirectory() as folder:
        release = Path(folder) / "release"
        frames = frames or _kitchen_or_room(Path(folder), generated_frames)
        num_frames = _write_scans(frames, release, num_scans)
        one = prepare([release], Path(folder) / "one")
        several = prepare(
            [release], Path(folder) / "several", workers=Workers(num_workers=num_workers)
        )
    num_views = sum(len(scene.meta.frame_ids) for scene in one.scenes)
    return {
        "views_a_second_1_process": round(num_views / one.seconds, 1),
        f"views_a_second_{num_workers}_processes": round(num_views / several.seconds, 1),
        "seconds_1_process": round(one.seconds, 2),
        f"seconds_{num_workers}_processes": round(several.seconds, 2),
        "bytes_a_view": round(sum(scene.num_bytes for scene in one.scenes) / num_views),
        "num_views": num_views,
        "num_frames": num_frames,
        "num_scans": num_scans,
    }


def _kitchen_or_room(folder: Path, num_frames: int) -> Path:
    return find_sequences(kitchen_or_room(folder / "rooms", num_frames))[0]


def _write_scans(frames: Path, release: Path, num_scans: int) -> int:
    sequence = open_sequence(frames)
    first = release / "scene0000_00"
    first.mkdir(parents=True)
    rows = range(len(sequence))
    recorded = [sequence.read(i) for i in tqdm(rows, desc="frames", unit="frame")]
    posed = [frame for frame in recorded if isinstance(frame, Frame) and frame.color is not None]
    height, width = posed[0].depth.shape
    enlarged = np.diag([COLOR_SIZE[0] / width, COLOR_SIZE[1] / height, 1.0])
    write_sens(
        first / f"{first.name}.sens",
        (_as_recorded(frame) for frame in posed),
        depth_intrinsics=posed[0].intrinsics,
        color_intrinsics=enlarged @ posed[0].intrinsics,
    )
    for number in range(1, num_scans):
        scan = release / f"scene{number:04d}_00"
        scan.mkdir()
        os.link(first / f"{first.name}.sens", scan / f"{scan.name}.sens")
    return len(posed)


def _as_recorded(frame: Frame) -> SensFrame:
    assert frame.color is not None, "left out before"
    color = np.array(Image.fromarray(frame.color).resize(COLOR_SIZE))
    return SensFrame(color, np.rint(frame.depth * 1000).astype(np.uint16), frame.world_from_camera)
