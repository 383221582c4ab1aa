"""TUM RGB-D, Stray Scanner, ARKitScenes and ScanNet++: frames, views and options, of each alike."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from pointcontrast.preparation.prepare import prepare
from pointcontrast.preparation.prepare_scene import Settings
from pointcontrast.recordings.layouts import LAYOUTS, open_sequence
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.scenes.view_store import ViewStore
from pointcontrast.types import Frame
from tests.inputs.makers_rgbd import walking_frames
from tests.recordings.rgbd.writers.pose_tables import in_units, save_image
from tests.recordings.rgbd.writers.tables import WRITERS, read_all


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return walking_frames(4)


@pytest.fixture(params=list(WRITERS))
def layout(request: pytest.FixtureRequest) -> str:
    return request.param


def depth_units(layout: str) -> float:
    return 5000.0 if layout == "tum" else 1000.0


def test_frames_are_those_of_the_recorder(layout, frames, tmp_path):
    sequence = open_sequence(WRITERS[layout](tmp_path / "scene", frames))
    assert (sequence.layout, len(sequence)) == (layout, len(frames))
    assert len(set(sequence.frame_ids)) == len(frames)
    for read, true in zip(read_all(sequence), frames, strict=True):
        units = depth_units(layout)
        stored = in_units(true.depth, units) / units
        np.testing.assert_array_equal(read.depth, stored.astype(np.float32))
        np.testing.assert_allclose(read.world_from_camera, true.world_from_camera, atol=1e-12)
        np.testing.assert_allclose(read.intrinsics, true.intrinsics, rtol=1e-12)
        if layout == "scannet_pp":  # JPEG
            assert np.abs(read.color.astype(int) - true.color).mean() < 2
        else:
            np.testing.assert_array_equal(read.color, true.color)


def test_one_layout_recognises_the_folder(layout, frames, tmp_path):
    folder = WRITERS[layout](tmp_path / "scene", frames)
    fitting = [each.layout for each in LAYOUTS if not each.is_file and each.recognises(folder)]
    assert fitting == [layout]


def write_twin(folder: Path, read: list[Frame]) -> Path:
    """Write frames in the layout of 7-Scenes; depth is rounded to whole millimetres."""
    folder.mkdir(parents=True)
    np.savetxt(folder / "camera-intrinsics.txt", read[0].intrinsics)
    for number, frame in enumerate(read):
        stem = f"frame-{number:06d}"
        save_image(folder / f"{stem}.depth.png", in_units(frame.depth, 1000))
        save_image(folder / f"{stem}.color.png", np.asarray(frame.color))
        np.savetxt(folder / f"{stem}.pose.txt", frame.world_from_camera)
    return folder


def test_views_are_those_of_the_same_frames_in_7_scenes(layout, frames, tmp_path):
    """To the bit. TUM's fifths of millimetres are rounded by the view store as by the twin."""
    own = WRITERS[layout](tmp_path / "raw" / "own", frames)
    write_twin(tmp_path / "raw" / "twin", read_all(open_sequence(own)))
    settings = Settings(overlap_voxel_size=0.2, storage_grid=0)
    summary = prepare([tmp_path / "raw"], tmp_path / "prepared", settings)
    assert not summary.failures
    stores = [ViewStore(tmp_path / "prepared" / "raw" / name) for name in ("own", "twin")]
    np.testing.assert_array_equal(stores[0].meta.poses, stores[1].meta.poses)
    for view, other in zip(*stores, strict=True):
        np.testing.assert_array_equal(view.points, other.points)
        np.testing.assert_array_equal(view.colors, other.colors)
        np.testing.assert_array_equal(view.normals, other.normals)


def test_an_option_takes_the_place_of_what_the_folder_says(layout, frames, tmp_path):
    folder = WRITERS[layout](tmp_path / "scene", frames)
    stated = RecordingOptions(intrinsics=frames[0].intrinsics * np.array([[1.1], [1.1], [1.0]]),
                              depth_scale=2 * depth_units(layout))  # fmt: skip
    plain, other = open_sequence(folder).read(0), open_sequence(folder, stated).read(0)
    np.testing.assert_array_equal(other.intrinsics, stated.intrinsics)
    np.testing.assert_allclose(other.depth, plain.depth / 2, rtol=1e-6)


def test_sequences_can_be_sent_to_another_process(layout, frames, tmp_path):
    sequence = open_sequence(WRITERS[layout](tmp_path / "scene", frames))
    sequence.read(1)
    other = pickle.loads(pickle.dumps(sequence))
    np.testing.assert_array_equal(other.read(0).color, sequence.read(0).color)


def test_every_file_is_listed_once(layout, frames, tmp_path):
    folder = WRITERS[layout](tmp_path / "scene", frames)
    listed = open_sequence(folder).files()
    assert sorted(listed) == sorted(path for path in folder.rglob("*") if path.is_file())
