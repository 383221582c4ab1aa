"""Augmentation of clouds with boxes: points and boxes are transformed together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from downstream.augmentation.recipes import Augmentation, check_range, check_scale
from downstream.types import LabelledCloud, LabelledVoxels
from pointcontrast.errors import InputError
from pointcontrast.geometry import rotation_about

Z = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, kw_only=True)
class BoxAugmentation(Augmentation):
    """Flips, rotation about the vertical and scale; defaults are those of VoteNet for SUN RGB-D.

    Sources: PointContrast ``downstream/votenet_det_new/datasets/{sunrgbd,scannet}/..dataset.py``,
    the same as VoteNet's. ScanNet there: ``flip_probabilities: [0.5, 0.5]``,
    ``max_turn: 0.0873`` (5 degrees), ``scale: [1.0, 1.0]``. Sizes scale with the points. For a
    benchmark without headings :class:`downstream.tasks.box_coding.BoxCoding` encloses rotated
    boxes again, as VoteNet does.

    Attributes:
        flip_probabilities: Probabilities of mirroring x and y.
        max_turn: Bound of the rotation about z, radians.
        scale: Smallest and largest scale factor.
    """

    moves_boxes: ClassVar[bool] = True

    flip_probabilities: Sequence[float] = (0.5, 0.0)
    max_turn: float = math.pi / 6
    scale: tuple[float, float] = (0.85, 1.15)

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InputError: one is out of range; the message names it.
        """
        flips = self.flip_probabilities
        if len(flips) != 2 or not all(0 <= flip <= 1 for flip in flips):
            raise InputError(f"flip_probabilities {list(flips)} must be two numbers from 0 to 1")
        check_range(self, ("max_turn",), "at least 0", math.inf)
        check_scale(self.scale)

    def before_voxels(self, cloud: LabelledCloud, rng: np.random.Generator) -> LabelledCloud:
        """Flip, rotate and scale points, normals and boxes."""
        flipped = [rng.random() < probability for probability in self.flip_probabilities]
        signs = np.array([-1.0 if flip else 1.0 for flip in (*flipped, False)])
        angle = rng.uniform(-self.max_turn, self.max_turn)
        scale = rng.uniform(*self.scale)
        turn = rotation_about(Z, angle) * signs  # mirror first
        matrix = turn.astype(np.float32)
        changed = replace(
            cloud,
            points=(np.float32(scale) * matrix @ cloud.points.T).T,
            normals=None if cloud.normals is None else (matrix @ cloud.normals.T).T,
        )
        if cloud.boxes is None:
            return changed
        boxes = cloud.boxes.astype(np.float64)
        boxes[:, :3] = scale * boxes[:, :3] @ turn.T
        boxes[:, 3:6] *= scale
        yaw = boxes[:, 6]
        # A box is its own mirror image: only its heading changes
        yaw = np.pi - yaw if flipped[0] else yaw
        yaw = -yaw if flipped[1] else yaw
        boxes[:, 6] = (yaw + angle + np.pi) % (2 * np.pi) - np.pi
        return replace(changed, boxes=boxes.astype(np.float32))

    def after_voxels(self, voxels: LabelledVoxels, rng: np.random.Generator) -> LabelledVoxels:
        """Return the voxels unchanged."""
        return voxels
