"""Columns that are neither places, colours nor normals are kept by their names, in every format."""

from __future__ import annotations

from pathlib import Path

import laspy
import numpy as np
import pytest
from plyfile import PlyData, PlyElement

from pointcontrast.recordings.point_files import read_point_file

POINTS = np.random.default_rng(0).uniform(1, 4, (40, 3)).round(3)
LABELS = np.random.default_rng(1).integers(0, 20, 40)
COLORS = np.random.default_rng(2).integers(0, 256, (40, 3)).astype(np.uint8)


def _ply(path: Path) -> None:
    names = [*((axis, "f8") for axis in "xyz"), *((c, "u1") for c in ("red", "green", "blue"))]
    table = np.empty(40, [*names, ("label", "i4")])
    for axis, name in enumerate("xyz"):
        table[name] = POINTS[:, axis]
    for axis, name in enumerate(("red", "green", "blue")):
        table[name] = COLORS[:, axis]
    table["label"] = LABELS
    PlyData([PlyElement.describe(table, "vertex")]).write(str(path))


def _pcd(path: Path) -> None:
    packed = (COLORS.astype(np.uint32) << [16, 8, 0]).sum(axis=1).astype(np.uint32)
    table = np.empty(40, [*((axis, "<f8") for axis in "xyz"), ("rgb", "<u4"), ("label", "<u4")])
    for axis, name in enumerate("xyz"):
        table[name] = POINTS[:, axis]
    table["rgb"], table["label"] = packed, LABELS
    header = (
        "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z rgb label\nSIZE 8 8 8 4 4\nTYPE F F F F U\n"
        "COUNT 1 1 1 1 1\nWIDTH 40\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS 40\nDATA binary\n"
    )
    path.write_bytes(header.encode() + table.tobytes())


def _las(path: Path) -> None:
    header = laspy.LasHeader(point_format=2, version="1.2")
    header.scales = np.full(3, 0.001)
    header.add_extra_dim(laspy.ExtraBytesParams(name="label", type=np.int32))
    las = laspy.LasData(header)
    las.x, las.y, las.z = POINTS.T
    las.red, las.green, las.blue = COLORS.T.astype(np.uint16) * 256
    las["label"] = LABELS
    las.write(str(path))


def _npz(path: Path) -> None:
    np.savez(path, points=POINTS, colors=COLORS, label=LABELS)


def _txt(path: Path) -> None:
    rows = np.column_stack([POINTS, COLORS, LABELS])
    np.savetxt(path, rows, "%.3f %.3f %.3f %d %d %d %d", header="X Y Z R G B label", comments="//")


def _csv(path: Path) -> None:
    rows = np.column_stack([POINTS, COLORS, LABELS])
    head = "x;y;z;red;green;blue;label\n"
    text = "\n".join(";".join(f"{v:.3f}".replace(".", ",") for v in row) for row in rows)
    path.write_text(head + text)


@pytest.mark.parametrize(
    ("name", "write"),
    [("a.ply", _ply), ("a.pcd", _pcd), ("a.las", _las), ("a.laz", _las), ("a.npz", _npz),
     ("a.txt", _txt), ("a.xyz", _txt), ("a.csv", _csv)],
)  # fmt: skip
def test_labels_are_fields(tmp_path: Path, name: str, write) -> None:
    write(tmp_path / name)
    stored = read_point_file(tmp_path / name)
    np.testing.assert_allclose(stored.points, POINTS, atol=1e-9)
    np.testing.assert_array_equal(stored.colors, COLORS)
    np.testing.assert_array_equal(stored.fields["label"], LABELS)


def test_words_are_fields(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x,y,z,class\n1,2,3,chair\n4,5,6,floor\n")
    stored = read_point_file(tmp_path / "a.txt")
    assert stored.points.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert stored.fields["class"].tolist() == ["chair", "floor"]
    assert stored.notes == ("no colours; columns left out: class",)
