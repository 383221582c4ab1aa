"""Coloured points of an image, as VoteNet's scripts store them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from downstream.releases.scene_size import check_scene_size
from pointcontrast.colors import as_uint8_colors
from pointcontrast.errors import InputError

_LARGEST = 100.0  # metres; depth ends at 8 m

NOT_READ = "the seventh column of the points, a label, is not read"


def points_and_colors(
    rows: NDArray[Any], where: str
) -> tuple[NDArray[np.float32], NDArray[np.uint8], list[str]]:
    """Divide an array into places and colours.

    Args:
        rows: (N, 6) x y z r g b; a seventh column is left out with a note.
        where: Name of the file in messages.

    Returns:
        Points (N, 3), metres, their colours (N, 3), and notes.

    Raises:
        InputError: A value is not a finite number, the colours have no known form, or the points
            are not in metres.
    """
    if rows.dtype.kind not in "fiu":
        raise InputError(f"{where} holds {rows.dtype}, not real numbers; run the script again")
    if not np.isfinite(rows[:, :6]).all():
        raise InputError(f"{where}: points and colours must be finite; run the script again")
    points = rows[:, :3].astype(np.float32)
    if len(points):
        check_scene_size(points, where, smallest=0.0, largest=_LARGEST, unit=None)
    colors = as_uint8_colors(rows[:, 3:6], f"{where}: its points")
    return points, colors, [NOT_READ] if rows.shape[1] > 6 else []
