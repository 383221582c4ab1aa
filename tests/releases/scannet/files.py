"""Writers of the files of a synthetic ScanNet scan, except its ``.sens``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from downstream.releases.scannet.release import AGGREGATION, FINE_AGGREGATION, LABELS, SEGMENTS
from pointcontrast.synthetic.pieces import CLASS_NAMES
from tests.releases.scannet.dense_mesh import DenseMesh

ANNOTATIONS: dict[str, tuple[str, int]] = {
    "wall": ("wall", 1),
    "floor": ("floor", 2),
    "ceiling": ("ceiling", 22),
    "door": ("door", 8),
    "window": ("window", 9),
    "table": ("table", 7),
    "chair": ("chair", 5),
    "sofa": ("couch", 6),
    "bed": ("bed", 4),
    "cabinet": ("cabinet", 3),
    "bookcase": ("bookshelf", 10),
    "desk": ("desk", 14),
    "lamp": ("lamp", 35),
    "picture": ("picture", 11),
    "plant": ("plant", 40),
    "monitor": ("monitor", 40),
    "books": ("books", 23),
    "box": ("box", 29),
    "bin": ("trash can", 39),
}
"""Class of a synthetic room -> raw category of ScanNet and NYU40 id. The class "object" is absent,
so that some vertices remain unannotated, as in every real scan."""

_MAP_COLUMNS: tuple[str, ...] = (
    *("id", "raw_category", "category", "count", "nyu40id", "eigen13id", "nyuClass"),
    *("nyu40class", "eigen13class", "ModelNet40", "ModelNet10", "ShapeNetCore55"),
    *("synsetoffset", "wnsynsetid", "wnsynsetkey", "mpcat40", "mpcat40index"),
)
_SEGMENT_SIZE = 0.6  # metres


def label_map_text() -> str:
    """Return ``scannetv2-labels.combined.tsv`` for the categories used, and one without an id."""
    rows = [*ANNOTATIONS.values(), ("object", 40), ("stick", None)]
    lines = ["\t".join(_MAP_COLUMNS)]
    for number, (category, nyu40) in enumerate(rows, start=1):
        known = [str(number), category, category, "1", "" if nyu40 is None else str(nyu40)]
        lines.append("\t".join(known + [""] * (len(_MAP_COLUMNS) - len(known))))
    return "\n".join(lines) + "\n"


def write_ply(
    path: Path,
    vertices: NDArray[np.float32],
    colors: NDArray[np.uint8],
    triangles: NDArray[np.integer],
    labels: NDArray[np.integer] | None = None,
) -> None:
    """Write a binary little-endian PLY with the release's properties.

    Args:
        path: The file.
        vertices: Positions (N, 3), metres.
        colors: RGB colours (N, 3).
        triangles: Rows of ``vertices`` (T, 3).
        labels: Property ``label`` (N,) of ``_vh_clean_2.labels.ply``. None leaves it out.
    """
    dtype = [(axis, "<f4") for axis in "xyz"]
    dtype += [(name, "u1") for name in ("red", "green", "blue", "alpha")]
    if labels is not None:
        dtype.append(("label", "<u2"))
    rows = np.zeros(len(vertices), dtype=dtype)
    for column, axis in enumerate("xyz"):
        rows[axis] = vertices[:, column]
    for column, name in enumerate(("red", "green", "blue")):
        rows[name] = colors[:, column]
    rows["alpha"] = 255
    if labels is not None:
        rows["label"] = labels
    faces = np.zeros(len(triangles), dtype=[("count", "u1"), ("vertices", "<i4", 3)])
    faces["count"], faces["vertices"] = 3, triangles
    kinds = {"<f4": "float", "u1": "uchar", "<u2": "ushort"}
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(rows)}"]
    header += [f"property {kinds[kind]} {name}" for name, kind in dtype]
    header += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
    text = "\n".join([*header, "end_header", ""])
    path.write_bytes(text.encode("ascii") + rows.tobytes() + faces.tobytes())


def write_annotations(stem: Path, vertices: NDArray[np.float32], mesh: DenseMesh) -> None:
    """Write a scan's ``labels.ply``, ``segs.json`` and both ``aggregation.json``.

    Args:
        stem: Path of the scan's files without the endings: its folder and id.
        vertices: Vertices of the mesh (N, 3), metres, in the frame of the scan.
        mesh: Mesh with colours, triangles and labels.
    """
    ids = np.array([ANNOTATIONS.get(name, ("", 0))[1] for name in CLASS_NAMES])
    labels = ids[mesh.semantic]
    palette = (37 * np.arange(41)[:, None] * np.array([1, 3, 7]) % 256).astype(np.uint8)
    write_ply(Path(f"{stem}{LABELS}"), vertices, palette[labels], mesh.triangles, labels)
    segments = _segments(mesh)
    name = stem.name
    content = {
        "params": {"kThresh": "0.0001", "segMinVerts": "20"},
        "sceneId": name,
        "segIndices": segments.tolist(),
    }
    Path(f"{stem}{SEGMENTS}").write_text(json.dumps(content), encoding="utf-8")
    for ending, segments_file, offset in (
        (AGGREGATION, SEGMENTS, 0),
        (FINE_AGGREGATION, "_vh_clean.segs.json", 10**6),  # ids of another mesh's segments
    ):
        content = {
            "sceneId": f"scannet.{name}",
            "appId": "Aggregator.v2",
            "segGroups": _groups(mesh, segments + offset),
            "segmentsFile": f"scannet.{name}{segments_file}",
        }
        Path(f"{stem}{ending}").write_text(json.dumps(content), encoding="utf-8")


def write_info(
    path: Path,
    aligned_from_scan: NDArray[np.float64] | None,
    depth_intrinsics: NDArray[np.float64],
    color_intrinsics: NDArray[np.float64],
    depth_size: tuple[int, int],
    color_size: tuple[int, int],
    num_frames: int,
) -> None:
    """Write a scan's ``.txt``; test scans have no alignment."""
    values: dict[str, str] = {}
    if aligned_from_scan is not None:
        values["axisAlignment"] = _numbers(aligned_from_scan)
    values["colorHeight"] = str(color_size[1])
    values["colorToDepthExtrinsics"] = _numbers(np.eye(4))
    values["colorWidth"] = str(color_size[0])
    values["depthHeight"], values["depthWidth"] = str(depth_size[1]), str(depth_size[0])
    for key, place in (("fx", (0, 0)), ("fy", (1, 1)), ("mx", (0, 2)), ("my", (1, 2))):
        for camera, matrix in (("color", color_intrinsics), ("depth", depth_intrinsics)):
            values[f"{key}_{camera}"] = f"{matrix[place]:.6f}"
    values |= {
        "numColorFrames": str(num_frames),
        "numDepthFrames": str(num_frames),
        "numIMUmeasurements": "0",
        "sceneType": "Synthetic",
    }
    lines = [f"{key} = {value}" for key, value in values.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _segments(mesh: DenseMesh) -> NDArray[np.int64]:
    """Return segments (N,): the vertices of a solid in each cell of a coarse grid.

    The id of a segment is its first vertex, so ids have gaps, as in the release.
    """
    cells = np.floor(mesh.vertices / _SEGMENT_SIZE).astype(np.int64)
    keys = np.concatenate([mesh.material[:, None], cells], axis=1)
    _, first, segment = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return first[segment.reshape(-1)]


def _groups(mesh: DenseMesh, segments: NDArray[np.int64]) -> list[dict[str, object]]:
    """Return ``segGroups``: the annotated instances, numbered from 0 in the room's order."""
    ids, first = np.unique(segments, return_index=True)
    groups: list[dict[str, object]] = []
    for instance in np.unique(mesh.instance):
        chosen = mesh.instance[first] == instance
        name = CLASS_NAMES[int(mesh.semantic[first[chosen][0]])]
        if name in ANNOTATIONS:
            number = len(groups)
            entry = {"id": number, "objectId": number, "segments": ids[chosen].tolist()}
            groups.append({**entry, "label": ANNOTATIONS[name][0]})
    return groups


def _numbers(matrix: NDArray[np.float64]) -> str:
    return " ".join(f"{value:.6f}" for value in matrix.ravel())
