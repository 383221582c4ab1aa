"""The up direction of a scene: stated by its source, given by the user, or estimated.

Cameras are held nearly level and cars drive nearly level, so the mean up direction of the sensors
is a good initial value. Floors and tables are the surfaces with normals near it, and they determine
it exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pointcontrast.errors import InputError
from pointcontrast.geometry import unit_vector

# Half-angles of the shrinking cone, degrees. It is wide at first, for cameras that look down, and
# narrow at last, to exclude furniture and slopes.
_CONES = (45.0, 30.0, 20.0, 15.0, 10.0, 7.5, 5.0, 5.0, 5.0)
SUPPORT_ANGLE = 5.0
_MIN_NORMALS = 100
_MIN_SUPPORT = 0.01


@dataclass(frozen=True)
class UpDirection:
    """The up direction of a scene, with its support.

    Attributes:
        direction: (3,) float64 unit vector, world frame.
        support: Share of the scene's known normals within 5 degrees of it or of its opposite
            (ceilings, undersides), 0..1.
        how: Origin: "given", "stated by the source", "estimated from horizontal surfaces", or
            "mean sensor up" if too few surfaces are horizontal to refine it.
    """

    direction: NDArray[np.float64]
    support: float
    how: str


def given_up(
    direction: ArrayLike, normals: NDArray[np.floating[Any]], how: str = "given"
) -> UpDirection:
    """Measure the support of a known up direction.

    Args:
        direction: (3,) of any length but zero, world frame.
        normals: (N, 3) unit vectors or 0 0 0, world frame.
        how: Origin: "given" or "stated by the source".

    Raises:
        InputError: Not three finite numbers, or all zero.
    """
    up = unit_vector(direction, "the up direction")
    return UpDirection(up, _support(up, normals), how)


def estimate_up(sensor_ups: NDArray[np.float64], normals: NDArray[np.floating[Any]]) -> UpDirection:
    """Estimate a scene's up direction from its sensors and surfaces.

    Starts at the mean up direction of the sensors, then moves repeatedly to the mean of the normals
    within a cone around it, while the cone shrinks from 45 to 5 degrees. Normals that point down
    (ceilings) are inverted.

    Args:
        sensor_ups: (V, 3) float64 unit vectors, V >= 1, world frame (``View.sensor_up``).
        normals: (N, 3) unit vectors or 0 0 0, world frame; N may be 0.

    Raises:
        InputError: The sensors' up directions cancel out, so that there is no initial value.
    """
    mean = sensor_ups.mean(axis=0)
    if np.linalg.norm(mean) < 0.1:
        raise InputError(
            "the cameras point in all directions, so the up direction cannot be estimated; "
            "pass --up x y z"
        )
    sensors_up = mean / np.linalg.norm(mean)
    normals = normals[np.any(normals != 0, axis=1)].astype(np.float64)
    up = sensors_up
    for cone in _CONES:
        cosine = normals @ up
        near = np.abs(cosine) > np.cos(np.deg2rad(cone))
        if near.sum() < _MIN_NORMALS:
            break
        total = (normals[near] * np.sign(cosine[near])[:, None]).sum(axis=0)
        up = total / np.linalg.norm(total)
    else:
        support = _support(up, normals)
        if support >= _MIN_SUPPORT:
            return UpDirection(up, support, "estimated from horizontal surfaces")
    return UpDirection(sensors_up, _support(sensors_up, normals), "mean sensor up")


def _support(up: NDArray[np.float64], normals: NDArray[np.floating[Any]]) -> float:
    known = normals[np.any(normals != 0, axis=1)]
    if not len(known):
        return 0.0
    return float(np.mean(np.abs(known @ up) > np.cos(np.deg2rad(SUPPORT_ANGLE))))
