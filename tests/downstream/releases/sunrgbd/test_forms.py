"""The release and the MATLAB folder give the same images, and labels agree with pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from downstream.boxes.geometry import corners, points_in_boxes
from downstream.releases.sunrgbd import matlab_folder
from downstream.releases.sunrgbd.annotations import boxes_of
from downstream.releases.sunrgbd.images import (
    ImageSettings,
    convert_images,
    find_images,
    read_image,
)
from downstream.releases.sunrgbd.layout import BOXES_V2
from downstream.releases.sunrgbd.raw_images import Labels, RawImage
from pointcontrast.labelled_scene import read_labelled_scene
from tests.releases.sunrgbd.release import write_sunrgbd_release

Rows = NDArray[np.float64]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release with one validation and one training image; do not write to it."""
    folder = tmp_path_factory.mktemp("sunrgbd")
    write_sunrgbd_release(folder, 1, 1, seed=9, size=(64, 48))
    return folder


def matlab_points(image: RawImage) -> Rows:
    """Points (N, 6) of an image as the MATLAB script computes them, column by column."""
    assert image.depth_file is not None
    assert image.color_file is not None
    with Image.open(image.depth_file) as file:
        stored = np.asarray(file).astype(np.int64)
    with Image.open(image.color_file) as file:
        picture = np.asarray(file)
    k, rows = image.intrinsics, []
    height, width = stored.shape
    for x in range(1, width + 1):
        for y in range(1, height + 1):
            value = int(stored[y - 1, x - 1])
            z = min((value // 8 + value % 8 * 8192) / 1000, 8.0)
            if value:
                place = (z * (x - k[0, 2]) / k[0, 0], z, -z * (y - k[1, 2]) / k[1, 1])
                rows.append([*(image.tilt @ place), *(picture[y - 1, x - 1] / 255)])
    return np.array(rows)


def write_matlab_folder(folder: Path, images: dict[Labels, list[RawImage]]) -> None:
    """Write the output folder of the MATLAB script for some images."""
    for name in ("depth", "calib", "label", "label_v1"):
        (folder / name).mkdir(parents=True)
    for image in images["v2"]:
        savemat(folder / "depth" / f"{image.name}.mat", {"instance": matlab_points(image)})
        lines = [
            " ".join(f"{value:.9g}" for value in matrix.ravel(order="F"))
            for matrix in (image.tilt, image.intrinsics)
        ]
        (folder / "calib" / f"{image.name}.txt").write_text("\n".join(lines) + "\n")
    for labels, found in images.items():
        for image in found:
            lines = []
            for a in image.annotations:
                assert a.rectangle is not None
                values = (*a.rectangle, *a.center, *map(abs, a.half_sizes), *a.orientation)
                lines.append(" ".join([a.class_name, *(f"{value:.6f}" for value in values)]))
            path = folder / matlab_folder.LABEL_FOLDERS[labels] / f"{image.name}.txt"
            path.write_text("\n".join(lines) + "\n")
    for name, split in (("train_data_idx.txt", "train"), ("val_data_idx.txt", "validation")):
        numbers = [str(image.number) for image in images["v2"] if image.split == split]
        (folder / name).write_text("\n".join(numbers) + "\n")


def in_order(values: NDArray[np.floating]) -> NDArray[np.floating]:
    return values[np.lexsort(values.round(3).T)]


def test_both_forms_give_the_same_scenes(release: Path, tmp_path: Path) -> None:
    of_labels: dict[Labels, list[RawImage]] = {
        "v1": find_images(release, "v1")[0],
        "v2": find_images(release, "v2")[0],
    }
    write_matlab_folder(tmp_path / "trainval", of_labels)
    for labels, images in of_labels.items():
        settings = ImageSettings(labels=labels, max_points=0)
        others, notes, *_ = find_images(tmp_path / "trainval", labels)
        assert not notes
        assert [other.split for other in others] == ["validation", "train"]
        for image, other in zip(images, others, strict=True):
            scene, again = read_image(image, settings), read_image(other, settings)
            assert len(scene) > 1000
            first, second = (
                in_order(np.hstack([s.coord, s.color.astype(np.float32)])) for s in (scene, again)
            )
            np.testing.assert_allclose(first, second, atol=2e-6)
            assert scene.boxes is not None
            assert len(scene.boxes)
            assert again.boxes is not None
            np.testing.assert_allclose(again.boxes, scene.boxes, atol=2e-5)
            assert again.details["split"] == scene.details["split"]
            np.testing.assert_allclose(again.details["tilt"], scene.details["tilt"], atol=1e-8)
            np.testing.assert_allclose(again.details["intrinsics"], scene.details["intrinsics"])
    (first, _), (second, _) = of_labels.values()
    assert boxes_of(first.annotations, np.zeros((1, 3))).boxes.shape == (
        boxes_of(second.annotations, np.zeros((1, 3))).boxes.shape
    )
    assert first.annotations != second.annotations


def test_both_forms_of_matlab_s_files_give_equal_images(release: Path, tmp_path: Path) -> None:
    write_sunrgbd_release(tmp_path, 1, 1, seed=9, size=(64, 48), mat_version="7.3")
    assert (tmp_path / BOXES_V2).read_bytes().startswith(b"MATLAB 7.3")
    for labels in ("v1", "v2"):
        for image, other in zip(
            find_images(release, labels)[0], find_images(tmp_path, labels)[0], strict=True
        ):
            assert other.annotations == image.annotations
            assert (other.split, other.sequence) == (image.split, image.sequence)
            np.testing.assert_array_equal(other.tilt, image.tilt)
            np.testing.assert_array_equal(other.intrinsics, image.intrinsics)


def test_points_are_drawn_by_the_image_s_number(release: Path, tmp_path: Path) -> None:
    images, *_ = find_images(release, "v1")
    everything = read_image(images[0], ImageSettings(max_points=0))
    settings = ImageSettings(max_points=500)
    convert_images(images, tmp_path / "a", settings)
    convert_images(images[:1], tmp_path / "b", settings)
    drawn = read_labelled_scene(tmp_path / "a" / "000001")
    assert drawn.settings["max_points"] == len(drawn) == 500
    np.testing.assert_array_equal(drawn.coord, read_labelled_scene(tmp_path / "b" / "000001").coord)
    whole = {tuple(row) for row in np.hstack([everything.coord, everything.color]).tolist()}
    rows = {tuple(row) for row in np.hstack([drawn.coord, drawn.color]).tolist()}
    assert rows < whole
    assert len(rows) == 500  # none twice
    other = read_image(replace(images[0], number=7), settings)
    assert not np.array_equal(other.coord, drawn.coord)
    few = ImageSettings(max_points=len(everything))
    np.testing.assert_array_equal(read_image(images[0], few).coord, everything.coord)


def projected_overlap(box: Rows, image: RawImage, rectangle: Rows) -> float:
    """IoU of an annotated rectangle and the rectangle around a box in the picture, 730 x 530."""
    right, forward, up = (corners(box[None])[0] @ image.tilt).T
    k, forward = image.intrinsics, np.maximum(forward, 0.05)
    places = np.stack([right / forward * k[0, 0] + k[0, 2], -up / forward * k[1, 1] + k[1, 2]])
    low, high = (np.clip(f(axis=1), 1, (730, 530)) for f in (places.min, places.max))
    start, stop = rectangle[:2], rectangle[:2] + rectangle[2:]
    shared = np.prod(np.clip(np.minimum(high, stop) - np.maximum(low, start), 0, None))
    return float(shared / (np.prod(high - low) + np.prod(stop - start) - shared))


@pytest.mark.parametrize("labels", ["v1", "v2"])
def test_real_headings_and_lengths(real_data: Path, labels: Labels) -> None:
    """Of three ways to read an orientation, the one used fits pictures and points best."""
    images, *_ = find_images(real_data / "sunrgbd_trainval", labels)
    num_inside = np.zeros(3, np.int64)
    for image in images:
        assert image.points_file is not None
        points, _, _ = matlab_folder.read_points(image.points_file)
        found = boxes_of(image.annotations, points)
        assert (found.num_empty, found.num_degenerate) == (0, 0)
        ways = []
        for order, sign in (((3, 4), 1), ((3, 4), -1), ((4, 3), 1)):
            boxes = found.boxes.astype(np.float64)
            boxes[:, 3:5] = boxes[:, order]
            boxes[:, 6] *= sign
            ways.append(boxes)
        inside = [points_in_boxes(points, boxes) for boxes in ways]
        num_inside += [held.sum() for held in inside]
        assert inside[0].sum(axis=0).min() > 300
        row = int(np.flatnonzero(found.boxes[:, 7] == 0)[0])  # the bed: long, and not aligned
        rectangle = found.rectangles[row]
        assert rectangle is not None
        fits = [projected_overlap(boxes[row], image, np.array(rectangle)) for boxes in ways]
        assert fits[0] > 0.65
        assert np.argmax(fits) == 0
    assert num_inside[0] > 1.1 * num_inside[1]
    assert num_inside[0] > 1.4 * num_inside[2]


def test_real_colors_and_depths(real_data: Path) -> None:
    """Each point has the colour of the pixel that it projects to, and whole millimetres."""
    folder = real_data / "sunrgbd_trainval"
    for image in find_images(folder, "v1")[0]:
        assert image.points_file is not None
        points, colors, _ = matlab_folder.read_points(image.points_file)
        right, forward, up = (points.astype(np.float64) @ image.tilt).T
        k = image.intrinsics
        columns = np.round(right / forward * k[0, 0] + k[0, 2]).astype(int) - 1
        rows = np.round(-up / forward * k[1, 1] + k[1, 2]).astype(int) - 1
        with Image.open(folder / "image" / f"{image.name}.jpg") as file:
            picture = np.asarray(file)
        assert picture.shape == (530, 730, 3)
        difference = np.abs(picture[rows, columns].astype(int) - colors)
        assert difference.max() <= 2  # difference between JPEG decoders
        millimetres = forward * 1000
        assert np.abs(millimetres - millimetres.round()).max() < 0.05
        assert 7700 < millimetres.max() < 8000.05
        assert (np.diff(columns * 530 + rows) > 0).all()  # column by column, each pixel once
