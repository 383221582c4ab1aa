"""PLY: clouds and meshes, ASCII or binary."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import plyfile
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.file_formats.columns import Columns, named_columns
from pointcontrast.recordings.file_formats.polygons import fan_triangles, strip_triangles

_FACE_LISTS = ("vertex_indices", "vertex_index")


def read_ply(path: Path) -> Columns:
    """Read the vertices and faces of a PLY; polygons become triangles."""
    # Lists of a known length are mapped; others take a Python loop over the faces.
    triangles = dict.fromkeys(_FACE_LISTS, 3)
    try:
        ply = plyfile.PlyData.read(str(path), known_list_len={"face": triangles})
    except plyfile.PlyParseError as error:
        if "list length" not in str(error):
            raise
        ply = plyfile.PlyData.read(str(path))
    if "vertex" not in ply:
        raise InputError(f"{path} has no vertex element, so no points")
    vertices = ply["vertex"].data
    names = vertices.dtype.names or ()
    table = {name: vertices[name] for name in names if vertices[name].dtype.kind in "iuf"}
    columns = named_columns(table)
    if columns is None:
        raise InputError(f"{path}: its vertices have {', '.join(names)}, but no x y z")
    faces = _faces(path, ply)
    notes = columns.notes
    if faces is not None and columns.colors is None and _has_texture(ply):
        notes = (*notes, "its texture is not read: the mesh has no colours")
    return replace(columns, faces=faces, notes=notes)


def _faces(path: Path, ply: plyfile.PlyData) -> NDArray[Any] | None:
    if "tristrips" in ply and ply["tristrips"].count:
        strips = ply["tristrips"]
        name = next((n for n in _FACE_LISTS if n in strips), None)
        if name is not None:
            return np.concatenate([strip_triangles(each) for each in strips[name]])
    if "face" not in ply or not ply["face"].count:
        return None
    face = ply["face"]
    name = next((n for n in _FACE_LISTS if n in face), None)
    if name is None:
        raise InputError(f"{path} has faces without vertex_indices; export it again")
    lists = face[name]
    if lists.ndim == 2 and lists.shape[1] == 3:
        return lists
    if lists.ndim == 2:
        counts, corners = np.full(len(lists), lists.shape[1]), lists.ravel()
    else:  # a text file, polygons, or other lists as well
        counts, corners = np.array([len(each) for each in lists]), np.concatenate(lists)
    found = fan_triangles(corners, counts)
    return found if len(found) else None


def _has_texture(ply: plyfile.PlyData) -> bool:
    return any("texturefile" in comment.lower() for comment in ply.comments) or (
        "face" in ply and any("tex" in each.name for each in ply["face"].properties)
    )
