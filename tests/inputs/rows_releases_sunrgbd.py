"""SUN RGB-D as people have it: scripts that stopped, other columns, prepared arrays."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from downstream.releases.sunrgbd import layout
from downstream.releases.sunrgbd.mat_files import records
from tests.inputs.makers_releases import (
    BED,
    CONVERT_SUNRGBD,
    IMAGES,
    image_points,
    made,
    made_names,
    sunrgbd,
    sunrgbd_arrays,
)
from tests.inputs.makers_runs import shared_folder
from tests.inputs.row import Row
from tests.releases.sunrgbd.mat_writer import write_mat
from tests.releases.sunrgbd.release import write_sunrgbd_release

Change = Callable[[Path], object]


def matlab(change: Change, *options: object) -> Callable[[Path], Sequence[object]]:
    """Three images of VoteNet's MATLAB script; a function changes the folder."""

    def make(folder: Path) -> Sequence[object]:
        change(sunrgbd(folder))
        return [*CONVERT_SUNRGBD, *options]

    return make


def arrays(change: Change) -> Callable[[Path], Sequence[object]]:
    """The same images as VoteNet's prepared arrays; a function changes the folder."""

    def make(folder: Path) -> Sequence[object]:
        sunrgbd_arrays(folder)
        change(folder / "raw")
        return CONVERT_SUNRGBD

    return make


@cache
def _release() -> Path:
    folder = shared_folder() / "sunrgbd_release"
    write_sunrgbd_release(folder, 1, 2, seed=2, size=(48, 36))
    return folder


def release(change: Change) -> Callable[[Path], Sequence[object]]:
    """The official release with two images for validation and one for training."""

    def make(folder: Path) -> Sequence[object]:
        shutil.copytree(_release(), folder / "raw")
        change(folder / "raw")
        return CONVERT_SUNRGBD

    return make


def record(**changes: object) -> Change:
    """Change fields of the first image in the metadata."""

    def change(raw: Path) -> None:
        for file in (layout.BOXES_V2, layout.BOXES_V1):
            found = records(raw / file, "SUNRGBDMeta")
            found[0].update(changes)
            write_mat(raw / file, {"SUNRGBDMeta": found})

    return change


def picture(edit: Callable[[Image.Image], Image.Image], quality: int = 75) -> Change:
    """Save the picture of the first image again, in another form."""

    def change(raw: Path) -> None:
        path = sorted(raw.rglob("000000.jpg"))[0]
        with Image.open(path) as image:
            edit(image).save(path, quality=quality)

    return change


def all_images(folder: Path, said: str) -> None:
    """The three images with their points, colours and boxes."""
    assert made_names(folder) == sorted(IMAGES), said
    scene, rows = made(folder, "000001"), image_points(1)
    np.testing.assert_allclose(scene.coord, rows[:, :3], atol=1e-6)
    np.testing.assert_array_equal(scene.color, np.rint(rows[:, 3:] * 255))
    assert scene.boxes is not None
    np.testing.assert_allclose(scene.boxes, [[0.5, 2.5, 0.5, 2, 1, 1, 0, 0]], atol=1e-6)
    assert (folder / "out" / "train.txt").read_text().splitlines()[1:] == ["005051"]


def others_are_made(folder: Path, said: str) -> None:
    left = made_names(folder)
    assert "000001" not in left
    assert len(left) == 2, said
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, said
    assert errors[0].startswith("error: 000001: "), said


def three_images(folder: Path, said: str) -> None:
    assert made_names(folder) == ["000001", "000002", "000003"], said


BROKEN: dict[str, tuple[Change, str]] = {
    "no-calibration": (
        lambda raw: (raw / "calib/000001.txt").unlink(), "calib/000001.txt does not exist",
    ),
    "one-line-of-calibration": (
        lambda raw: (raw / "calib/000001.txt").write_text("1 0 0 0 1 0 0 0 1\n"),
        "must have two lines of nine numbers",
    ),
    "tilt-of-zeros": (
        lambda raw: (raw / "calib/000001.txt").write_text("0 0 0 0 0 0 0 0 0\n" * 2),
        "000001.txt: K is no camera matrix",
    ),
    "cut-label-line": (
        lambda raw: (raw / "label_v1/000001.txt").write_text(BED[:25]),
        "label_v1/000001.txt, line 1 must be a class and 12 numbers",
    ),
    "binary-labels": (
        lambda raw: (raw / "label_v1/000001.txt").write_bytes(b"\xff\xfe\x80"), "is not text",
    ),
    "no-labels": (
        lambda raw: (raw / "label_v1/000001.txt").unlink(),
        "does not exist, and an image without objects has an empty file",
    ),
    "cut-points": (
        lambda raw: (raw / "depth/000001.mat").write_bytes(b"MATLAB 5.0"), "is damaged or no .mat",
    ),
    "millimetres": (
        lambda raw: savemat(
            raw / "depth/000001.mat",
            {"instance": image_points(1) * ([1000.0] * 3 + [1.0] * 3)},
        ),
        "give its coordinates in metres",
    ),
}  # fmt: skip
"""Damage of one image of three: what is done, and what the one line says."""

BROKEN_ARRAYS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no-boxes": (lambda bbox: bbox.unlink(), "an image without objects has an array of no rows"),
    "headings-in-degrees": (
        lambda bbox: np.save(bbox, [[0.5, 2.5, 0.5, 1, 0.5, 0.5, 90, 0]]),
        "has a heading of 90, which is no angle in radians",
    ),
    "fractional-class": (
        lambda bbox: np.save(bbox, [[0.5, 2.5, 0.5, 1, 0.5, 0.5, 0, 5.6]]),
        "has a class that is not one of 0..9",
    ),
    "cut-boxes": (lambda bbox: bbox.write_bytes(bbox.read_bytes()[:20]), "is damaged"),
    "cut-points": (
        lambda bbox: bbox.with_name("000001_pc.npz").write_bytes(b"PK\3\4 cut"),
        "is damaged",
    ),
    "pickled-boxes": (
        lambda bbox: np.save(bbox, np.array([{}], dtype=object), allow_pickle=True),
        "is damaged",
    ),
}

KINDS = {"no-labels": "C", "no-boxes": "C", "millimetres": "B", "headings-in-degrees": "B",
         "fractional-class": "B"}  # fmt: skip


def boxes_of_first(change: Callable[[Path], object]) -> Change:
    return lambda raw: change(raw / "sunrgbd_pc_bbox_votes_50k_v1_val" / "000001_bbox.npy")


ROWS = [
    *(
        Row(
            name=f"sunrgbd-image-with-{name}", kind=KINDS.get(name, "D"), make=matlab(change),
            status=1, says=(words,), check=others_are_made,
        )
        for name, (change, words) in BROKEN.items()
    ),
    *(
        Row(
            name=f"sunrgbd-arrays-with-{name}", kind=KINDS.get(name, "D"),
            make=arrays(boxes_of_first(change)), status=1, says=(words,), check=others_are_made,
        )
        for name, (change, words) in BROKEN_ARRAYS.items()
    ),
    *(
        Row(
            name=f"sunrgbd-release-with-{name}", kind="D", make=release(record(**changes)),
            status=1, says=(words,), check=others_are_made,
        )
        for name, changes, words in (
            ("empty-tilt", {"Rtilt": np.zeros((0, 0))}, "'Rtilt' is no 3x3 matrix"),
            ("tilt-of-zeros", {"Rtilt": np.zeros((3, 3))}, "Rtilt has axes that are not"),
            ("no-intrinsics", {"K": np.zeros((3, 3))}, "K is no camera matrix"),
            ("no-depth-path", {"depthpath": ""}, "'depthpath' is no text"),
        )
    ),
    Row(
        name="sunrgbd-absent-and-empty-labels", kind="C",
        make=matlab(lambda raw: [
            (raw / "label_v1/000001.txt").unlink(), (raw / "label_v1/000002.txt").write_text(""),
        ], "--keep-empty"),
        status=1, says=("1 images have no label file", "1 images without a box"),
        check=lambda folder, _: _only_the_empty(folder),
    ),
    Row(
        name="sunrgbd-seven-columns", kind="G",
        make=matlab(lambda raw: [
            savemat(raw / "depth" / f"{image}.mat", {"instance": np.hstack([
                image_points(int(image)), np.full((1200, 1), 35.0)
            ])})
            for image in IMAGES
        ]),
        says=("the seventh column of the points, a label, is not read",), check=all_images,
        source="zaiweizhang/H3DNet issue 14",
    ),
    Row(
        name="sunrgbd-colours-of-0-to-255", kind="B",
        make=matlab(lambda raw: savemat(raw / "depth/000001.mat", {
            "instance": image_points(1) * ([1.0] * 3 + [255.0] * 3)
        })),
        check=all_images,
    ),
    Row(
        name="sunrgbd-copies", kind="E",
        make=matlab(lambda raw: [
            shutil.copy(raw / "depth/000001.mat", raw / "depth" / name)
            for name in ("000001 (copy).mat", "000001 - Copy.mat", "1.mat", ".DS_Store")
        ]),
        says=(
            "left out: depth/000001 (copy).mat", "left out: depth/1.mat", "3 scenes",
        ),
        check=all_images,
    ),
    Row(
        name="sunrgbd-names-in-upper-case", kind="E",
        make=matlab(lambda raw: [
            path.rename(path.with_suffix(path.suffix.upper()))
            for name in ("depth", "calib", "label_v1") for path in sorted((raw / name).iterdir())
        ]),
        check=all_images,
    ),
    Row(
        name="sunrgbd-prepared-arrays", kind="H", make=arrays(lambda raw: None), check=all_images,
        source="facebookresearch/votenet sunrgbd/sunrgbd_data.py",
    ),
    Row(
        name="sunrgbd-grey-picture", kind="G", make=release(picture(lambda i: i.convert("L"))),
        check=three_images,
    ),
    Row(
        name="sunrgbd-picture-of-cmyk", kind="G",
        make=release(picture(lambda image: image.convert("CMYK"))), check=three_images,
    ),
    Row(
        name="sunrgbd-picture-of-another-size", kind="G",
        make=release(picture(lambda i: i.resize((24, 18)))), status=1,
        says=("has 24 x 18 pixels, its depth image 48 x 36",), check=others_are_made,
    ),
    Row(
        name="sunrgbd-release-in-upper-case", kind="E",
        make=release(lambda raw: [
            path.rename(path.with_suffix(path.suffix.upper()))
            for ending in ("*.jpg", "*.png") for path in sorted(raw.rglob(ending))
        ]),
        check=three_images,
    ),
]  # fmt: skip


def _only_the_empty(folder: Path) -> None:
    assert made_names(folder) == ["000002", "005051"]
    boxes = made(folder, "000002").boxes
    assert boxes is not None
    assert len(boxes) == 0
