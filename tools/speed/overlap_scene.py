"""A scene of many full-resolution views, for the benchmark of overlaps."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pointcontrast.errors import InputError
from pointcontrast.geometry import rotation_about
from pointcontrast.recordings.layouts import find_sequences, open_sequence
from pointcontrast.recordings.sequence import FrameError, PosedSequence
from pointcontrast.scenes.views import to_view
from pointcontrast.types import Frame
from tools.speed.voxelized_views import SHARED_SCANS

DEFAULT_SCENE = "redkitchen"
SHIFT, TURN = 0.02, 1.0
"""How far a frame that comes again is off: standard deviations, metres and degrees."""


def read_scene(
    frames: list[Path] | None, num_views: int
) -> tuple[list[NDArray[np.float32]], list[PosedSequence]]:
    """Full-resolution views of posed frames in one world frame.

    Where there are more frames than asked for, they are spread evenly over all; where there are
    fewer, they come again with a slightly moved pose, as of a camera that comes back and drifts.

    Args:
        frames: folders of posed RGB-D frames that share a world frame; None for the real kitchen
            beside the checkout, or else a generated room.
        num_views: how many.

    Returns:
        ``num_views`` arrays (N, 3) float32 world metres, as preparation has them in memory, and
        the sequences they are from.

    Raises:
        InputError: a folder holds no frames that can be read.
    """
    if frames is None and (SHARED_SCANS / DEFAULT_SCENE).is_dir():
        frames = [SHARED_SCANS / DEFAULT_SCENE]
    with tempfile.TemporaryDirectory() as folder:
        if frames is None:
            from pointcontrast.synthetic.source import write_rooms

            frames = write_rooms(Path(folder), num_rooms=1, num_frames=100, seed=0)
        sequences = [open_sequence(each) for path in frames for each in find_sequences(path)]
        rows = [(sequence, i) for sequence in sequences for i in range(len(sequence))]
        if len(rows) > num_views:
            chosen = np.linspace(0, len(rows) - 1, num_views).round().astype(int)
            rows = [rows[i] for i in chosen]
        views = list(
            islice(
                tqdm(_views(rows), total=num_views, desc="reading frames", unit="view"), num_views
            )
        )
    if not views:
        raise InputError(f"{', '.join(map(str, frames))}: no frame has a depth image to read")
    return views, sequences


def _views(rows: Sequence[tuple[PosedSequence, int]]) -> Iterator[NDArray[np.float32]]:
    """The views of all frames, and again, moved, without end; none if no frame can be read."""
    rng = np.random.default_rng(0)
    good: list[Frame] = []
    for sequence, index in rows:
        try:
            frame = sequence.read(index)
            if isinstance(frame, Frame):
                yield to_view(frame).cloud.points
                good.append(frame)
        except FrameError:
            continue
    for frame in cycle(good):
        motion = np.eye(4)
        motion[:3, :3] = rotation_about(rng.normal(size=3), np.radians(rng.normal(0, TURN)))
        motion[:3, 3] = rng.normal(0, SHIFT, 3)
        moved = replace(frame, world_from_camera=frame.world_from_camera @ motion)
        yield to_view(moved).cloud.points
