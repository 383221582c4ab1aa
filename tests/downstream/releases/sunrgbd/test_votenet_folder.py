"""VoteNet's prepared arrays give the scenes of the MATLAB folder that they are made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from downstream.releases.sunrgbd.classes import CLASS_NAMES
from downstream.releases.sunrgbd.images import ImageSettings, convert_images, find_images
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import read_labelled_scene

BOXES = np.array(
    [[0.5, 2.0, -0.5, 0.6, 0.3, 0.4, 0.5, 3], [-1.0, 3.0, 0.0, 1.0, 0.8, 0.4, -2.0, 0]]
)
"""Centre, half of length, width and height, clockwise heading, class: a chair and a bed."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Both splits, an image each, as ``sunrgbd_data.py`` writes them."""
    root = tmp_path / "raw"
    for split, stem in (("train", "005051"), ("val", "000001")):
        part = root / f"sunrgbd_pc_bbox_votes_50k_v1_{split}"
        part.mkdir(parents=True)
        points = np.random.default_rng(int(stem)).uniform(0, 1, (3000, 6))
        np.savez_compressed(part / f"{stem}_pc.npz", pc=points)
        np.save(part / f"{stem}_bbox.npy", BOXES)
        np.savez_compressed(part / f"{stem}_votes.npz", point_votes=np.zeros((3000, 10)))
    return root


def test_points_boxes_and_splits(folder: Path, tmp_path: Path) -> None:
    found = find_images(folder, "v1")
    assert [(image.name, image.split) for image in found.images] == [
        ("000001", "validation"), ("005051", "train"),
    ]  # fmt: skip
    assert (found.notes, found.failures, found.left_out) == ([], {}, [])
    _, failures = convert_images(found.images, tmp_path / "out", ImageSettings(max_points=0))
    assert not failures
    scene = read_labelled_scene(tmp_path / "out" / "000001")
    part = folder / "sunrgbd_pc_bbox_votes_50k_v1_val"
    raw = np.load(part / "000001_pc.npz")["pc"]
    np.testing.assert_array_equal(scene.coord, raw[:, :3].astype(np.float32))
    np.testing.assert_array_equal(scene.color, np.rint(raw[:, 3:] * 255).astype(np.uint8))
    wanted = BOXES.copy()
    wanted[:, 3:6] *= 2  # full sizes
    wanted[:, 6] *= -1  # counter-clockwise
    assert scene.boxes is not None
    np.testing.assert_allclose(scene.boxes, wanted, atol=1e-6)
    assert [CLASS_NAMES[int(box[7])] for box in scene.boxes] == ["chair", "bed"]
    one = find_images(part, "v1")
    assert [image.split for image in one.images] == ["validation"]
    with pytest.raises(InputError, match="has no arrays of --labels v2"):
        find_images(folder, "v2")


@pytest.mark.parametrize(
    ("boxes", "reason"),
    [
        (None, "does not exist, and an image without objects has an array of no rows"),
        (BOXES[:, :7], "holds no K x 8 array"),
        (BOXES * np.array([1, 1, 1, 1, 1, 1, 57.3, 1]), "divide degrees by 180 / pi"),
        (BOXES + np.array([0, 0, 0, 0, 0, 0, 0, 0.6]), "has a class that is not one of 0..9"),
        (BOXES * np.nan, "no finite numbers"),
    ],
)
def test_wrong_boxes_fail_their_image_alone(
    folder: Path, boxes: np.ndarray | None, reason: str
) -> None:
    path = folder / "sunrgbd_pc_bbox_votes_50k_v1_train" / "005051_bbox.npy"
    path.unlink()
    if boxes is not None:
        np.save(path, boxes)
    found = find_images(folder, "v1")
    assert [image.name for image in found.images] == ["000001"]
    assert reason in found.failures["005051"]


def test_an_image_without_objects_and_copies(folder: Path) -> None:
    part = folder / "sunrgbd_pc_bbox_votes_50k_v1_train"
    np.save(part / "005051_bbox.npy", np.zeros((0, 8)))
    (part / "005051_pc (copy).npz").write_bytes(b"")
    found = find_images(folder, "v1")
    assert [len(image.annotations) for image in found.images] == [2, 0]
    assert "005051_pc (copy).npz: its name is not" in found.left_out[0]
