"""The unit of length of a scan: what the user states, what its file states, or metres if they fit.

Nothing in most formats states a unit, and a room in centimetres taken for metres becomes a hall 500
m wide, in which everything else still runs. The values tell it apart, from measures that do not
depend on which direction is up:

- **Size.** Indoor scans are 1 to 200 m across, streets and tiles of a survey up to 1 km; 4,000
  across are millimetres.
- **Shape.** What is 60 m or more in all three directions, and nowhere flat, is a tower, a cathedral
  or a mountain, or a room in centimetres (500 x 400 x 260) or inches (200 x 160 x 100). Storeys,
  streets and plains are flat: their smallest extent is below a fifth of the mean of the other two.
- **Spacing.** Points of a cloud that lie more than half a metre apart show no surface to a depth
  camera with a range of 4 m, nor to a network with voxels of some centimetres. Scanners in rooms
  and streets leave centimetres; points at 1 unit are those of a cloud in centimetres.

Feet cannot be told from metres: a room of 20 x 13 x 9 is a hall. The coordinate system of a LAS
file states them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.geometry import point_spacing

LARGEST = 1000.0
"""Metres: the largest extent of a scan whose unit nobody states."""

_THICK, _FLAT = 60.0, 0.2  # metres; smallest extent by the mean of the others
_COARSEST = 0.5  # metres between points
_SAMPLE = 100_000  # points
_STRAY = 0.5  # percent of the points on each side that do not count for the shape
_ROOM_HEIGHT = 2.6  # metres
_UNITS = {0.001: "millimetres", 0.01: "centimetres", 0.0254: "inches", 0.3048: "feet"}


def doubt_of_metres(points: NDArray[np.floating[Any]], *, is_mesh: bool) -> str | None:
    """Say why the unit of a scan is probably not the metre.

    Args:
        points: (N, 3) coordinates of a scan, N >= 1, all finite.
        is_mesh: Whether they are vertices, whose spacing says nothing.

    Returns:
        The finding with the option that states the unit, as the end of a sentence that begins with
        the name of the file; None where metres fit.
    """
    some = points[:: max(1, len(points) // _SAMPLE)]
    whole = np.ptp(points, axis=0)
    extents = np.ptp(np.percentile(some, [_STRAY, 100 - _STRAY], axis=0), axis=0)
    smallest, middle, largest = np.sort(extents)
    if whole.max() > LARGEST >= largest and len(points) > 100 and whole.max() > 10 * largest:
        return (
            f"is {whole.max():.3g} m across, if its unit is the metre, but "
            f"{100 - 2 * _STRAY:g} % of its points are within {largest:.3g} m: remove the stray "
            f"points, or state its unit by {_options(smallest)}"
        )
    thick = smallest >= _THICK and smallest >= _FLAT * np.sqrt(middle * largest)
    if whole.max() > LARGEST or thick:
        size = " x ".join(f"{extent:.3g}" for extent in whole)
        return (
            f"is {size} m in size, if its unit is the metre, which is not the size of a room, a "
            f"building or a street: state its unit by {_options(smallest)}"
        )
    if not is_mesh and len(points) >= 1000:
        spacing = point_spacing(some if len(points) <= _SAMPLE else _patch(points))
        if spacing > _COARSEST:
            return (
                f"has points {spacing:.2g} m apart, if its unit is the metre, which show no "
                f"surface: state its unit by {_options(_ROOM_HEIGHT / 0.01)}"
            )
    return None


def _patch(points: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """The points around one of them, which are as close to each other as in the whole cloud."""
    center = points[len(points) // 2]
    away = np.square(points - center).sum(axis=1)
    return points[np.argpartition(away, _SAMPLE)[:_SAMPLE]]


def _options(height: float) -> str:
    """The units to state, the one first in which a height is most like that of a room."""
    with np.errstate(divide="ignore"):
        units = sorted(_UNITS, key=lambda unit: abs(np.log(height * unit / _ROOM_HEIGHT)))
    shown = ", ".join(f"--unit {unit:g} ({_UNITS[unit]})" for unit in units[:3])
    return f"{shown} or --unit 1 (metres)"
