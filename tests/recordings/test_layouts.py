"""Both layouts of RGB-D frames: correct input, and every kind of bad input."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pointcontrast.errors import InputError
from pointcontrast.recordings.layouts import find_sequences, open_merged, open_sequence
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.sequence import FrameError
from tests.helpers.small_scenes import (
    HEIGHT,
    INTRINSICS,
    WIDTH,
    save_depth,
    walk,
    write_image_folder,
    write_seven_scenes,
)

WRITERS = {"seven_scenes": write_seven_scenes, "image_folder": write_image_folder}


@pytest.fixture(params=list(WRITERS))
def layout(request):
    return request.param


@pytest.fixture
def folder(layout, tmp_path):
    return WRITERS[layout](tmp_path / "scene", walk(3))


def depth_path(folder: Path, index: int) -> Path:
    return sorted([*folder.glob("*.depth.png"), *folder.glob("depth/*")])[index]


def color_path(folder: Path, index: int) -> Path:
    return sorted([*folder.glob("*.color.*"), *folder.glob("images/*")])[index]


def set_pose(folder: Path, index: int, text: str) -> None:
    if (folder / "poses.txt").exists():
        rows = (folder / "poses.txt").read_text().splitlines()
        rows[index] = text
        (folder / "poses.txt").write_text("\n".join(rows))
    else:
        sorted(folder.glob("*.pose.txt"))[index].write_text(
            "\n".join(" ".join(row) for row in np.reshape(text.split(), (-1, 4)))
            if len(text.split()) % 4 == 0
            else text
        )


def test_reads_what_was_written(folder, layout):
    sequence = open_sequence(folder)
    assert (sequence.layout, sequence.name, len(sequence)) == (layout, "scene", 3)
    assert len(set(sequence.frame_ids)) == 3
    for index, expected in enumerate(walk(3)):
        frame = sequence.read(index)
        assert frame.frame_id == sequence.frame_ids[index]
        assert frame.depth.dtype == np.float32
        np.testing.assert_allclose(frame.depth, expected.depth, atol=5.1e-4)
        np.testing.assert_array_equal(frame.color, expected.color)
        np.testing.assert_allclose(frame.intrinsics, INTRINSICS)
        np.testing.assert_allclose(frame.world_from_camera, expected.world_from_camera)


def test_invalid_depths_become_zero(folder):
    image = np.full((HEIGHT, WIDTH), 1500, dtype=np.uint16)
    image[0, :2] = 0, 65535
    Image.fromarray(image).save(depth_path(folder, 0))
    depth = open_sequence(folder).read(0).depth
    assert depth[0, :3].tolist() == [0, 0, 1.5]


def _cut(path: Path, share: float = 0.5) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def _depth_as(image: Image.Image):
    return lambda folder: image.save(depth_path(folder, 1))


BAD_FRAMES = {
    "depth cut short": (lambda f: _cut(depth_path(f, 1)), "cut short"),
    "depth cut in its header": (lambda f: _cut(depth_path(f, 1), 0.02), "cut short|cannot be read"),
    "depth empty": (lambda f: depth_path(f, 1).write_bytes(b""), "not an image"),
    "depth of 8 bits": (_depth_as(Image.new("L", (WIDTH, HEIGHT))), "16 bits"),
    "depth in colour": (_depth_as(Image.new("RGB", (WIDTH, HEIGHT))), "16 bits"),
    "depth of another size": (lambda f: save_depth(depth_path(f, 1), np.ones((30, 40))), "40 x 30"),
    "depth missing": (lambda f: depth_path(f, 1).unlink(), "missing"),
    "colour cut short": (lambda f: _cut(color_path(f, 1)), "cut short"),
    "colour missing": (lambda f: color_path(f, 1).unlink(), "missing"),
    "colour of another shape": (
        lambda f: Image.new("RGB", (60, 60)).save(color_path(f, 1)),
        "not registered",
    ),
    "pose with NaN": (lambda f: set_pose(f, 1, "nan " * 16), "NaN"),
    "pose with inf": (lambda f: set_pose(f, 1, "-inf " * 16), "infinite"),
    "pose scaled": (
        lambda f: set_pose(f, 1, "2 0 0 0 0 2 0 0 0 0 2 0 0 0 0 1"),
        "not a rigid transform.*orthonormal",
    ),
    "pose too short": (lambda f: set_pose(f, 1, "1 0 0"), "3 numbers"),
    "pose of words": (lambda f: set_pose(f, 1, "lost " * 16), "numbers"),
}


@pytest.mark.parametrize("kind", BAD_FRAMES)
def test_a_bad_frame_is_an_error_of_that_frame_only(folder, kind):
    spoil, reason = BAD_FRAMES[kind]
    spoil(folder)
    sequence = open_sequence(folder)
    assert len(sequence) == 3
    with pytest.raises(FrameError, match=f"(?s){folder.name}.*({reason})"):
        sequence.read(1)
    sequence.read(0)
    sequence.read(2)


def test_a_jpeg_cut_short_is_an_error(tmp_path):
    rng = np.random.default_rng(0)
    folder = write_seven_scenes(tmp_path / "scene", walk(2), suffix="jpg")
    noisy = rng.integers(0, 255, size=(HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(noisy).save(color_path(folder, 1))
    open_sequence(folder).read(1)
    _cut(color_path(folder, 1), 0.7)
    with pytest.raises(FrameError, match="cut short"):
        open_sequence(folder).read(1)


def test_colour_of_another_size_is_resized_to_the_depth_image(folder):
    for index in range(3):
        image = Image.open(color_path(folder, index)).resize((2 * WIDTH, 2 * HEIGHT))
        image.save(color_path(folder, index))
    frame = open_sequence(folder).read(0)
    assert frame.color.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(frame.color.astype(int) - walk(1)[0].color).mean() < 8


def test_colour_may_be_absent_altogether(folder):
    for path in [*folder.glob("*.color.*"), *folder.glob("images/*")]:
        path.unlink()
    assert open_sequence(folder).read(1).color is None


BAD_FOLDERS = {
    "intrinsics missing": (lambda f: _intrinsics(f).unlink(), "intrinsics|K.txt"),
    "intrinsics 3 x 4": (lambda f: np.savetxt(_intrinsics(f), np.eye(4)[:3]), "3 x 3"),
    "intrinsics of words": (lambda f: _intrinsics(f).write_text("fx fy"), "numbers"),
    "intrinsics with NaN": (
        lambda f: np.savetxt(_intrinsics(f), INTRINSICS * [[np.nan], [1], [1]]),
        "pinhole",
    ),
    "intrinsics of another image": (
        lambda f: np.savetxt(_intrinsics(f), INTRINSICS * [[2], [2], [1]]),
        "another image size",
    ),
}


def _intrinsics(folder: Path) -> Path:
    return next(
        path for path in folder.iterdir() if path.name in ("K.txt", "camera-intrinsics.txt")
    )


@pytest.mark.parametrize("kind", BAD_FOLDERS)
def test_a_folder_without_good_intrinsics_is_an_error(folder, kind):
    spoil, reason = BAD_FOLDERS[kind]
    spoil(folder)
    with pytest.raises(InputError, match=reason) as caught:
        open_sequence(folder)
    assert str(folder) in str(caught.value)
    assert not isinstance(caught.value, FrameError)


def test_intrinsics_may_be_passed(folder):
    _intrinsics(folder).unlink()
    np.testing.assert_array_equal(
        open_sequence(folder, RecordingOptions(intrinsics=INTRINSICS)).read(0).intrinsics,
        INTRINSICS,
    )


def test_the_number_of_poses_must_be_that_of_frames(tmp_path):
    folder = write_image_folder(tmp_path / "scene", walk(3))
    (folder / "poses.txt").write_text((folder / "poses.txt").read_text().split("\n", 1)[1])
    with pytest.raises(InputError, match=r"poses\.txt has 2 rows for 3 frames"):
        open_sequence(folder)


def test_rows_of_poses_go_to_frames_in_the_order_of_their_numbers(tmp_path):
    folder = write_image_folder(tmp_path / "scene", walk(3))
    for sub in ("images", "depth"):
        for old, new in (("00001", "2"), ("00002", "10")):
            (folder / sub / f"{old}.png").rename(folder / sub / f"{new}.png")
    sequence = open_sequence(folder)
    assert sequence.frame_ids == ("00000", "2", "10")
    assert "order of their numbers (00000, 2, 10, ...)" in sequence.notes[0]
    for index, frame in enumerate(walk(3)):
        read = sequence.read(index)
        np.testing.assert_array_equal(read.color, frame.color)
        np.testing.assert_array_equal(read.world_from_camera, frame.world_from_camera)


def test_a_broken_link_beside_a_scene_is_passed_over(folder):
    (folder.parent / "gone").symlink_to(folder.parent / "nowhere")
    assert find_sequences(folder.parent) == [folder]


def test_folders_that_hold_nothing(tmp_path):
    with pytest.raises(InputError, match="gone does not exist"):
        find_sequences(tmp_path / "gone")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="no frames in a known layout"):
        open_sequence(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    for function in (find_sequences, open_sequence):
        with pytest.raises(InputError, match=r"empty holds no frames.*seven_scenes.*image_folder"):
            function(tmp_path / "empty")


def test_two_fragments_merge_into_one_scene_with_the_parents_intrinsics(tmp_path):
    frames = walk(4)
    root = tmp_path / "room"
    for name, part in (("a", frames[:2]), ("b", frames[2:])):
        write_seven_scenes(root / name, part)
        (root / name / "camera-intrinsics.txt").rename(root / "camera-intrinsics.txt")
    assert find_sequences(root) == [root / "a", root / "b"]
    merged = open_merged(root)
    assert merged.frame_ids[1:3] == ("a/frame-000001", "b/frame-000002")
    pose = merged.read(3).world_from_camera
    np.testing.assert_allclose(pose, frames[3].world_from_camera)
    (root / "a" / "up.txt").write_text("0 0 2")
    np.testing.assert_array_equal(open_merged(root).up, [0, 0, 1])
    (root / "b" / "up.txt").write_text("0 1 0")
    with pytest.raises(InputError, match="different up"):
        open_merged(root)


def test_the_fingerprint_tells_that_a_file_changed(folder):
    before = open_sequence(folder).fingerprint()
    assert open_sequence(folder).fingerprint() == before
    _cut(depth_path(folder, 0), 0.9)
    assert open_sequence(folder).fingerprint() != before


@pytest.mark.parametrize("up", ["0 0 0", "nan 0 1", "1 2"])
def test_a_stated_up_direction_must_be_one(folder, up):
    (folder / "up.txt").write_text(up)
    with pytest.raises(InputError, match=r"up\.txt"):
        open_sequence(folder)


def test_a_corrected_pose_or_camera_file_changes_the_fingerprint(folder):
    """The size stays: one digit is another."""
    sequence = open_sequence(folder)
    for path in [path for path in sequence.files() if path.suffix == ".txt"]:
        before = sequence.fingerprint()
        text = path.read_bytes()
        digit = next(i for i, value in enumerate(text) if chr(value) in "12345678")
        path.write_bytes(text[:digit] + bytes([text[digit] + 1]) + text[digit + 1 :])
        assert sequence.fingerprint() != before
