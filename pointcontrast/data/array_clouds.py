"""Point clouds given as arrays: lists, NumPy arrays or tensors, one cloud or several, checked.

What :func:`pointcontrast.load` and ``downstream.load`` accept. Every fault is one line that names
the argument and the fix.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from pointcontrast.colors import as_uint8_colors
from pointcontrast.data.network_input import FeatureName, first_lacking
from pointcontrast.errors import InputError
from pointcontrast.origins import check_resolution, put_back, take_origin_off
from pointcontrast.types import PointCloud

Array = ArrayLike | torch.Tensor
Arrays = Array | Sequence[Array]


@dataclass(frozen=True)
class ArrayClouds:
    """The clouds of one call.

    Attributes:
        clouds: Clouds with points relative to their origins, float32 metres.
        origins: (3,) float64 metres, one per cloud, as of
            :func:`pointcontrast.origins.take_origin_off`.
        is_single: Whether one cloud was given, not a sequence of clouds.
        devices: Device of each cloud's points, or None where they were no tensor.
    """

    clouds: list[PointCloud]
    origins: list[NDArray[np.float64]]
    is_single: bool
    devices: list[torch.device | None]

    def name(self, index: int) -> str:
        """Name of cloud ``index`` for messages."""
        return "points" if self.is_single else f"points[{index}]"

    def require(self, features: Sequence[FeatureName]) -> None:
        """Refuse clouds that lack what a network takes as input.

        Raises:
            InputError: Colours or normals were not given and ``features`` names them.
        """
        first = self.clouds[0]
        lacking = first_lacking(features, colors=first.colors, normals=first.normals)
        if lacking is not None:
            feature, what = lacking
            argument = "colors" if feature == "color" else "normals"
            raise InputError(
                f"this network was trained on {what}: pass {argument}=, (N, 3), or load a network "
                "that was trained without them"
            )

    def in_input_frame(self, index: int, points: NDArray[np.float32]) -> NDArray[np.floating]:
        """Points of cloud ``index`` in the frame they were given in.

        Returns:
            float32, or float64 where an origin was taken off.
        """
        return put_back(points, self.origins[index])

    def like_input(self, index: int, values: NDArray[Any]) -> Any:
        """``values`` as a tensor on the device of the points, if these were a tensor."""
        device = self.devices[index]
        return values if device is None else torch.from_numpy(values).to(device)


def read_clouds(
    points: Arrays, colors: Arrays | None, normals: Arrays | None, voxel_size: float | None
) -> ArrayClouds:
    """Check the clouds of one call.

    Args:
        points: (N, 3) metres, or a sequence of such arrays: several clouds.
        colors: (N, 3) RGB of the points: uint8, other integers 0..255, or floats, which are taken
            for 0..1 or 0..255 by their range over all clouds of the call; or None.
        normals: (N, 3) unit vectors of the points, or None.
        voxel_size: Side of the network's voxels, metres, that the points must resolve; None where
            their unit is not the metre.

    Raises:
        InputError: an array is not of numbers or not (N, 3), is empty, not finite, in half
            precision, or of another length than its points; the points were float32 far from
            zero; or the range of the colours cannot be told.
    """
    is_single = not _is_several(points)
    given = [points] if is_single else list(points)  # pyright: ignore[reportArgumentType]
    if not given:
        raise InputError("points is an empty sequence; give (N, 3) metres, or several such arrays")
    names = ["points"] if is_single else [f"points[{i}]" for i in range(len(given))]
    places = [_points(name, value) for name, value in zip(names, given, strict=True)]
    if voxel_size is not None:
        for name, place in zip(names, places, strict=True):
            check_resolution(place, voxel_size, name)
    lengths = [len(place) for place in places]
    all_normals = _beside(normals, "normals", lengths, is_single)
    all_colors = _beside(colors, "colors", lengths, is_single)
    relative = [take_origin_off(place) for place in places]
    clouds, origins = [PointCloud(place) for place, _ in relative], [each for _, each in relative]
    if all_colors is not None:
        whole = as_uint8_colors(np.concatenate(all_colors), "colors")
        parts = np.split(whole, np.cumsum(lengths)[:-1])
        clouds = [PointCloud(c.points, part) for c, part in zip(clouds, parts, strict=True)]
    if all_normals is not None:
        clouds = [
            PointCloud(c.points, c.colors, _unit(name, value))
            for c, value, name in zip(clouds, all_normals, names, strict=True)
        ]
    devices = [p.device if isinstance(p, torch.Tensor) else None for p in given]
    return ArrayClouds(clouds, origins, is_single, devices)


def _is_several(points: Any) -> bool:
    """Whether ``points`` is a sequence of clouds: its first element has rows of its own."""
    if not isinstance(points, list | tuple) or not len(points):
        return isinstance(points, list | tuple)
    first = points[0]
    if isinstance(first, np.ndarray | torch.Tensor):
        return first.ndim == 2
    return isinstance(first, list | tuple) and bool(first) and np.ndim(first[0]) > 0


def _array(name: str, value: Any) -> NDArray[Any]:
    """``value`` as an array of numbers; tensors are copied to the CPU."""
    if isinstance(value, torch.Tensor):
        if value.dtype == torch.bfloat16:
            value = value.float()
        return value.detach().cpu().numpy()
    try:
        array = np.asarray(value)
    except ValueError:
        raise InputError(f"{name} has rows of different lengths; give (N, 3) numbers") from None
    if array.dtype.kind not in "fiu" and array.size:
        raise InputError(f"{name} is an array of {array.dtype}; give (N, 3) numbers")
    return array


def _points(name: str, value: Any) -> NDArray[np.floating]:
    half = isinstance(value, torch.Tensor) and value.dtype == torch.bfloat16
    array = _array(name, value)
    if array.size == 0:
        raise InputError(f"{name} holds no point; leave empty clouds out")
    if array.ndim != 2 or array.shape[1] != 3:
        rest = "; pass what follows x y z as colors= or normals=" if array.shape[-1] > 3 else ""
        raise InputError(f"{name} has the shape {array.shape}; give (N, 3) metres{rest}")
    if half or array.dtype == np.float16:
        raise InputError(
            f"{name} is in half precision, which keeps no centimetre beyond 16 m; give float32"
        )
    _check_finite(name, array)
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _beside(
    value: Any, name: str, lengths: list[int], is_single: bool
) -> list[NDArray[Any]] | None:
    """The arrays of one property, one per cloud, each with a row per point."""
    if value is None:
        return None
    values = [value] if is_single else list(value)
    if len(values) != len(lengths):
        raise InputError(f"{name} holds {len(values)} arrays for {len(lengths)} clouds")
    arrays = []
    for index, (each, length) in enumerate(zip(values, lengths, strict=True)):
        title = name if is_single else f"{name}[{index}]"
        array = _array(title, each)
        if array.shape != (length, 3):
            hint = "; drop the alpha column" if array.shape == (length, 4) else ""
            raise InputError(
                f"{title} has the shape {array.shape}; give ({length}, 3), a row per point{hint}"
            )
        _check_finite(title, array)
        arrays.append(array.astype(np.float32) if array.dtype == np.float16 else array)
    return arrays


def _check_finite(name: str, array: NDArray[Any]) -> None:
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(bad):
        raise InputError(
            f"{name} holds NaN or infinity in {len(bad)} of {len(array)} rows, first in row "
            f"{bad[0]}; remove these points"
        )


def _unit(name: str, normals: NDArray[Any]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(normals.astype(np.float64), axis=1)
    wrong = (np.abs(lengths - 1) > 0.01) & (lengths > 0)
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(
            f"normals of {name} have the length {lengths[row]:.3g} in row {row}; give unit "
            "vectors, or zeros where a normal is not known"
        )
    return normals.astype(np.float32)
