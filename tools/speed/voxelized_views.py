"""The voxels that engines are compared on: views of real rooms, as pretraining sees them."""

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
from pointcontrast.scenes.views import to_view

SHARED_SCANS = Path(__file__).resolve().parents[2].with_name("shared") / "data"
"""Real scans beside the checkout, where there are any."""
UP = np.array([0.0, 0.0, 1.0])
FRAME_STEP = 7
"""Frames between two views of one sequence: neighbours see the same."""


def scans_or_rooms(folder: Path) -> list[Path]:
    """The real scans beside the checkout, or where there are none, rooms written to ``folder``."""
    if SHARED_SCANS.is_dir():
        return [SHARED_SCANS]
    from pointcontrast.synthetic.source import write_rooms

    return write_rooms(folder, num_rooms=4, num_frames=40, seed=0)


def batch_of_voxels(
    frames: list[Path] | None, num_voxels: int, voxel_size: float
) -> tuple[torch.Tensor, str]:
    """One batch: whole views, each turned at random, in the order in which they come.

    Args:
        frames: folders of posed RGB-D frames; None for those beside the checkout, or else rooms
            that are generated.
        num_voxels: rows to fill; the last view is cut.
        voxel_size: metres.

    Returns:
        (num_voxels, 4) int32, batch index first, and the names of the sequences.

    Raises:
        InputError: a folder holds no frames that can be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        frames = frames or scans_or_rooms(Path(folder))
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
    """Views of all sequences in turn, again and again, each time turned otherwise."""
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
