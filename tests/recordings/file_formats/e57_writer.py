"""E57 files for tests, by pye57's own libE57, with what pye57 itself does not write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pye57
from numpy.typing import NDArray
from pye57 import libe57


def write_e57(path: Path, scans: Sequence[dict[str, Any]]) -> Path:
    """Write scans.

    Each is a dictionary of ``points`` (N, 3) metres in the scanner's frame, and where given
    ``colors`` (N, 3) up to ``largest`` (255), ``pose`` (4, 4), ``intensity`` (N,), ``invalid`` (N,)
    0 for a point with a return, and ``spherical``.
    """
    with pye57.E57(str(path), mode="w") as file:
        for number, scan in enumerate(scans):
            _write_scan(file.image_file, file.data3d, number, scan)
    return path


def _write_scan(image: Any, scans: Any, number: int, scan: dict[str, Any]) -> None:
    node = libe57.StructureNode(image)
    node.set("guid", libe57.StringNode(image, f"{{scan-{number}}}"))
    node.set("name", libe57.StringNode(image, f"Setup {number}"))
    if "pose" in scan:
        _set_pose(image, node, np.asarray(scan["pose"], np.float64))
    columns = _columns(scan)
    largest = scan.get("largest", 255)
    if "colors" in scan:
        limits = libe57.StructureNode(image)
        for name in ("colorRed", "colorGreen", "colorBlue"):
            limits.set(f"{name}Minimum", libe57.IntegerNode(image, 0))
            limits.set(f"{name}Maximum", libe57.IntegerNode(image, largest))
        node.set("colorLimits", limits)
    prototype = libe57.StructureNode(image)
    for name, values in columns.items():
        if name.startswith("color"):
            prototype.set(name, libe57.IntegerNode(image, 0, 0, largest))
        elif name.endswith("State"):
            prototype.set(name, libe57.IntegerNode(image, 0, 0, 2))
        else:
            low, high = float(values.min()), float(values.max())
            prototype.set(name, libe57.FloatNode(image, low, libe57.E57_DOUBLE, low, high))
    points = libe57.CompressedVectorNode(image, prototype, libe57.VectorNode(image, True))
    node.set("points", points)
    scans.append(node)
    buffers = libe57.VectorSourceDestBuffer()
    arrays = [np.ascontiguousarray(values, np.float64) for values in columns.values()]
    for name, array in zip(columns, arrays, strict=True):
        buffers.append(libe57.SourceDestBuffer(image, name, array, len(array), True, True))
    writer = points.writer(buffers)
    writer.write(len(arrays[0]))
    writer.close()


def _columns(scan: dict[str, Any]) -> dict[str, NDArray[np.float64]]:
    x, y, z = np.asarray(scan["points"], np.float64).T
    if scan.get("spherical"):
        distance = np.sqrt(x * x + y * y + z * z)
        columns = {
            "sphericalRange": distance,
            "sphericalAzimuth": np.arctan2(y, x),
            "sphericalElevation": np.arcsin(z / distance),
        }
    else:
        columns = {"cartesianX": x, "cartesianY": y, "cartesianZ": z}
    if "colors" in scan:
        red, green, blue = np.asarray(scan["colors"], np.float64).T
        columns |= {"colorRed": red, "colorGreen": green, "colorBlue": blue}
    if "intensity" in scan:
        columns["intensity"] = np.asarray(scan["intensity"], np.float64)
    if "invalid" in scan:
        columns["cartesianInvalidState"] = np.asarray(scan["invalid"], np.float64)
    return columns


def _set_pose(image: Any, node: Any, pose: NDArray[np.float64]) -> None:
    from scipy.spatial.transform import Rotation

    quaternion = Rotation.from_matrix(pose[:3, :3]).as_quat()
    structure = libe57.StructureNode(image)
    node.set("pose", structure)
    for part, names, values in (
        ("rotation", "xyzw", quaternion),  # in another order than pye57 writes
        ("translation", "xyz", pose[:3, 3]),
    ):
        child = libe57.StructureNode(image)
        structure.set(part, child)
        for name, value in zip(names, values, strict=True):
            child.set(name, libe57.FloatNode(image, float(value)))
