"""Points of ROS messages of the type sensor_msgs/PointCloud2.

A message describes its own records: name, offset, type (1 int8, 2 uint8, 3 int16, 4 uint16, 5
int32, 6 uint32, 7 float32, 8 float64) and count of each field, the bytes of a point
(``point_step``) and of a row (``row_step``), and the order of bytes (docs.ros.org,
``sensor_msgs/PointCloud2.msg`` and ``PointField.msg``). Points without a return are NaN, or 0 0 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pointcontrast.colors import as_uint8_colors
from pointcontrast.errors import InputError
from pointcontrast.recordings.file_formats.columns import named_columns
from pointcontrast.recordings.sequence import FrameError
from pointcontrast.types import PointCloud

_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}


def read_point_cloud_message(message: Any, where: str) -> PointCloud:
    """Read the points of a message.

    Args:
        message: sensor_msgs/PointCloud2, as ``rosbags`` reads it.
        where: File, topic and time, the first words of an error message.

    Returns:
        At least one point, in the frame of the message, metres, without points at the origin and
        points that are not finite; with colours if the message has them.

    Raises:
        FrameError: Cut short, without x y z, or without a single usable point.
    """
    order = ">" if message.is_bigendian else "<"
    names, formats, offsets = [], [], []
    for field in message.fields:
        if field.datatype not in _TYPES or field.name in names:
            continue
        names.append(field.name)
        count = max(1, field.count)
        formats.append(f"{order}{_TYPES[field.datatype]}" if count == 1 else
                       (f"{order}{_TYPES[field.datatype]}", (count,)))  # fmt: skip
        offsets.append(field.offset)
    try:
        layout: Any = {
            **{"names": names, "formats": formats, "offsets": offsets},
            "itemsize": int(message.point_step),
        }
        record: np.dtype[Any] = np.dtype(layout)
    except (ValueError, TypeError):
        raise FrameError(
            f"{where}: its fields do not fit into the {message.point_step} bytes of a point"
        ) from None
    row_bytes = message.width * message.point_step
    row_step = message.row_step or row_bytes
    data = np.asarray(message.data, dtype=np.uint8)
    if row_step < row_bytes or len(data) < (message.height - 1) * row_step + row_bytes:
        raise FrameError(
            f"{where} is cut short: {len(data)} bytes for {message.height} x {message.width} points"
        )
    rows = [data[row * row_step :][:row_bytes] for row in range(message.height)]
    table = np.frombuffer(b"".join(row.tobytes() for row in rows), dtype=record)
    columns = named_columns({name: table[name] for name in names if table[name].ndim == 1})
    if columns is None:
        raise FrameError(f"{where} has the fields {', '.join(names) or 'none'}, but no x y z")
    with np.errstate(over="ignore", invalid="ignore"):
        points = np.ascontiguousarray(columns.points, dtype=np.float32)
    good = np.isfinite(points).all(axis=1) & points.any(axis=1)
    if not good.any():
        raise FrameError(
            f"{where} holds no usable point: all {len(points)} are at the origin or not finite"
        )
    colors = None
    if columns.colors is not None:
        try:
            colors = as_uint8_colors(columns.colors[good], where)
        except InputError as error:
            raise FrameError(str(error)) from None
    return PointCloud(points[good], colors)
