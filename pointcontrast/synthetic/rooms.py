"""A furnished room as one labelled triangle mesh, with its boxes, materials and lights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointcontrast.synthetic.arrange import furnish
from pointcontrast.synthetic.floorplan import FloorPlan
from pointcontrast.synthetic.pieces import CLASS_NAMES, Placement
from pointcontrast.synthetic.shell import Opening, make_shell
from pointcontrast.synthetic.solids import rotation_about
from pointcontrast.synthetic.textures import Material


@dataclass(frozen=True)
class Light:
    """A point light, directed if it is a window.

    Attributes:
        position: (3,) float64 world metres.
        color: (3,) float64 linear RGB intensity.
        direction: (3,) float64 unit vector into the room, or None for all directions.
    """

    position: NDArray[np.float64]
    color: NDArray[np.float64]
    direction: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Room:
    """One room.

    Convention:
        World frame: z up, metres, the floor at z = 0, the interior at x, y >= 0.

    Attributes:
        plan: Ground plan.
        vertices: (V, 3) float32 world metres.
        normals: (V, 3) float32 unit vectors out of the solids (into the room for the shell).
        texture_coordinates: (V, 3) float32 metres in the frame of the piece of the vertex.
        triangles: (T, 3) int32 rows of ``vertices``, counter-clockwise seen from outside.
        semantic: (T,) int32 ids, positions in ``CLASS_NAMES``.
        instance: (T,) int32 ids from 0, one per piece: floor, ceiling, each wall, then the rest.
        material: (T,) int32 rows of ``materials``.
        materials: Textures.
        boxes: (K, 8) float32, columns ``labelled_scene_checks.BOX_COLUMNS``, of every instance
            except floor, ceiling and walls; each box is the tightest at the heading of its piece.
        box_instances: (K,) int32 instance ids of the boxes.
        lights: Lights of the room.
    """

    plan: FloorPlan
    vertices: NDArray[np.float32]
    normals: NDArray[np.float32]
    texture_coordinates: NDArray[np.float32]
    triangles: NDArray[np.int32]
    semantic: NDArray[np.int32]
    instance: NDArray[np.int32]
    material: NDArray[np.int32]
    materials: tuple[Material, ...]
    boxes: NDArray[np.float32]
    box_instances: NDArray[np.int32]
    lights: tuple[Light, ...]


def make_room(rng: np.random.Generator) -> Room:
    """Draw a room: 3-8 m by 3-6 m, 2.4-3.2 m high, one in four L-shaped, furnished.

    Args:
        rng: Source of randomness; the room is a pure function of its state.
    """
    size = (float(rng.uniform(3, 8)), float(rng.uniform(3, 6)))
    notch = (0.0, 0.0)
    if rng.uniform() < 0.25 and min(size) > 4:
        notch = (size[0] * float(rng.uniform(0.3, 0.5)), size[1] * float(rng.uniform(0.3, 0.5)))
    plan = FloorPlan(size, notch, float(rng.uniform(2.4, 3.2)))
    shell, openings = make_shell(plan, rng)
    placements = [*shell, *furnish(plan, openings, rng)]
    return assemble(plan, placements, _lights(plan, placements, openings, rng))


def assemble(plan: FloorPlan, placements: Sequence[Placement], lights: tuple[Light, ...]) -> Room:
    """Join placed pieces to one mesh; the instance id is the index in ``placements``."""
    vertices, normals, coordinates, triangles = [], [], [], []
    semantic, instance, material = [], [], []
    materials: list[Material] = []
    boxes, box_instances = [], []
    num_vertices = 0
    for number, placed in enumerate(placements):
        turn = rotation_about(2, placed.yaw)
        class_id = CLASS_NAMES.index(placed.piece.class_name)
        for part in placed.piece.parts:
            there = part.moved(placed.position, turn)
            vertices.append(there.vertices)
            normals.append(there.normals)
            coordinates.append(part.vertices)
            triangles.append(part.triangles + num_vertices)
            num_vertices += len(part.vertices)
            labels = (class_id, number, len(materials))
            for column, value in zip((semantic, instance, material), labels, strict=True):
                column.append(np.full(len(part.triangles), value, dtype=np.int32))
            materials.append(part.material)
        if placed.piece.class_name not in ("wall", "floor", "ceiling"):
            low, high = placed.piece.bounds()
            center = turn @ ((low + high) / 2) + placed.position
            yaw = (placed.yaw + np.pi) % (2 * np.pi) - np.pi
            boxes.append([*center, *(high - low), yaw, class_id])
            box_instances.append(number)
    return Room(
        plan=plan,
        vertices=np.concatenate(vertices).astype(np.float32),
        normals=np.concatenate(normals).astype(np.float32),
        texture_coordinates=np.concatenate(coordinates).astype(np.float32),
        triangles=np.concatenate(triangles).astype(np.int32),
        semantic=np.concatenate(semantic),
        instance=np.concatenate(instance),
        material=np.concatenate(material),
        materials=tuple(materials),
        boxes=np.array(boxes, dtype=np.float32).reshape(-1, 8),
        box_instances=np.array(box_instances, dtype=np.int32),
        lights=lights,
    )


def _lights(
    plan: FloorPlan,
    placements: Sequence[Placement],
    openings: Sequence[Opening],
    rng: np.random.Generator,
) -> tuple[Light, ...]:
    """One light under each ceiling lamp and one at each window; daylight varies."""
    daylight = rng.uniform(0.2, 1.0)
    warm = np.array([1.0, rng.uniform(0.85, 0.97), rng.uniform(0.65, 0.9)])
    cool = np.array([0.9, 0.97, 1.05])
    hanging = [
        placed
        for placed in placements
        if placed.piece.class_name == "lamp" and placed.position[2] == plan.height
    ]
    lights = []
    for placed in hanging:
        below = placed.position + np.array([0, 0, placed.piece.bounds()[0][2] - 0.03])
        lights.append(Light(below, (1.3 - 0.6 * daylight) * warm / len(hanging) ** 0.5))
    for opening in openings:
        if opening.class_name == "window":
            wall = plan.walls[opening.wall]
            at = np.append(wall.point((opening.low[0] + opening.high[0]) / 2, 0.2), 0.0)
            at[2] = (opening.low[1] + opening.high[1]) / 2 + 0.2
            inwards = np.array([np.cos(wall.heading), np.sin(wall.heading), 0.0])
            lights.append(Light(at, 1.2 * daylight * cool, inwards))
    return tuple(lights)
