"""E57: scans with poses, colours of any depth, spherical coordinates, points without a return."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pointcontrast.errors import InputError
from pointcontrast.geometry import rotation_about, transform_points
from pointcontrast.preparation.prepare import prepare
from pointcontrast.recordings.layouts import find_sequences, open_sequence
from pointcontrast.recordings.options import RecordingOptions
from pointcontrast.recordings.point_files import read_point_file
from pointcontrast.scenes.pairs import PAIRS_FILE, read_pairs
from tests.helpers.box_world import colors_of, hidden, world_points
from tests.recordings.file_formats.e57_writer import write_e57

WORLD = world_points(0.08)


def setup_at(position: tuple[float, float, float], turn: float) -> dict:
    """What a scanner at a place sees of the box world, in its frame, with its pose."""
    pose = np.eye(4)
    pose[:3, :3] = rotation_about([0, 0, 1], turn)
    pose[:3, 3] = position
    seen = WORLD[~hidden(WORLD, np.array(position), margin=0.02)]
    points = (seen - pose[:3, 3]) @ pose[:3, :3]
    return {"points": points, "colors": colors_of(seen), "pose": pose, "truth": seen}


SETUPS = [setup_at((1.5, 2.0, 1.5), 0.4), setup_at((4.5, 2.5, 1.4), -2.0), setup_at((3, 3.2, 1), 3)]


@pytest.mark.parametrize("spherical", [False, True])
@pytest.mark.parametrize("times", [1, 257])
def test_scan_positions_are_views(tmp_path: Path, spherical: bool, times: int) -> None:
    scans = [
        {**each, "colors": each["colors"].astype(int) * times, "largest": 255 * times}
        for each in SETUPS
    ]
    path = write_e57(tmp_path / "site.e57", [{**scan, "spherical": spherical} for scan in scans])
    sequence = open_sequence(path)
    assert sequence.layout == "e57"
    assert sequence.frame_ids == ("scan-0000", "scan-0001", "scan-0002")
    assert sequence.notes == ()
    for index, setup in enumerate(SETUPS):
        sweep = sequence.read(index)
        assert not sweep.is_camera
        np.testing.assert_allclose(sweep.world_from_sensor, setup["pose"], atol=1e-12)
        np.testing.assert_allclose(sweep.cloud.points, setup["points"], atol=1e-5)
        np.testing.assert_array_equal(sweep.cloud.colors, setup["colors"])
        world = transform_points(sweep.world_from_sensor, sweep.cloud.points)
        np.testing.assert_allclose(world, setup["truth"], atol=1e-5)


def test_scan_positions_become_pairs(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_e57(tmp_path / "in" / "site.e57", SETUPS)
    summary = prepare([tmp_path / "in"], tmp_path / "out")
    assert not summary.failures
    pairs = read_pairs(tmp_path / "out" / PAIRS_FILE)
    assert {(pair.view0, pair.view1) for pair in pairs} == {(0, 1), (0, 2), (1, 2)}
    assert summary.scenes[0].meta.sensor == "lidar"


def test_a_georeferenced_scan_without_a_pose_keeps_its_digits(tmp_path: Path) -> None:
    place = np.array([452_345.0, 5_234_567.0, 412.0])
    scans = [{"points": each["truth"] + place, "colors": each["colors"]} for each in SETUPS]
    path = write_e57(tmp_path / "site.e57", scans)
    sequence = open_sequence(path)
    assert sequence.notes[0].endswith("3 of its 3 scans have no pose: taken for scans in the frame "
                                      "of the file")  # fmt: skip
    for index, setup in enumerate(SETUPS):
        sweep = sequence.read(index)
        assert np.abs(sweep.cloud.points).max() < 10
        world = sweep.cloud.points + sweep.world_from_sensor[:3, 3]
        np.testing.assert_allclose(world, setup["truth"] + place, atol=1e-6)


def test_one_scan_is_a_reconstruction(tmp_path: Path) -> None:
    path = write_e57(tmp_path / "one.e57", [{"points": WORLD, "colors": colors_of(WORLD)}])
    assert find_sequences(tmp_path) == [path]
    sequence = open_sequence(path)
    assert sequence.layout == "reconstruction"
    assert len(sequence) >= 24
    assert sequence.read(0).cloud.colors is not None


def test_all_scans_are_one_cloud_to_predict_on(tmp_path: Path) -> None:
    intensity = [np.linspace(0, 1, len(each["points"])) for each in SETUPS]
    scans = [{**each, "intensity": i} for each, i in zip(SETUPS, intensity, strict=True)]
    stored = read_point_file(write_e57(tmp_path / "site.e57", scans))
    truth = np.concatenate([each["truth"] for each in SETUPS])
    np.testing.assert_allclose(stored.points, truth, atol=1e-6)
    np.testing.assert_array_equal(stored.colors, colors_of(truth))
    np.testing.assert_allclose(stored.fields["intensity"], np.concatenate(intensity), atol=1e-6)
    assert stored.unit == 1


def test_points_without_a_return_are_left_out(tmp_path: Path) -> None:
    invalid = np.zeros(len(WORLD))
    invalid[::3] = 2
    points = np.where(invalid[:, None] > 0, 0, WORLD)
    stored = read_point_file(
        write_e57(tmp_path / "a.e57", [{"points": points, "invalid": invalid}])
    )
    np.testing.assert_allclose(stored.points, WORLD[invalid == 0], atol=1e-6)
    assert stored.colors is None


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    path = write_e57(tmp_path / "site.e57", SETUPS)
    for option in ({"unit": 0.001}, {"poses": "inverse"}):
        with pytest.raises(InputError, match=r"site\.e57 is an E57.*does not apply"):
            open_sequence(path, RecordingOptions(**option))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"site\.e57 is damaged or cut short"):
        len(open_sequence(path))
    (tmp_path / "no.e57").write_text("hello")
    with pytest.raises(InputError, match=r"no\.e57 is damaged or cut short"):
        read_point_file(tmp_path / "no.e57")
    with pytest.raises(InputError, match=r"absent\.e57 does not exist"):
        read_point_file(tmp_path / "absent.e57")
