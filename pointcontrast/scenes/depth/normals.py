"""Surface normals of selected pixels of a depth image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NORMAL_REACH = (2, 4, 6)  # pixels from the centre at which depth is compared
_MAX_SLOPE = 3.0  # a depth step steeper than this (metres per metre) is an edge
_DEPTH_NOISE = 0.01  # relative to the depth: smaller steps are noise, never an edge
_MIN_NEIGHBORS = 8  # of the 24 compared pixels, for a valid normal


def depth_normals(
    depth: NDArray[np.floating[Any]] | NDArray[np.uint16],
    intrinsics: NDArray[np.float64],
    pixels: NDArray[np.integer[Any]] | None = None,
) -> NDArray[np.float32]:
    """Estimate surface normals of a depth image by fitting a plane around every pixel.

    On a plane ``n . p = d`` the inverse depth is a linear function of the pixel,
    ``1/z = n . ray / d``. A linear fit of 1/z over the neighbours within 6 pixels therefore gives
    n / d without bias, however slanted the surface is. Neighbours across a depth edge are ignored.

    Args:
        depth: (H, W) depth in any unit, 0 where there is no measurement.
        intrinsics: (3, 3) pinhole matrix, pixels.
        pixels: (N,) flat indices of pixels, row by row; None takes all.

    Returns:
        (N, 3) float32 unit vectors in the camera frame, towards the camera; 0 0 0 where too few
        neighbours lie on the same surface, never NaN.
    """
    height, width = depth.shape
    chosen = np.arange(height * width) if pixels is None else np.asarray(pixels)
    rows, columns = np.divmod(chosen, width)
    margin = max(_NORMAL_REACH)
    padded = np.pad(depth.astype(np.float32), margin)
    stride = width + 2 * margin
    flat = padded.ravel()
    at = (rows + margin) * stride + columns + margin
    own = flat[at]
    with np.errstate(divide="ignore"):
        inverse = np.where(flat > 0, 1.0 / flat, 0).astype(np.float32)
    center = inverse[at]
    focal = float(intrinsics[0, 0])
    # Sums over the neighbours for the normal equations of w = a u + b v + c, with u, v, w
    # relative to the centre; the centre itself is the first sample (0, 0, 0).
    sums = {key: np.zeros_like(own) for key in ("uu", "uv", "vv", "u", "v", "uw", "vw", "w")}
    count = np.ones_like(own)
    for du, dv in _ring_offsets():
        there = at + (dv * stride + du)
        neighbor = flat[there]
        step = _MAX_SLOPE * float(np.hypot(du, dv)) / focal + _DEPTH_NOISE
        same = (np.abs(neighbor - own) < step * own) & (neighbor > 0)
        w = np.where(same, inverse[there] - center, np.float32(0))
        weight = same.astype(np.float32)
        count += weight
        sums["w"] += w
        for key, factor, value in (
            *(("u", du, weight), ("v", dv, weight), ("uw", du, w), ("vw", dv, w)),
            *(("uu", du * du, weight), ("uv", du * dv, weight), ("vv", dv * dv, weight)),
        ):
            if factor:
                sums[key] += np.float32(factor) * value
    return _plane_normals(sums, count, center, columns, rows, intrinsics)


def _plane_normals(
    sums: dict[str, NDArray[np.float32]],
    count: NDArray[np.float32],
    center: NDArray[np.float32],
    columns: NDArray[np.integer[Any]],
    rows: NDArray[np.integer[Any]],
    intrinsics: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Solve the linear fits of :func:`depth_normals` and convert them to unit normals."""
    mean_u, mean_v, mean_w = sums["u"] / count, sums["v"] / count, sums["w"] / count
    uu = sums["uu"] - count * mean_u * mean_u
    uv = sums["uv"] - count * mean_u * mean_v
    vv = sums["vv"] - count * mean_v * mean_v
    uw = sums["uw"] - count * mean_u * mean_w
    vw = sums["vw"] - count * mean_v * mean_w
    determinant = uu * vv - uv * uv
    # Neighbours on a line determine no plane: the determinant is 0 up to rounding.
    good = (count > _MIN_NEIGHBORS) & (center > 0) & (determinant > 1e-2 * (uu + vv) ** 2)
    scale = np.where(good, 1.0 / np.where(good, determinant, 1), 0).astype(np.float32)
    slope_u, slope_v = (uw * vv - vw * uv) * scale, (vw * uu - uw * uv) * scale
    at_center = center + mean_w - slope_u * mean_u - slope_v * mean_v  # the fit's 1/z there
    # 1/z = (slope_u, slope_v, rest) . (u, v, 1), and (u, v, 1) = K ray: so n / d = K^T of it.
    rest = at_center - slope_u * columns - slope_v * rows
    normals = np.stack([slope_u, slope_v, rest], axis=-1).astype(np.float32)
    normals = normals @ intrinsics.astype(np.float32)
    normals[~good] = 0
    return -_unit(normals)  # n / d has n . p > 0, away from the camera


def _ring_offsets() -> Sequence[tuple[int, int]]:
    """Return pixel offsets in eight directions at each distance in ``_NORMAL_REACH``."""
    steps = [(du, dv) for du in (-1, 0, 1) for dv in (-1, 0, 1) if (du, dv) != (0, 0)]
    return [(reach * du, reach * dv) for reach in _NORMAL_REACH for du, dv in steps]


def _unit(vectors: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Scale vectors to length 1; vectors of (nearly) no length become 0 0 0."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    tiny = np.finfo(np.float32).tiny
    return np.where(lengths > tiny, vectors / np.maximum(lengths, tiny), 0).astype(np.float32)
