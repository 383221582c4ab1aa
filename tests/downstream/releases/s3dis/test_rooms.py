"""Rooms to scenes, against a slow reader, on generated and real rooms."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from downstream.releases.grid import GridSettings
from downstream.releases.s3dis.classes import CLASS_NAMES
from downstream.releases.s3dis.rooms import convert_room, convert_rooms, find_rooms
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import LabelledScene, read_labelled_scene
from pointcontrast.preparation.workers import Workers

CLASSES = [
    "ceiling", "floor", "wall", "beam", "column", "window", "door", "table", "chair", "sofa",
    "bookcase", "board", "clutter",
]  # fmt: skip
ALL = GridSettings()


class SlowRoom:
    """Every point of a room, line by line.

    ``coord`` (N, 3) float64, ``color`` (N, 3) int, ``semantic`` (N,) places in ``CLASSES``,
    ``instance`` (N,) places in the sorted list of files.
    """

    def __init__(self, room: Path) -> None:
        points: list[list[float]] = []
        semantic, instance = [], []
        for number, path in enumerate(sorted((room / "Annotations").iterdir())):
            for line in path.read_text("ascii").splitlines():
                points.append([float(word) for word in line.split(" ")])
                semantic.append(CLASSES.index(path.name.split("_")[0]))
                instance.append(number)
        self.coord = np.array(points)[:, :3]
        self.color = np.array(points)[:, 3:].astype(int)
        self.semantic, self.instance = np.array(semantic), np.array(instance)


def convert(room: Path, output: Path, settings: GridSettings = ALL) -> LabelledScene:
    summary = convert_room(room, output, settings)
    assert summary.scene == f"{room.parent.name}/{room.name}"
    assert summary.notes == ()
    return read_labelled_scene(output / summary.scene)


def check_room(room: Path, output: Path) -> SlowRoom:
    scene, slow = convert(room, output), SlowRoom(room)
    np.testing.assert_array_equal(scene.coord, slow.coord.astype(np.float32))
    np.testing.assert_array_equal(scene.color, slow.color)
    np.testing.assert_array_equal(scene.semantic, slow.semantic)
    np.testing.assert_array_equal(scene.instance, slow.instance)
    assert scene.class_names == CLASS_NAMES == tuple(CLASSES)
    assert scene.up_axis == "z"
    assert scene.source == {"dataset": "S3DIS", "room": f"{room.parent.name}/{room.name}"}
    files = sorted((room / "Annotations").iterdir())
    assert scene.details == {"notes": [], "objects": [path.stem for path in files]}
    return slow


def test_real_points_come_through_unchanged(real_room: Path, tmp_path: Path) -> None:
    slow = check_room(real_room, tmp_path)
    assert len(slow.coord) == 41568
    assert {CLASS_NAMES[row] for row in slow.semantic} == {
        "chair",
        "clutter",
        "floor",
        "table",
        "wall",
    }


def test_generated_rooms_come_through_unchanged(release: Path, tmp_path: Path) -> None:
    rooms = find_rooms(release)
    assert [f"{room.parent.name}/{room.name}" for room in rooms] == [
        "Area_1/office_1",
        "Area_5/office_1",
    ]
    for room in rooms:
        slow = check_room(room, tmp_path)
        assert len(np.unique(slow.semantic)) >= 6
        assert len(np.unique(slow.instance)) > 10


@pytest.mark.parametrize("size", [0.05, 0.3])
@pytest.mark.parametrize("which", ["real", "generated"])
def test_the_grid_keeps_one_point_a_cell_and_no_doubtful_label(
    request: pytest.FixtureRequest, tmp_path: Path, which: str, size: float
) -> None:
    room = request.getfixturevalue("real_room" if which == "real" else "room")
    scene, slow = convert(room, tmp_path, GridSettings(grid=size)), SlowRoom(room)
    assert slow.coord.min() < 0, "cells on both sides of the origin"
    cells: dict[tuple[int, ...], list[int]] = {}
    for row, place in enumerate(np.floor(slow.coord.astype(np.float32) / np.float32(size))):
        cells.setdefault(tuple(place.astype(int)), []).append(row)
    kept = [rows[0] for rows in cells.values()]  # a dict keeps the order in which cells appear
    assert len(kept) < len(slow.coord)
    np.testing.assert_array_equal(scene.coord, slow.coord[kept].astype(np.float32))
    np.testing.assert_array_equal(scene.color, slow.color[kept])
    np.testing.assert_array_equal(scene.instance, slow.instance[kept])
    labels = [{int(slow.semantic[row]) for row in rows} for rows in cells.values()]
    expected = [each.pop() if len(each) == 1 else -1 for each in labels]
    np.testing.assert_array_equal(scene.semantic, expected)
    assert -1 in expected or which == "generated"


def test_a_second_run_makes_nothing_again(release: Path, tmp_path: Path) -> None:
    def reused(settings: GridSettings) -> list[bool]:
        finished, failures = convert_rooms(rooms, tmp_path / "out", settings)
        assert not failures
        return [scene.reused for scene in finished]

    raw = tmp_path / "raw"
    shutil.copytree(release, raw)
    rooms = find_rooms(raw)
    assert reused(ALL) == [False, False]
    assert reused(ALL) == [True, True]
    with (raw / "Area_1" / "office_1" / "Annotations" / "floor_1.txt").open("a") as file:
        file.write("1 2 3 4 5 6\n")
    assert reused(ALL) == [False, True]
    (tmp_path / "out" / "Area_5" / "office_1" / "color.npy").unlink()
    assert reused(ALL) == [True, False]
    assert reused(GridSettings(grid=0.1)) == [False, False]


def test_a_folder_that_is_no_scene_is_not_replaced(release: Path) -> None:
    rooms = find_rooms(release)
    finished, failures = convert_rooms(rooms, release, ALL)  # the release as the output
    assert not finished
    assert all("not a scene; give another --output" in why for why in failures.values())
    assert (rooms[0] / "Annotations").is_dir()


def test_processes_change_nothing(release: Path, tmp_path: Path) -> None:
    for workers in (1, 2):
        convert_rooms(
            find_rooms(release), tmp_path / str(workers), ALL, Workers(num_workers=workers)
        )
    files = sorted(path for path in (tmp_path / "1").rglob("*") if path.is_file())
    assert len(files) == 2 * 5
    for path in files:
        assert path.read_bytes() == (tmp_path / "2" / path.relative_to(tmp_path / "1")).read_bytes()


def test_other_folders_are_skipped(room: Path, tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    (raw / "Area_5" / "Area_5_alignmentAngle.txt").write_text("## Global alignment angle\n")
    (raw / "Area_5" / ".DS_Store").write_bytes(b"\x00")
    (raw / "Area_5" / ".trash").mkdir()
    (raw / "Area_7" / "office_1").mkdir(parents=True)
    (raw / "Icon\r").write_bytes(b"")
    assert find_rooms(raw) == [room]
    assert find_rooms(raw, areas=(5, 1)) == [room]


def test_releases_that_are_not_there_are_named(tmp_path: Path, release: Path) -> None:
    with pytest.raises(InputError, match="nowhere is not a folder"):
        find_rooms(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no room"):
        find_rooms(release, areas=(3,))
    for grid in (-1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match=f"--grid {grid} must be"):
            GridSettings(grid=grid)


MEMORY = """
import resource, sys
from pathlib import Path
from downstream.releases.grid import GridSettings
from downstream.releases.s3dis.rooms import convert_rooms, find_rooms
rooms = find_rooms(Path(sys.argv[1]))[: int(sys.argv[3])]
finished, failures = convert_rooms(rooms, Path(sys.argv[2]), GridSettings())
assert len(finished) == len(rooms), failures
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_number_of_rooms(tmp_path: Path) -> None:
    folder = tmp_path / "raw" / "Area_1" / "hall_1" / "Annotations"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("floor_1", "wall_1", "wall_2"):
        rows = rng.integers(0, 256, (100_000, 6))
        np.savetxt(folder / f"{name}.txt", rows, "%d.5 %d.25 %d.125 %d %d %d")
    for number in range(2, 9):
        shutil.copytree(folder.parent, folder.parents[1] / f"hall_{number}")
    peaks = {}
    for count in (2, 8):
        arguments = [tmp_path / "raw", tmp_path / str(count), count]
        command = [sys.executable, "-c", MEMORY, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks[count] = 1024 * int(done.stdout)
    arrays = sum(path.stat().st_size for path in (tmp_path / "8").rglob("*.npy"))
    assert arrays > 50e6
    # if rooms stayed in memory, the peak would rise by at least 6/8 of this
    assert peaks[8] - peaks[2] < 0.25 * arrays
