"""Scans as labelled scenes, compared with the rooms they were made from, and wrong scans."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from downstream.releases.scannet.classes import CLASS_NAMES, CLASSES
from downstream.releases.scannet.release import (
    AGGREGATION,
    INFO,
    LABEL_MAP,
    LABELS,
    MESH,
    SEGMENTS,
    scan_file,
)
from downstream.releases.scannet.scenes import SceneSettings, convert_scan, convert_scans
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import LabelledScene, read_labelled_scene
from pointcontrast.synthetic import pieces
from tests.releases.scannet.damage import damage_scan
from tests.releases.scannet.files import ANNOTATIONS
from tests.releases.scannet.release import scan_truth

SEED = 5  # as in conftest
Copy = Callable[..., Path]


def convert(scan: Path, output: Path, **settings: object) -> LabelledScene:
    convert_scan(scan, output, SceneSettings(**settings))  # pyright: ignore[reportArgumentType]
    return read_labelled_scene(output / scan.name, mmap=False)


def same(first: LabelledScene, second: LabelledScene, *names: str) -> None:
    for name in names or ("coord", "color", "normal", "semantic", "instance", "boxes"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)


@pytest.mark.parametrize("number", [0, 1])
def test_a_scan_is_its_room(release: Path, tmp_path: Path, number: int):
    scene = convert(release / "scans" / f"scene{number:04d}_00", tmp_path)
    room = scan_truth(SEED, number).room
    used = np.unique(room.triangles)
    # the room's own vertices come first, and lie in the aligned frame where the room has them
    np.testing.assert_allclose(scene.coord[: len(used)], room.vertices[used], atol=2e-5)
    assert scene.instance is not None
    assert scene.semantic is not None
    assert scene.boxes is not None
    assert scene.box_instances is not None
    # one by one: what the room knows of each instance, found again in the scene
    number_of_object = 0
    for instance in range(int(room.instance.max()) + 1):
        chosen = room.instance == instance
        corners = np.unique(room.triangles[chosen])
        name = pieces.CLASS_NAMES[room.semantic[chosen][0]]
        mine = np.flatnonzero(np.isin(used, corners))
        if name not in ANNOTATIONS:
            assert (scene.instance[mine] == -1).all()
            assert (scene.semantic[mine] == -1).all()
            continue
        nyu40 = ANNOTATIONS[name][1]
        row = CLASS_NAMES.index(CLASSES[nyu40]) if nyu40 in CLASSES else -1
        assert (scene.instance[mine] == number_of_object).all()
        assert (scene.semantic[mine] == row).all()
        points = room.vertices[corners].astype(np.float64)
        low, high = points.min(axis=0), points.max(axis=0)
        (where,) = np.flatnonzero(scene.box_instances == number_of_object)
        expected = [*(low + high) / 2, *(high - low), 0, row]
        np.testing.assert_allclose(scene.boxes[where], expected, atol=5e-5)
        number_of_object += 1
    assert len(scene.boxes) == number_of_object


def test_meta_and_normals(release: Path, tmp_path: Path):
    scene = convert(release / "scans" / "scene0000_00", tmp_path)
    assert scene.class_names == CLASS_NAMES
    assert scene.details["labels_from"] == LABELS
    np.testing.assert_array_equal(
        scene.details["axis_alignment"], scan_truth(SEED, 0).aligned_from_scan
    )
    assert scene.boxes is not None
    assert len(scene.details["box_nyu40_ids"]) == len(scene.boxes)
    categories = dict(
        zip(scene.details["box_categories"], scene.details["box_nyu40_ids"], strict=True)
    )
    assert categories["floor"] == 2
    assert categories["ceiling"] == 22, "also objects that are not of the 20 classes"
    assert scene.normal is not None
    room = scan_truth(SEED, 0).room
    used = np.unique(room.triangles)
    # the room's own normals are smooth over the same blunt edges, for the most part
    cosine = (scene.normal[: len(used)] * room.normals[used]).sum(axis=1)
    assert np.median(cosine) > 0.999
    assert (cosine > 0.5).mean() > 0.98, "outwards, as the room's"


def test_without_alignment_all_is_in_the_scan_frame(release: Path, tmp_path: Path):
    scan = release / "scans" / "scene0000_00"
    plain = convert(scan, tmp_path / "plain", align=False)
    aligned = convert(scan, tmp_path / "aligned")
    matrix = scan_truth(SEED, 0).aligned_from_scan
    moved = plain.coord @ matrix[:3, :3].T + matrix[:3, 3]
    np.testing.assert_allclose(aligned.coord, moved, atol=2e-6)
    assert aligned.normal is not None
    assert plain.normal is not None
    np.testing.assert_allclose(aligned.normal, plain.normal @ matrix[:3, :3].T, atol=2e-6)
    same(plain, aligned, "semantic", "instance", "color")
    assert plain.details["axis_alignment"] is None


def test_a_test_scan_has_no_labels_and_no_alignment(release: Path, tmp_path: Path):
    scene = convert(release / "scans_test" / "scene0707_00", tmp_path)
    assert scene.semantic is None
    assert scene.instance is None
    assert scene.boxes is None
    assert scene.normal is not None
    assert scene.details["axis_alignment"] is None


def test_segments_and_aggregation_give_the_same_as_labels(copied: Copy, tmp_path: Path):
    scan = copied()
    from_labels = convert(scan, tmp_path / "labels")
    scan_file(scan, LABELS).unlink()
    from_segments = convert(scan, tmp_path / "segments")
    same(from_labels, from_segments)
    assert from_segments.details["labels_from"] == f"{SEGMENTS} and {AGGREGATION}"


def test_without_the_label_map_the_labels_tell_the_boxes_classes(copied: Copy, tmp_path: Path):
    scan = copied()
    with_map = convert(scan, tmp_path / "with")
    (scan.parent.parent / LABEL_MAP).unlink()
    without = convert(scan, tmp_path / "without")
    same(with_map, without)
    assert with_map.details["box_nyu40_ids"] == without.details["box_nyu40_ids"]
    scan_file(scan, LABELS).unlink()
    with pytest.raises(InputError, match=f"{LABEL_MAP} does not exist"):
        convert(scan, tmp_path / "neither")


def test_labels_alone_make_no_boxes(copied: Copy, tmp_path: Path):
    scan = copied()
    whole = convert(scan, tmp_path / "whole")
    for ending in (SEGMENTS, AGGREGATION):
        scan_file(scan, ending).unlink()
    scene = convert(scan, tmp_path / "labels")
    same(whole, scene, "semantic", "coord")
    assert scene.instance is None
    assert scene.boxes is None


@pytest.mark.parametrize(
    ("how", "match"),
    [
        ("no_txt", r"scene0000_00\.txt does not exist"),
        ("truncated_ply", r"_vh_clean_2\.ply is not a whole PLY file"),
        ("unlabelled_labels", r"labels\.ply has no property 'label'"),
        ("strange_label", r"labels\.ply: the scan scene0000_00 has the label 50"),
        ("missing_vertex", r"segs\.json has segments of \d+ vertices"),
        ("absent_segments", r"aggregation\.json: object 0 .* names segment 10000000"),
        ("malformed_json", r"segs\.json is not valid JSON"),
    ],
)
def test_damaged_scans_are_named_and_leave_nothing(
    copied: Copy, tmp_path: Path, how: str, match: str
):
    scan = copied()
    damage_scan(scan, how)
    with pytest.raises(InputError, match=match):
        convert(scan, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*"))


def test_no_labels_is_an_error_unless_asked_for(copied: Copy, tmp_path: Path):
    scan = copied()
    for ending in (LABELS, SEGMENTS, AGGREGATION):
        scan_file(scan, ending).unlink()
    with pytest.raises(InputError, match="has no labels"):
        convert(scan, tmp_path)
    assert convert(scan, tmp_path, labels=False).semantic is None


@pytest.mark.parametrize("ending", [SEGMENTS, AGGREGATION, MESH])
def test_half_a_download_is_an_error(copied: Copy, tmp_path: Path, ending: str):
    scan = copied()
    scan_file(scan, ending).unlink()
    with pytest.raises(InputError, match=f"{ending} does not exist"):
        convert(scan, tmp_path)


def test_a_known_invalid_label_becomes_unlabelled(copied: Copy, tmp_path: Path):
    scan = copied("scene0270_00")
    damage_scan(scan, "strange_label")  # 50, the id that this scan has in the release
    scene = convert(scan, tmp_path)
    assert scene.semantic is not None
    assert not (scene.semantic == CLASS_NAMES.index("floor")).any()
    assert "label 50" in scene.details["notes"][0]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("axisAlignment = 1 2 3", "has 3 numbers"),
        ("axisAlignment = " + "a " * 16, "not 16 numbers"),
        ("axisAlignment = " + "2 0 0 0 0 2 0 0 0 0 2 0 0 0 0 1", "orthonormal"),
        ("axisAlignment = " + "nan 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1", "NaN"),
    ],
)
def test_an_alignment_that_is_no_rigid_transform(
    copied: Copy, tmp_path: Path, text: str, match: str
):
    scan = copied()
    scan_file(scan, INFO).write_text(text)
    with pytest.raises(InputError, match=match):
        convert(scan, tmp_path)


def test_one_bad_scan_does_not_stop_the_others(release: Path, copied: Copy, tmp_path: Path):
    bad = copied("scene0002_00")
    damage_scan(bad, "absent_segments")
    scans = [bad, *sorted((release / "scans").iterdir())]
    finished, failures = convert_scans(scans, tmp_path / "out", SceneSettings())
    assert [scene.scene for scene in finished] == ["scene0000_00", "scene0001_00"]
    assert list(failures) == ["scene0002_00"]
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["scene0000_00", "scene0001_00"]


def test_finished_scenes_are_not_made_again(copied: Copy, tmp_path: Path):
    scan, out = copied(), tmp_path / "out"
    scene = out / scan.name
    first = convert_scan(scan, out, SceneSettings())
    inode = scene.stat().st_ino
    assert convert_scan(scan, out, SceneSettings()).reused
    assert not first.reused
    assert scene.stat().st_ino == inode
    # other settings, another file of the scan, damage: all make it again
    assert not convert_scan(scan, out, SceneSettings(align=False)).reused
    assert not convert_scan(scan, out, SceneSettings()).reused
    with open(scan_file(scan, INFO), "a") as file:
        file.write("more = 1\n")
    assert not convert_scan(scan, out, SceneSettings()).reused
    (scene / "color.npy").write_bytes(b"")
    (out / f".{scan.name}.k1ll3d_0.partial").mkdir()
    assert not convert_scan(scan, out, SceneSettings()).reused
    assert [path.name for path in out.iterdir()] == [scan.name], "no remains"


def test_other_folders_are_never_replaced(release: Path, tmp_path: Path):
    scan = release / "scans" / "scene0000_00"
    with pytest.raises(InputError, match="holds other files"):
        convert_scan(scan, scan.parent, SceneSettings())
    with pytest.raises(InputError, match="not a scan's id"):
        convert_scan(tmp_path / "scene0000_00.." / "..", tmp_path, SceneSettings())


def test_a_task_can_be_sent_to_another_process(release: Path, tmp_path: Path):
    task = (convert_scan, release / "scans" / "scene0000_00", tmp_path, SceneSettings())
    function, *arguments = pickle.loads(pickle.dumps(task))
    summary = function(*arguments)
    assert pickle.loads(pickle.dumps(summary)) == summary
    meta = json.loads((tmp_path / "scene0000_00" / "meta.json").read_text())
    assert str(tmp_path) not in json.dumps(meta), "the same bytes wherever it is made"
