"""Augmentations of labelled clouds in finetuning: order, probabilities and values.

The functions are in :mod:`downstream.augmentation.points`,
:mod:`downstream.augmentation.elastic_distortion` and :mod:`pointcontrast.data.augment_colors`. A
configuration names an augmentation by its class path; a new one derives from :class:`Augmentation`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from downstream.augmentation.elastic_distortion import elastic_distortion
from downstream.augmentation.points import (
    crop_mask,
    dropout_rows,
    flip_horizontally,
    jitter_points,
    rotation_in_random_order,
    stretch,
)
from downstream.types import LabelledCloud, LabelledVoxels
from pointcontrast.data.augment_colors import add_color_noise, auto_contrast, translate_colors
from pointcontrast.errors import InputError


class Augmentation(ABC):
    """Augmentation of one sample, first of its points, then of its voxels.

    Every random number comes from the given generator, so that a sample is a function of its seed.
    Results must be made from the arguments by ``dataclasses.replace`` or indexing, which keep the
    other attributes of the points. Arrays are never changed in place.

    Attributes:
        moves_boxes: Whether boxes are transformed with the points. If not, clouds with boxes are
            refused.
    """

    moves_boxes: ClassVar[bool] = False

    @abstractmethod
    def before_voxels(self, cloud: LabelledCloud, rng: np.random.Generator) -> LabelledCloud:
        """Augment the points of a cloud; some may be dropped.

        Args:
            cloud: Cloud of at least one point, all finite.
            rng: Source of randomness.
        """

    @abstractmethod
    def after_voxels(self, voxels: LabelledVoxels, rng: np.random.Generator) -> LabelledVoxels:
        """Augment coordinates and colours of voxels; some may be dropped.

        Args:
            voxels: At least one voxel.
            rng: Source of randomness.
        """


@dataclass(frozen=True, kw_only=True)
class SceneAugmentation(Augmentation):
    """Augmentation of rooms and streets; the defaults are PointContrast's recipe for ScanNet.

    The order is elastic distortion, crop, rotation and scale of the points; then dropout, flips,
    automatic contrast, shift and noise of colours, and shift of coordinates of the voxels. Sources:
    PointContrast ``downstream/semseg/lib/{dataset,voxelizer,transforms,train}.py``,
    ``lib/datasets/{scannet,stanford}.py``. S3DIS there: ``elastic: []``, ``max_tilt: 0.0982``
    (pi/32), ``clip: 4.0``, ``color_translation: 0.05``, ``color_jitter: 0.005``. Synthia4D in
    SpatioTemporalSegmentation ``lib/datasets/synthia.py``: ``elastic: []``, ``max_tilt: 0``,
    ``clip: 18.0``, ``translation_ratio: [0.1, 0.1, 0]``.

    Deviations: the shift of coordinates is drawn per sample, not per batch; all frames of a clip
    share one distortion and one crop, where PointContrast crops each frame on its own; normals
    rotate and flip with the points, but elastic distortion does not change them.

    Attributes:
        elastic: Pairs of granularity and magnitude, metres; [] or null for no distortion.
        elastic_probability: Probability of applying all of ``elastic``.
        max_tilt: Bound of the rotations about x and y, radians.
        max_turn: Bound of the rotation about z, radians.
        scale: Smallest and largest scale factor.
        clip: Half the edge of the crop of a larger scene, metres; null for no crop.
        translation_ratio: Bounds of the offset of the crop's centre from the scene's along x, y and
            z, as fractions of the scene's size.
        dropout: Fraction of voxels to drop.
        dropout_probability: Probability of dropping any.
        flip_probability: Probability of flips; then each axis but z is flipped with probability
            0.5.
        auto_contrast_probability: Probability of stretching the range of each channel.
        color_translation: Largest shift of a channel, as a fraction of 255.
        color_translation_probability: Probability of the shift.
        color_jitter: Standard deviation of the noise on colours, as a fraction of 255.
        color_jitter_probability: Probability of the noise.
        max_shift: Bound, exclusive, of the shift of voxel coordinates along x, y and z; 0 for none.
            It varies the position of the coarser grids in the scene.
    """

    elastic: Sequence[tuple[float, float]] | None = ((0.2, 0.4), (0.8, 1.6))
    elastic_probability: float = 0.95
    max_tilt: float = math.pi / 64
    max_turn: float = math.pi
    scale: tuple[float, float] = (0.9, 1.1)
    clip: float | None = None
    translation_ratio: tuple[float, float, float] = (0.2, 0.2, 0.05)
    dropout: float = 0.2
    dropout_probability: float = 0.2
    flip_probability: float = 0.95
    auto_contrast_probability: float = 0.2
    color_translation: float = 0.10
    color_translation_probability: float = 0.95
    color_jitter: float = 0.05
    color_jitter_probability: float = 0.95
    max_shift: int = 100

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: one is out of range; the message names it.
        """
        for pair in self.elastic or ():
            if len(pair) != 2 or not (0 < pair[0] < math.inf and 0 <= pair[1] < math.inf):
                raise InputError(
                    f"elastic {pair} must be two lengths (metres): a granularity above 0, and a "
                    "magnitude at least 0"
                )
        lengths = ("max_tilt", "max_turn", "color_translation", "color_jitter", "max_shift")
        check_range(self, lengths, "at least 0", math.inf)
        probabilities = [name for name in self.__dataclass_fields__ if "probability" in name]
        check_range(self, ["dropout", *probabilities], "from 0 to 1", 1)
        check_scale(self.scale)
        if self.clip is not None and not 0 < self.clip < math.inf:
            raise InputError(f"clip {self.clip} must be above 0 (metres), or null for no crop")
        ratios = self.translation_ratio
        if len(ratios) != 3 or not all(0 <= ratio < math.inf for ratio in ratios):
            raise InputError(f"translation_ratio {ratios} must be 3 numbers, each at least 0")

    def before_voxels(self, cloud: LabelledCloud, rng: np.random.Generator) -> LabelledCloud:
        """Apply elastic distortion, crop, rotation and scale."""
        if self.elastic and rng.random() < self.elastic_probability:
            points = cloud.points
            for granularity, magnitude in self.elastic:
                points = elastic_distortion(points, rng, granularity, magnitude)
            cloud = replace(cloud, points=points)
        if self.clip is not None:
            cloud = cloud[crop_mask(cloud.points, rng, self.clip, self.translation_ratio)]
        rotation = rotation_in_random_order(rng, self.max_tilt, self.max_turn)
        return _turn(cloud, rotation, rng.uniform(*self.scale))

    def after_voxels(self, voxels: LabelledVoxels, rng: np.random.Generator) -> LabelledVoxels:
        """Apply dropout, flips, changes of colours, and the shift of coordinates."""
        if rng.random() < self.dropout_probability:
            voxels = voxels[dropout_rows(len(voxels), rng, self.dropout)]
        if rng.random() < self.flip_probability:
            flipped, signs = flip_horizontally(voxels.coordinates, rng)
            normals = None if voxels.normals is None else voxels.normals * signs
            voxels = replace(voxels, coordinates=flipped, normals=normals)
        if voxels.colors is not None:
            voxels = replace(voxels, colors=self._change_colors(voxels.colors, rng))
        if self.max_shift:
            shift = np.zeros(voxels.coordinates.shape[1], np.int32)
            shift[:3] = rng.integers(0, self.max_shift, 3)
            voxels = replace(voxels, coordinates=voxels.coordinates + shift)
        return voxels

    def _change_colors(
        self, colors: NDArray[np.float32], rng: np.random.Generator
    ) -> NDArray[np.float32]:
        if rng.random() < self.auto_contrast_probability:
            colors = auto_contrast(colors, rng)
        if rng.random() < self.color_translation_probability:
            colors = translate_colors(colors, rng, self.color_translation)
        if rng.random() < self.color_jitter_probability:
            colors = add_color_noise(colors, rng, self.color_jitter)
        return colors


@dataclass(frozen=True, kw_only=True)
class ShapeAugmentation(Augmentation):
    """Augmentation of single shapes: noise on coordinates, scale per axis, rotation.

    The authors published no code for ShapeNet. The defaults are those of torch-points3d
    ``conf/data/segmentation/shapenet.yaml``, for shapes scaled to about +-1. All shapes of ShapeNet
    have the same orientation, so there is no rotation by default.

    Attributes:
        noise: Standard deviation of the noise, in the unit of the points.
        noise_clip: Largest absolute value of the noise.
        scale: Smallest and largest factor along an axis.
        max_turn: Bound of the rotation about z, radians.
    """

    noise: float = 0.01
    noise_clip: float = 0.05
    scale: tuple[float, float] = (0.9, 1.1)
    max_turn: float = 0.0

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: one is out of range; the message names it.
        """
        check_range(self, ("noise", "noise_clip", "max_turn"), "at least 0", math.inf)
        check_scale(self.scale)

    def before_voxels(self, cloud: LabelledCloud, rng: np.random.Generator) -> LabelledCloud:
        """Apply noise, scale and rotation."""
        points = jitter_points(cloud.points, rng, self.noise, self.noise_clip)
        points, normals = stretch(points, cloud.normals, rng, *self.scale)
        rotation = rotation_in_random_order(rng, 0.0, self.max_turn)
        return _turn(replace(cloud, points=points, normals=normals), rotation)

    def after_voxels(self, voxels: LabelledVoxels, rng: np.random.Generator) -> LabelledVoxels:
        """Return the voxels unchanged."""
        return voxels


def _turn(cloud: LabelledCloud, rotation: NDArray[np.float64], scale: float = 1.0) -> LabelledCloud:
    """Rotate the points about the origin and scale them; rotate the normals."""
    normals = cloud.normals
    return replace(
        cloud,
        points=((scale * rotation).astype(np.float32) @ cloud.points.T).T,  # faster than (N, 3)
        normals=None if normals is None else (rotation.astype(np.float32) @ normals.T).T,
    )


def check_range(owner: object, names: Sequence[str], words: str, highest: float) -> None:
    """Check that attributes are within 0..``highest`` and finite."""
    for name in names:
        value = getattr(owner, name)
        if not 0 <= value <= highest or value == math.inf:
            raise InputError(f"{name} {value} must be {words}")


def check_scale(scale: tuple[float, float]) -> None:
    """Check that ``scale`` is a smallest and a largest factor."""
    if len(scale) != 2 or not 0 < scale[0] <= scale[1] < math.inf:
        raise InputError(f"scale {scale} must be two factors above 0, the smaller first")
