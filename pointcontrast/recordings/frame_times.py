"""Times of frames, from names that are times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_UNITS = ((Decimal("1e17"), 9), (Decimal("1e14"), 6), (Decimal("1e11"), 3), (Decimal("1e8"), 0))
"""Smallest number of each unit (ns, us, ms, s) since 1970, and the power of ten of its second."""


def times_of_names(names: Sequence[str]) -> NDArray[np.float64] | None:
    """Return the times that names end with, if each ends with a time.

    A time is a count of seconds, milliseconds, microseconds or nanoseconds since 1970, told by its
    size (1973 and later), or a number with a fraction, which is seconds. Whole small numbers are
    no times: they count frames.

    Args:
        names: Names such as ``1305031102.175304``, ``1526915243047392`` (microseconds) or
            ``n008__LIDAR_TOP__1526915243047392``.

    Returns:
        (N,) float64 seconds, or None if a name is no time.
    """
    times: list[float] = []
    for name in names:
        found = _NUMBER.findall(name)
        if not found or not name.endswith(found[-1]):
            return None
        number = Decimal(found[-1])
        power = next((power for least, power in _UNITS if number >= least), None)
        if power is None:
            if "." not in found[-1]:
                return None
            power = 0
        times.append(float(number.scaleb(-power)))
    return np.array(times) if times else None
