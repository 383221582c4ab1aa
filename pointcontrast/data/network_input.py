"""From a view to the network's input: rotate, voxelise, compute the input features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pointcontrast.data.augment import (
    Rotation,
    add_noise,
    free_rotation,
    vertical_rotation,
)
from pointcontrast.data.augment_colors import jitter_colors
from pointcontrast.errors import InputError
from pointcontrast.geometry import rotation_between
from pointcontrast.scenes.depth.cloud import DepthCloud
from pointcontrast.types import Cloud, PointCloud, VoxelizedView
from pointcontrast.voxelize import voxelize, voxelize_with_inverse

FeatureName = Literal["ones", "color", "normal", "height"]
NUM_CHANNELS: dict[str, int] = {"ones": 3, "color": 3, "normal": 3, "height": 1}
"""Channels of each input feature. Ones have three, so that a network pretrained on them can be
finetuned on colour, as in the released recipe."""

Z = np.array([0.0, 0.0, 1.0])


def num_channels(features: list[FeatureName] | tuple[FeatureName, ...]) -> int:
    """Return the number of input channels of some features.

    Raises:
        InputError: There is no feature, one is unknown, or one occurs twice.
    """
    unknown = [name for name in features if name not in NUM_CHANNELS]
    if unknown or not features or len(set(features)) < len(features):
        raise InputError(
            f"features {list(features)} must be one or more of {', '.join(NUM_CHANNELS)}, each once"
        )
    return sum(NUM_CHANNELS[name] for name in features)


def first_lacking(
    features: Sequence[FeatureName], *, colors: object | None, normals: object | None
) -> tuple[FeatureName, str] | None:
    """Return the first feature that cannot be computed and a word for what it lacks, or None."""
    for name in features:
        if name == "color" and colors is None:
            return name, "colours"
        if name == "normal" and normals is None:
            return name, "normals"
    return None


def center_colors(colors: NDArray[Any]) -> NDArray[np.float32]:
    """Scale colours in 0..255 to the network's input range: float32 in -0.5..0.5."""
    return (colors / np.float32(255) - np.float32(0.5)).astype(np.float32)


def input_features(
    features: Sequence[FeatureName],
    num_rows: int,
    *,
    colors: NDArray[np.float32] | None = None,
    normals: NDArray[np.float32] | None = None,
    heights: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Concatenate the network's input features, in the order asked for.

    Args:
        features: Names of the features.
        num_rows: Number of voxels, M.
        colors: (M, 3) in -0.5..0.5; required where the features name color.
        normals: (M, 3) in the frame of the voxels; required where they name normal.
        heights: (M,) metres above the floor; required where they name height.

    Returns:
        (M, C) float32.

    Raises:
        ValueError: The values of a feature were not given.
    """
    held = {
        "color": colors,
        "normal": normals,
        "height": None if heights is None else heights[:, None],
    }
    columns = []
    for name in features:
        column = np.ones((num_rows, 3), np.float32) if name == "ones" else held[name]
        if column is None:
            raise ValueError(f"feature {name!r} without its values")
        columns.append(column)
    return np.concatenate(columns, axis=1)


@dataclass(frozen=True)
class NetworkInput:
    """The recipe that turns a view into the network's input.

    It is stored with each backbone: a network is useful only on the input that it was trained on.

    Attributes:
        voxel_size: Edge of a voxel, metres.
        features: Input features, in the order of their channels.
        rotation: ``free``, ``vertical`` (about the up direction, which becomes z) or ``none``.
        max_tilt: Bound of the tilts that go with ``vertical``, radians.
        color_jitter: Strength of the change of colours, 0 to about 1.
        feature_noise: Standard deviation of the noise on all features.
    """

    voxel_size: float = 0.025
    features: tuple[FeatureName, ...] = ("ones",)
    rotation: Rotation = "free"
    max_tilt: float = 0.0
    color_jitter: float = 0.0
    feature_noise: float = 0.01

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: A value is out of range; the message names it.
        """
        num_channels(self.features)
        if not self.voxel_size > 0:
            raise InputError(f"voxel_size {self.voxel_size} must be positive (metres)")
        for name in ("max_tilt", "color_jitter", "feature_noise"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} {getattr(self, name)} must not be negative")

    @property
    def in_channels(self) -> int:
        """Channels of the network's input."""
        return num_channels(self.features)

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary of JSON values, for :meth:`from_json`."""
        return {**asdict(self), "features": list(self.features)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> NetworkInput:
        """Make the recipe from the dictionary of :meth:`to_json`."""
        return cls(**{**value, "features": tuple(value["features"])})

    def __call__(
        self,
        cloud: Cloud,
        up: NDArray[np.float64],
        floor_height: float,
        rng: np.random.Generator | None = None,
    ) -> VoxelizedView:
        """Make the network's input of one view.

        Args:
            cloud: Points of the view, (N, 3) world metres, with colours and normals if needed.
            up: Up direction of the scene, (3,) unit vector.
            floor_height: Coordinate of the floor along ``up``, metres.
            rng: Source of the random rotation and noise. None: neither, as in inference; the view
                is then only centred, and made upright where the network was trained with rotations
                about the vertical.

        Returns:
            The voxels: coordinates in the frame of the rotated view, points in the world's.

        Raises:
            InputError: The view lacks colours or normals that the features need.
        """
        rotation = self._draw_rotation(up, rng)
        kept, coordinates = _turn_and_voxelize(cloud, rotation, self.voxel_size)
        features = self._features(kept, rotation, up, floor_height, rng)
        return VoxelizedView(coordinates=coordinates, features=features, points=kept.points)

    def with_inverse(
        self, cloud: PointCloud, up: NDArray[np.float64], floor_height: float
    ) -> tuple[VoxelizedView, NDArray[np.int64]]:
        """The input of inference, and the voxel of each point.

        Args:
            cloud: Points in world metres.
            up: (3,) unit vector, the up direction.
            floor_height: Height of the floor along ``up``, metres.

        Returns:
            The voxels that :meth:`__call__` makes without ``rng``, and (N,) int64 rows of them.

        Raises:
            InputError: as of :meth:`__call__`.
        """
        rotation = self._draw_rotation(up, None)
        rows, coordinates, inverse = voxelize_with_inverse(
            _turned(cloud.points, rotation), self.voxel_size
        )
        kept = cloud[rows]
        features = self._features(kept, rotation, up, floor_height, None)
        return VoxelizedView(coordinates, features, kept.points), inverse

    def _draw_rotation(
        self, up: NDArray[np.float64], rng: np.random.Generator | None
    ) -> NDArray[np.float64]:
        if self.rotation == "vertical":
            upright = rotation_between(up, Z)
            return upright if rng is None else vertical_rotation(rng, self.max_tilt) @ upright
        if self.rotation == "free" and rng is not None:
            return free_rotation(rng)
        return np.eye(3)

    def _features(
        self,
        cloud: PointCloud,
        rotation: NDArray[np.float64],
        up: NDArray[np.float64],
        floor_height: float,
        rng: np.random.Generator | None,
    ) -> NDArray[np.float32]:
        lacking = first_lacking(self.features, colors=cloud.colors, normals=cloud.normals)
        if lacking is not None:
            raise InputError(_missing(*lacking))
        colors = normals = heights = None
        if "color" in self.features and cloud.colors is not None:
            colors = center_colors(cloud.colors)
            if rng is not None:
                colors = jitter_colors(colors, rng, self.color_jitter)
        if "normal" in self.features and cloud.normals is not None:
            normals = cloud.normals @ rotation.T.astype(np.float32)
        if "height" in self.features:
            heights = cloud.points @ up.astype(np.float32) - np.float32(floor_height)
        features = input_features(
            self.features, len(cloud), colors=colors, normals=normals, heights=heights
        )
        return features if rng is None else add_noise(features, rng, self.feature_noise)


def _turn_and_voxelize(
    cloud: Cloud, rotation: NDArray[np.float64], voxel_size: float
) -> tuple[PointCloud, NDArray[np.int32]]:
    """Rotate a cloud about its mean, as the released code does (translation = -R @ mean)."""
    if isinstance(cloud, DepthCloud):
        return cloud.voxelize(rotation, voxel_size)
    rows, coordinates = voxelize(_turned(cloud.points, rotation), voxel_size)
    return cloud[rows], coordinates


def _turned(points: NDArray[np.float32], rotation: NDArray[np.float64]) -> NDArray[np.float32]:
    """Points (N, 3) rotated about their mean, which moves to the origin."""
    rotated = rotation.astype(np.float32) @ points.T  # (3, N): quicker than (N, 3)
    rotated -= rotated.mean(axis=1, dtype=np.float64, keepdims=True).astype(np.float32)
    return rotated.T


def _missing(feature: str, what: str) -> str:
    return (
        f"features asks for {feature!r} but the scene was prepared without {what}; prepare it "
        f"from frames that have them, or leave {feature!r} out of features"
    )
