"""LAS and LAZ, the tiles of airborne and terrestrial surveys (ASPRS, LAS 1.4 R15).

Coordinates are scaled integers with an offset, often georeferenced. Colours have 16 bits; the
specification multiplies 8-bit colours by 256, and many programs store 0..255 as they are (laspy
issue 221, mfbonfigli/gocesiumtiler issue 17). The coordinate system, if there is one, states the
unit of length, which is a foot in parts of the world.
"""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError
from pointcontrast.optional_packages import require
from pointcontrast.recordings.file_formats.columns import Columns
from pointcontrast.recordings.file_formats.thinning import kept_rows, thinning_note

_CHUNK = 1_000_000  # points
_HEADER, _SHORTEST_HEADER, _RECORD = 375, 227, 54  # bytes: of LAS 1.4, of 1.0, of an empty VLR
_COLORS = ("red", "green", "blue")
_FIELDS = ("intensity", "classification", "return_number", "number_of_returns", "user_data",
           "point_source_id", "withheld")  # fmt: skip
_WKT_UNIT = re.compile(r'(?:LENGTHUNIT|UNIT)\["([^"]*)",\s*([0-9.eE+-]+)')
_GEO_UNITS = {9001: 1.0, 9002: 0.3048, 9003: 1200 / 3937}  # EPSG codes of GeoTIFF keys
_LINEAR_UNIT_KEY, _MODEL_TYPE_KEY, _GEOGRAPHIC = 3076, 1024, 2


def read_las(path: Path, max_points: int | None = None) -> Columns:
    """Read a LAS or LAZ file of any version and point format, a chunk at a time.

    Args:
        path: The file.
        max_points: Largest number of points; of more, every second, third and so on is read.

    Returns:
        Points in float64, colours, and as fields the intensity, the classification, the returns and
        extra dimensions of one number. ``unit`` is that of the coordinate system.
    """
    laspy = require("laspy", "laspy[lazrs]", f"{path}: reading LAS and LAZ")
    _check_header(path)
    try:
        with laspy.open(path) as reader:
            return _read(path, reader, max_points)
    except InputError:
        raise
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # laspy raises errors of many kinds, its decompressor panics
        if "LazBackend" in str(error):
            require("lazrs", "laspy[lazrs]", f"{path}: reading LAZ")
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is damaged or cut short ({reason}); export it again") from None


def _read(path: Path, reader: Any, max_points: int | None) -> Columns:
    header = reader.header
    form = header.point_format
    _refuse_degrees(path, header)
    extra = [d.name for d in form.extra_dimensions if d.num_elements == 1]
    names = [name for name in form.dimension_names if name in _FIELDS] + extra
    has_color = set(_COLORS) <= set(form.dimension_names)
    points, colors = [], []
    fields: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    step, read = kept_rows(header.point_count, max_points), 0
    for chunk in reader.chunk_iterator(_CHUNK):
        rows = slice(-read % step, None, step)
        read += len(chunk)
        points.append(np.stack([np.asarray(chunk[a])[rows] for a in "xyz"], axis=1))
        for name in names:
            fields[name].append(np.asarray(chunk[name])[rows])
        if has_color:
            colors.append(np.stack([np.asarray(chunk[c])[rows] for c in _COLORS], axis=1))
    if read < header.point_count:
        raise InputError(
            f"{path} is damaged or cut short (its header promises {header.point_count} points, "
            f"{read} can be read); export it again"
        )
    notes = thinning_note(step, header.point_count)
    color = np.concatenate(colors) if colors else None
    if color is not None and not color.any():
        color, notes = None, (*notes, "its colours are all black: left out")
    found = {name: np.concatenate(parts) for name, parts in fields.items() if parts}
    places = np.concatenate(points) if points else np.empty((0, 3))
    withheld = found.pop("withheld", None)
    if withheld is not None and withheld.any():  # "should not be included in processing"
        keep = withheld == 0
        notes = (*notes, f"{np.count_nonzero(withheld):,} points that are withheld are left out")
        places, color = places[keep], None if color is None else color[keep]
        found = {name: values[keep] for name, values in found.items()}
    return Columns(points=places, colors=color, fields=found, unit=_unit(header), notes=notes)


def _check_header(path: Path) -> None:
    """Refuse what is no LAS, and counts beyond the size of the file, which laspy would loop over.

    Raises:
        InputError: The signature is another, or the file is shorter than its header says.
        OSError: The file is absent or unreadable.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        header = file.read(_HEADER)
    if header[:4] != b"LASF" or len(header) < _SHORTEST_HEADER:
        raise InputError(f"{path} is damaged or cut short, or no LAS file; export it again")
    start, num_records = struct.unpack_from("<2I", header, 96)
    kind, length, count = struct.unpack_from("<BHI", header, 104)
    if header[24:26] >= b"\x01\x04" and len(header) == _HEADER:  # version 1.4
        count = max(count, struct.unpack_from("<Q", header, 247)[0])
        extended, num_extended = struct.unpack_from("<QI", header, 235)
        num_records += num_extended if extended + 60 * num_extended <= size else size
    packed = bool(kind & 0x80)  # LAZ
    promised = start + (0 if packed else count * length)
    whole = promised <= size and _RECORD * num_records <= size
    if not whole or (packed and not _has_chunks(path, start, size)):
        found = max(0, size - start) // max(1, length)
        raise InputError(
            f"{path} is damaged or cut short (its header promises {count} points"
            + ("" if packed else f", {found} can be read")
            + "); export it again"
        )


def _has_chunks(path: Path, start: int, size: int) -> bool:
    """Whether the table of chunks of a LAZ lies in the file; its decompressor relies on it.

    Its place stands before the points, or at the end of the file where it is -1 there; it begins
    with a version and the number of chunks.
    """
    with open(path, "rb") as file:
        for place, origin in ((start, os.SEEK_SET), (-8, os.SEEK_END)):
            file.seek(place, origin)
            table = int.from_bytes(file.read(8), "little", signed=True)
            if table != -1:
                break
        if not start + 8 <= table <= size - 8:
            return False
        file.seek(table + 4)
        return int.from_bytes(file.read(4), "little") <= size


def _unit(header: Any) -> float | None:
    """Metres per unit of length of the coordinate system, or None if it states none."""
    wkt, keys = _coordinate_system(header)
    units = [float(size) for name, size in _WKT_UNIT.findall(wkt) if "degree" not in name.lower()]
    if wkt.startswith(("PROJ", "COMPD", "BOUND")) and units:
        return units[0]
    return _GEO_UNITS.get(keys.get(_LINEAR_UNIT_KEY, 0))


def _refuse_degrees(path: Path, header: Any) -> None:
    wkt, keys = _coordinate_system(header)
    if wkt.startswith(("GEOGCS", "GEOGCRS")) or keys.get(_MODEL_TYPE_KEY) == _GEOGRAPHIC:
        raise InputError(
            f"{path} has longitudes and latitudes in degrees; project it to a system in metres, "
            "such as UTM"
        )


def _coordinate_system(header: Any) -> tuple[str, dict[int, int]]:
    """The text and the GeoTIFF keys (key -> value) that describe the coordinate system."""
    wkt, keys = "", {}
    for record in header.vlrs:
        wkt = getattr(record, "string", "") if record.record_id == 2112 else wkt
        for key in getattr(record, "geo_keys", ()) if record.record_id == 34735 else ():
            if key.tiff_tag_location == 0:
                keys[key.id] = key.value_offset
    return wkt.strip(), keys
