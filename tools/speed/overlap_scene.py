"""A scene of many full-resolution views, for the benchmark of overlaps."""

from __future__ import annotations

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
from pointcontrast.scenes.recorded_views import to_view
from pointcontrast.types import Frame

SHIFT, TURN = 0.02, 1.0
"""Standard deviations of a repeated frame's pose: metres and degrees."""


def read_scene(
    frames: list[Path], num_views: int
) -> tuple[list[NDArray[np.float32]], list[PosedSequence]]:
    """Full-resolution views of posed frames in one world frame.

    Of more frames than ``num_views``, evenly spaced ones are taken. Fewer are repeated with a
    slightly moved pose, as of a camera that returns and drifts.

    Args:
        frames: Folders of posed RGB-D frames that share a world frame.
        num_views: Number of views.

    Returns:
        ``num_views`` arrays (N, 3) float32 world metres, as preparation has them in memory, and
        the sequences they were read from.

    Raises:
        InputError: A folder holds no frames that can be read.
    """
    sequences = [open_sequence(each) for path in frames for each in find_sequences(path)]
    rows = [(sequence, i) for sequence in sequences for i in range(len(sequence))]
    if len(rows) > num_views:
        chosen = np.linspace(0, len(rows) - 1, num_views).round().astype(int)
        rows = [rows[i] for i in chosen]
    reading = tqdm(_views(rows), total=num_views, desc="reading frames", unit="view")
    views = list(islice(reading, num_views))
    if not views:
        raise InputError(f"{', '.join(map(str, frames))}: no frame has a depth image to read")
    return views, sequences


def _views(rows: Sequence[tuple[PosedSequence, int]]) -> Iterator[NDArray[np.float32]]:
    """The views of all frames, then of moved ones without end; none if no frame can be read."""
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
