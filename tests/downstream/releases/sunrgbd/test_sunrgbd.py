from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from downstream.benchmarks import SUNRGBD
from downstream.boxes.geometry import points_in_boxes
from downstream.boxes.votes import box_rows
from downstream.releases.sunrgbd import layout, matlab_folder
from downstream.releases.sunrgbd.annotations import Annotation, boxes_of
from downstream.releases.sunrgbd.classes import CLASS_NAMES
from downstream.releases.sunrgbd.depth import points_of, read_depth, store_depth
from downstream.releases.sunrgbd.images import (
    ImageSettings,
    convert_images,
    find_images,
    read_image,
    report,
)
from downstream.releases.sunrgbd.mat_files import records
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import problems_of_scene, read_labelled_scene
from tests.helpers.fork_server import output_of
from tests.helpers.repository import REPOSITORY
from tests.releases.sunrgbd.mat_writer import MatVersion, write_mat
from tests.releases.sunrgbd.release import WrittenImage, write_sunrgbd_release

SETTINGS = ImageSettings(max_points=5000)


@pytest.fixture(scope="module", params=["5", "7.3"])
def release(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[WrittenImage]]:
    """A release with two training and two validation images, for both versions of .mat files."""
    folder = tmp_path_factory.mktemp("sunrgbd")
    version: MatVersion = request.param
    images = write_sunrgbd_release(folder, 2, 2, seed=4, size=(96, 72), mat_version=version)
    return folder, images


def expected_boxes(image: WrittenImage, scale: float) -> np.ndarray:
    """Boxes (K, 8) of the ten classes."""
    rows = []
    for number, (box, name) in enumerate(zip(image.boxes, image.names, strict=True)):
        if name in CLASS_NAMES:
            grown = box.copy()
            grown[3:6] *= scale if number % 3 == 0 else 1
            grown[6] = np.arctan2(np.sin(box[6]), np.cos(box[6]))
            grown[7] = CLASS_NAMES.index(name)
            rows.append(grown)
    return np.array(rows)


@pytest.mark.parametrize(("labels", "scale"), [("v1", 1.1), ("v2", 1.0)])
def test_scenes_have_the_generated_content(
    release: tuple[Path, list[WrittenImage]], tmp_path: Path, labels: Any, scale: float
) -> None:
    folder, written = release
    images, notes, *_ = find_images(folder, labels)
    assert not notes
    assert [image.split for image in images] == ["validation"] * 2 + ["train"] * 2
    finished, failures = convert_images(images, tmp_path, replace(SETTINGS, labels=labels))
    assert not failures
    assert len(finished) == 4
    for number, image in enumerate(written, start=1):
        assert not problems_of_scene(tmp_path / f"{number:06d}")
        scene = read_labelled_scene(tmp_path / f"{number:06d}")
        np.testing.assert_allclose(scene.boxes, expected_boxes(image, scale), atol=1e-5)
        assert scene.source["sequence"] == image.sequence
        assert len(scene.details["rectangles"]) == len(scene.boxes)
        # every point lies where its pixel's ray was cut at the depth that was rendered
        depth = image.depth
        places = np.asarray(scene.coord, np.float64) @ image.tilt
        columns = places[:, 0] * image.intrinsics[0, 0] / places[:, 1] + image.intrinsics[0, 2] - 1
        lines = -places[:, 2] * image.intrinsics[1, 1] / places[:, 1] + image.intrinsics[1, 2] - 1
        np.testing.assert_allclose(columns, columns.round(), atol=1e-3)
        seen = depth[lines.round().astype(int), columns.round().astype(int)]
        np.testing.assert_allclose(places[:, 1], seen, atol=1e-3)
    objects = sum(name in CLASS_NAMES for image in written for name in image.names)
    others = sum(len(image.names) for image in written) - objects
    text = report(images, tmp_path, finished)
    assert f"{objects} boxes" in text
    assert f"{others} objects of" in text
    benchmark = SUNRGBD(str(tmp_path))
    assert benchmark.names("train") == ["000003", "000004"]
    assert benchmark.names("validation") == benchmark.names("test") == ["000001", "000002"]
    boxes = np.concatenate([expected_boxes(image, scale) for image in written[2:]])
    row = int(boxes[0, 7])
    mean = boxes[boxes[:, 7] == row, 3:6].mean(axis=0)
    np.testing.assert_allclose(benchmark.mean_sizes()[row], mean, rtol=1e-5)


def test_a_second_run_makes_nothing_and_other_labels_make_all(
    release: tuple[Path, list[WrittenImage]], tmp_path: Path
) -> None:
    images, *_ = find_images(release[0], "v1")
    convert_images(images, tmp_path, SETTINGS)
    again, _ = convert_images(images, tmp_path, SETTINGS)
    assert all(scene.reused for scene in again)
    other, *_ = find_images(release[0], "v2")
    changed, _ = convert_images(other, tmp_path, replace(SETTINGS, labels="v2"))
    assert not any(scene.reused for scene in changed)


def test_depth_is_turned_by_three_bits(tmp_path: Path) -> None:
    depth = np.array([[0, 0.001, 0.007], [1.234, 7.999, 8.0]], np.float32)
    stored = store_depth(depth)
    assert stored.tolist() == [[0, 8, 56], [1234 << 3, 7999 << 3, 8000 << 3]]
    stored[0, 2] = 0b101  # low bits are the highest: 5 << 13 mm are over 8 m
    Image.fromarray(stored).save(tmp_path / "d.png")
    expected = depth.copy()
    expected[0, 2] = 8.0
    np.testing.assert_allclose(read_depth(tmp_path / "d.png"), expected, atol=1e-6)


def test_points_by_hand() -> None:
    depth = np.zeros((4, 6), np.float32)
    depth[1, 4] = 2.0
    intrinsics = np.array([[2.0, 0, 3], [0, 4, 2.5], [0, 0, 1]])
    points, seen = points_of(depth, intrinsics, np.eye(3))
    # column 5 and row 2, counted from 1: 2 right of the middle and half a pixel above it
    np.testing.assert_allclose(points, [[(5 - 3) * 2 / 2, 2.0, -(2 - 2.5) * 2 / 4]])
    assert np.argwhere(seen).tolist() == [[1, 4]]


def test_sizes_lie_along_and_across_the_heading() -> None:
    annotation = Annotation(
        class_name="bed",
        center=(1, 2, 3),
        half_sizes=(-0.5, 1.0, 0.25),
        orientation=(0.0, -2.0),
    )
    found = boxes_of([annotation], np.array([[1.0, 2, 3]]))
    np.testing.assert_allclose(found.boxes, [[1, 2, 3, 2, 1, 0.5, -np.pi / 2, 0]], atol=1e-6)
    assert found.num_empty == 0


def test_real_samples_agree_with_their_labels(real_data: Path, tmp_path: Path) -> None:
    images, notes, *_ = find_images(real_data / "sunrgbd_trainval", "v2")
    assert len(images) == 4
    assert "train_data_idx.txt does not exist" in notes[0]
    for image in images:
        points, colors, _ = matlab_folder.read_points(image.points_file)
        # the pixels that the points come from: whole numbers, counted from 1
        places = points.astype(np.float64) @ image.tilt
        columns = places[:, 0] * image.intrinsics[0, 0] / places[:, 1] + image.intrinsics[0, 2]
        lines = -places[:, 2] * image.intrinsics[1, 1] / places[:, 1] + image.intrinsics[1, 2]
        for found, last in ((columns, 730), (lines, 530)):
            assert np.abs(found - found.round()).max() < 0.02
            assert (found.round().min(), found.round().max()) == (1, last)
        # and so do points computed from depth
        depth = np.zeros((530, 730), np.float32)
        depth[lines.round().astype(int) - 1, columns.round().astype(int) - 1] = places[:, 1]
        ours, _ = points_of(depth, image.intrinsics, image.tilt)
        order = np.lexsort((columns.round(), lines.round()))
        np.testing.assert_allclose(ours, points[order], atol=2e-3)
        scene = read_image(image, ImageSettings(labels="v2"))
        assert len(scene) == 50_000
        wanted = [a for a in image.annotations if a.class_name in CLASS_NAMES]
        assert len(scene.boxes) == len(wanted) >= 2
        inside = points_in_boxes(scene.coord, scene.boxes)
        assert (inside.sum(axis=0) > 50).all()
        for box, annotation in zip(scene.boxes, wanted, strict=True):
            np.testing.assert_allclose(box[:3], annotation.center, atol=1e-6)
            across, along, up = annotation.half_sizes
            np.testing.assert_allclose(box[3:6], [2 * along, 2 * across, 2 * up], rtol=1e-5)
            heading = np.array(annotation.orientation) / np.linalg.norm(annotation.orientation)
            np.testing.assert_allclose([np.cos(box[6]), np.sin(box[6])], heading, atol=1e-5)
        # with length and width exchanged the boxes hold fewer points
        exchanged = scene.boxes[:, [0, 1, 2, 4, 3, 5, 6, 7]]
        assert inside.sum() > 1.2 * points_in_boxes(scene.coord, exchanged).sum()
        rows = box_rows(scene.coord, scene.boxes)
        voting = rows[:, 0] >= 0
        np.testing.assert_array_equal(voting, inside.any(axis=1))
        for place in range(3):  # each vote ends on the centre of a box that holds the point
            assert inside[voting, rows[voting, place]].all()
        assert colors.dtype == np.uint8


def test_real_votes_end_on_centres(real_data: Path, tmp_path: Path) -> None:
    images, *_ = find_images(real_data / "sunrgbd_trainval", "v1")
    finished, failures = convert_images(images, tmp_path, SETTINGS)
    assert not failures
    assert sum(scene.num_boxes for scene in finished) == 10
    benchmark = SUNRGBD(str(tmp_path), mean_sizes=[[1, 1, 1]] * 10)
    labels = real_data / "sunrgbd_trainval" / "label_v1"
    for name in benchmark.names("validation"):
        cloud = benchmark.read(name)
        voting = cloud.box_rows[:, 0] >= 0
        assert 0.05 < voting.mean() < 0.9
        lines = [line.split() for line in (labels / f"{name}.txt").read_text().splitlines()]
        found = [list(map(float, words[1:])) for words in lines if words[0] in CLASS_NAMES]
        for place in range(3):
            targets = cloud.boxes[cloud.box_rows[voting, place], :3]
            for point, target in zip(cloud.points[voting][::50], targets[::50], strict=True):
                (own,) = [v for v in found if np.allclose(v[4:7], target, atol=1e-5)]
                along = np.array(own[10:12]) / np.linalg.norm(own[10:12])
                gap = point - target
                local = [gap[:2] @ [along[1], -along[0]], gap[:2] @ along, gap[2]]
                assert (np.abs(local) <= np.array(own[7:10]) + 1e-4).all()


def broken(release: Path, target: Path, **changes: Any) -> Path:
    """Copy the release with another first record of the v1 boxes."""
    shutil.copytree(release, target)
    found = records(target / layout.BOXES_V1, "SUNRGBDMeta")
    found[0] |= changes
    write_mat(target / layout.BOXES_V1, {"SUNRGBDMeta": found})
    return target


def test_missing_and_damaged_files_are_named(
    release: tuple[Path, list[WrittenImage]], tmp_path: Path
) -> None:
    source = release[0]
    folder = tmp_path / "a"
    shutil.copytree(source, folder)
    (folder / layout.SPLIT).unlink()
    assert "split by their numbers" in find_images(folder, "v2")[1][0]
    (folder / layout.RECTANGLES_V2).unlink()
    assert len(find_images(folder, "v2")[1]) == 2
    boxes = folder / layout.BOXES_V2
    whole = boxes.read_bytes()
    boxes.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=rf"{boxes.name} is damaged"):
        find_images(folder, "v2")
    boxes.write_bytes(b"no MATLAB file at all")
    with pytest.raises(InputError, match=r"is damaged or no \.mat file"):
        find_images(folder, "v2")
    (folder / layout.BOXES_V1).unlink()
    with pytest.raises(InputError, match=r"SUNRGBDMeta.mat does not exist; --labels v1"):
        find_images(folder, "v1")
    with pytest.raises(InputError, match="neither the release"):
        find_images(tmp_path / "b", "v1")
    with pytest.raises(InputError, match="holds no struct 'other'"):
        records(source / layout.BOXES_V2, "other")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"K": np.eye(2)}, "'K' is no 3x3 matrix"),
        ({"depthpath": "/somewhere/else.png"}, "no path of the release"),
        ({"depthpath": "/n/fs/sun3d/data/SUNRGBD/../../x/y.png"}, "no path of the release"),
        ({"depthpath": "/n/fs/sun3d/data/SUNRGBD/kv1/a/depth/b.png"}, "does not list kv1/a"),
        ({"rgbpath": np.eye(2)}, "'rgbpath' is no text"),
        ({"groundtruth3DBB": [{"classname": "bed", "centroid": np.ones((1, 2))}]}, "'centroid'"),
    ],
)
def test_wrong_records_are_named(
    release: tuple[Path, list[WrittenImage]], tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    folder = broken(release[0], tmp_path / "a", **change)
    (folder / layout.BOXES_V2).unlink()  # cameras and paths then come from the older file
    found = find_images(folder, "v1")
    (name, reason), *others = found.failures.items()
    assert not others
    assert message in reason
    assert name not in [image.name for image in found.images]
    assert len(found.images) == 3


def test_odd_objects_are_left_out_and_counted(
    release: tuple[Path, list[WrittenImage]], tmp_path: Path
) -> None:
    def annotation(name: str, **changes: Any) -> Annotation:
        values = {"center": (0, 2, 0), "half_sizes": (9, 9, 9), "orientation": (1, 0)}
        return Annotation(class_name=name, **{**values, **changes})

    images, *_ = find_images(release[0], "v1")
    odd = replace(images[0], annotations=(
        annotation("bed"),
        annotation("unicorn"),
        annotation("chair", half_sizes=(0, 1, 1)),
        annotation("chair", center=(np.nan, 0, 0)),
        annotation("chair", orientation=(0, 0)),
        annotation("sofa", center=(0, -50, 0)),
    ))  # fmt: skip
    empty = replace(images[1], annotations=(annotation("unicorn"),))
    finished, failures = convert_images([odd, empty], tmp_path / "a", SETTINGS)
    assert not failures
    assert [scene.scene for scene in finished] == ["000001"]
    text = report([odd, empty], tmp_path / "a", finished)
    assert "1 images without a box" in text
    assert "2 boxes; 1 of them contain no point" in text
    assert "3 boxes without size, centre or heading left out" in text
    assert "1 objects of 1 other classes left out (unicorn 1)" in text
    kept, _ = convert_images([odd, empty], tmp_path / "b", replace(SETTINGS, keep_empty=True))
    assert [scene.num_boxes for scene in kept] == [2, 0]


def test_an_image_that_cannot_be_read_stops_no_other(
    release: tuple[Path, list[WrittenImage]], tmp_path: Path
) -> None:
    folder = tmp_path / "raw"
    shutil.copytree(release[0], folder)
    images, *_ = find_images(folder, "v1")
    depth = images[0].depth_file
    Image.fromarray(np.zeros((72, 96), np.uint16)).save(depth)  # no measurement
    images[1].color_file.write_bytes(images[1].color_file.read_bytes()[:100])
    images[2].depth_file.unlink()
    finished, failures = convert_images(images, tmp_path / "scenes", SETTINGS)
    assert [scene.scene for scene in finished] == ["000004"]
    assert "has no pixel with depth" in failures["000001"]
    assert "is damaged" in failures["000002"]
    assert "does not exist" in failures["000003"]
    few = replace(images[3])
    values = read_depth(few.depth_file)
    values[:, 5:] = 0
    Image.fromarray(store_depth(values)).save(few.depth_file)
    (scene,), _ = convert_images([few], tmp_path / "few", SETTINGS)
    assert scene.notes[0].startswith("only ")


def test_the_matlab_folder_s_text_is_checked(real_data: Path, tmp_path: Path) -> None:
    source = real_data / "sunrgbd_trainval"
    for name in ("calib", "label_v1"):
        shutil.copytree(source / name, tmp_path / name)
        for path in (tmp_path / name).iterdir():
            path.chmod(0o644)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "depth").symlink_to(source / "depth")
    (tmp_path / "train_data_idx.txt").write_text("1\n2\n3\n")
    (tmp_path / "val_data_idx.txt").write_text("4\n")
    images, notes, *_ = find_images(tmp_path, "v1")
    assert [image.split for image in images] == ["train"] * 3 + ["validation"]
    assert not notes
    with pytest.raises(InputError, match=r"label is not a folder; --labels v2"):
        find_images(tmp_path, "v2")
    (tmp_path / "val_data_idx.txt").write_text("3\n")
    with pytest.raises(InputError, match="3 is in both lists"):
        find_images(tmp_path, "v1")
    (tmp_path / "val_data_idx.txt").write_text("4\n")
    label = tmp_path / "label_v1" / "000002.txt"
    label.write_text("bed 1 2 3\n")
    (reason,) = find_images(tmp_path, "v1").failures.values()
    assert "000002.txt, line 1 must be a class and 12 numbers" in reason
    label.write_text("")
    assert not find_images(tmp_path, "v1").images[1].annotations
    label.unlink()
    found = find_images(tmp_path, "v1")
    assert "000002.txt does not exist, and an image without" in found.failures["000002"]
    assert "1 images have no label file" in found.notes[0]
    (tmp_path / "calib" / "000001.txt").write_text("1 2 3\n")
    (tmp_path / "calib" / "000003.txt").write_text(f"{'0 ' * 9}\n1 0 0 0 1 0 0 0 1\n")
    (tmp_path / "calib" / "000004.txt").unlink()
    found = find_images(tmp_path, "v1")
    assert not found.images
    assert "two lines of nine numbers" in found.failures["000001"]
    assert "000003.txt: Rtilt has axes that are not orthonormal" in found.failures["000003"]
    assert "000004.txt does not exist" in found.failures["000004"]


def test_the_report_and_lists_of_the_command(
    release: tuple[Path, list[WrittenImage]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = [REPOSITORY / "datasets" / "sunrgbd.py", "scenes", release[0]]
    said = output_of([*command, "--output", tmp_path, "--max-points", "500"])
    assert "4 images: 2 for training, 2 for validation" in said
    assert (tmp_path / "train.txt").read_text().splitlines()[1:] == ["000003", "000004"]
    assert json.loads((tmp_path / "box_statistics.json").read_text())["num_scenes"] == 2
