"""Check of the size of a scene, to detect coordinates in another unit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError

_UNITS = {0.001: "millimetres", 0.01: "centimetres", 0.0254: "inches", 0.3048: "feet"}


def check_unit(unit: float) -> None:
    """Check metres per unit, as a user states it.

    Raises:
        InputError: It is not positive and finite.
    """
    if not 0 < unit < float("inf"):
        raise InputError(
            f"--unit {unit} must be the metres per unit, such as 0.001 for millimetres"
        )


def check_scene_size(
    coord: NDArray[np.floating],
    where: str,
    *,
    smallest: float,
    largest: float,
    unit: float | None = 1.0,
) -> None:
    """Refuse a scene whose size shows that its coordinates are in another unit.

    A scene of a few metres read as millimetres spans kilometres, so that every point becomes a
    voxel of its own; a street read as centimetres fits in a few voxels.

    Args:
        coord: Points (N, 3), metres, finite; N >= 1.
        where: Name of the scene, the first words of the message.
        smallest: Smallest plausible size along the longest axis, metres.
        largest: Largest plausible size.
        unit: Metres per unit with which the file was read; None if no option can state it.

    Raises:
        InputError: The size is outside; the message names the units that would fit.
    """
    size = float((coord.max(axis=0).astype(np.float64) - coord.min(axis=0)).max())
    if smallest <= size <= largest:
        return
    if unit is None:
        raise InputError(
            f"{where} is {size:.3g} m across, not {smallest:g} to {largest:g} m; give its "
            "coordinates in metres (divide millimetres by 1000)"
        )
    fitting = [
        f"--unit {metres:g} ({name})" if metres != 1 else "--unit 1 (metres)"
        for metres, name in {1.0: "metres", **_UNITS}.items()
        if metres != unit and 2 * smallest <= size / unit * metres <= largest / 2
    ]
    advice = f"if its coordinates are in another unit, give {' or '.join(fitting)}"
    if not fitting:
        advice = "check its coordinates"
    raise InputError(f"{where} is {size:.3g} m across, not {smallest:g} to {largest:g} m; {advice}")
