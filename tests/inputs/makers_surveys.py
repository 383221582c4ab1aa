"""The small room as LAS and LAZ, with colours, coordinate systems and places of all kinds."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import laspy
import numpy as np
from laspy.vlrs.known import WktCoordinateSystemVlr

from tests.inputs.makers_point_files import COLORS, POINTS, Write

US_FEET = 1200 / 3937
PROJECTED = (
    'PROJCS["NAD83 / California zone 3 (ftUS)",GEOGCS["NAD83",DATUM["North_American_Datum_1983",'
    'SPHEROID["GRS 1980",6378137,298.257222101]],PRIMEM["Greenwich",0],'
    'UNIT["degree",0.0174532925199433]],PROJECTION["Lambert_Conformal_Conic_2SP"],'
    'UNIT["US survey foot",0.3048006096012192]]'
)
GEOGRAPHIC = (
    'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]]'
)


def las(
    point_format: int = 3,
    *,
    scale: float = 256,
    place: Sequence[float] = (0, 0, 0),
    unit: float = 1,
    wkt: str = "",
    geo_keys: Sequence[tuple[int, int]] = (),
    withheld: int = 0,
) -> Write:
    """Write the room; colours are multiplied by ``scale`` where the format has any.

    ``withheld`` points more lie far above the room and are marked as withheld.
    """

    def write(path: Path) -> None:
        header = laspy.LasHeader(
            point_format=point_format, version="1.4" if point_format >= 6 else "1.2"
        )
        points = np.vstack([POINTS, np.tile([0.0, 0, 500], (withheld, 1))])
        header.scales = np.full(3, 0.0001)
        header.offsets = np.floor(np.asarray(place, np.float64) / unit)
        if wkt:
            header.vlrs.append(WktCoordinateSystemVlr(wkt))
        if geo_keys:
            keys = [(key, 0, 1, value) for key, value in geo_keys]
            data = struct.pack("<4H", 1, 1, 0, len(keys)) + b"".join(
                struct.pack("<4H", *key) for key in keys
            )
            header.vlrs.append(laspy.VLR("LASF_Projection", 34735, "", data))
        made = laspy.LasData(header)
        made.x, made.y, made.z = ((points + place) / unit).T
        if "red" in header.point_format.dimension_names:
            colors = np.vstack([COLORS, np.zeros((withheld, 3), np.uint8)]).astype(np.float64)
            made.red, made.green, made.blue = (colors * scale).astype(np.uint16).T
        made.intensity = np.arange(len(points)) % 1000
        made.withheld = (np.arange(len(points)) >= len(POINTS)).astype(np.uint8)
        made.write(str(path))

    return write
