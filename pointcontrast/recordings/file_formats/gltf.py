"""glTF 2.0, ``.gltf`` and ``.glb``: the meshes and points of a scene, placed by its nodes.

Khronos, glTF 2.0 specification: a node has a matrix (by columns) or a translation, a rotation
(quaternion x y z w) and a scale (3.5.3); accessors describe arrays in buffers (3.6.2); COLOR_0 may
be float, or uint8 or uint16 for 0..1 (3.7.2.1), with or without alpha.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.file_formats.columns import Columns
from pointcontrast.recordings.quaternions import rotation_from_quaternion

_DTYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}
_POINTS, _TRIANGLES, _STRIP, _FAN = 0, 4, 5, 6
_PACKED = {"KHR_draco_mesh_compression": "Draco", "EXT_meshopt_compression": "meshopt"}
_DEEPEST = 256  # levels of nodes; more is a circle


class _Scene:
    """A glTF file with its buffers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        content = path.read_bytes()
        chunk: bytes | None = None
        if content[:4] == b"glTF":
            content, chunk = self._chunks(content)
        try:
            self.value: dict[str, Any] = json.loads(content)
            if not isinstance(self.value, dict):
                raise ValueError("not an object")
        except ValueError as error:
            raise InputError(f"{path} is damaged: its JSON ends or breaks ({error})") from None
        for name in self.value.get("extensionsRequired", []):
            if name in _PACKED:
                raise InputError(
                    f"{path} is compressed by {_PACKED[name]}; export it without compression"
                )
        buffers = self.value.get("buffers", [])
        self.buffers = [self._buffer(each, chunk) for each in buffers]

    def _chunks(self, content: bytes) -> tuple[bytes, bytes | None]:
        """The JSON and the binary chunk of a ``.glb``."""
        if len(content) < 20 or len(content) < struct.unpack_from("<I", content, 8)[0]:
            raise InputError(f"{self.path} is damaged or cut short; export it again")
        length = struct.unpack_from("<I", content, 12)[0]
        start = 20 + length
        if start + 8 > len(content):
            return content[20:start], None
        size = struct.unpack_from("<I", content, start)[0]
        return content[20:start], content[start + 8 : start + 8 + size]

    def _buffer(self, buffer: dict[str, Any], chunk: bytes | None) -> bytes:
        uri = buffer.get("uri")
        if uri is None:
            found = chunk or b""
        elif uri.startswith("data:"):
            try:
                found = base64.b64decode(uri.partition(",")[2])
            except binascii.Error:
                raise InputError(f"{self.path} is damaged: a buffer is not base64") from None
        else:
            place = self.path.parent / unquote(uri)
            if not place.is_file():
                raise InputError(f"{self.path} needs {place}, which does not exist; copy it there")
            found = place.read_bytes()
        if len(found) < buffer["byteLength"]:
            raise InputError(
                f"{self.path} is damaged or cut short (a buffer of {buffer['byteLength']} bytes "
                f"holds {len(found)}); export it again"
            )
        return found

    def array(self, index: int) -> NDArray[Any]:
        """The array of an accessor, (N, width); integers of 0..1 are divided."""
        accessor = self.value["accessors"][index]
        if "sparse" in accessor or "bufferView" not in accessor:
            raise InputError(f"{self.path} has sparse accessors; export it as PLY")
        view = self.value["bufferViews"][accessor["bufferView"]]
        dtype = np.dtype(_DTYPES[accessor["componentType"]])
        width, count = _WIDTHS[accessor["type"]], accessor["count"]
        stride = view.get("byteStride", width * dtype.itemsize)
        start = accessor.get("byteOffset", 0)
        data = self.buffers[view["buffer"]][view.get("byteOffset", 0) :][: view["byteLength"]]
        if count and start + stride * (count - 1) + width * dtype.itemsize > len(data):
            raise InputError(f"{self.path} is damaged: an array ends beyond its buffer")
        strides = (stride, dtype.itemsize)
        array = np.ndarray((count, width), dtype, data, start, strides)
        if accessor.get("normalized") and dtype.kind in "iu":
            return np.maximum(array / np.iinfo(dtype).max, -1)
        return array

    def placed_meshes(self) -> Iterator[tuple[dict[str, Any], NDArray[np.float64]]]:
        """Each mesh of the scene with its (4, 4) matrix; a file without nodes has each once."""
        nodes = self.value.get("nodes", [])
        scenes = self.value.get("scenes", [])
        if scenes:
            roots = scenes[self.value.get("scene", 0)].get("nodes", [])
        else:
            children = {child for node in nodes for child in node.get("children", [])}
            roots = [i for i in range(len(nodes)) if i not in children]
        if not nodes:
            yield from ((mesh, np.eye(4)) for mesh in self.value.get("meshes", []))
        waiting = [(index, np.eye(4), 0) for index in reversed(roots)]
        while waiting:
            index, parent, depth = waiting.pop()
            if depth > _DEEPEST:
                raise InputError(f"{self.path} is damaged: its nodes form a circle")
            node = nodes[index]
            matrix = parent @ _matrix(node, f"{self.path}: node {index}")
            if "mesh" in node:
                yield self.value["meshes"][node["mesh"]], matrix
            children = node.get("children", [])
            waiting += [(child, matrix, depth + 1) for child in reversed(children)]


def buffer_files(path: Path) -> list[Path]:
    """Return the files next to a ``.gltf`` that hold its arrays; none where it is damaged."""
    try:
        buffers = json.loads(path.read_bytes())["buffers"]
        places = [
            each["uri"] for each in buffers if not each.get("uri", "data:").startswith("data:")
        ]
        return [file for place in places if (file := path.parent / unquote(place)).is_file()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def read_gltf(path: Path) -> Columns:
    """Read the triangles of a glTF file, or its points if it has no triangle."""
    try:
        return _read(_Scene(path))
    except (KeyError, IndexError, TypeError, AttributeError, struct.error) as error:
        raise InputError(f"{path} is damaged ({error!r}); export it again") from None


def _read(scene: _Scene) -> Columns:
    points: list[NDArray[Any]] = []
    colors: list[NDArray[Any] | None] = []
    faces: list[NDArray[Any]] = []
    textured = lines = count = 0
    for mesh, matrix in scene.placed_meshes():
        for primitive in mesh["primitives"]:
            attributes = primitive["attributes"]
            mode = primitive.get("mode", _TRIANGLES)
            if mode not in (_POINTS, _TRIANGLES, _STRIP, _FAN) or "POSITION" not in attributes:
                lines += 1
                continue
            local = scene.array(attributes["POSITION"]).astype(np.float64)
            points.append(local @ matrix[:3, :3].T + matrix[:3, 3])
            color = attributes.get("COLOR_0")
            colors.append(None if color is None else _fractions(scene.array(color)[:, :3]))
            textured += color is None and _has_texture(scene, primitive)
            if mode != _POINTS:
                indices = primitive.get("indices")
                rows = np.arange(len(local)) if indices is None else scene.array(indices)[:, 0]
                triangles = _triangles(rows.astype(np.int64), mode)
                if len(triangles) and triangles.max() >= len(local):
                    raise InputError(
                        f"{scene.path} is damaged: a face names vertex {triangles.max()} of "
                        f"{len(local)}; export it again"
                    )
                mirrored = np.linalg.det(matrix[:3, :3]) < 0
                faces.append((triangles[:, ::-1] if mirrored else triangles) + count)
            count += len(local)
    if not points:
        raise InputError(f"{scene.path} holds no triangles and no points; export the mesh again")
    notes: list[str] = []
    plain = sum(each is None for each in colors)
    if textured:
        notes.append(f"textures are not read: {textured} of its {len(colors)} parts have no colour")
    if 0 < plain < len(colors):
        notes.append(f"{plain} of its {len(colors)} parts have no vertex colours: taken for white")
    if lines:
        notes.append(f"{lines} parts that are lines are left out")
    full = [np.ones_like(p) if c is None else c for p, c in zip(points, colors, strict=True)]
    every = np.concatenate(faces) if faces else np.empty((0, 3), np.int64)
    return Columns(
        points=np.concatenate(points),
        colors=np.concatenate(full) if plain < len(colors) else None,
        faces=every if len(every) else None,
        unit=None,  # metres by the specification, and whatever was modelled in practice
        notes=tuple(notes),
    )


def _matrix(node: dict[str, Any], where: str) -> NDArray[np.float64]:
    if "matrix" in node:
        return np.array(node["matrix"], np.float64).reshape(4, 4).T
    matrix = np.eye(4)
    rotation = rotation_from_quaternion(node.get("rotation", (0, 0, 0, 1)), where)
    matrix[:3, :3] = rotation * np.array(node.get("scale", (1, 1, 1)), np.float64)
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix


def _triangles(rows: NDArray[np.int64], mode: int) -> NDArray[np.int64]:
    if mode == _TRIANGLES:
        return rows[: len(rows) // 3 * 3].reshape(-1, 3)
    if len(rows) < 3:
        return np.empty((0, 3), np.int64)
    if mode == _FAN:
        return np.stack([np.repeat(rows[0], len(rows) - 2), rows[1:-1], rows[2:]], axis=1)
    strip = np.stack([rows[:-2], rows[1:-1], rows[2:]], axis=1)
    strip[1::2] = strip[1::2, [1, 0, 2]]
    return strip


def _fractions(colors: NDArray[Any]) -> NDArray[Any]:
    """Colours of a primitive as fractions; exporters forget "normalized", or write 0..255."""
    if colors.dtype.kind in "iu":
        return colors / np.iinfo(colors.dtype).max
    return colors / 255 if colors.size and colors.max() > 2 else colors


def _has_texture(scene: _Scene, primitive: dict[str, Any]) -> bool:
    if "material" not in primitive:
        return False
    material = scene.value["materials"][primitive["material"]]
    return "baseColorTexture" in material.get("pbrMetallicRoughness", {})
