"""Real frames, written in each layout of pose tables: the same depth, the same places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pointcontrast.recordings.layouts import open_sequence
from pointcontrast.recordings.quaternions import pose_from_quaternion
from pointcontrast.scenes.recorded_views import to_view
from pointcontrast.types import Frame
from tests.helpers.small_scenes import write_seven_scenes
from tests.recordings.rgbd.writers import scannet_pp
from tests.recordings.rgbd.writers.pose_tables import quaternion
from tests.recordings.rgbd.writers.tables import WRITERS, read_all


@pytest.fixture(scope="module")
def frames(real_data: Path) -> list[Frame]:
    """Four neighbouring frames; 7-Scenes' own rotations are rounded, so they are made rigid."""
    sequence = open_sequence(real_data / "redkitchen")
    read = [sequence.read(index) for index in range(4)]
    whole = [frame for frame in read if isinstance(frame, Frame)]
    return [
        replace(
            frame,
            world_from_camera=pose_from_quaternion(
                frame.world_from_camera[:3, 3], quaternion(frame.world_from_camera), "here"
            ),
        )
        for frame in whole
    ]


@pytest.mark.parametrize("layout", WRITERS)
def test_real_frames(layout: str, frames: list[Frame], tmp_path: Path) -> None:
    twin = read_all(open_sequence(write_seven_scenes(tmp_path / "twin", frames)))
    if layout == "scannet_pp":  # its intrinsics are those of 1920 x 1440
        large = frames[0].intrinsics * np.array([[3.0], [3.0], [1.0]])
        large[:2, 2] += 1.0
        folder = scannet_pp.write_scannet_pp(tmp_path / "own", frames, camera=large)
    else:
        folder = WRITERS[layout](tmp_path / "own", frames)
    sequence = open_sequence(folder)
    sequence.check_conventions()
    for own, other in zip(read_all(sequence), twin, strict=True):
        np.testing.assert_array_equal(own.depth, other.depth)
        if layout != "scannet_pp":  # JPEG
            np.testing.assert_array_equal(own.color, other.color)
        np.testing.assert_allclose(own.intrinsics, other.intrinsics, rtol=1e-14)
        points = [to_view(each).cloud[:].points for each in (own, other)]
        np.testing.assert_allclose(points[0], points[1], atol=1e-6)
