"""The authors' finetuning augmentation, step by step, in our words: slow and plainly right.

PointContrast ``downstream/semseg/lib/{voxelizer,transforms,train}.py``: float64, a blur by
convolution, SciPy's interpolator, rotations as matrix exponentials, points one by one. Each draw
is taken here in the order in which the recipe takes it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator
from scipy.linalg import expm
from scipy.ndimage import convolve


@dataclass(frozen=True)
class Recipe:
    """The figures of one benchmark's recipe, ScanNet's unless said otherwise."""

    elastic: tuple = ((0.2, 0.4), (0.8, 1.6))
    max_tilt: float = np.pi / 64
    clip: float | None = None
    translation_ratio: tuple = (0.2, 0.2, 0.05)
    color_translation: float = 0.10
    color_jitter: float = 0.05


def elastic_distortion(
    points: NDArray, rng: np.random.Generator, granularity: float, magnitude: float
) -> NDArray:
    lowest = points.min(axis=0)
    size = np.floor((points - lowest).max(axis=0) / granularity).astype(int) + 3
    noise = rng.standard_normal((3, *size[::-1]), dtype=np.float32).astype(np.float64)
    noise = noise.transpose(3, 2, 1, 0)  # x, y, z, direction
    for _ in range(2):
        for axis in range(3):
            shape = [1, 1, 1, 1]
            shape[axis] = 3
            noise = convolve(noise, np.full(shape, 1 / 3), mode="constant", cval=0)
    axes = [
        np.linspace(start - granularity, start + granularity * (number - 2), number)
        for start, number in zip(lowest, size, strict=True)
    ]
    field = RegularGridInterpolator(axes, noise, bounds_error=False, fill_value=None)
    return points + magnitude * field(points)


def cropped_rows(
    points: NDArray, rng: np.random.Generator, limit: float, ratios: tuple
) -> list[int]:
    lowest, highest = points.min(axis=0), points.max(axis=0)
    size = highest - lowest
    centre = lowest + size * 0.5 + size * [rng.uniform(-ratio, ratio) for ratio in ratios]
    if size.max() < limit:
        return list(range(len(points)))
    rows = [
        row
        for row, point in enumerate(points)
        if all(
            middle - limit <= place < middle + limit
            for place, middle in zip(point, centre, strict=True)
        )
    ]
    return rows or list(range(len(points)))


def rotation(rng: np.random.Generator, max_tilt: float, max_turn: float = np.pi) -> NDArray:
    angles = [rng.uniform(-bound, bound) for bound in (max_tilt, max_tilt, max_turn)]
    matrices = [
        expm(np.cross(np.eye(3), angle * axis))
        for angle, axis in zip(angles, np.eye(3), strict=True)
    ]
    a, b, c = (matrices[axis] for axis in rng.permutation(3))
    return a @ b @ c


def before_voxels(
    points: NDArray, normals: NDArray, rng: np.random.Generator, recipe: Recipe
) -> tuple[NDArray, NDArray, list[int]]:
    """The points and normals after all that comes before voxels, and the rows they had."""
    points = points.astype(np.float64)
    if recipe.elastic and rng.random() < 0.95:
        for granularity, magnitude in recipe.elastic:
            points = elastic_distortion(points, rng, granularity, magnitude)
    rows = list(range(len(points)))
    if recipe.clip is not None:
        rows = cropped_rows(points, rng, recipe.clip, recipe.translation_ratio)
    turn = rotation(rng, recipe.max_tilt)
    scale = rng.uniform(0.9, 1.1)
    turned = np.array([scale * turn @ points[row] for row in rows])
    return turned, np.array([turn @ normals[row] for row in rows]), rows


def voxels(points: NDArray, labels: NDArray, voxel_size: float) -> dict[tuple, tuple[int, int]]:
    """The first row of each voxel and its label: -1 where its points disagree."""
    members = defaultdict(list)
    for row, point in enumerate(points):
        voxel = np.floor(point / points.dtype.type(voxel_size)).astype(int)
        members[tuple(voxel.tolist())].append(row)
    lowest = np.min(list(members), axis=0)
    merged = {}
    for voxel, rows in members.items():
        held = {int(labels[row]) for row in rows}
        place = tuple((np.array(voxel) - lowest).tolist())
        merged[place] = (rows[0], held.pop() if len(held) == 1 else -1)
    return merged


def after_voxels(
    coordinates: NDArray, colors: NDArray | None, rng: np.random.Generator, recipe: Recipe
) -> tuple[NDArray, NDArray | None, NDArray, NDArray]:
    """Coordinates, colours, the rows that are left, and the signs of normals."""
    rows = np.arange(len(coordinates))
    if rng.random() < 0.2:
        num_kept = int(len(rows) * (1 - 0.2))
        dropped = rng.choice(len(rows), len(rows) - num_kept, replace=False, shuffle=False)
        rows = np.array([row for row in rows if row not in set(dropped.tolist())])
    coordinates, signs = coordinates[rows].copy(), np.ones(3)
    if rng.random() < 0.95:
        for axis in (0, 1, 3)[: coordinates.shape[1] - 1]:
            if rng.random() < 0.5:
                coordinates[:, axis] = coordinates[:, axis].max() - coordinates[:, axis]
                if axis < 3:
                    signs[axis] = -1
    if colors is not None:
        colors = change_colors(colors[rows].astype(np.float64), rng, recipe)
    coordinates[:, :3] += rng.integers(0, 100, 3, dtype=np.int64).astype(np.int32)
    return coordinates, colors, rows, signs


def change_colors(colors: NDArray, rng: np.random.Generator, recipe: Recipe) -> NDArray:
    if rng.random() < 0.2:
        blend = rng.random()
        low, high = colors.min(axis=0), colors.max(axis=0)
        colors = (1 - blend) * colors + blend * (colors - low) * 255 / (high - low)
    if rng.random() < 0.95:
        shift = [255 * recipe.color_translation * rng.uniform(-1, 1) for _ in range(3)]
        colors = np.clip(colors + shift, 0, 255)
    if rng.random() < 0.95:
        noise = rng.standard_normal(colors.shape, dtype=np.float32)
        colors = np.clip(colors + 255 * recipe.color_jitter * noise, 0, 255)
    return colors
