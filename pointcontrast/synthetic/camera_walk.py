"""Smooth path of a hand-held camera through the free space of a room."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import dijkstra

from pointcontrast.errors import InputError
from pointcontrast.synthetic.floorplan import CELL, cell_centers, footprint, walkable
from pointcontrast.synthetic.pieces import CLASS_NAMES, FURNITURE_NAMES
from pointcontrast.synthetic.rooms import Room

_CLEARANCE = 0.28  # metres
_LONGEST_STEP = 0.2  # metres between frames
_LARGEST_TURN = np.radians(13.0)  # between frames


def walk(room: Room, num_frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the poses of a camera that is carried around a room and looks at the furniture.

    The path visits the corners of the free space and returns to its start. Steps are at most 0.2 m
    and rotations 13 degrees per frame, so that successive frames overlap for any ``num_frames``.
    Few frames see part of the room; many go round several times, looking elsewhere in each round.

    Args:
        room: Room to walk in.
        num_frames: Number of poses K, at least 1.
        rng: Source of randomness.

    Returns:
        (K, 4, 4) float64 ``world_from_camera``, camera x right, y down, z forward.

    Raises:
        InputError: ``num_frames`` is below 1, or the room has no free space.
    """
    if num_frames < 1:
        raise InputError(f"num_frames must be at least 1, got {num_frames}")
    loop = _closed_way(room, rng)
    length = np.linalg.norm(np.diff(loop, axis=0), axis=1).sum()
    step = float(np.clip(length / num_frames, 0.06, _LONGEST_STEP))
    ground = _points_along(loop, step * np.arange(num_frames))
    height = rng.uniform(1.3, 1.6) + _wander(num_frames, 0.1, 25, rng)
    eyes = np.column_stack([ground, np.clip(height, 1.2, 1.7)])
    yaw, pitch = _gaze(room, eyes, rng)
    roll = _wander(num_frames, np.radians(3), 12, rng)
    return np.stack([_pose(*values) for values in zip(eyes, yaw, pitch, roll, strict=True)])


def free_space(room: Room) -> NDArray[np.bool_]:
    """Return the (X, Y) cells of ``floorplan.walkable`` that are free up to 1.8 m."""
    boxes = room.boxes.astype(np.float64)
    below = boxes[boxes[:, 2] - boxes[:, 5] / 2 < 1.8]
    rectangles = [footprint(-box[3:5] / 2, box[3:5] / 2, box[:2], box[6]) for box in below]
    return walkable(room.plan, rectangles, _CLEARANCE)


def _closed_way(room: Room, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return dense points, (P, 2), of a smooth closed path through distant free places."""
    free = free_space(room)
    if not free.any():
        raise InputError("this room has no free space for a camera; draw another seed")
    cells = np.flatnonzero(free)
    places = cell_centers(free.shape)[cells]
    graph = _grid_graph(free, cells)
    # Farthest-point sampling by walking distance spreads the stops over the free space.
    stops = [int(rng.integers(len(cells)))]
    nearest = dijkstra(graph, indices=stops[0])
    while len(stops) < 6 and nearest.max() > 0.6:
        stops.append(int(np.argmax(nearest)))
        nearest = np.minimum(nearest, dijkstra(graph, indices=stops[-1]))
    middle = places[stops].mean(axis=0)
    around = np.arctan2(*(places[stops] - middle).T[::-1])
    order = [stops[k] for k in np.argsort(around)]
    way: list[int] = []
    for start, end in zip(order, [*order[1:], order[0]], strict=True):
        _, before = dijkstra(graph, indices=start, return_predecessors=True)
        leg = [end]
        while leg[-1] != start:
            leg.append(int(before[leg[-1]]))
        way += leg[:0:-1]
    line = places[way]
    smooth = ndimage.gaussian_filter1d(line, sigma=3.0, axis=0, mode="wrap")
    return np.concatenate([smooth, smooth[:1]])


def _grid_graph(free: NDArray[np.bool_], cells: NDArray[np.int64]) -> csr_array:
    """Distances in metres between neighbouring free cells, diagonals included."""
    number = np.full(free.shape, -1)
    number.ravel()[cells] = np.arange(len(cells))
    rows, columns, weights = [], [], []
    width, depth = free.shape
    for dx, dy in ((1, 0), (0, 1), (1, 1), (1, -1)):
        here = number[: width - dx, max(0, -dy) : depth - max(0, dy)]
        there = number[dx:, max(0, dy) : depth + min(0, dy)]
        linked = (here >= 0) & (there >= 0)
        rows += [here[linked], there[linked]]
        columns += [there[linked], here[linked]]
        weights += [np.full(2 * linked.sum(), CELL * np.hypot(dx, dy))]
    size = (len(cells), len(cells))
    return coo_array(
        (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), shape=size
    ).tocsr()


def _points_along(loop: NDArray[np.float64], distances: NDArray) -> NDArray[np.float64]:
    """Return the (K, 2) points at these distances along a closed line, modulo its length."""
    steps = np.linalg.norm(np.diff(loop, axis=0), axis=1)
    travelled = np.concatenate([[0], np.cumsum(steps)])
    if travelled[-1] < CELL:
        return np.repeat(loop[:1], len(distances), axis=0)
    at = distances % travelled[-1]
    return np.column_stack([np.interp(at, travelled, loop[:, axis]) for axis in range(2)])


def _wander(
    num_frames: int, spread: float, smoothness: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return a (K,) smooth random signal around 0 with standard deviation near ``spread``."""
    margin = int(4 * smoothness)
    white = rng.normal(size=num_frames + 2 * margin)
    smooth = ndimage.gaussian_filter1d(white, smoothness)[margin : margin + num_frames]
    return smooth * spread * np.sqrt(2 * np.sqrt(np.pi) * smoothness)


def _gaze(
    room: Room, eyes: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return yaw and pitch, (K,) radians, moving smoothly from one target to another."""
    wanted = [CLASS_NAMES.index(name) for name in FURNITURE_NAMES]
    targets = room.boxes[np.isin(room.boxes[:, 7], wanted), :3].astype(np.float64)
    middle = np.append(np.asarray(room.plan.size) / 2, 0.8)
    targets = np.concatenate([targets, middle[None]])
    seen = np.zeros(len(targets))
    target, dwell = _next_target(targets, seen, eyes[0], None, rng), 0
    yaw, pitch = _bearing(eyes[0], targets[target])
    turn, yaws, pitches = 0.0, [], []
    for eye in eyes:
        goal_yaw, goal_pitch = _bearing(eye, targets[target])
        error = (goal_yaw - yaw + np.pi) % (2 * np.pi) - np.pi
        wanted_turn = np.clip(0.35 * error, -_LARGEST_TURN, _LARGEST_TURN)
        turn += float(np.clip(wanted_turn - turn, -0.08, 0.08))
        yaw += turn
        pitch += float(np.clip(0.3 * (goal_pitch - pitch), -0.07, 0.07))
        yaws.append(yaw)
        pitches.append(pitch)
        dwell += abs(error) < 0.2
        if dwell > 2 or np.linalg.norm((targets[target] - eye)[:2]) < 0.8:
            seen[target] += 1
            target, dwell = _next_target(targets, seen, eye, yaw, rng), 0
    return np.array(yaws), np.array(pitches)


def _next_target(
    targets: NDArray[np.float64],
    seen: NDArray[np.float64],
    eye: NDArray[np.float64],
    yaw: float | None,
    rng: np.random.Generator,
) -> int:
    """Choose the least-seen target, preferring a good distance and a small rotation from ``yaw``.

    A large rotation sweeps over bare walls nearby; a near target fills the image.
    """
    away = np.linalg.norm((targets - eye)[:, :2], axis=1)
    cost = seen + rng.uniform(0, 0.7, len(targets)) + 3 * (away < 1.6) + 0.5 * (away > 4.5)
    if yaw is not None:
        bearings = np.arctan2(targets[:, 1] - eye[1], targets[:, 0] - eye[0])
        cost += np.abs((bearings - yaw + np.pi) % (2 * np.pi) - np.pi) / np.pi
    return int(np.argmin(cost))


def _bearing(eye: NDArray[np.float64], target: NDArray[np.float64]) -> tuple[float, float]:
    """Return yaw and pitch from ``eye`` to ``target``, limited to 35 degrees down and 5 up."""
    dx, dy, dz = target - eye
    pitch = np.clip(np.arctan2(dz, np.hypot(dx, dy)), np.radians(-35), np.radians(5))
    return float(np.arctan2(dy, dx)), float(pitch)


def _pose(eye: NDArray[np.float64], yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Return the (4, 4) ``world_from_camera`` of a camera at ``eye``, (3,); angles in radians."""
    forward = np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    down = np.cross(forward, right)
    c, s = np.cos(roll), np.sin(roll)
    pose = np.eye(4)
    pose[:3, 0] = c * right + s * down
    pose[:3, 1] = c * down - s * right
    pose[:3, 2] = forward
    pose[:3, 3] = eye
    return pose
