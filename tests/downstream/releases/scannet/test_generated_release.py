"""The generated ScanNet release: files in the layout of the real one, and damages."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from plyfile import PlyData
from scipy.spatial import KDTree

from downstream.releases.scannet.alignment import read_axis_alignment, read_info
from downstream.releases.scannet.annotations import read_label_map
from downstream.releases.scannet.release import LABEL_MAP
from pointcontrast.errors import InputError
from pointcontrast.geometry import transform_points
from pointcontrast.recordings.layouts import open_sequence
from pointcontrast.recordings.sequence import FrameError
from pointcontrast.types import Frame
from tests.releases.scannet.damage import DAMAGES, damage_scan, frame_offsets
from tests.releases.scannet.dense_mesh import dense_mesh
from tests.releases.scannet.release import scan_truth, write_scannet_release

SIZES = {"depth_size": (64, 48), "color_size": (96, 72), "longest_edge": 1.0}
NUM_FRAMES = 5


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scannet")
    write_scannet_release(root, 1, NUM_FRAMES, 3, num_test_scans=1, **SIZES)
    return root


def test_files_of_a_scan(release: Path):
    scan = release / "scans" / "scene0000_00"
    endings = {path.name.removeprefix("scene0000_00") for path in scan.iterdir()}
    assert endings == {
        ".sens",
        ".txt",
        "_vh_clean_2.ply",
        "_vh_clean_2.labels.ply",
        "_vh_clean_2.0.010000.segs.json",
        ".aggregation.json",
        "_vh_clean.aggregation.json",
    }
    test_scan = release / "scans_test" / "scene0707_00"
    endings = {path.name.removeprefix("scene0707_00") for path in test_scan.iterdir()}
    assert endings == {".sens", ".txt", "_vh_clean_2.ply"}
    assert read_label_map(release / LABEL_MAP)["couch"] == 6


def test_meshes_and_annotations(release: Path):
    stem = str(release / "scans" / "scene0000_00" / "scene0000_00")
    mesh, labels = (
        PlyData.read(f"{stem}_vh_clean_2.ply"),
        PlyData.read(f"{stem}_vh_clean_2.labels.ply"),
    )
    names = [each.name for each in mesh["vertex"].properties]
    assert names == ["x", "y", "z", "red", "green", "blue", "alpha"]
    assert [each.name for each in labels["vertex"].properties] == [*names, "label"]
    assert labels["vertex"].data.dtype["label"] == np.dtype("<u2")
    assert mesh.byte_order == "<"
    assert not mesh.text
    segments = json.loads(Path(f"{stem}_vh_clean_2.0.010000.segs.json").read_text())["segIndices"]
    assert len(segments) == len(mesh["vertex"].data) == len(labels["vertex"].data)
    content = json.loads(Path(f"{stem}.aggregation.json").read_text())
    assert set(content) == {"sceneId", "appId", "segGroups", "segmentsFile"}
    groups = content["segGroups"]
    assert [each["objectId"] for each in groups] == list(range(len(groups)))
    named = [segment for each in groups for segment in each["segments"]]
    assert len(named) == len(set(named)), "a segment belongs to one object"
    assert set(named) < set(segments), "some are not annotated"
    # the segments of the fine mesh differ, so that confusing the two files is detected
    fine = json.loads(Path(f"{stem}_vh_clean.aggregation.json").read_text())["segGroups"]
    assert not {segment for each in fine for segment in each["segments"]} & set(segments)


def test_info_and_alignment(release: Path):
    scan = release / "scans" / "scene0000_00"
    matrix = read_axis_alignment(scan / "scene0000_00.txt")
    assert matrix is not None
    np.testing.assert_array_equal(matrix, scan_truth(3, 0).aligned_from_scan)
    assert abs(matrix[0, 1]) > 0.05, "turned"
    info = read_info(scan / "scene0000_00.txt")
    assert info["numDepthFrames"] == str(NUM_FRAMES)
    assert (info["colorWidth"], info["depthHeight"]) == ("96", "48")
    assert float(info["mx_depth"]) == 31.5
    assert read_axis_alignment(release / "scans_test" / "scene0707_00" / "scene0707_00.txt") is None


def test_the_stream_sees_the_mesh(release: Path):
    scan = release / "scans" / "scene0000_00"
    truth = scan_truth(3, 0)
    sequence = open_sequence(scan)
    assert len(sequence) == NUM_FRAMES
    frame = sequence.read(2)
    assert isinstance(frame, Frame)
    assert frame.color is not None
    v, u = np.nonzero(frame.depth)
    depth = frame.depth[v, u]
    pixels = np.stack([u, v, np.ones_like(u)]) * depth
    camera = (np.linalg.inv(frame.intrinsics) @ pixels).T
    world = transform_points(frame.world_from_camera, camera)
    aligned = transform_points(truth.aligned_from_scan, world)
    low, high = truth.room.vertices.min(axis=0) - 0.15, truth.room.vertices.max(axis=0) + 0.15
    assert ((aligned > low) & (aligned < high)).all(axis=1).mean() > 0.99
    mesh = dense_mesh(truth.room, 0.1)
    distance, _ = KDTree(mesh.vertices).query(aligned)
    assert np.median(distance) < 0.06, "pixels lie on surfaces with a vertex every 10 cm"


def test_a_release_is_a_function_of_its_seed(release: Path, tmp_path: Path):
    write_scannet_release(tmp_path, 1, NUM_FRAMES, 3, **SIZES)
    first, second = release / "scans" / "scene0000_00", tmp_path / "scans" / "scene0000_00"
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes(), path.name


def test_dense_mesh():
    room = scan_truth(3, 0).room
    mesh = dense_mesh(room, 0.5)
    corners = mesh.vertices[mesh.triangles]
    assert np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max() <= 0.5
    own = room.vertices[room.triangles].astype(float)

    def area(triangles: np.ndarray) -> np.ndarray:
        sides = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
        return np.cross(*sides) / 2

    # halving keeps the surface: the vector areas of every instance add up to the same
    instance = mesh.instance[mesh.triangles[:, 0]]
    for number in np.unique(room.instance)[::5]:
        expected = np.abs(area(own[room.instance == number])).sum(axis=0)
        np.testing.assert_allclose(
            np.abs(area(corners[instance == number])).sum(axis=0), expected, atol=1e-5
        )
    assert (mesh.instance[mesh.triangles] == instance[:, None]).all()


def test_offsets_of_frames(release: Path):
    content = (release / "scans" / "scene0000_00" / "scene0000_00.sens").read_bytes()
    found = frame_offsets(content)
    assert len(found) == NUM_FRAMES
    for offset, color, _ in found:
        assert content[offset + 96 : offset + 98] == b"\xff\xd8", "a JPEG begins"
        assert content[offset + 96 + color] == 0x78, "a zlib stream begins"
        assert np.isfinite(struct.unpack_from("<16f", content, offset)).all()


@pytest.mark.parametrize(
    ("how", "good"),
    [("truncated_sens", 3), ("corrupt_zlib", 4), ("infinite_poses", 3)],
)
def test_damaged_streams_keep_their_good_frames(release: Path, tmp_path: Path, how: str, good: int):
    scan = tmp_path / "scene0000_00"
    shutil.copytree(release / "scans" / "scene0000_00", scan)
    damage_scan(scan, how)
    sequence = open_sequence(scan)
    read = 0
    for index in range(len(sequence)):
        try:
            sequence.read(index)
        except FrameError:
            continue
        read += 1
    assert read == good


def test_damages_change_the_scan_or_say_why_not(release: Path, tmp_path: Path):
    source = release / "scans" / "scene0000_00"
    before = {path.name: path.read_bytes() for path in source.iterdir()}
    for how in DAMAGES:
        scan = tmp_path / how / "scene0000_00"
        shutil.copytree(source, scan)
        damage_scan(scan, how)
        after = {path.name: path.read_bytes() for path in scan.iterdir()}
        changed = {name for name in before if after.get(name) != before[name]}
        assert len(changed) == 1, how
    with pytest.raises(InputError, match="no known damage"):
        damage_scan(source, "hammer")
    with pytest.raises(InputError, match="does not exist"):
        damage_scan(release / "scans_test" / "scene0707_00", "absent_segments")


@pytest.mark.parametrize(
    "settings",
    [{"num_scans": 0}, {"num_scans": 708}, {"num_frames": -1}, {"num_test_scans": 101}],
)
def test_bad_numbers(tmp_path: Path, settings: dict):
    with pytest.raises(InputError, match="num_scans must be"):
        write_scannet_release(tmp_path, **{"num_scans": 1, **settings})


@pytest.mark.parametrize("damaged", [{"scene0009_00": "no_txt"}, {"scene0000_00": "hammer"}])
def test_damage_that_cannot_be_done(tmp_path: Path, damaged: dict):
    with pytest.raises(InputError, match="damaged: "):
        write_scannet_release(tmp_path, 1, 0, damaged=damaged)
    assert not list(tmp_path.iterdir())
