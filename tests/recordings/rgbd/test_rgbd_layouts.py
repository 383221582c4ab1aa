"""One recording in every layout of posed depth images is the same recording, to the bit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pointcontrast.recordings.layouts import LAYOUTS, open_sequence
from pointcontrast.types import Frame
from tests.inputs.makers_rgbd import (
    walking_frames,
    write_image_folder,
    write_sens_folder,
    write_seven_scenes,
)
from tests.recordings.rgbd.writers.open3d_trajectory import write_open3d
from tests.recordings.rgbd.writers.polycam import write_polycam
from tests.recordings.rgbd.writers.record3d import write_record3d
from tests.recordings.rgbd.writers.replica import write_replica
from tests.recordings.rgbd.writers.scannet_frames import write_scannet_frames
from tests.recordings.rgbd.writers.transforms_json import write_transforms

WRITERS: dict[str, Callable[[Path, list[Frame]], Path]] = {
    "seven_scenes": write_seven_scenes,
    "image_folder": write_image_folder,
    "transforms_json": write_transforms,
    "scannet_frames": write_scannet_frames,
    "replica": lambda folder, frames: write_replica(folder, frames, units_per_metre=1000.0),
    "open3d_trajectory": write_open3d,
    "polycam": write_polycam,
    "record3d": write_record3d,
}


@pytest.fixture(scope="module")
def seven_scenes(tmp_path_factory: pytest.TempPathFactory) -> list[Frame]:
    folder = write_seven_scenes(tmp_path_factory.mktemp("seven_scenes") / "scene", walking_frames())
    sequence = open_sequence(folder)
    return [_frame(sequence.read(index)) for index in range(len(sequence))]


def _frame(read: object) -> Frame:
    assert isinstance(read, Frame)
    return read


@pytest.mark.parametrize("layout", WRITERS)
def test_the_frames_are_those_of_the_seven_scenes_layout(layout, tmp_path, seven_scenes):
    sequence = open_sequence(WRITERS[layout](tmp_path / "scene", walking_frames()))
    assert (sequence.layout, len(sequence)) == (layout, len(seven_scenes))
    for index, expected in enumerate(seven_scenes):
        frame = _frame(sequence.read(index))
        np.testing.assert_array_equal(frame.depth, expected.depth)
        np.testing.assert_array_equal(frame.color, expected.color)
        np.testing.assert_array_equal(frame.intrinsics, expected.intrinsics)
        # A quaternion has other digits than its matrix.
        rounding = 1e-15 if layout == "record3d" else 0
        np.testing.assert_allclose(
            frame.world_from_camera, expected.world_from_camera, rtol=0, atol=rounding
        )
        assert (frame.depth.dtype, frame.intrinsics.dtype) == (np.float32, np.float64)


def test_replicas_own_unit_rounds_less_than_millimetres(tmp_path, seven_scenes):
    sequence = open_sequence(write_replica(tmp_path / "scene", walking_frames()))
    for index, expected in enumerate(walking_frames()):
        depth = _frame(sequence.read(index)).depth
        np.testing.assert_allclose(depth, expected.depth, atol=0.51 / 6553.5)


@pytest.mark.parametrize("layout", [*WRITERS, "scannet_sens"])
def test_one_layout_only_recognises_a_folder(layout, tmp_path):
    writer = WRITERS.get(layout, write_sens_folder)
    folder = writer(tmp_path / "scene", walking_frames(2))
    recognising = [each.layout for each in LAYOUTS if not each.is_file and each.recognises(folder)]
    assert recognising == [layout]
    assert open_sequence(folder).notes == ()


def test_a_folder_in_two_layouts_says_which_was_taken(tmp_path):
    folder = write_transforms(tmp_path / "scene", walking_frames(2))
    other = write_image_folder(tmp_path / "other", walking_frames(2))
    for name in ("poses.txt", "K.txt"):
        shutil.copy(other / name, folder / name)
    sequence = open_sequence(folder)
    assert sequence.layout == "image_folder"
    assert "it is transforms_json as well" in sequence.notes[0]


@pytest.mark.parametrize("layout", WRITERS)
def test_every_file_of_a_recording_is_in_its_fingerprint(layout, tmp_path):
    folder = WRITERS[layout](tmp_path / "scene", walking_frames(2))
    files = set(open_sequence(folder).files())
    assert {path for path in folder.rglob("*") if path.is_file()} == files
