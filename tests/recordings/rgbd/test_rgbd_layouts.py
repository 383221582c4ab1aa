"""One recording in every layout of posed depth images is the same recording, to the bit."""

from __future__ import annotations

import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pointcontrast.errors import InputError
from pointcontrast.preparation.prepare import prepare
from pointcontrast.preparation.prepare_scene import Settings
from pointcontrast.recordings.layouts import LAYOUTS, open_sequence
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.rgbd.sens.writer import SensFrame, write_sens
from pointcontrast.scenes.view_store import ViewStore
from pointcontrast.types import Frame
from tests.inputs.makers_rgbd import (
    millimetres,
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
from tests.recordings.rgbd.writers.sun3d import write_sun3d
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
    "sun3d": write_sun3d,
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
    older = {folder / "extrinsics" / "20130512130736.txt"}  # of SUN3D
    assert {path for path in folder.rglob("*") if path.is_file()} - older == files


def test_views_are_those_of_the_same_frames_in_seven_scenes(tmp_path):
    """Every format beside the 7-Scenes layout, prepared: the files of the scenes are the same."""
    for layout, write in WRITERS.items():
        write(tmp_path / "raw" / layout, walking_frames())
    settings = Settings(overlap_voxel_size=0.2, storage_grid=0)
    summary = prepare([tmp_path / "raw"], tmp_path / "prepared", settings)
    assert not summary.failures
    prepared = tmp_path / "prepared" / "raw"
    twin = ViewStore(prepared / "seven_scenes")
    for layout in WRITERS:
        store = ViewStore(prepared / layout)
        np.testing.assert_allclose(store.meta.poses, twin.meta.poses, rtol=0, atol=1e-15)
        for view, other in zip(store, twin, strict=True):
            # a quaternion's pose differs in the last digit
            np.testing.assert_allclose(view.points, other.points, rtol=0, atol=5e-7)
            np.testing.assert_array_equal(view.colors, other.colors)
        if layout != "record3d":
            for name in ("depth.bin", "colors.bin", "overlap.npy"):
                same = (store.path / name).read_bytes() == (twin.path / name).read_bytes()
                assert same, f"{layout}: {name}"


def test_exported_frames_are_those_of_the_sens_file(tmp_path):
    """A colour camera of another size beside the depth camera, in both forms of ScanNet."""
    frames = walking_frames(3)
    rng = np.random.default_rng(0)
    colors = [rng.integers(0, 255, (77, 101, 3), dtype=np.uint8) for _ in frames]
    color_intrinsics = np.array([[88.0, 0.0, 50.2], [0.0, 87.0, 38.1], [0.0, 0.0, 1.0]])
    color_extrinsics = np.eye(4)
    color_extrinsics[:3, 3] = 0.03, -0.01, 0.002
    depth_intrinsics = frames[0].intrinsics
    folder = write_scannet_frames(tmp_path / "scene0000_00", frames)
    for camera, intrinsics, extrinsics in (
        ("color", color_intrinsics, color_extrinsics),
        ("depth", depth_intrinsics, np.eye(4)),
    ):
        matrix = np.eye(4)
        matrix[:3, :3] = intrinsics
        for kind, values in (("intrinsic", matrix), ("extrinsic", extrinsics)):
            path = folder / "intrinsic" / f"{kind}_{camera}.txt"
            np.savetxt(path, values.astype(np.float32))  # as in the .sens file
    for number, color in enumerate(colors):
        Image.fromarray(color).save(folder / "color" / f"{number}.png")
        pose = frames[number].world_from_camera.astype(np.float32)
        np.savetxt(folder / "pose" / f"{number}.txt", pose)
    other_folder = tmp_path / "sens" / "scene0000_00"
    other_folder.mkdir(parents=True)
    write_sens(
        other_folder / "scene0000_00.sens",
        [
            SensFrame(color, millimetres(frame.depth), frame.world_from_camera)
            for color, frame in zip(colors, frames, strict=True)
        ],
        depth_intrinsics=depth_intrinsics,
        color_intrinsics=color_intrinsics,
        color_extrinsics=color_extrinsics,
        color_compression="png",
    )
    exported, original = open_sequence(folder), open_sequence(other_folder)
    assert exported.up is not None
    np.testing.assert_array_equal(exported.up, original.up)
    for index in range(len(frames)):
        one, other = _frame(exported.read(index)), _frame(original.read(index))
        np.testing.assert_array_equal(one.depth, other.depth)
        np.testing.assert_array_equal(one.color, other.color)
        np.testing.assert_array_equal(one.intrinsics, other.intrinsics)
        np.testing.assert_array_equal(one.world_from_camera, other.world_from_camera)


@pytest.mark.parametrize("layout", WRITERS)
def test_sequences_can_be_sent_to_another_process(layout, tmp_path):
    sequence = open_sequence(WRITERS[layout](tmp_path / "scene", walking_frames(2)))
    other = pickle.loads(pickle.dumps(sequence))
    np.testing.assert_array_equal(_frame(other.read(1)).color, _frame(sequence.read(1)).color)


@pytest.mark.parametrize("layout", WRITERS)
def test_an_option_takes_the_place_of_what_the_folder_says(layout, tmp_path):
    frames = walking_frames(2)
    folder = WRITERS[layout](tmp_path / "scene", frames)
    larger = frames[0].intrinsics * np.array([[1.1], [1.1], [1.0]])
    scale = 2.0 if layout == "record3d" else 2000.0  # of float metres
    options = RecordingOptions(intrinsics=larger, depth_scale=scale)
    plain = _frame(open_sequence(folder).read(0))
    stated = _frame(open_sequence(folder, options).read(0))
    np.testing.assert_array_equal(stated.intrinsics, larger)
    np.testing.assert_allclose(stated.depth, plain.depth / 2, rtol=1e-6)


def test_a_layout_states_the_up_direction_of_its_recorder(tmp_path):
    """ARKit's worlds have y up, ScanNet's z; nobody knows of the others."""
    frames = walking_frames(2)
    opened = {
        name: open_sequence(write(tmp_path / name, frames)) for name, write in WRITERS.items()
    }
    ups = {name: sequence.up for name, sequence in opened.items()}
    scannet = open_sequence(write_scannet_frames(tmp_path / "scene0000_00" / "frames", frames)).up
    stated = {name: list(up) for name, up in ups.items() if up is not None}
    assert stated == {"polycam": [0, 1, 0], "record3d": [0, 1, 0]}
    np.testing.assert_array_equal(scannet, [0, 0, 1])


def test_a_missing_package_is_one_line_with_its_installation(tmp_path, monkeypatch):
    folder = write_record3d(tmp_path / "scene", walking_frames(2))
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(InputError, match=r'0\.exr needs OpenEXR: pip install "OpenEXR>=3\.3"$'):
        open_sequence(folder)
