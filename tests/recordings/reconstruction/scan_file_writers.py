"""The box world as files of many formats."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from plyfile import PlyData, PlyElement

from tests.helpers.box_world import colors_of, world_mesh, world_points


def write_ply_mesh(path: Path, binary: bool = True) -> Path:
    vertices, faces = world_mesh()
    table = np.empty(len(vertices), [(a, "f4") for a in "xyz"] + [(c, "u1") for c in
                     ("red", "green", "blue")])  # fmt: skip
    for column, name in enumerate(("x", "y", "z")):
        table[name] = vertices[:, column]
    for column, name in enumerate(("red", "green", "blue")):
        table[name] = colors_of(vertices)[:, column]
    rows = np.empty(len(faces), [("vertex_indices", "i4", (3,))])
    rows["vertex_indices"] = faces
    elements = [PlyElement.describe(table, "vertex"), PlyElement.describe(rows, "face")]
    PlyData(elements, text=not binary).write(str(path))
    return path


def write_by_open3d(path: Path) -> Path:
    """Write a mesh or a cloud, as the suffix says."""
    import open3d

    vector = open3d.utility.Vector3dVector
    if path.suffix in (".obj", ".off", ".stl"):
        vertices, faces = world_mesh()
        mesh = open3d.geometry.TriangleMesh(vector(vertices), open3d.utility.Vector3iVector(faces))
        mesh.vertex_colors = vector(colors_of(vertices) / 255)
        mesh.compute_triangle_normals()
        with open3d.utility.VerbosityContextManager(open3d.utility.VerbosityLevel.Error):
            assert open3d.io.write_triangle_mesh(str(path), mesh)
    else:
        points = world_points(0.03)
        cloud = open3d.geometry.PointCloud(vector(points.astype(np.float64)))
        cloud.colors = vector(colors_of(points) / 255)
        assert open3d.io.write_point_cloud(str(path), cloud)
    return path


def write_glb(path: Path) -> Path:
    """Write a glTF 2.0 binary, with y up as in that format."""
    vertices, faces = world_mesh()
    parts = [
        vertices[:, [1, 2, 0]].astype("<f4"),  # x y z becomes y z x: z up becomes y up
        faces.astype("<u4"),
        (colors_of(vertices) / 255).astype("<f4"),
    ]
    starts = np.cumsum([0, *(part.nbytes for part in parts)])
    kinds = [("VEC3", 5126), ("SCALAR", 5125), ("VEC3", 5126)]
    value = {
        "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "COLOR_0": 2}, "indices": 1}]}],
        "accessors": [_accessor(i, part, *kinds[i]) for i, part in enumerate(parts)],
        "bufferViews": [{"buffer": 0, "byteOffset": int(start), "byteLength": part.nbytes}
                        for start, part in zip(starts[:-1], parts, strict=True)],
        "buffers": [{"byteLength": int(starts[-1])}],
    }  # fmt: skip
    header = json.dumps(value).encode()
    header += b" " * (-len(header) % 4)
    body = b"".join(part.tobytes() for part in parts)
    path.write_bytes(
        struct.pack("<4sII", b"glTF", 2, 28 + len(header) + len(body))
        + struct.pack("<I4s", len(header), b"JSON") + header
        + struct.pack("<I4s", len(body), b"BIN\0") + body
    )  # fmt: skip
    return path


def _accessor(view: int, part: NDArray, kind: str, component: int) -> dict:
    count = part.size if kind == "SCALAR" else len(part)
    limits = {} if view else {"min": part.min(0).tolist(), "max": part.max(0).tolist()}
    return {"bufferView": view, "componentType": component, "count": count, "type": kind, **limits}
