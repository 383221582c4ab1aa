"""Augmentation of labelled clouds and of their boxes.

``recipes`` holds the augmentations that a configuration names, ``boxes`` that of detection.
``points`` and ``elastic_distortion`` are the functions they call.
"""

from downstream.augmentation.boxes import BoxAugmentation
from downstream.augmentation.recipes import Augmentation, SceneAugmentation, ShapeAugmentation

__all__ = ["Augmentation", "BoxAugmentation", "SceneAugmentation", "ShapeAugmentation"]
