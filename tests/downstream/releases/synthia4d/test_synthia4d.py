from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from plyfile import PlyData, PlyElement

from downstream.releases.grid import GridSettings
from downstream.releases.synthia4d.classes import CLASS_NAMES, class_rows
from downstream.releases.synthia4d.frames import (
    convert_frame,
    convert_frames,
    find_frames,
)
from downstream.releases.synthia4d.layout import frame_files, read_split
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import read_labelled_scene
from pointcontrast.preparation.workers import Workers
from tests.helpers.fork_server import output_of, run
from tests.helpers.repository import REPOSITORY
from tests.releases.synthia4d.release import write_synthia4d_release

ROOT = REPOSITORY
SPLIT = ROOT / "datasets" / "splits" / "synthia4d_cvpr19.json"
FOG = "SYNTHIA-SEQS-05-FOG"
ALL = GridSettings()


@pytest.fixture
def release(tmp_path: Path) -> Path:
    write_synthia4d_release(tmp_path / "raw", 2, seed=1, sequences=(FOG,), points_per_frame=3000)
    return tmp_path / "raw"


def test_the_official_split_has_its_counts() -> None:
    counts = {
        split: {sequence: len(frames) for sequence, frames in read_split(SPLIT, split).items()}
        for split in ("train", "validation", "test")
    }
    assert sum(counts["train"].values()) == 19_888
    assert counts["validation"] == {FOG: 815}
    assert counts["test"] == {"SYNTHIA-SEQS-06-SPRING": 1045, "SYNTHIA-SEQS-06-SUNSET": 841}


def test_the_split_is_the_published_one(real_data: Path) -> None:
    published = json.loads(
        (real_data.parent / "reference" / "splits" / "synthia4d_cvpr19.json").read_text()
    )
    for split, key in (("train", "train"), ("validation", "val"), ("test", "test")):
        assert read_split(SPLIT, split) == published[key]


def test_both_forms_of_a_split_load_and_bad_ones_are_named(tmp_path: Path) -> None:
    path = tmp_path / "split.json"
    path.write_text('{"train": {"A": "0-2,5-5"}, "val": {"A": ["000007"]}, "test": {"A": "x"}}')
    assert read_split(path, "train") == {"A": ["000000", "000001", "000002", "000005"]}
    assert read_split(path, "validation") == {"A": ["000007"]}
    with pytest.raises(InputError, match="A has 'x', not a range"):
        read_split(path, "test")
    path.write_text('{"train": {"../A": "0-2"}, "val": {"A": 3}}')
    with pytest.raises(InputError, match=r"'\.\./A' is not the name of a sequence"):
        read_split(path, "train")
    with pytest.raises(InputError, match="A has neither ranges"):
        read_split(path, "validation")
    with pytest.raises(InputError, match="no sequences under 'test'"):
        read_split(path, "test")
    with pytest.raises(InputError, match=r"none\.json does not exist"):
        read_split(tmp_path / "none.json", "train")


def test_a_frame_comes_through_in_metres_with_y_up(release: Path, tmp_path: Path) -> None:
    convert_frame(release, f"{FOG}/000001", tmp_path / "out", ALL)
    scene = read_labelled_scene(tmp_path / "out" / FOG / "000001")
    points, labels = frame_files(release, FOG, "000001")
    raw, truth = PlyData.read(points)["vertex"].data, PlyData.read(labels)["vertex"].data["label"]
    for axis, name in enumerate("xyz"):
        np.testing.assert_allclose(scene.coord[:, axis], raw[name] / 100, rtol=1e-6)
    np.testing.assert_array_equal(scene.color[:, 1], raw["green"])
    expected = [{0: -1, 1: -1, 13: -1, 14: -1}.get(int(label)) for label in truth]
    names = {2: "building", 3: "road", 8: "car", 12: "lane marking", 15: "traffic light"}
    for row, label in enumerate(truth.tolist()):
        if expected[row] == -1:
            assert scene.semantic[row] == -1
        elif label in names:
            assert CLASS_NAMES[scene.semantic[row]] == names[label]
    assert scene.up_axis == "y"
    road, building = (CLASS_NAMES.index(name) for name in ("road", "building"))
    height = scene.coord @ scene.up
    assert height[scene.semantic == road].max() < 0.01
    assert height[scene.semantic == building].max() > 4
    assert (scene.semantic == -1).any()


def test_four_labels_are_ignored() -> None:
    rows = class_rows(np.arange(16))
    assert np.flatnonzero(rows == -1).tolist() == [0, 1, 13, 14]
    assert sorted(rows[rows >= 0].tolist()) == list(range(12))


def test_labels_in_the_file_of_points_are_read_too(release: Path, tmp_path: Path) -> None:
    points, labels = frame_files(release, FOG, "000000")
    convert_frame(release, f"{FOG}/000000", tmp_path / "apart", ALL)
    raw, truth = PlyData.read(points)["vertex"].data, PlyData.read(labels)["vertex"].data["label"]
    fields = [(name, "<f4") for name in ("x", "y", "z", "r", "g", "b", "l")]
    joined = np.empty(len(raw), dtype=fields)
    for new, old in zip("xyzrgb", ("x", "y", "z", "red", "green", "blue"), strict=True):
        joined[new] = raw[old]
    joined["l"] = truth
    PlyData([PlyElement.describe(joined, "vertex")]).write(str(points))
    labels.unlink()
    convert_frame(release, f"{FOG}/000000", tmp_path / "joined", ALL)
    for name in ("coord", "color", "semantic"):
        apart, together = (
            np.load(tmp_path / which / FOG / "000000" / f"{name}.npy")
            for which in ("apart", "joined")
        )
        np.testing.assert_array_equal(apart, together)


def test_things_move_from_frame_to_frame(release: Path, tmp_path: Path) -> None:
    convert_frames(release, find_frames(release, [f"{FOG}/000000", f"{FOG}/000001"]), tmp_path, ALL)
    first, second = (read_labelled_scene(tmp_path / FOG / f"00000{i}") for i in range(2))
    car, building = CLASS_NAMES.index("car"), CLASS_NAMES.index("building")
    for axis in (1, 2):  # nothing moves up or across
        for row in (car, building):
            extents = [np.ptp(s.coord[s.semantic == row, axis]) for s in (first, second)]
            assert abs(extents[0] - extents[1]) < 0.3
    # the farthest of the cars drives 0.8 m a frame, the street stays
    ends = {
        row: [s.coord[s.semantic == row, 0].max() for s in (first, second)]
        for row in (car, building)
    }
    assert abs(abs(ends[car][1] - ends[car][0]) - 0.8) < 0.2
    assert abs(ends[building][1] - ends[building][0]) < 0.2


def test_a_second_run_reuses_and_failures_stop_no_other(release: Path, tmp_path: Path) -> None:
    names = [f"{FOG}/000000", f"{FOG}/000001"]
    frame_files(release, FOG, "000001")[1].unlink()
    finished, failures = convert_frames(
        release, names, tmp_path / "out", ALL, Workers(num_workers=2)
    )
    assert [scene.scene for scene in finished] == names[:1]
    assert "has no labels and" in failures[names[1]]
    again, _ = convert_frames(release, names[:1], tmp_path / "out", ALL)
    assert again[0].reused


def test_the_grid_thins(release: Path, tmp_path: Path) -> None:
    name = f"{FOG}/000000"
    all_points = convert_frame(release, name, tmp_path / "all", ALL).num_points
    convert_frame(release, name, tmp_path / "thin", GridSettings(grid=0.5))
    thin = read_labelled_scene(tmp_path / "thin" / name)
    cells = np.floor(thin.coord / np.float32(0.5))
    assert len(np.unique(cells, axis=0)) == len(thin) < all_points


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("cut", r"000000\.ply is not a whole PLY file"),
        ("empty", r"000000\.ply has no points"),
        ("nan", r"000000\.ply has points at NaN"),
        ("label", r"000000_label\.ply has the label 16; labels are 0\.\.15"),
        ("count", r"000000_label\.ply has 5 points and"),
        ("field", r"000000\.ply has no property 'blue'"),
    ],
)
def test_damaged_frames_are_named(release: Path, tmp_path: Path, damage: str, message: str) -> None:
    points, labels = frame_files(release, FOG, "000000")
    vertices = PlyData.read(points)["vertex"].data.copy()
    truth = PlyData.read(labels)["vertex"].data.copy()
    if damage == "cut":
        points.write_bytes(points.read_bytes()[:-40])
    elif damage == "label":
        truth["label"][3] = 16
        PlyData([PlyElement.describe(truth, "vertex")]).write(str(labels))
    elif damage == "count":
        PlyData([PlyElement.describe(truth[:5], "vertex")]).write(str(labels))
    else:
        if damage == "empty":
            vertices = vertices[:0]
        elif damage == "nan":
            vertices["y"][2] = np.nan
        else:
            kept = np.empty(len(vertices), dtype=vertices.dtype.descr[:-1])
            for field in kept.dtype.names:
                kept[field] = vertices[field]
            vertices = kept
        PlyData([PlyElement.describe(vertices, "vertex")]).write(str(points))
    with pytest.raises(InputError, match=message):
        convert_frame(release, f"{FOG}/000000", tmp_path / "out", ALL)


def test_the_command_converts_and_verifies(release: Path, tmp_path: Path) -> None:
    script, out = ROOT / "datasets" / "synthia4d.py", tmp_path / "out"
    said = output_of([script, "frames", release, "--output", out, "--split", "validation"])
    assert "found 2 of the 815 frames; the others are skipped" in said
    assert output_of([script, "verify", out]) == "2 of 2 scenes are whole\n"
    missing = run([script, "frames", release, "--output", out, "--split", "test"])
    assert missing.returncode == 2
    assert "holds none of the 1886 frames" in missing.communicate()[0]
