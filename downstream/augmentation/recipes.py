"""How a labelled cloud is changed at random before the network sees it in finetuning.

The steps are pure functions of :mod:`downstream.augmentation.points`,
:mod:`downstream.augmentation.elastic_distortion` and :mod:`pointcontrast.data.augment_colors`; here
are their order, probabilities and values. An augmentation is named in a YAML by its class path; a
new one derives from :class:`Augmentation`.
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
    """Random changes of one sample, in two parts: of its points, and of its voxels.

    Every draw comes from the generator given, so that a sample is a function of its seed. What
    is returned is made of what was given by ``dataclasses.replace`` and by indexing: both keep
    what else is known of the points. Arrays are never changed in place.

    Attributes:
        moves_boxes: whether a cloud's boxes are changed with its points. Others refuse such clouds.
    """

    moves_boxes: ClassVar[bool] = False

    @abstractmethod
    def before_voxels(self, cloud: LabelledCloud, rng: np.random.Generator) -> LabelledCloud:
        """The cloud with its points changed, and perhaps fewer of them.

        Args:
            cloud: at least one point, all finite.
            rng: the source of randomness.
        """

    @abstractmethod
    def after_voxels(self, voxels: LabelledVoxels, rng: np.random.Generator) -> LabelledVoxels:
        """The voxels with their coordinates and colours changed, and perhaps fewer of them.

        Args:
            voxels: at least one.
            rng: the source of randomness.
        """


@dataclass(frozen=True, kw_only=True)
class SceneAugmentation(Augmentation):
    """What the authors do to rooms and streets; the defaults are their recipe for ScanNet.

    In this order: elastic distortion, crop, rotation and scale; then, of the voxels, dropout,
    flips, automatic contrast, shift and noise of colours, shift of coordinates. Sources:
    PointContrast ``downstream/semseg/lib/{dataset,voxelizer,transforms,train}.py``,
    ``lib/datasets/{scannet,stanford}.py``. S3DIS there: ``elastic: []``, ``max_tilt: 0.0982``
    (pi/32), ``clip: 4.0``, ``color_translation: 0.05``, ``color_jitter: 0.005``. Synthia4D in
    SpatioTemporalSegmentation ``lib/datasets/synthia.py``: ``elastic: []``, ``max_tilt: 0``,
    ``clip: 18.0``, ``translation_ratio: [0.1, 0.1, 0]``.

    Deviations: the shift of coordinates is drawn for each sample, not for each batch; all frames
    of a clip are bent and cropped as one, where there each frame has its own crop; normals turn
    and flip with the points, but elastic distortion leaves them.

    Attributes:
        elastic: pairs of granularity and magnitude, metres; [] or null for no distortion.
        elastic_probability: of all of ``elastic`` together.
        max_tilt: bound of the rotations about x and y, radians.
        max_turn: bound of the rotation about z, radians.
        scale: the smallest and the largest factor of all lengths.
        clip: half the edge of the crop of a larger scene, metres; null for no crop.
        translation_ratio: how far along x, y and z the middle of the crop may be from the
            scene's, as shares of the scene's size.
        dropout: the share of voxels left out.
        dropout_probability: of leaving out any.
        flip_probability: of flips at all; then each axis but z is flipped or not, evenly.
        auto_contrast_probability: of stretching the range of each channel.
        color_translation: largest shift of a channel, as a share of 255.
        color_translation_probability: of shifting them.
        color_jitter: standard deviation of the noise on colours, as a share of 255.
        color_jitter_probability: of adding it.
        max_shift: voxel coordinates move along x, y and z by a number of voxels below this; 0
            for none. The network's coarser grids then lie otherwise in the scene each time.
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
        """Elastic distortion, crop, rotation and scale."""
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
        """Dropout, flips, the changes of colours, and the shift of coordinates."""
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
    """For single shapes: noise on coordinates, then a scale for each axis, then a turn.

    The authors published no code for ShapeNet. The defaults are those of torch-points3d
    ``conf/data/segmentation/shapenet.yaml``, for shapes scaled to about +-1. All shapes of
    ShapeNet stand and face the same way, so there is no turn unless one is asked for.

    Attributes:
        noise: standard deviation of the noise, in the unit of the points.
        noise_clip: its largest absolute value.
        scale: the smallest and the largest factor along an axis.
        max_turn: bound of the rotation about z, radians.
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
        """Noise, scale and turn."""
        points = jitter_points(cloud.points, rng, self.noise, self.noise_clip)
        points, normals = stretch(points, cloud.normals, rng, *self.scale)
        rotation = rotation_in_random_order(rng, 0.0, self.max_turn)
        return _turn(replace(cloud, points=points, normals=normals), rotation)

    def after_voxels(self, voxels: LabelledVoxels, rng: np.random.Generator) -> LabelledVoxels:
        """The voxels as they are."""
        return voxels


def _turn(cloud: LabelledCloud, rotation: NDArray[np.float64], scale: float = 1.0) -> LabelledCloud:
    """The points turned about the origin and scaled, the normals turned."""
    normals = cloud.normals
    return replace(
        cloud,
        points=((scale * rotation).astype(np.float32) @ cloud.points.T).T,  # quicker than (N, 3)
        normals=None if normals is None else (rotation.astype(np.float32) @ normals.T).T,
    )


def check_range(owner: object, names: Sequence[str], words: str, highest: float) -> None:
    """Refuse what is negative, above ``highest``, infinite or not a number."""
    for name in names:
        value = getattr(owner, name)
        if not 0 <= value <= highest or value == math.inf:
            raise InputError(f"{name} {value} must be {words}")


def check_scale(scale: tuple[float, float]) -> None:
    """Refuse what is not a smallest and a largest factor."""
    if len(scale) != 2 or not 0 < scale[0] <= scale[1] < math.inf:
        raise InputError(f"scale {scale} must be two factors above 0, the smaller first")
