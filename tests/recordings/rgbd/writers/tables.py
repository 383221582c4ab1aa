"""The writers of layouts whose poses are tables, by the name of the layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pointcontrast.recordings.sequence import PosedSequence
from pointcontrast.types import Frame
from tests.recordings.rgbd.writers.arkit_scenes import write_arkit_scenes
from tests.recordings.rgbd.writers.scannet_pp import write_scannet_pp
from tests.recordings.rgbd.writers.stray_scanner import write_stray_scanner
from tests.recordings.rgbd.writers.tum import write_tum

WRITERS: dict[str, Callable[[Path, Sequence[Frame]], Path]] = {
    "tum": write_tum,
    "stray_scanner": write_stray_scanner,
    "arkit_scenes": write_arkit_scenes,
    "scannet_pp": write_scannet_pp,
}


def read_all(sequence: PosedSequence) -> list[Frame]:
    """Read every frame of a recording of depth images."""
    frames = [sequence.read(index) for index in range(len(sequence))]
    assert all(isinstance(frame, Frame) for frame in frames)
    return [frame for frame in frames if isinstance(frame, Frame)]
