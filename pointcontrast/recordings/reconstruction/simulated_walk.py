"""Positions and viewing directions of simulated cameras in a scan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.recordings.reconstruction.scan import Scan, shared_fraction
from pointcontrast.recordings.reconstruction.simulated_camera import (
    DepthCamera,
    pose_towards,
    visible_rows,
)

LOWEST_EYE, HIGHEST_EYE = 1.2, 1.8
"""Height above the floor at which people hold a camera that scans a room, metres."""

_NEAREST_TARGET = 0.8  # metres: nobody scans a wall from closer
_STEEPEST = 50.0  # degrees: largest angle above or below the horizon
_TARGETS = 256
_STEP = 1.5  # metres: largest distance between two cameras that share a view
_ENOUGH = 800  # cells of 5 cm, about 2 square metres; a look that sees less is drawn again
_FIRST_ATTEMPTS = 5
_LEG = 5  # looks of a walk before it continues elsewhere


@dataclass(frozen=True)
class Look:
    """A camera in a scan.

    Attributes:
        world_from_camera: (4, 4) float64 rigid transform, metres.
        seen: (K,) bool mask of the points of ``Scan.coarse`` that the camera sees.
    """

    world_from_camera: NDArray[np.float64]
    seen: NDArray[np.bool_]


def draw_looks(
    scan: Scan,
    camera: DepthCamera,
    min_overlap: float,
    max_attempts: int,
    rng: np.random.Generator,
) -> tuple[Look, Look]:
    """Draw two cameras in free space whose views overlap enough; see :func:`next_look`.

    Raises:
        InputError: The scan has no free place.
    """
    first = first_look(scan, camera, _any_place(scan, rng), rng)
    return first, next_look(scan, camera, first, min_overlap, max_attempts, rng)


def walk(
    scan: Scan, camera: DepthCamera, num_looks: int, min_overlap: float, rng: np.random.Generator
) -> Iterator[Look]:
    """Draw cameras all over a scan, in legs of five; within a leg, each is near the previous one.

    A leg starts at the free place that is farthest from all previous cameras.

    Raises:
        InputError: The scan has no free place.
    """
    place = _any_place(scan, rng)
    distance = np.full(len(scan.places), np.inf)
    look = first_look(scan, camera, place, rng)
    for number in range(num_looks):
        if number and number % _LEG == 0:
            look = first_look(scan, camera, scan.places[np.argmax(distance)], rng)
        elif number:
            look = next_look(scan, camera, look, min_overlap, 10, rng)
        here = look.world_from_camera[:3, 3]
        distance = np.minimum(distance, np.linalg.norm(scan.places - here, axis=1))
        yield look


def first_look(
    scan: Scan, camera: DepthCamera, place: NDArray[np.float64], rng: np.random.Generator
) -> Look:
    """Draw a camera above a place on the floor that looks at a point of the scan.

    Among a few draws, the first that sees about two square metres, else the one that sees most.
    """
    looks: list[Look] = []
    for _ in range(_FIRST_ATTEMPTS):
        eye = place + rng.uniform(LOWEST_EYE, HIGHEST_EYE) * scan.up
        looks.append(_look_at_one_of(scan.coarse, eye, scan, camera, rng))
        if np.count_nonzero(looks[-1].seen) >= _ENOUGH:
            break
    return max(looks, key=lambda look: np.count_nonzero(look.seen))


def next_look(
    scan: Scan,
    camera: DepthCamera,
    before: Look,
    min_overlap: float,
    max_attempts: int,
    rng: np.random.Generator,
) -> Look:
    """Draw a camera within 1.5 m of another that looks at a point which the other sees.

    While the two views overlap too little, the camera is drawn again from a smaller distance. After
    ``max_attempts`` it is the other camera itself.

    Args:
        scan: Scan to look at.
        camera: Image and range of both cameras.
        before: The other camera.
        min_overlap: Smallest overlap, as
            :func:`pointcontrast.recordings.reconstruction.scan.shared_fraction` measures it.
        max_attempts: Number of draws.
        rng: Source of randomness.
    """
    position = before.world_from_camera[:3, 3]
    ground = position - (position @ scan.up - scan.floor_height) * scan.up
    away = np.linalg.norm(scan.places - ground, axis=1)
    for attempt in range(max_attempts):
        near = scan.places[away <= _STEP * (1 - attempt / max_attempts)]
        place = near[rng.integers(len(near))] if len(near) else ground
        eye = place + rng.uniform(LOWEST_EYE, HIGHEST_EYE) * scan.up
        look = _look_at_one_of(scan.coarse[before.seen], eye, scan, camera, rng)
        if shared_fraction(before.seen, look.seen) >= min_overlap:
            return look
    return before


def _any_place(scan: Scan, rng: np.random.Generator) -> NDArray[np.float64]:
    if not len(scan.places):
        raise InputError(
            "the scan has no free floor to stand a camera on (floor within 30 cm of its lowest "
            f"1 %, nothing up to 2 m above it) with {scan.up.tolist()} upwards; is another "
            "direction up?"
        )
    return scan.places[rng.integers(len(scan.places))]


def _look_at_one_of(
    targets: NDArray[np.float32],
    eye: NDArray[np.float64],
    scan: Scan,
    camera: DepthCamera,
    rng: np.random.Generator,
) -> Look:
    """Place a camera at ``eye`` that looks at a target in range and not too steep, if any."""
    if len(targets):  # one target is enough, and testing all would take long
        targets = targets[rng.integers(len(targets), size=_TARGETS)]
    offsets = targets - eye.astype(np.float32)
    climb = offsets @ scan.up.astype(np.float32)
    flat = np.sqrt(np.maximum((offsets**2).sum(axis=1) - climb**2, 0))
    limit = np.float32(np.tan(np.radians(_STEEPEST)))
    good = (flat >= _NEAREST_TARGET) & (flat <= camera.farthest) & (np.abs(climb) <= limit * flat)
    rows = np.flatnonzero(good)
    if len(rows):
        target = targets[rows[0]].astype(np.float64)
    else:  # horizontal, in any direction
        sideways = np.cross(scan.up, rng.standard_normal(3))
        target = eye + sideways / np.linalg.norm(sideways)
    pose = pose_towards(eye, target, scan.up)
    # Coarse points need only a coarse image.
    small = replace(camera, width=camera.width // 2, height=camera.height // 2)
    seen = np.zeros(len(scan.coarse), bool)
    seen[visible_rows(scan.coarse, pose, scan.coarse_spacing, small)] = True
    return Look(pose, seen)
