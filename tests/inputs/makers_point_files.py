"""Writers of the small room in the forms that clouds and meshes come in, for rows of the table.

Each returns, or is, a function that writes a file.
"""

from __future__ import annotations

import base64
import gzip
import json
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from plyfile import PlyData, PlyElement

from pointcontrast.pictures.point_ply import write_point_ply
from tests.inputs.makers_points import room_colors, room_points, room_quads

RGB = ("red", "green", "blue")
POINTS, COLORS = room_points(), room_colors()
Write = Callable[[Path], None]


# --- PLY


def ply(columns: dict[str, NDArray], text: bool = False) -> Write:
    def write(path: Path) -> None:
        table = np.empty(len(POINTS), [(name, values.dtype) for name, values in columns.items()])
        for name, values in columns.items():
            table[name] = values
        PlyData([PlyElement.describe(table, "vertex")], text=text).write(str(path))

    return write


def places(points: NDArray = POINTS, dtype: str = "f4") -> dict[str, NDArray]:
    return {axis: points[:, i].astype(dtype) for i, axis in enumerate("xyz")}


def colors_named(names: Sequence[str], dtype: str = "u1", scale: float = 1) -> dict[str, NDArray]:
    return {
        name: (COLORS[:, i].astype(float) * scale).astype(dtype) for i, name in enumerate(names)
    }


def ply_of_quads(text: bool) -> Write:
    def write(path: Path) -> None:
        vertices, quads = room_quads()
        table = np.empty(8, [*((axis, "f4") for axis in "xyz"), *((name, "u1") for name in RGB)])
        for i, axis in enumerate("xyz"):
            table[axis], table[RGB[i]] = vertices[:, i], room_colors(vertices)[:, i]
        rows = np.empty(len(quads), [("vertex_indices", object)])
        rows["vertex_indices"] = [np.array(quad, np.int32) for quad in quads]
        elements = [
            PlyElement.describe(table, "vertex"),
            PlyElement.describe(rows, "face", len_types={"vertex_indices": "u1"}),
        ]
        PlyData(elements, text=text).write(str(path))

    return write


def ply_of_strips(path: Path) -> None:
    vertices, quads = room_quads()
    strip = [row for a, b, c, d in quads for row in (a, b, d, c, -1)]
    lines = [
        "ply", "format ascii 1.0", "element vertex 8", "property float x", "property float y",
        "property float z", "element tristrips 1", "property list int int vertex_indices",
        "end_header", *(" ".join(map(str, v)) for v in vertices.tolist()),
        f"{len(strip)} {' '.join(map(str, strip))}",
    ]  # fmt: skip
    path.write_text("\n".join(lines) + "\n")


def ply_packed(path: Path) -> None:
    write_point_ply(path.with_suffix(""), POINTS, COLORS)
    path.write_bytes(gzip.compress(path.with_suffix("").read_bytes()))
    path.with_suffix("").unlink()


def ply_of_splats(path: Path) -> None:
    values = (COLORS / 255 - 0.5) / 0.28209479
    more = {f"f_dc_{i}": values[:, i].astype("f4") for i in range(3)}
    zero = np.zeros(len(POINTS), "f4")
    ply({**places(), "nx": zero, "ny": zero, "nz": zero, **more, "opacity": zero})(path)


# --- text


def text(
    separator: str = " ",
    *,
    head: str = "",
    columns: Sequence[NDArray] = (COLORS,),
    end: str = "\n",
    encoding: str = "utf-8",
    decimal: str = ".",
    formats: str = "{:g}",
) -> Write:
    def write(path: Path) -> None:
        table = np.column_stack([POINTS, *columns])
        rows = [
            separator.join(
                f"{v:.4f}".replace(".", decimal)
                if i < 3
                else formats.format(v).replace(".", decimal)
                for i, v in enumerate(row)
            )
            for row in table.tolist()
        ]
        lines = [head.format(len(rows))] if head else []
        path.write_bytes((end.join([*lines, *rows]) + end).encode(encoding))

    return write


LABELS = (np.arange(len(POINTS)) % 13)[:, None]
INTENSITY = (np.arange(len(POINTS)) % 4000 - 2000)[:, None]
NORMALS = np.random.default_rng(0).normal(size=(len(POINTS), 3))
NORMALS /= np.linalg.norm(NORMALS, axis=1, keepdims=True)


# --- PCD


def _packed(alpha: int = 0) -> NDArray[np.uint32]:
    red, green, blue = COLORS.astype(np.uint32).T
    return (np.uint32(alpha) << np.uint32(24)) | (red << 16) | (green << 8) | blue


def pcd(
    kind: str = "F4", data: str = "binary", alpha: int = 0, places: str = "<f4", holes: int = 0
) -> Write:
    """A PCD with colours in one field; ``holes`` points more are NaN, as in organised clouds."""

    def write(path: Path) -> None:
        count = len(POINTS) + holes
        name = "rgba" if alpha else "rgb"
        table = np.zeros(count, [*((axis, places) for axis in "xyz"), (name, "<u4")])
        for i, axis in enumerate("xyz"):
            table[axis] = np.nan
            table[axis][:: 1 + bool(holes)][: len(POINTS)] = POINTS[:, i]
        table[name][:: 1 + bool(holes)][: len(POINTS)] = _packed(alpha)
        size = places[2]
        width, height = (count // 2, 2) if holes else (count, 1)
        header = (
            f"# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS x y z {name}\n"
            f"SIZE {size} {size} {size} 4\nTYPE F F F {kind[0]}\nCOUNT 1 1 1 1\nWIDTH {width}\n"
            f"HEIGHT {height}\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {count}\nDATA {data}\n"
        )
        path.write_bytes(header.encode() + _pcd_data(table, name, kind, data))

    return write


def _pcd_data(table: NDArray, name: str, kind: str, data: str) -> bytes:
    if data == "binary":
        return table.tobytes()
    if data == "binary_compressed":
        raw = b"".join(np.ascontiguousarray(table[field]).tobytes() for field in "xyz")
        raw += np.ascontiguousarray(table[name]).tobytes()
        packed = _literal_lzf(raw)
        return struct.pack("<II", len(packed), len(raw)) + packed
    colors = table[name].view("<f4") if kind[0] == "F" else table[name]
    rows = [
        f"{x:.4f} {y:.4f} {z:.4f} {color!s}"
        for (x, y, z), color in zip(table[["x", "y", "z"]].tolist(), colors.tolist(), strict=True)
    ]
    return ("\n".join(rows) + "\n").encode()


def _literal_lzf(raw: bytes) -> bytes:
    """LZF without repetitions: runs of at most 32 bytes, each after its length."""
    runs = [raw[at : at + 32] for at in range(0, len(raw), 32)]
    return b"".join(bytes([len(run) - 1]) + run for run in runs)


# --- meshes as text


def obj(faces: str, *, colored: bool = True, before: str = "", scale: float = 1) -> Write:
    def write(path: Path) -> None:
        vertices, quads = room_quads()
        colors = room_colors(vertices).astype(float) * scale
        lines = [before] if before else []
        for vertex, color in zip(vertices.tolist(), colors.tolist(), strict=True):
            values = [*vertex, *color] if colored else vertex
            lines.append("v " + " ".join(f"{value:g}" for value in values))
        lines.append("vn 0 0 1")
        for number, quad in enumerate(quads):
            lines.append(f"g wall_{number}")
            rows = [row + 1 if faces == "positive" else row - 8 for row in quad]
            lines.append("f " + " ".join(f"{row}//1" for row in rows))
        path.write_text("\n".join(lines) + "\n")

    return write


def obj_of_points(path: Path) -> None:
    rows = np.column_stack([POINTS, COLORS / 255]).tolist()
    path.write_text("".join("v " + " ".join(f"{v:.5f}" for v in row) + "\n" for row in rows))


def off(path: Path, first: str = "COFF\n") -> None:
    vertices, quads = room_quads()
    rows = [
        " ".join(f"{v:g}" for v in [*vertex, *color, 255])
        for vertex, color in zip(vertices.tolist(), room_colors(vertices).tolist(), strict=True)
    ]
    faces = [f"4 {' '.join(map(str, quad))}" for quad in quads]
    path.write_text(f"{first}{len(rows)} {len(faces)} 0\n" + "\n".join([*rows, *faces]) + "\n")


def gltf(textured: bool = False) -> Write:
    """The floor and the walls as two meshes of two nodes below a third, y up."""

    def write(path: Path) -> None:
        vertices, quads = room_quads()
        colors = np.column_stack([room_colors(vertices), np.full(8, 255, np.uint8)])
        lying = vertices[:, [1, 2, 0]] / 2 - [0, 0, 5]  # the parent doubles, after a shift by 5
        triangles = np.array([[a, b, c] for q in quads for a, b, c in (q[:3], (q[0], *q[2:]))])
        parts = [
            lying.astype("<f4"),
            colors,
            triangles[:2].astype("<u2"),
            triangles[2:].astype("<u2"),
        ]
        starts = np.cumsum([0, *(part.nbytes for part in parts)])
        data = b"".join(part.tobytes() for part in parts)
        attributes = {"POSITION": 0} if textured else {"POSITION": 0, "COLOR_0": 1}
        material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}
        value = {
            "asset": {"version": "2.0"},
            "scenes": [{"nodes": [0]}],
            "nodes": [
                {"children": [1, 2], "scale": [2, 2, 2], "translation": [0, 0, 0]},
                {"mesh": 0, "translation": [0, 0, 5]},
                {"mesh": 1, "matrix": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 5, 1]},
            ],
            "meshes": [
                {"primitives": [{"attributes": attributes, "indices": i, "material": 0}]}
                for i in (2, 3)
            ],
            "materials": [material if textured else {}],
            "accessors": [
                {"bufferView": 0, "componentType": 5126, "count": 8, "type": "VEC3"},
                {"bufferView": 1, "componentType": 5121, "count": 8, "type": "VEC4",
                 "normalized": True},
                {"bufferView": 2, "componentType": 5123, "count": 6, "type": "SCALAR"},
                {"bufferView": 3, "componentType": 5123, "count": parts[3].size, "type": "SCALAR"},
            ],
            "bufferViews": [
                {"buffer": 0, "byteOffset": int(start), "byteLength": part.nbytes}
                for start, part in zip(starts[:-1], parts, strict=True)
            ],
            "buffers": [
                {"byteLength": len(data), "uri": "data:application/octet-stream;base64,"
                 + base64.b64encode(data).decode()}
            ],
        }  # fmt: skip
        path.write_text(json.dumps(value))

    return write


def obj_in_unit(unit: float) -> Write:
    def write(path: Path) -> None:
        vertices, quads = room_quads()
        lines = ["v " + " ".join(f"{v / unit:.4f}" for v in vertex) for vertex in vertices.tolist()]
        lines += ["f " + " ".join(str(row + 1) for row in quad) for quad in quads]
        path.write_text("\n".join(lines) + "\n")

    return write


def ply_cloud(place: Sequence[float] = (0, 0, 0), unit: float = 1) -> Write:
    return lambda path: write_point_ply(path, (POINTS + place) / unit, COLORS)


def ply_mesh(place: Sequence[float]) -> Write:
    def write(path: Path) -> None:
        vertices, quads = room_quads()
        faces = np.array([[a, b, c] for q in quads for a, b, c in (q[:3], (q[0], *q[2:]))])
        write_point_ply(path, vertices + place, room_colors(vertices), faces=faces)

    return write


def cut(write: Write, share: float) -> Write:
    def write_part(path: Path) -> None:
        write(path)
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])

    return write_part
