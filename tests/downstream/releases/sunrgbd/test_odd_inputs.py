"""Irregular files of either form: skipped, noted, or refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from downstream.label_lists.scenes import read_scene_list
from downstream.releases.sunrgbd import layout
from downstream.releases.sunrgbd.images import ImageSettings, convert_images, find_images
from downstream.releases.sunrgbd.mat_files import read_mat, records
from downstream.releases.sunrgbd.matlab_folder import read_points
from downstream.releases.sunrgbd.raw_images import (
    LAST_VALIDATION,
    NUM_IMAGES,
    ImageSplit,
    num_split_otherwise,
    split_by_number,
)
from pointcontrast.errors import InputError
from tests.helpers.converters import command_of
from tests.releases.sunrgbd.mat_writer import MatVersion, write_mat
from tests.releases.sunrgbd.release import write_sunrgbd_release

POINTS = np.random.default_rng(0).uniform(0, 1, (2000, 6)).astype(np.float32)
LABEL = "bed 1 2 30 40 0.5 0.5 0.5 0.5 1 0.5 1 0\n"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release with one validation and one training image; do not write to it."""
    folder = tmp_path_factory.mktemp("sunrgbd")
    write_sunrgbd_release(folder, 1, 1, seed=2, size=(64, 48))
    return folder


@pytest.fixture
def release(source: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(source, tmp_path / "release"))


@pytest.fixture
def trainval(tmp_path: Path) -> Path:
    """A folder of the MATLAB script with an image per split, to be damaged."""
    folder = tmp_path / "sunrgbd_trainval"
    for name in ("depth", "calib", "label_v1"):
        (folder / name).mkdir(parents=True)
    for stem in ("000001", "000002"):
        savemat(folder / "depth" / f"{stem}.mat", {"instance": POINTS})
        (folder / "calib" / f"{stem}.txt").write_text("1 0 0 0 1 0 0 0 1\n" * 2)
        (folder / "label_v1" / f"{stem}.txt").write_text(LABEL)
    (folder / "train_data_idx.txt").write_text("1\n")
    (folder / "val_data_idx.txt").write_text("2\n")
    return folder


def edit(path: Path, change: Callable[[list[dict[str, Any]]], object], name: str) -> None:
    """Change the records of a ``.mat`` file."""
    found = records(path, name)
    change(found)
    write_mat(path, {name: found})


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"instance": POINTS[:0]}, "has no pixel with depth"),
        ({"instance": POINTS[:, :5]}, "holds no N x 6 array 'instance'"),
        ({"other": POINTS}, "holds no N x 6 array 'instance'"),
        ({"instance": "text of"}, "holds no N x 6 array 'instance'"),
        ({"instance": POINTS * (1 + 1j)}, "holds complex64, not real numbers"),
        ({"instance": np.where(POINTS > 0.999, np.nan, POINTS)}, "must be finite"),
        ({"instance": POINTS * 1.01}, r"are neither 0\.\.1 nor 0\.\.255"),
        ({"instance": POINTS - 0.01}, "colours must not be negative"),
        ({"instance": POINTS * [[1e3] * 3 + [1] * 3]}, "m across.* give its coordinates in metres"),
        (None, "does not exist|is damaged or no .mat file"),
    ],
)
def test_points_that_are_wrong_fail_their_image_alone(
    trainval: Path, tmp_path: Path, variables: dict[str, Any] | None, message: str
) -> None:
    path = trainval / "depth" / "000001.mat"
    if variables is None:
        path.write_bytes(path.read_bytes()[:200])
    else:
        savemat(path, variables)
    images, *_ = find_images(trainval, "v1")
    finished, failures = convert_images(images, tmp_path / "out", ImageSettings())
    assert [scene.scene for scene in finished] == ["000002"]
    with pytest.raises(InputError, match=message):
        raise InputError(failures["000001"])
    assert str(path) in failures["000001"]
    assert not (tmp_path / "out" / "train.txt").exists()
    assert not (tmp_path / "out" / "box_statistics.json").exists()


def test_every_level_of_color_comes_back(trainval: Path) -> None:
    levels = np.arange(256, dtype=np.float32)
    shares = np.maximum(levels / 255 - np.float32(1e-5), 0)  # as rounded on the way
    points = np.stack([*np.ones((3, 256), np.float32), *[shares] * 3], axis=1)
    savemat(trainval / "depth" / "000001.mat", {"instance": points})
    _, colors, _ = read_points(trainval / "depth" / "000001.mat")
    np.testing.assert_array_equal(colors, np.stack([levels] * 3, axis=1))


def test_training_images_without_a_box_have_no_mean_sizes(trainval: Path, tmp_path: Path) -> None:
    (trainval / "label_v1" / "000001.txt").write_text("")
    images, *_ = find_images(trainval, "v1")
    settings = ImageSettings(keep_empty=True)
    finished, failures = convert_images(images, tmp_path / "out", settings)
    assert not failures
    assert [scene.num_boxes for scene in finished] == [0, 1]
    assert read_scene_list(tmp_path / "out" / "train.txt") == ("000001",)
    assert read_scene_list(tmp_path / "out" / "validation.txt") == ("000002",)
    assert not (tmp_path / "out" / "box_statistics.json").exists()


def test_arrays_of_two_dimensions_are_read_column_by_column(tmp_path: Path) -> None:
    cells = np.array([["a", "b"], ["c", "d"]], dtype=object)
    structs = np.empty((2, 2), dtype=[("name", object)])
    structs["name"] = cells
    savemat(tmp_path / "a.mat", {"cells": cells, "structs": structs})
    found = read_mat(tmp_path / "a.mat")
    assert found["cells"] == ["a", "c", "b", "d"]
    assert [row["name"] for row in found["structs"]] == ["a", "c", "b", "d"]


def test_names_in_the_matlab_folder(trainval: Path, tmp_path: Path) -> None:
    for name in ("depth/._000001.mat", "depth/.DS_Store", "calib/._000001.txt"):
        (trainval / name).write_bytes(b"\0\5\26\7")  # a hidden file of macOS
    savemat(trainval / "depth" / "000002.mat", {"points3d_rgb": POINTS})
    images, notes, *_ = find_images(trainval, "v1")
    assert [image.name for image in images] == ["000001", "000002"]
    assert not notes
    finished, failures = convert_images(images, tmp_path / "out", ImageSettings())
    assert [scene.num_points for scene in finished] == [2000, 2000]
    assert not failures
    statistics = json.loads((tmp_path / "out" / "box_statistics.json").read_text())
    assert statistics["classes"]["bed"] == {"num_boxes": 1, "mean_size": [2.0, 1.0, 1.0]}
    (trainval / "train_data_idx.txt").write_text("3\n4\n")
    images, notes, *_ = find_images(trainval, "v1")
    assert [image.name for image in images] == ["000002"]
    assert notes[0].startswith("2 images of train_data_idx.txt and val_data_idx.txt have no .mat")
    assert notes[1].startswith("000001.mat is in neither train_data_idx.txt nor val_data_idx.txt")
    (trainval / "depth" / "1.mat").write_bytes(b"")  # would be image 1 a second time
    found = find_images(trainval, "v1")
    assert [image.name for image in found.images] == ["000002"]
    assert "left out: depth/1.mat: its name is not <six digits>.mat" in found.left_out


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_an_object_with_empty_fields_spoils_no_release(
    release: Path, tmp_path: Path, version: MatVersion
) -> None:
    found = records(release / layout.BOXES_V2, "SUNRGBDMeta")
    objects = found[1]["groundtruth3DBB"]
    ten = [row for row, box in enumerate(objects) if box["classname"] not in ("lamp", "monitor")]
    assert len(ten) > 2
    objects[ten[0]]["centroid"] = np.zeros((1, 0))
    objects[ten[1]]["orientation"] = []
    found[0]["groundtruth3DBB"] = []
    write_mat(release / layout.BOXES_V2, {"SUNRGBDMeta": found}, version)
    images, *_ = find_images(release, "v2")
    assert images[0].annotations == ()
    (scene,), failures = convert_images(images, tmp_path / "out", ImageSettings(labels="v2"))
    assert not failures
    assert (scene.scene, scene.num_boxes) == ("000002", len(ten) - 2)
    assert scene.notes == ("2 boxes without size, centre or heading left out",)


def test_objects_that_the_matlab_script_loses_are_counted(release: Path) -> None:
    name, v2, v1 = "SUNRGBDMeta2DBB", release / layout.RECTANGLES_V2, release / layout.BOXES_V1
    of_v2 = [image.annotations for image in find_images(release, "v2")[0]]
    classes = [[found.class_name for found in annotations] for annotations in of_v2]

    def num_after(image: int, row: int) -> int:
        return sum(found not in ("lamp", "monitor") for found in classes[image][row:])

    assert min(num_after(0, 1), num_after(1, 2)) > 0
    edit(v2, lambda r: r[0]["groundtruth2DBB"][1].update(classname="unicorn"), name)
    images, (note,), *_ = find_images(release, "v2")
    assert note.startswith(f"{num_after(0, 1)} objects of the 10 classes are kept that VoteNet's")
    assert [image.annotations[0].rectangle is None for image in images] == [False, False]
    assert images[0].annotations[1].rectangle is None
    assert [len(image.annotations) for image in images] == [len(found) for found in classes]
    edit(v2, lambda r: r[1]["groundtruth2DBB"][2].update(gtBb2D=[]), name)
    (note,) = find_images(release, "v2")[1]
    assert note.startswith(f"{num_after(0, 1) + num_after(1, 2)} objects")
    # of v1 another class does not matter, a missing rectangle does
    edit(v1, lambda r: r[0]["groundtruth2DBB"][1].update(classname="unicorn"), "SUNRGBDMeta")
    assert find_images(release, "v1")[1] == []
    edit(v1, lambda r: r[1].update(groundtruth2DBB=r[1]["groundtruth2DBB"][:2]), "SUNRGBDMeta")
    (note,) = find_images(release, "v1")[1]
    assert note.startswith(f"{num_after(1, 2)} objects")


def test_a_split_that_contradicts_itself_is_refused(release: Path) -> None:
    path = release / layout.SPLIT
    folders = [f"/n/fs/sun3d/data/SUNRGBD/{i.sequence}" for i in find_images(release, "v1")[0]]
    # repeated slashes do not matter, and the list takes precedence over the number
    spelt = [folders[0].replace("SUNRGBD/", "SUNRGBD//") + "/"]
    write_mat(path, {"alltrain": spelt, "alltest": folders[1:]})
    assert [i.split for i in find_images(release, "v1")[0]] == ["train", "validation"]
    write_mat(path, {"alltrain": folders, "alltest": folders[:1]})
    with pytest.raises(InputError, match=r"lists kv2/\S+ to train and to test"):
        find_images(release, "v1")
    write_mat(path, {"alltrain": folders})
    with pytest.raises(InputError, match="holds no cell array of text 'alltest'"):
        find_images(release, "v1")
    write_mat(path, {"alltrain": folders, "alltest": ["/somewhere/else"]})
    with pytest.raises(InputError, match="'/somewhere/else' is no path of the release"):
        find_images(release, "v1")


def test_meta_data_of_two_releases_is_refused(release: Path) -> None:
    edit(release / layout.BOXES_V1, lambda found: found.append(found[0]), "SUNRGBDMeta")
    with pytest.raises(InputError, match=r"describes 3 images and .* 2; they are not of one"):
        find_images(release, "v1")
    edit(release / layout.RECTANGLES_V2, lambda found: found.append(found[0]), "SUNRGBDMeta2DBB")
    with pytest.raises(InputError, match="describes 3 images, the boxes' file 2"):
        find_images(release, "v2")


def test_the_official_split_by_numbers() -> None:
    splits: list[ImageSplit] = [split_by_number(n) for n in range(1, NUM_IMAGES + 1)]
    assert (splits.count("validation"), splits.count("train")) == (5050, 5285)
    assert splits[LAST_VALIDATION - 1 : LAST_VALIDATION + 1] == ["validation", "train"]
    assert num_split_otherwise(splits) == 0
    splits[0], splits[-1] = splits[-1], splits[0]
    assert num_split_otherwise(splits) == 2
    assert num_split_otherwise(splits[:-1]) == 0  # a part: numbers say nothing of it


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_damaged_bytes_never_raise_anything_else(tmp_path: Path, version: MatVersion) -> None:
    path, rng = tmp_path / "a.mat", np.random.default_rng(5)
    value = [{"name": "ab", "matrix": np.eye(3), "inner": [{"c": "x"}] * 2, "none": []}] * 3
    write_mat(path, {"S": value, "cells": ["a", "bc"]}, version)
    whole = path.read_bytes()
    num_refused = 0
    for run in range(60):
        damaged = bytearray(whole)
        if run % 2:
            del damaged[rng.integers(len(damaged)) :]
        else:
            for place in rng.integers(0, len(damaged), 40):
                damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            read_mat(path)
        except InputError:
            num_refused += 1
    assert num_refused > 30
    with pytest.raises(InputError, match="is a folder"):
        read_mat(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        read_mat(tmp_path / "b.mat")


def test_the_command_reports_and_verifies(
    trainval: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    command = command_of("sunrgbd.py", monkeypatch)
    out = tmp_path / "out"
    words = ("scenes", trainval, "--output", out, "--num-workers", 1)
    (trainval / "label_v1" / "000002.txt").write_text(LABEL + LABEL.replace("bed", "unicorn"))
    assert command(*words) == 0
    text = capsys.readouterr().out
    assert "2 images: 1 for training, 1 for validation\n" in text
    assert "1 objects of 1 other classes left out (unicorn 1)" in text
    assert command("verify", out) == 0
    assert capsys.readouterr().out == "2 of 2 scenes are whole\n"
    (trainval / "depth" / "000002.mat").write_bytes(b"")
    assert command(*words) == 1
    captured = capsys.readouterr()
    assert "1 scenes (1 finished before)" in captured.out
    assert "error: 000002: " in captured.err
    assert command(*words, "--labels", "v2") == 2
    assert "label is not a folder; --labels v2 are kept there" in capsys.readouterr().err
    assert command(*words, "--max-points", -1) == 2
    assert "--max-points -1 must be 0 or more" in capsys.readouterr().err
    assert command("scenes", tmp_path, "--output", out) == 2
    assert "is neither the release" in capsys.readouterr().err
