"""Sources that were corrected since they were prepared, to files of the same names and sizes."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from plyfile import PlyData

from pointcontrast.labelled_scene import read_labelled_scene
from pointcontrast.scenes.view_store import ViewStore
from tests.helpers.fork_server import output_of
from tests.inputs import makers_rgbd, makers_scans
from tests.inputs.row import DATASETS, PREPARE, Row
from tests.recordings.lidar.test_sweep_folder import write_own

Command = Sequence[object]
PREPARED: Command = (PREPARE, "raw", "--output", "out", *makers_rgbd.PREPARE_SMALL)
ROOMS: Command = (DATASETS / "s3dis.py", "rooms", "raw", "--output", "out", "--num-workers", 1)


def _corrected(
    write: Callable[[Path], object],
    correct: Callable[[Path], Path],
    command: Command = PREPARED,
) -> Callable[[Path], Command]:
    """An input that was taken before ``correct`` changed one file and returned its path."""

    def make(folder: Path) -> Command:
        write(folder / "raw")
        output_of(command, folder)
        sizes = {path: path.stat().st_size for path in (folder / "raw").rglob("*")}
        changed = correct(folder / "raw")
        assert changed.stat().st_size == sizes[changed]
        return command

    return make


def _first_point(folder: Path, name: str) -> np.ndarray:
    return np.asarray(ViewStore(folder / "out" / name)[0].points[0])


def _sweeps(folder: Path) -> None:
    write_own(folder, suffix=".bin")


def _move_a_sweep(folder: Path) -> Path:
    path = min((folder / "sweeps").iterdir())
    values = np.fromfile(path, "<f4").reshape(-1, 4)
    values[:, 0] += 0.25
    values.tofile(path)
    return path


def _poses_of_sweeps(folder: Path) -> Path:
    path = folder / "poses.txt"
    text = path.read_text()
    path.write_text(text[::-1].replace("0", "1", 1)[::-1])  # the last digit of the last pose
    return path


def _scan(folder: Path) -> None:
    folder.mkdir()
    makers_scans.write_room_ply(folder / "room.ply", 0.05)


def _recolour(folder: Path) -> Path:
    path = folder / "room.ply"
    ply = PlyData.read(io.BytesIO(path.read_bytes()))  # not a map of the file to write
    ply["vertex"]["red"][:] = 17
    ply.write(str(path))
    return path


def _is_recoloured(folder: Path, said: str) -> None:
    assert "finished before" not in said
    colors = ViewStore(folder / "out" / "raw" / "room")[0].colors
    assert colors is not None
    assert (colors[:, 0] == 17).all()


def _one_depth_image(folder: Path) -> Path:
    """Change one byte in the middle of a large file, as a re-export does."""
    path = folder / "scan.sens"
    data = bytearray(path.read_bytes())
    data[100] ^= 1  # within the intrinsics of the colour camera
    path.write_bytes(bytes(data))
    return path


def _made_again(_: Path, said: str) -> None:
    assert "finished before" not in said


def _touched(folder: Path) -> Path:
    path = min(folder.glob("*.pose.txt"))
    os.utime(path, (1, 1))  # copied by a program that keeps no times
    return path


def _room(folder: Path) -> None:
    makers_scans.write_s3dis_room(folder / "Area_1" / "office_1")


def _a_digit(folder: Path) -> Path:
    path = folder / "Area_1" / "office_1" / "Annotations" / "floor_1.txt"
    lines = path.read_text().splitlines()
    words = lines[0].split()
    words[2] = "1" + words[2][1:]  # 0.000 becomes 1.000
    lines[0] = " ".join(words)
    path.write_text("\n".join(lines) + "\n")
    return path


def _has_the_digit(folder: Path, said: str) -> None:
    assert "(0 finished before)" in said
    scene = read_labelled_scene(folder / "out" / "Area_1" / "office_1")
    floor = scene.coord[np.asarray(scene.semantic) == scene.class_names.index("floor")]
    assert np.isclose(np.sort(floor[:, 2] - floor[:, 2].min())[-1], 1.0)


ROWS = [
    Row(name="corrected-sweep", kind="K", make=_corrected(_sweeps, _move_a_sweep),
        check=_made_again),
    Row(name="corrected-poses-of-sweeps", kind="K", make=_corrected(_sweeps, _poses_of_sweeps),
        check=_made_again),
    Row(name="corrected-colours-of-a-scan", kind="K", make=_corrected(_scan, _recolour),
        check=_is_recoloured),
    Row(name="corrected-sens", kind="K",
        make=_corrected(makers_rgbd.write_sens_folder, _one_depth_image), check=_made_again),
    Row(name="touched-but-the-same", kind="K",
        make=_corrected(makers_rgbd.write_seven_scenes, _touched), says=("finished before",)),
    Row(name="corrected-annotation", kind="K", make=_corrected(_room, _a_digit, ROOMS),
        check=_has_the_digit),
]  # fmt: skip
