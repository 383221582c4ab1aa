"""Folders on disk: layout, dtypes, determinism, skipping, and the command line."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pointcontrast.errors import InputError
from pointcontrast.synthetic.pieces import CLASS_NAMES
from pointcontrast.synthetic.source import write_rooms
from tests.helpers.repository import REPOSITORY

SCRIPT = REPOSITORY / "datasets" / "synthetic_rooms.py"
SMALL = {"width": 64, "height": 48, "density": 50.0, "progress": False}


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("rooms")
    folders = write_rooms(root / "rgbd", 2, 3, 7, labelled_output=root / "labelled", **SMALL)
    assert folders == [root / "rgbd" / "room_0000", root / "rgbd" / "room_0001"]
    return root


def test_rgbd_layout(written: Path):
    folder = written / "rgbd" / "room_0001"
    suffixes = ("color.jpg", "depth.png", "pose.txt", "label.png", "instance.png")
    expected = {f"frame-{k:06d}.{suffix}" for k in range(3) for suffix in suffixes}
    assert {path.name for path in folder.iterdir()} == expected | {
        "camera-intrinsics.txt",
        "up.txt",
        "meta.json",
    }
    intrinsics = np.loadtxt(folder / "camera-intrinsics.txt")
    np.testing.assert_allclose(intrinsics[0], [32 / np.tan(np.pi / 6), 0, 31.5])
    np.testing.assert_allclose(intrinsics[1], [0, 32 / np.tan(np.pi / 6), 23.5])
    for k in range(3):
        stem = str(folder / f"frame-{k:06d}")
        depth = np.asarray(Image.open(f"{stem}.depth.png"))
        label = np.asarray(Image.open(f"{stem}.label.png"))
        instance = np.asarray(Image.open(f"{stem}.instance.png"))
        assert (depth.shape, depth.dtype) == ((48, 64), np.uint16)
        assert label.dtype == np.uint8
        assert instance.dtype == np.uint16
        assert np.array_equal(label > 0, depth > 0)
        assert np.array_equal(instance > 0, depth > 0)
        assert label.max() <= len(CLASS_NAMES)
        assert depth[depth > 0].min() > 100
        assert depth.max() <= 6000
        assert np.asarray(Image.open(f"{stem}.color.jpg")).shape == (48, 64, 3)
        pose = np.loadtxt(f"{stem}.pose.txt")
        np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-9)


def test_labelled_layout(written: Path):
    folder = written / "labelled" / "room_0000"
    arrays = {path.stem: np.load(path) for path in folder.glob("*.npy")}
    num_points = len(arrays["coord"])
    assert num_points > 1000
    expected = {
        "coord": ((num_points, 3), np.float32),
        "color": ((num_points, 3), np.uint8),
        "normal": ((num_points, 3), np.float32),
        "semantic": ((num_points,), np.int32),
        "instance": ((num_points,), np.int32),
        "boxes": ((len(arrays["boxes"]), 8), np.float32),
    }
    assert {k: (v.shape, v.dtype) for k, v in arrays.items()} == expected
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["class_names"] == list(CLASS_NAMES)
    assert (meta["units"], meta["up_axis"]) == ("metres", "z")
    assert meta["settings"] == {"seed": 7, "density": 50.0}
    assert len(meta["box_columns"]) == 8
    for box, instance in zip(arrays["boxes"], meta["box_instances"], strict=True):
        points = arrays["coord"][arrays["instance"] == instance] - box[:3]
        c, s = np.cos(box[6]), np.sin(box[6])
        local = np.column_stack([points[:, :2] @ np.array([[c, -s], [s, c]]), points[:, 2]])
        assert (np.abs(local) <= box[3:6] / 2 + 1e-4).all()


def test_same_bytes_again_and_in_any_order(written: Path, tmp_path: Path):
    write_rooms(
        tmp_path / "rgbd", 1, 3, 7, first_room=1, labelled_output=tmp_path / "labelled", **SMALL
    )
    for kind in ("rgbd", "labelled"):
        assert content(tmp_path / kind / "room_0001") == content(written / kind / "room_0001")
    # The labelled scene does not change the frames.
    write_rooms(tmp_path / "alone", 1, 3, 7, first_room=1, **SMALL)
    assert content(tmp_path / "alone" / "room_0001") == content(written / "rgbd" / "room_0001")


def test_seeds_and_rooms_differ(written: Path, tmp_path: Path):
    write_rooms(tmp_path, 1, 3, 8, **SMALL)
    name = "frame-000000.depth.png"
    images = [
        (written / "rgbd" / "room_0000" / name).read_bytes(),
        (written / "rgbd" / "room_0001" / name).read_bytes(),
        (tmp_path / "room_0000" / name).read_bytes(),
    ]
    assert len(set(images)) == 3


def test_a_second_run_skips_and_other_settings_replace(tmp_path: Path):
    (folder,) = write_rooms(tmp_path, 1, 2, 0, **SMALL)
    inode = folder.stat().st_ino
    write_rooms(tmp_path, 1, 2, 0, **SMALL)
    assert folder.stat().st_ino == inode, "left alone"
    write_rooms(tmp_path, 1, 1, 0, **SMALL)
    assert folder.stat().st_ino != inode, "replaced"
    assert len(list(folder.glob("*.pose.txt"))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["room_0000"], "no remains"


def test_without_labels_and_noise(tmp_path: Path):
    (folder,) = write_rooms(tmp_path, 1, 1, 0, labels=False, sensor_noise=False, **SMALL)
    assert not list(folder.glob("*.label.png"))
    assert (np.asarray(Image.open(folder / "frame-000000.depth.png")) > 0).all()


@pytest.mark.parametrize(
    ("setting", "match"),
    [
        ({"num_rooms": 0}, "num_rooms"),
        ({"num_frames": 0}, "num_frames"),
        ({"seed": -1}, "seed"),
        ({"density": 0.0}, "density"),
        ({"field_of_view": 200.0}, "field of view"),
    ],
)
def test_bad_settings_name_the_setting(tmp_path: Path, setting: dict, match: str):
    values = {"num_rooms": 1, "num_frames": 1, "seed": 0, **SMALL, **setting}
    with pytest.raises(InputError, match=match):
        write_rooms(tmp_path, **values)
    assert not list(tmp_path.iterdir())


def test_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    command = [str(SCRIPT), "--output", str(tmp_path / "rooms"), "--num-rooms", "1"]
    command += ["--num-frames", "1", "--no-labels", "--width", "32", "--height", "24"]
    statuses = []
    for extra in ([], ["--num-frames", "0"]):
        monkeypatch.setattr(sys, "argv", [*command, *extra])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        statuses.append(stop.value.code)
    assert statuses == [0, 2]
    assert (tmp_path / "rooms" / "room_0000" / "frame-000000.depth.png").exists()
    assert "num_frames must be at least 1" in capsys.readouterr().err
