"""Mesh of a synthetic room with short edges, as in a reconstruction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointcontrast.synthetic.rooms import Room
from pointcontrast.synthetic.textures import TextureTable


@dataclass(frozen=True)
class DenseMesh:
    """Coloured triangle mesh of N vertices and T triangles, with labels per vertex.

    Attributes:
        vertices: Positions (N, 3) float64, metres, in the room's frame. The room's own vertices
            come first.
        colors: RGB colours (N, 3) uint8, without light and shadow.
        triangles: Rows of ``vertices`` (T, 3) int64, counter-clockwise seen from outside.
        semantic: Classes (N,) int32, as in the room.
        instance: Instance ids (N,) int32, as in the room.
        material: Material ids (N,) int32, as in the room; the vertices of a solid share one.
    """

    vertices: NDArray[np.float64]
    colors: NDArray[np.uint8]
    triangles: NDArray[np.int64]
    semantic: NDArray[np.int32]
    instance: NDArray[np.int32]
    material: NDArray[np.int32]


def dense_mesh(room: Room, longest_edge: float) -> DenseMesh:
    """Halve the edges of a room's mesh until none is longer than ``longest_edge`` metres.

    Unused vertices are left out.
    """
    used, triangles = np.unique(room.triangles, return_inverse=True)
    triangles = triangles.reshape(-1, 3)
    labels = np.zeros((len(used), 3), dtype=np.int32)
    own = np.stack([room.semantic, room.instance, room.material], axis=1)
    labels[triangles] = own[:, None]  # a vertex belongs to one solid, so it has one of each
    values = np.concatenate([room.vertices, room.texture_coordinates], axis=1)[used]
    values, labels, triangles = _halved(values.astype(np.float64), labels, triangles, longest_edge)
    texture = TextureTable(room.materials)
    colors = texture.color(labels[:, 2].astype(np.int64), values[:, 3:].astype(np.float32))
    return DenseMesh(
        vertices=values[:, :3],
        colors=np.round(255 * colors).astype(np.uint8),
        triangles=triangles,
        semantic=labels[:, 0],
        instance=labels[:, 1],
        material=labels[:, 2],
    )


def _halved(
    values: NDArray[np.float64],
    labels: NDArray[np.int32],
    triangles: NDArray[np.int64],
    longest_edge: float,
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.int64]]:
    """Halve the longest edge of each triangle repeatedly until all edges are short enough.

    Args:
        values: Positions and texture coordinates (N, 6).
        labels: Semantic, instance and material labels (N, 3).
        triangles: Rows of ``values`` (T, 3).
        longest_edge: Longest edge allowed, metres.
    """
    while True:
        corners = values[triangles][..., :3]
        # edge k runs from corner k to corner k + 1
        edges = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2)
        longest = edges.argmax(axis=1)
        long = np.flatnonzero(edges.max(axis=1) > longest_edge)
        if not len(long):
            return values, labels, triangles
        turned = np.take_along_axis(
            triangles[long], (longest[long][:, None] + np.arange(3)) % 3, axis=1
        )
        first, second, opposite = turned.T
        # neighbours that share the edge share the new vertex
        ends = np.sort(turned[:, :2], axis=1)
        keys, middle = np.unique(ends[:, 0] * len(values) + ends[:, 1], return_inverse=True)
        pairs = np.stack(np.divmod(keys, len(values)), axis=1)
        middle = middle + len(values)
        values = np.concatenate([values, values[pairs].mean(axis=1)])
        labels = np.concatenate([labels, labels[pairs[:, 0]]])
        triangles = np.concatenate(
            [
                np.delete(triangles, long, axis=0),
                np.stack([first, middle, opposite], axis=1),
                np.stack([middle, second, opposite], axis=1),
            ]
        )
