from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from downstream.releases.s3dis.classes import CLASS_NAMES, class_row
from downstream.releases.s3dis.rooms import RoomSettings, convert_room, convert_rooms, find_rooms
from downstream.releases.s3dis.synthetic import write_s3dis_release
from downstream.releases.s3dis.text import read_points
from pointcontrast.errors import InputError
from pointcontrast.labelled_scene import problems_of_scene, read_labelled_scene

SCRIPT = Path(__file__).resolve().parents[4] / "datasets" / "s3dis.py"
ALL = RoomSettings()


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("s3dis")
    write_s3dis_release(folder, 1, seed=3, areas=(1, 5), density=40)
    return folder


def slow_room(room: Path) -> tuple[np.ndarray, np.ndarray]:
    """Every point of a room, line by line, with its class."""
    points, labels = [], []
    for path in sorted((room / "Annotations").glob("*.txt")):
        name = path.stem.rsplit("_", 1)[0]
        for line in path.read_text().splitlines():
            points.append([float(word) for word in line.split()])
            labels.append(CLASS_NAMES.index(name))
    return np.array(points), np.array(labels)


def check_room(room: Path, output: Path) -> None:
    summary = convert_room(room, output, ALL)
    scene = read_labelled_scene(output / summary.scene)
    points, labels = slow_room(room)
    np.testing.assert_array_equal(scene.coord, points[:, :3].astype(np.float32))
    np.testing.assert_array_equal(scene.color, points[:, 3:].astype(np.uint8))
    np.testing.assert_array_equal(scene.semantic, labels)
    assert scene.class_names == CLASS_NAMES
    for instance in np.unique(scene.instance):
        assert len(np.unique(scene.semantic[scene.instance == instance])) == 1
    assert scene.instance.max() + 1 == len(list((room / "Annotations").glob("*.txt")))


def test_real_points_come_through_unchanged(real_data: Path, tmp_path: Path) -> None:
    check_room(real_data / "s3dis_raw" / "Area_5" / "crop_1", tmp_path)


def test_generated_rooms_come_through_unchanged(release: Path, tmp_path: Path) -> None:
    rooms = find_rooms(release)
    assert [f"{room.parent.name}/{room.name}" for room in rooms] == [
        "Area_1/office_1",
        "Area_5/office_1",
    ]
    for room in rooms:
        check_room(room, tmp_path)
        whole = (room / f"{room.name}.txt").read_text()  # the file without labels
        assert len(whole.splitlines()) == len(slow_room(room)[0])


def test_a_second_run_makes_nothing_again(release: Path, tmp_path: Path) -> None:
    rooms = find_rooms(release)
    first, failures = convert_rooms(rooms, tmp_path, ALL, num_workers=2)
    assert not failures
    assert [scene.reused for scene in first] == [False, False]
    again, _ = convert_rooms(rooms, tmp_path, ALL)
    assert [scene.reused for scene in again] == [True, True]
    other, _ = convert_rooms(rooms, tmp_path, RoomSettings(grid=0.1))
    assert [scene.reused for scene in other] == [False, False]


def test_processes_change_nothing(release: Path, tmp_path: Path) -> None:
    for workers in (1, 2):
        convert_rooms(find_rooms(release), tmp_path / str(workers), ALL, num_workers=workers)
    for path in sorted((tmp_path / "1").rglob("*.npy")):
        assert path.read_bytes() == (tmp_path / "2" / path.relative_to(tmp_path / "1")).read_bytes()


def test_the_grid_keeps_one_point_a_cell_and_no_doubtful_label(
    real_data: Path, tmp_path: Path
) -> None:
    room = real_data / "s3dis_raw" / "Area_5" / "crop_1"
    convert_room(room, tmp_path, RoomSettings(grid=0.05))
    scene = read_labelled_scene(tmp_path / "Area_5" / "crop_1")
    points, labels = slow_room(room)
    cells: dict[tuple[int, ...], list[int]] = {}
    for row, place in enumerate(np.floor(points[:, :3].astype(np.float32) / np.float32(0.05))):
        cells.setdefault(tuple(place.astype(int)), []).append(row)
    rows = sorted(members[0] for members in cells.values())
    np.testing.assert_array_equal(scene.coord, points[rows, :3].astype(np.float32))
    first = {members[0]: {int(labels[m]) for m in members} for members in cells.values()}
    expected = [first[row].pop() if len(first[row]) == 1 else -1 for row in rows]
    np.testing.assert_array_equal(scene.semantic, expected)
    assert (scene.semantic == -1).any()


@pytest.fixture
def room(release: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    copy = tmp_path / "Area_5" / "office_1"
    shutil.copytree(release / "Area_5" / "office_1", copy)
    return copy


def edit_line(path: Path, number: int, line: bytes) -> bytes:
    lines = path.read_bytes().split(b"\n")
    old, lines[number - 1] = lines[number - 1], line
    path.write_bytes(b"\n".join(lines))
    return old


@pytest.mark.parametrize(
    ("line", "values"),
    [
        (b"1.5 2.5 3.0 103.0\x100000 7 9", (1.5, 2.5, 3.0, 103, 7, 9)),  # 0 without a bit
        (b"19.302 -9.1\x160 1.250 1 2 3", (19.302, -9.16, 1.25, 1, 2, 3)),  # 6
        (b"1.5 2.5 3.0 1\x185 7 9", (1.5, 2.5, 3.0, 185, 7, 9)),  # 8
        (b"1.5 2.5 3.0 185\x187 9", (1.5, 2.5, 3.0, 185, 7, 9)),  # no digit fits: a space
        (b"1.5\x002.5 3.0 1 2 3", (1.5, 2.5, 3.0, 1, 2, 3)),  # a space without its bit
    ],
)
def test_bad_bytes_are_mended_and_named(room: Path, line: bytes, values: tuple) -> None:
    path = room / "Annotations" / "ceiling_1.txt"
    edit_line(path, 3, line)
    found = read_points(path)
    np.testing.assert_allclose(found.coord[2], np.float32(values[:3]))
    np.testing.assert_array_equal(found.color[2], values[3:])
    (note,) = found.notes
    assert note.startswith("ceiling_1.txt, line 3: ")
    summary = convert_room(room, room.parents[1] / "out", ALL)
    assert summary.notes == (note,)


def test_extra_spaces_and_line_ends_do_not_matter(room: Path) -> None:
    path = room / "Annotations" / "ceiling_1.txt"
    before = read_points(path)
    path.write_bytes(b"\n" + path.read_bytes().replace(b" ", b"  ").replace(b"\n", b" \r\n"))
    after = read_points(path)
    np.testing.assert_array_equal(after.coord, before.coord)
    np.testing.assert_array_equal(after.color, before.color)
    assert not after.notes


@pytest.mark.parametrize(
    "line",
    [
        b"1.5 2.5 3.0 1 2",
        b"1.5 2.5 3.0 1 2 3 4",
        b"1.5 2.5 3.0 1 2 x",
        b"1.5 nan 3.0 1 2 3",
        b"1.5 inf 3.0 1 2 3",
        b"1.5 2.5 3.0 1 2 256",
        b"1.5 2.5 3.0 1 -2 3",
        b"1.5 2.5 3.0 1 2 \x01x",
        b"\xff\xfe",
    ],
)
def test_lines_that_make_no_sense_are_named(room: Path, line: bytes) -> None:
    path = room / "Annotations" / "ceiling_1.txt"
    edit_line(path, 4, line)
    with pytest.raises(InputError, match=r"ceiling_1\.txt, line 4: .* is not `x y z r g b`"):
        read_points(path)


def test_bad_rooms_are_named_and_stop_no_other(room: Path, tmp_path: Path) -> None:
    (room / "Annotations" / ".DS_Store").write_bytes(b"\x00")
    (room.parent / "Area_5_alignmentAngle.txt").write_text("# angles\n")
    no_folder = room.parent / "hall"
    no_folder.mkdir()
    shutil.copytree(room, room.parent / "strange")
    (room.parent / "strange" / "Annotations" / "spaceship_1.txt").write_text("1 2 3 4 5 6\n")
    shutil.copytree(room, room.parent / "empty")
    (room.parent / "empty" / "Annotations" / "ceiling_1.txt").write_text("")
    finished, failures = convert_rooms(find_rooms(tmp_path), tmp_path / "out", ALL)
    assert [scene.scene for scene in finished] == ["Area_5/office_1"]
    assert "hall has no annotations" in failures["Area_5/hall"]
    assert "spaceship_1.txt: the name says no known class" in failures["Area_5/strange"]
    assert "ceiling_1.txt is empty" in failures["Area_5/empty"]


def test_stairs_are_ignored_and_noted(room: Path, tmp_path: Path) -> None:
    shutil.copy(room / "Annotations" / "floor_1.txt", room / "Annotations" / "stairs_1.txt")
    summary = convert_room(room, tmp_path / "out", ALL)
    scene = read_labelled_scene(tmp_path / "out" / summary.scene)
    count = len(read_points(room / "Annotations" / "floor_1.txt").coord)
    assert (scene.semantic == -1).sum() == count
    assert summary.notes == (f"stairs_1.txt: {count} points of a class that is ignored",)
    assert class_row(Path("stairs_2.txt")) == -1


def test_releases_that_are_not_there_are_named(tmp_path: Path, release: Path) -> None:
    with pytest.raises(InputError, match="nowhere is not a folder"):
        find_rooms(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no room"):
        find_rooms(release, areas=(3,))
    with pytest.raises(InputError, match="--grid -1"):
        RoomSettings(grid=-1)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_converts_and_verifies(release: Path, tmp_path: Path) -> None:
    done = run("rooms", release, "--output", tmp_path / "out", "--areas", 5)
    assert done.returncode == 0, done.stderr
    assert "1 scenes (0 finished before)" in done.stdout
    assert "points a second" in done.stdout
    assert run("verify", tmp_path / "out").stdout == "1 of 1 scenes are whole\n"
    coord = tmp_path / "out" / "Area_5" / "office_1" / "coord.npy"
    data = bytearray(coord.read_bytes())
    data[-1] ^= 1
    coord.write_bytes(data)
    bad = run("verify", tmp_path / "out")
    assert bad.returncode == 1
    assert "coord.npy is damaged" in bad.stderr
    assert len(problems_of_scene(coord.parent)) == 1


MEMORY = """
import resource, sys
from pathlib import Path
from downstream.releases.s3dis.rooms import RoomSettings, convert_rooms, find_rooms
rooms = find_rooms(Path(sys.argv[1]))[: int(sys.argv[3])]
convert_rooms(rooms, Path(sys.argv[2]), RoomSettings())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_number_of_rooms(tmp_path: Path) -> None:
    (first,) = write_s3dis_release(tmp_path / "raw", 1, areas=(1,), density=1200)
    for number in range(2, 7):  # rooms of one size: then only their number differs
        shutil.copytree(first, first.parent / f"office_{number}")
    peaks = {}
    for count in (1, 6):
        command = [
            sys.executable,
            "-c",
            MEMORY,
            tmp_path / "raw",
            tmp_path / str(count),
            str(count),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks[count] = int(done.stdout)  # KiB
    room_size = sum(f.stat().st_size for f in (tmp_path / "1").rglob("*.npy")) / 1024
    assert room_size > 4000
    # six rooms held at once would be at least five rooms' arrays more
    assert peaks[6] - peaks[1] < 2 * room_size
