"""What tests of the two engines share: getting one, and coordinates to try it on."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pointcontrast.errors import InputError
from pointcontrast.sparse import get_engine
from tests.helpers.repository import REAL_DATA

ENGINES = ("native", "minkowski")
REDKITCHEN = REAL_DATA / "redkitchen"


def engine_or_skip(name: str) -> Any:
    """The engine's module; the test is skipped where MinkowskiEngine is not installed.

    One that is installed but broken fails the test: `make test` has just built it.
    """
    try:
        return get_engine(name)  # pyright: ignore[reportArgumentType]
    except InputError as error:
        if "is not installed" not in str(error):
            raise
        pytest.skip(str(error))


def random_coordinates(
    num: int,
    dimension: int = 3,
    *,
    extent: int = 6,
    samples: tuple[int, ...] = (0, 2),
    seed: int = 0,
) -> torch.Tensor:
    """(<= num, 1+D) int32 in random order: unique, on both sides of zero, of some samples only."""
    rng = np.random.default_rng(seed)
    place = rng.integers(-extent, extent, (num, dimension))
    sample = rng.choice(samples, num)
    unique = np.unique(np.column_stack([sample, place]), axis=0)
    return torch.from_numpy(rng.permutation(unique)).int()


def random_features(num: int, channels: int, *, seed: int = 0) -> torch.Tensor:
    """(num, channels) float64 normal numbers."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(num, channels, generator=generator, dtype=torch.float64)


@lru_cache
def kitchen_coordinates(voxel_size: float, frames: tuple[int, ...] = (0, 150)) -> torch.Tensor:
    """(N, 4) int32 voxels of real depth images in camera coordinates, a sample an image."""
    if not REDKITCHEN.is_dir():
        pytest.skip("needs the red kitchen in ../shared/data")
    samples = []
    for index, frame in enumerate(frames):
        depth = np.asarray(Image.open(REDKITCHEN / f"frame-{frame:06d}.depth.png"))[::4, ::4] / 1000
        row, column = np.nonzero((depth > 0) & (depth < 10))
        z = depth[row, column]
        points = np.column_stack([(4 * column - 320) * z / 585, (4 * row - 240) * z / 585, z])
        voxels = np.unique(np.floor(points / voxel_size).astype(np.int32), axis=0)
        samples.append(np.insert(voxels, 0, index, axis=1))
    return torch.from_numpy(np.concatenate(samples))


def cotangent(coordinates: torch.Tensor, channels: int) -> torch.Tensor:
    """(N, channels) float64 that depends on the place, not on the row: weights for a loss."""
    factors = torch.arange(1, coordinates.shape[1] + 1, dtype=torch.float64).sqrt()
    phase = (coordinates.double() * factors).sum(1, keepdim=True)
    return torch.sin(phase + torch.arange(channels, dtype=torch.float64))


def in_order(
    coordinates: torch.Tensor, features: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows sorted by place, to compare tensors whose rows are in another order."""
    order = torch.from_numpy(np.lexsort(coordinates.numpy().T[::-1]).copy())
    return coordinates[order], features[order]
