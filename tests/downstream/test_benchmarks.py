from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from downstream.benchmarks import S3DIS, LabelledScenes, ScanNet, Synthia4D
from downstream.benchmarks.benchmark import Benchmark
from downstream.releases.scannet.classes import CLASS_NAMES as INDOOR
from downstream.releases.synthia4d.classes import CLASS_NAMES as STREET
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import LabelledScene, read_labelled_scene, write_labelled_scene


def write_scene(folder: Path, class_names: tuple[str, ...], up: str = "z", seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    coord = rng.random((50, 3)).astype(np.float32) * 4
    write_labelled_scene(
        folder,
        LabelledScene(
            coord=coord,
            color=rng.integers(0, 255, (50, 3)).astype(np.uint8),
            normal=np.tile(np.array([[0, 1, 0]], np.float32), (50, 1)),
            semantic=rng.integers(-1, len(class_names), 50).astype(np.int32),
            class_names=class_names,
            up_axis=up,
            details={"notes": []},
        ),
    )


def test_s3dis_tests_one_area(s3dis_scenes: Path) -> None:
    benchmark = S3DIS(str(s3dis_scenes))
    assert benchmark.names("train") == ["Area_1/office_1", "Area_1/office_2"]
    assert benchmark.names("validation") == benchmark.names("test") == ["Area_5/office_1"]
    assert S3DIS(str(s3dis_scenes), test_area=1).names("train") == ["Area_5/office_1"]
    assert benchmark.fold() == "area 5"
    cloud = benchmark.read("Area_5/office_1")
    scene = read_labelled_scene(s3dis_scenes / "Area_5" / "office_1")
    np.testing.assert_array_equal(cloud.points, scene.coord)
    np.testing.assert_array_equal(cloud.labels, scene.semantic)
    assert abs(cloud.floor_height - scene.coord[:, 2].min()) < 0.1
    with pytest.raises(InputError, match="no room of area 3"):
        S3DIS(str(s3dis_scenes), test_area=3).names("test")
    with pytest.raises(InputError, match="test_area 7"):
        S3DIS(str(s3dis_scenes), test_area=7)
    with pytest.raises(InputError, match="nowhere is not a folder"):
        S3DIS("nowhere").names("train")


def test_scannet_has_the_official_split(tmp_path: Path) -> None:
    for scan in ("scene0000_00", "scene0011_00", "scene0707_00", "scene9999_00"):
        write_scene(tmp_path / scan, INDOOR)
    benchmark = ScanNet(str(tmp_path))
    assert benchmark.names("train") == ["scene0000_00"]
    assert benchmark.names("validation") == ["scene0011_00"]
    assert benchmark.names("test") == ["scene0707_00"]
    with pytest.raises(InputError, match=r"scannetv2_train\.txt does not exist"):
        ScanNet(str(tmp_path), splits=str(tmp_path)).names("train")
    shutil.rmtree(tmp_path / "scene0011_00")
    with pytest.raises(InputError, match="holds none of the 312 scans of the validation split"):
        benchmark.names("validation")


def test_scenes_of_other_classes_are_refused(tmp_path: Path) -> None:
    write_scene(tmp_path / "scene0000_00", INDOOR[:-1])
    with pytest.raises(InputError, match=r"scene0000_00 has 19 classes .*ScanNet has 20"):
        ScanNet(str(tmp_path)).read("scene0000_00")


def test_clouds_stand_upright(tmp_path: Path) -> None:
    write_scene(tmp_path / "SYNTHIA-SEQS-05-FOG" / "000000", STREET, up="y")
    scene = read_labelled_scene(tmp_path / "SYNTHIA-SEQS-05-FOG" / "000000")
    cloud = Synthia4D(str(tmp_path)).read("SYNTHIA-SEQS-05-FOG/000000")
    np.testing.assert_allclose(cloud.points[:, 2], scene.coord[:, 1], atol=1e-6)
    np.testing.assert_allclose(cloud.normals, np.tile([[0, 0, 1]], (50, 1)), atol=1e-6)
    distances = [np.linalg.norm(p[:, None] - p[None], axis=2) for p in (cloud.points, scene.coord)]
    np.testing.assert_allclose(*distances, atol=1e-5)
    assert np.linalg.det(np.linalg.lstsq(scene.coord, cloud.points, rcond=None)[0]) > 0  # no mirror


def test_clips_share_no_frame_and_know_their_time(tmp_path: Path) -> None:
    for frame in range(11):
        write_scene(tmp_path / "SYNTHIA-SEQS-05-FOG" / f"{frame:06d}", STREET, "y", frame)
    benchmark = Synthia4D(str(tmp_path), frames_per_clip=3, frame_step=2)
    clips = benchmark.names("validation")
    again: Benchmark = pickle.loads(pickle.dumps(benchmark))  # a worker process has the clips too
    frames = []
    for name in clips:
        cloud = again.read(name)
        assert sorted(set(cloud.time.tolist())) == list(range(len(cloud) // 50))
        frames += [cloud.points[cloud.time == t] for t in range(len(cloud) // 50)]
    assert len(frames) == 11
    # 0 2 4, 1 3 5, then 6 8 10 and 7 9
    assert [name[-2:] for name in clips] == ["00", "01", "06", "07"]
    first = [benchmark.read(clips[0]).points[50 * t : 50 * (t + 1)] for t in range(3)]
    single = Synthia4D(str(tmp_path))
    for found, frame in zip(first, (0, 2, 4), strict=True):
        expected = single.read(f"SYNTHIA-SEQS-05-FOG/{frame:06d}").points
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(InputError, match="frames_per_clip 0"):
        Synthia4D(str(tmp_path), frames_per_clip=0)


def test_frames_are_evaluated_near_their_middle(tmp_path: Path) -> None:
    write_scene(tmp_path / "SYNTHIA-SEQS-05-FOG" / "000000", STREET, up="y")
    name = "SYNTHIA-SEQS-05-FOG/000000"
    whole = Synthia4D(str(tmp_path)).read(name)
    assert len(whole) == 50  # four metres of points
    benchmark = Synthia4D(str(tmp_path), evaluation_crop=1.0)
    middle = (whole.points.min(axis=0) + whole.points.max(axis=0)) / 2
    near = (np.abs(whole.points - middle) <= 1).all(axis=1)
    assert 0 < near.sum() < 50
    np.testing.assert_array_equal(benchmark.read(name).points, whole.points[near])
    assert len(benchmark.read(name, np.random.default_rng(0))) == 50  # in training
    with pytest.raises(InputError, match="evaluation_crop -1"):
        Synthia4D(str(tmp_path), evaluation_crop=-1)


def test_ones_own_scenes_are_split_by_fraction_or_list(tmp_path: Path) -> None:
    for number in range(10):
        write_scene(tmp_path / "scenes" / f"room_{number}", ("wall", "floor"))
    root = str(tmp_path / "scenes")
    benchmark = LabelledScenes(root)
    assert benchmark.class_names == ("wall", "floor")
    assert benchmark.names("validation") == ["room_8", "room_9"] == benchmark.names("test")
    assert len(benchmark.names("train")) == 8
    (tmp_path / "validation.txt").write_text("room_0\nroom_3\n")
    (tmp_path / "test.txt").write_text("room_5\n")
    listed = LabelledScenes(
        root,
        validation_list=str(tmp_path / "validation.txt"),
        test_list=str(tmp_path / "test.txt"),
    )
    assert listed.names("validation") == ["room_0", "room_3"]
    assert listed.names("test") == ["room_5"]
    assert len(listed.names("train")) == 7
    (tmp_path / "test.txt").write_text("room_77\n")
    with pytest.raises(InputError, match="lists 'room_77', which"):
        listed.names("test")
    with pytest.raises(InputError, match="validation_fraction 1"):
        LabelledScenes(root, validation_fraction=1)


def test_the_classes_of_ones_own_scenes_are_read_once(tmp_path: Path) -> None:
    for number in range(2):
        write_scene(tmp_path / f"room_{number}", ("wall", "floor"))
    benchmark = LabelledScenes(str(tmp_path))
    assert benchmark.read("room_1").labels is not None
    shutil.rmtree(tmp_path / "room_0")  # another look at the first scene would fail
    assert benchmark.class_names == ("wall", "floor")
    assert benchmark.read("room_1").labels is not None


def test_a_benchmark_is_opened_again_from_its_arguments(s3dis_scenes: Path) -> None:
    benchmark = S3DIS(str(s3dis_scenes), test_area=1)
    arguments = json.loads(json.dumps(benchmark.arguments))
    assert S3DIS(**arguments).names("test") == benchmark.names("test")


def test_unlabelled_scenes_are_read(tmp_path: Path) -> None:
    write_scene(tmp_path / "scene0000_00", INDOOR)
    scene = read_labelled_scene(tmp_path / "scene0000_00", mmap=False)
    write_labelled_scene(tmp_path / "scene0000_00", replace(scene, semantic=None, class_names=()))
    assert ScanNet(str(tmp_path)).read("scene0000_00").labels is None
