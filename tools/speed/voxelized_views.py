"""The voxels that engines are compared on: views of rooms, as pretraining sees them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pointcontrast.data.network_input import NetworkInput
from pointcontrast.recordings.layouts import find_sequences, open_sequence
from pointcontrast.recordings.sequence import FrameError
from pointcontrast.scenes.recorded_views import to_view
from tools.speed.recorded_data import FOUR_ROOMS, Rooms, recorded_or_rooms

UP = np.array([0.0, 0.0, 1.0])
FRAME_STEP = 7
"""Frames between two views of one sequence: neighbours see the same."""


def batch_of_voxels(
    frames: list[Path] | None, num_voxels: int, voxel_size: float, rooms: Rooms = FOUR_ROOMS
) -> tuple[torch.Tensor, str]:
    """One batch of whole views, each rotated at random, in the order of the sequences.

    Args:
        frames: Folders of posed RGB-D frames; None takes :func:`recorded_or_rooms`.
        num_voxels: Rows to fill; the last view is cut.
        voxel_size: Metres.
        rooms: Rooms to generate where there are no recorded scans.

    Returns:
        (num_voxels, 4) int32, batch index first, and the names of the sequences.

    Raises:
        InputError: A folder holds no frames that can be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        frames = frames or [recorded_or_rooms(Path(folder), rooms)]
        sequences = [sequence for path in frames for sequence in find_sequences(path)]
        views: list[NDArray[np.int32]] = []
        missing = num_voxels
        for index, coordinates in enumerate(_views(sequences, voxel_size)):
            kept = coordinates[:missing]
            views.append(np.insert(kept, 0, index, axis=1))
            missing -= len(kept)
            if missing == 0:
                break
    return torch.from_numpy(np.concatenate(views)), ", ".join(path.name for path in sequences)


def _views(sequences: list[Path], voxel_size: float) -> Iterator[NDArray[np.int32]]:
    """Views of all sequences in turn, without end, each with a new rotation."""
    rng = np.random.default_rng(0)
    network_input = NetworkInput(voxel_size=voxel_size, rotation="free")
    opened = [open_sequence(path) for path in sequences]
    while True:
        turns = zip_longest(*(range(0, len(s.frame_ids), FRAME_STEP) for s in opened))
        for which, frame in chain.from_iterable(map(enumerate, turns)):
            if frame is None:
                continue
            try:
                view = to_view(opened[which].read(frame)).cloud
            except FrameError:
                continue
            yield network_input(view, UP, 0.0, rng).coordinates
