"""Files of equal binary records, one per point, that say nothing about themselves (``.bin``).

The field writes records of several sizes under one suffix:

============================ ==================================================================
4 float32                    x y z reflectance: KITTI, SemanticKITTI, KITTI-360
5 float32                    x y z intensity ring: nuScenes (``nuscenes-devkit``
                             ``utils/data_classes.py``), Lyft; x y z reflectance label in
                             ``kuixu/kitti_object_vis``
6 float32                    x y z red green blue: ScanNet and S3DIS as mmdetection3d converts
                             them; x y z intensity ring time: Boreas
7 float32                    x y z intensity ring return time: tier4's nuScenes form
3 float64                    x y z: RoboSense (``suhaisheng/RoboSense`` issue 3)
============================ ==================================================================

Read at another size, each gives a cloud without any error (``lyft/nuscenes-devkit`` issue 85,
``open-mmlab/mmdetection3d`` issue 1402). So the size is proven from the numbers. For records of W
numbers, numbers W places apart are of one column. The mean absolute difference of numbers of one
column is never larger than that of numbers of different columns (the energy distance of two
distributions is not negative), whatever the order of the points, and far smaller where neighbours
in the file are neighbours in space. And the columns of W have the most distinct distributions. A
width that either test excludes is not taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError

WIDTHS = {"float32": (3, 4, 5, 6, 7, 8), "float64": (3, 4, 5, 6)}
"""Numbers per point that are tried, by type."""
_BLOCK_STEP = 840  # 3, 4, 5, 6, 7 and 8 divide it: a record begins at each multiple
_BLOCK, _NUM_BLOCKS = 2 * _BLOCK_STEP, 24  # numbers that the size is proven from
_FEW_BLOCKS = 4  # where the form of the other files is known: four milliseconds per sweep
_LARGEST, _SMALLEST = 1e7, 1e-9  # of a coordinate that is not 0, metres; UTM is within


@dataclass(frozen=True)
class RecordForm:
    """Form of the records of a file.

    Attributes:
        width: Numbers per point.
        dtype: "float32" or "float64", little-endian.
    """

    width: int
    dtype: str

    def __str__(self) -> str:
        return f"{self.width} {self.dtype}"


KITTI_FORM = RecordForm(4, "float32")


def read_records(
    path: Path, form: RecordForm | None = None, width: int | None = None
) -> NDArray[Any]:
    """Read the records of a file.

    Args:
        path: The file.
        form: Form that the other files of its folder have. It decides where this file alone
            does not tell; None where nothing is known.
        width: Numbers per point as the user states them, which are not put in question; or None.

    Returns:
        (N, width) numbers; x y z come first. N is 0 for an empty file.

    Raises:
        InputError: No form fits the file, several do, or another does than ``form``.
    """
    own = record_form(path, form, width)
    return np.fromfile(path, dtype=np.dtype(own.dtype).newbyteorder("<")).reshape(-1, own.width)


def record_form(path: Path, form: RecordForm | None = None, width: int | None = None) -> RecordForm:
    """Tell the form of the records of a file from its size and its numbers.

    Raises:
        InputError: As :func:`read_records`.
    """
    size = path.stat().st_size
    if not size:
        return form or KITTI_FORM
    fitting: list[RecordForm] = []
    cut: RecordForm | None = None
    for dtype, widths in WIDTHS.items():
        if size % np.dtype(dtype).itemsize:
            continue
        numbers = _sample(path, dtype, size, _NUM_BLOCKS if form is None else _FEW_BLOCKS)
        likely = _likely_widths(numbers.values, widths) if width is None else [width]
        sound = [RecordForm(each, dtype) for each in likely if _makes_places(numbers, each)]
        fitting += [each for each in sound if numbers.total % each.width == 0]
        cut = cut or next(iter(sound), None)
        if fitting:  # float64 read as float32 has numbers of any size, so this is float32
            break
    if form is not None and form in fitting:
        return form
    if form is not None and fitting:
        raise InputError(
            f"{path} holds {fitting[0]} per point, the other sweeps {form}; keep one form per scene"
        )
    if len(fitting) == 1 or (fitting and width is not None):
        return fitting[0]
    if fitting:
        forms = " or ".join(map(str, fitting))
        raise InputError(
            f"{path} may hold {forms} per point, and its numbers do not tell which; state it by "
            "--floats-per-point, or save it as .npy, (N, columns)"
        )
    if cut is not None or width is not None:
        cut = cut or RecordForm(width or 0, "float32")
        told = "as --floats-per-point states" if width is not None else "as its numbers tell"
        raise InputError(
            f"{path} is cut short or in another format: {size} bytes, not a multiple of the "
            f"{cut.width * np.dtype(cut.dtype).itemsize} of a point ({cut}, {told}); copy it again"
        )
    raise InputError(
        f"{path} ({size} bytes) is cut short or in another format: it does not hold 3 to 8 float32 "
        "or 3 to 6 float64 per point, x y z first in metres; save it as .npy, (N, columns)"
    )


def common_form(paths: Sequence[Path], width: int | None = None) -> RecordForm | None:
    """Tell the form that the files of a folder have, from up to five of them.

    Args:
        paths: Files of one sensor.
        width: Numbers per point as the user states them, or None.

    Returns:
        The form of most of the files; None if none can be told, because all are damaged or absent.

    Raises:
        InputError: The numbers of no file tell its form, and several fit.
    """
    found: list[RecordForm] = []
    uncertain: InputError | None = None
    for path in paths[:: max(1, -(-len(paths) // 5))]:
        try:
            if path.stat().st_size:
                found.append(record_form(path, width=width))
        except InputError as error:
            uncertain = error if "do not tell" in str(error) else uncertain
        except OSError:
            continue
    if not found and uncertain is not None:
        raise uncertain
    return max(found, key=found.count) if found else None


def record_colors(records: NDArray[Any]) -> NDArray[Any] | None:
    """Return the colours of records of six numbers, if the last three are red, green and blue.

    They are whole numbers within 0..255 that rise and fall together, as the channels of a real
    scene do. Intensity, ring and time do not.

    Args:
        records: (N, width) numbers.

    Returns:
        (N, 3), or None.
    """
    if records.shape[1] != 6 or len(records) < 2:
        return None
    channels = records[:, 3:].astype(np.float64)
    if not np.isfinite(channels).all() or channels.min() < 0 or channels.max() > 255:
        return None
    if (channels != np.rint(channels)).any() or not (channels.std(axis=0) > 0).all():
        return None
    together = np.asarray(np.corrcoef(channels, rowvar=False))
    return channels if min(together[0, 1], together[1, 2]) > 0.5 else None


@dataclass(frozen=True)
class _Numbers:
    """Consecutive numbers of a file that begin with a record, and how many it has in all."""

    values: NDArray[Any]
    total: int


def _sample(path: Path, dtype: str, size: int, num_blocks: int) -> _Numbers:
    kind = np.dtype(dtype).newbyteorder("<")
    total = size // kind.itemsize
    if total <= _BLOCK * num_blocks:
        return _Numbers(np.fromfile(path, dtype=kind), total)
    starts = np.linspace(0, total - _BLOCK, num_blocks).astype(np.int64) // _BLOCK_STEP
    blocks = [
        np.fromfile(path, dtype=kind, count=_BLOCK, offset=int(start) * _BLOCK_STEP * kind.itemsize)
        for start in starts
    ]
    return _Numbers(np.concatenate(blocks), total)


def _likely_widths(values: NDArray[Any], widths: tuple[int, ...]) -> list[int]:
    """Return the widths that the numbers allow, multiples of one left out."""
    if len(values) and (values == values[0]).all():  # nothing to tell from, and nothing to lose
        return [width for width in (4, *widths) if len(values) % width == 0][:1]
    finite = np.where(np.isfinite(values), values, 0).astype(np.float64)
    finite = np.where(np.abs(finite) < _LARGEST, finite, 0)
    scaled = np.arcsinh(finite)  # a logarithm of either sign: columns of any scale count alike
    distinct = _of_distinct_columns(scaled, widths)
    turns = {w for w in widths if 2 * w in distinct and _take_turns(finite, w)}
    allowed = _of_similar_neighbours(scaled, widths) & (distinct | turns)
    base: list[int] = []
    for width in sorted(allowed):
        if not any(width % other == 0 for other in base):
            base.append(width)
    return base


def _of_similar_neighbours(scaled: NDArray[np.float64], widths: tuple[int, ...]) -> set[int]:
    """Return the widths at whose distance, or at a multiple of it, numbers differ least."""
    mean: dict[int, float] = {}
    error: dict[int, float] = {}
    for width in widths:
        apart = np.abs(scaled[width:] - scaled[:-width])
        if len(apart) < width:  # one point: nothing to compare
            return set(widths)
        mean[width] = float(apart.mean())
        error[width] = float(apart.std()) / np.sqrt(max(1, len(apart) // width))
    best = min(widths, key=lambda width: mean[width])
    similar = [
        width
        for width in widths
        if not mean[width] > mean[best] + 4 * np.hypot(error[width], error[best]) + 1e-9
    ]
    return {width for width in widths if any(other % width == 0 for other in similar)}


def _take_turns(values: NDArray[np.float64], width: int) -> bool:
    """Whether beams take turns: records of 2 ``width`` numbers are two points, not one.

    LiDARs fire upper and lower beams in turn, so that the second next point is nearer than the
    next. Two such points lie in one direction as seen from above.
    """
    double = values[: len(values) // (2 * width) * 2 * width].reshape(-1, 2 * width)
    first, second = double[:, :3], double[:, width : width + 3]
    normal = np.abs(np.linalg.norm(second, axis=1) - 1) < 1e-3
    if len(double) < 8 or normal.mean() > 0.9:
        return False
    lengths = np.linalg.norm(first[:, :2], axis=1) * np.linalg.norm(second[:, :2], axis=1)
    seen = lengths > 0
    if not seen.any():
        return False
    cosine = (first[:, :2] * second[:, :2]).sum(axis=1)[seen] / lengths[seen]
    return bool(np.median(cosine) > 0.95)


def _of_distinct_columns(scaled: NDArray[np.float64], widths: tuple[int, ...]) -> set[int]:
    """Return the widths whose columns have the most distinct distributions.

    Each column is described by its histogram. The likelihood of all numbers under the histograms
    of their columns, less the usual price of the histograms (BIC), is largest for the true width.
    """
    num_cells = min(32, max(2, len(scaled) // 40))  # few numbers fit fine histograms by chance
    edges = np.unique(np.quantile(scaled, np.linspace(0, 1, num_cells + 1)[1:-1]))
    cells = np.searchsorted(edges, scaled, side="right")
    gain: dict[int, float] = {}
    for width in widths:
        count = np.zeros((width, len(edges) + 1))
        np.add.at(count, (np.arange(len(cells)) % width, cells), 1)
        share = count / np.maximum(count.sum(axis=1, keepdims=True), 1)
        price = 0.5 * count.astype(bool).sum() * np.log(max(2, len(cells)))
        gain[width] = float((count * np.log(np.where(share > 0, share, 1))).sum()) - price
    best = max(gain, key=lambda width: gain[width])
    return {width for width in widths if gain[width] > gain[best] - 10}


def _makes_places(numbers: _Numbers, width: int) -> bool:
    """Whether the first three columns are places in metres: finite, of usual size."""
    values = numbers.values[: len(numbers.values) // width * width]
    places = values.reshape(-1, width)[:, :3]
    finite = np.abs(places[np.isfinite(places)].astype(np.float64))
    if not len(finite):
        return True  # no return at all: the reader of sweeps says so
    used = (places != 0).any(axis=0)
    if used.tolist() == [False, True, False]:  # upper and lower halves of short float64
        return False
    usual = finite < _LARGEST
    if places.dtype.itemsize == 8:  # pairs of float32 taken for float64 are also far too small
        usual &= (finite == 0) | (finite > _SMALLEST)
    return bool(usual.mean() > 0.99)
