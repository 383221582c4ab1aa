"""LAS, LAZ and E57, and scans to apply a network to: units, places, columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from plyfile import PlyData

from pointcontrast.geometry import rotation_about
from pointcontrast.pictures.point_ply import write_point_ply
from tests.inputs.makers_point_files import (
    COLORS,
    INTENSITY,
    NORMALS,
    POINTS,
    Write,
    cut,
    pcd,
    ply_cloud,
    text,
)
from tests.inputs.makers_points import PREPARE_ROOM, is_the_room, scan
from tests.inputs.makers_runs import finetuned_run, pretrained_run
from tests.inputs.makers_surveys import GEOGRAPHIC, PROJECTED, US_FEET, las
from tests.inputs.row import FEATURES, PREDICT, Row
from tests.recordings.file_formats.e57_writer import write_e57

UTM = (452_345.0, 5_234_567.0, 412.0)


def _row(name: str, kind: str, file: str, write: Write, *more: object, **settings: Any) -> Row:
    """A row that prepares one file of the room; by default all its points and colours are right."""

    def make(folder: Path) -> Sequence[object]:
        write(scan(folder, file))
        return [*PREPARE_ROOM, *more]

    if not settings.get("status"):
        settings.setdefault("check", is_the_room())
    return Row(name=name, kind=kind, make=make, **settings)


def _refused(name: str, kind: str, file: str, write: Write, *says: str, **settings: Any) -> Row:
    absent = ("prepared/scan/room",)
    return _row(name, kind, file, write, status=1, says=says, absent=absent, **settings)


def _setups(*, spherical: bool = False, posed: bool = True, place: Sequence[float] = (0, 0, 0)):
    """E57 of three positions of a scanner, each of which saw the whole room."""

    def write(path: Path) -> None:
        setups = []
        for number in range(3):
            pose = np.eye(4)
            if posed:
                pose[:3, :3] = rotation_about([0, 0, 1], 0.7 * number)
                pose[:3, 3] = np.array([0.3 * number - 0.3, 0.2, 1.2]) + place
            points = (POINTS + place - pose[:3, 3]) @ pose[:3, :3]
            setups.append({"points": points, "colors": COLORS, "spherical": spherical})
            if posed:
                setups[-1]["pose"] = pose
        write_e57(path, setups)

    return write


def _one_scan(path: Path) -> None:
    write_e57(path, [{"points": POINTS, "colors": COLORS}])


ALL = ("--frame-skip", "1")

SCANS = [
    # --- LAS
    _row("las-of-colours-times-256", "LAS", "room.las", las()),
    _row("las-of-colours-of-255", "LAS", "room.las", las(scale=1), source="laspy issue 221"),
    _row("las-of-colours-of-65535", "LAS", "room.las", las(2, scale=257)),
    _row("laz-of-point-format-7", "LAS", "room.laz", las(7)),
    _row("laz-of-point-format-8", "LAS", "room.laz", las(8)),
    _row("las-without-colours", "LAS", "room.las", las(6), check=is_the_room(colored=False)),
    _row("las-of-black-colours", "LAS", "room.las", las(scale=0),
         check=is_the_room(colored=False, says=["its colours are all black: left out"])),
    _row("las-with-withheld-points", "LAS", "room.las", las(withheld=5),
         check=is_the_room(says=["5 points that are withheld are left out"])),
    _row("las-in-utm", "A", "room.las", las(place=UTM), check=is_the_room(place=UTM)),
    _row("las-in-us-survey-feet", "B", "room.las", las(7, wkt=PROJECTED, unit=US_FEET),
         check=is_the_room(says=["a unit of 0.304801 m: converted"])),
    _row("las-in-feet-by-geotiff-keys", "B", "room.las",
         las(geo_keys=[(1024, 1), (3076, 9002)], unit=0.3048),
         check=is_the_room(says=["a unit of 0.3048 m: converted"])),
    _refused("las-in-degrees", "B", "room.las", las(7, wkt=GEOGRAPHIC),
             "room.las has longitudes and latitudes in degrees; project it"),
    _refused("las-cut-short", "LAS", "room.las", cut(las(), 0.6),
             "room.las is damaged or cut short"),
    _refused("laz-cut-short", "LAS", "room.laz", cut(las(), 0.6),
             "room.laz is damaged or cut short"),
    _refused("las-of-another-format", "LAS", "room.las", ply_cloud(),
             "room.las is damaged or cut short"),
    # --- E57
    _row("e57-of-three-positions", "E57", "room.e57", _setups(), *ALL,
         check=is_the_room(says=["3 views"])),
    _row("e57-of-spherical-coordinates", "E57", "room.e57", _setups(spherical=True), *ALL),
    _row("e57-in-utm", "A", "room.e57", _setups(place=UTM), *ALL, check=is_the_room(place=UTM)),
    _row("e57-without-poses-in-utm", "A", "room.e57", _setups(posed=False, place=UTM), *ALL,
         check=is_the_room(place=UTM, says=["3 of its 3 scans have no pose"])),
    _row("e57-of-one-scan", "E57", "room.e57", _one_scan),
    _refused("e57-cut-short", "E57", "room.e57", cut(_setups(), 0.5),
             "room.e57 is damaged or cut short"),
    _row("e57-with-a-unit", "I", "room.e57", _setups(), "--unit", "0.001", status=1,
         says=("--unit does not apply to it",), absent=("prepared/scan/room",)),
]  # fmt: skip


# --- scans to apply a network to


def _applied(
    name: str, kind: str, file: str, write: Write, *more: object, predict: bool = False, **rest: Any
) -> Row:
    """A row that applies a network to one file of the room."""

    def make(folder: Path) -> Sequence[object]:
        write(scan(folder, file))
        network = finetuned_run() if predict else pretrained_run()
        return [PREDICT if predict else FEATURES, network, f"scan/{file}", "-o", "out", *more]

    return Row(name=name, kind=kind, make=make, **rest)


def _keeps(
    truth: NDArray, says: Sequence[str] = (), within: float = 0, rows: NDArray | None = None
) -> Callable[[Path, str], None]:
    """Check that the results have the places of the file, in NPZ and in PLY."""

    def check(folder: Path, said: str) -> None:
        for words in says:
            assert words in said, said
        with np.load(folder / "out" / "room.npz") as arrays:
            np.testing.assert_allclose(arrays["points"], truth, rtol=0, atol=within)
            assert ("rows" in arrays) == (rows is not None)
            if rows is not None:
                np.testing.assert_array_equal(arrays["rows"], rows)
            values = arrays["features" if "features" in arrays else "labels"]
            assert len(values) == len(truth)
        vertices = PlyData.read(str(folder / "out" / "room.ply"))["vertex"]
        found = np.stack([vertices[axis] for axis in "xyz"], axis=1)
        np.testing.assert_allclose(found, truth, rtol=0, atol=max(within, 1e-6))

    return check


def _same_features_as_in_metres(folder: Path, said: str) -> None:
    _keeps(POINTS * 100, within=1e-9)(folder, said)
    assert "state its unit" not in said
    with np.load(folder / "out" / "room.npz") as arrays:
        found = arrays["features"]
    import pointcontrast

    truth = pointcontrast.load(pretrained_run())(POINTS, COLORS)
    # points on the border of a voxel may fall on the other side of it
    assert (np.abs(found - truth).max(axis=1) < 1e-4).mean() > 0.95


def _holes(path: Path) -> None:
    pcd("F4", holes=len(POINTS))(path)


def _npz(path: Path) -> None:
    np.savez(path, xyz=POINTS, rgb=COLORS, semantic=INTENSITY[:, 0])


def _npy(path: Path) -> None:
    np.save(path, np.hstack([POINTS, COLORS]))


def _csv(path: Path) -> None:
    head = "id;x;y;z;nx;ny;nz;red;green;blue"
    text(";", head=head, columns=[NORMALS, COLORS], decimal=",")(path)
    lines = path.read_text().splitlines()
    rows = [head, *(f"{number};{line}" for number, line in enumerate(lines[1:]))]
    path.write_text("\n".join(rows) + "\n")


def _centimetres(path: Path) -> None:
    write_point_ply(path, POINTS * 100, COLORS)


NETWORKS = [
    _applied("features-of-a-cloud-in-utm", "A", "room.ply", ply_cloud(UTM),
             check=_keeps(POINTS + UTM, within=1e-9)),
    _applied("predictions-of-a-cloud-in-utm", "A", "room.ply", ply_cloud(UTM), predict=True,
             check=_keeps(POINTS + UTM, within=1e-9)),
    _applied("predictions-of-a-las-in-utm", "A", "room.las", las(place=UTM), predict=True,
             check=_keeps(POINTS + UTM, within=1e-3)),
    _applied("features-of-a-cloud-in-centimetres", "B", "room.ply", _centimetres,
             check=_keeps(POINTS * 100, within=1e-4,
                          says=["note: scan/room.ply: it is 300 x 240 x 215 m in size",
                                "--unit 0.01 (centimetres)"])),
    _applied("features-of-a-stated-unit", "B", "room.ply", _centimetres, "--unit", "0.01",
             check=_same_features_as_in_metres),
    _applied("features-of-a-unit-of-zero", "B", "room.ply", _centimetres, "--unit", "0", status=2,
             says=("argument --unit: '0' is not a number above 0",), absent=("out",)),
    _applied("predictions-of-an-organised-cloud", "D", "room.pcd", _holes, predict=True,
             check=_keeps(POINTS, within=1e-6, rows=2 * np.arange(len(POINTS)),
                          says=[f"{len(POINTS):,} of {2 * len(POINTS):,} points without finite"])),
    _applied("predictions-of-npz-arrays", "N", "room.npz", _npz, predict=True,
             check=_keeps(POINTS, says=["arrays left out: semantic"])),
    _applied("predictions-of-npy-columns", "J", "room.npy", _npy, predict=True,
             check=_keeps(POINTS, says=["columns 4 to 6 are taken for colours"])),
    _applied("predictions-of-a-table-with-ids", "N", "room.csv", _csv, predict=True,
             check=_keeps(POINTS, within=1e-4, says=["columns left out: id"])),
    _applied("predictions-of-an-e57", "E57", "room.e57", _setups(), predict=True,
             check=_keeps(np.tile(POINTS, (3, 1)), within=1e-6)),
]  # fmt: skip

ROWS = [*SCANS, *NETWORKS]
