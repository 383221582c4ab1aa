"""Random changes of labelled clouds and of boxes.

``recipes`` holds the recipes, which a configuration names; ``points`` and ``elastic_distortion``
are the functions they call; ``boxes`` is the recipe of detection.
"""

from downstream.augmentation.boxes import BoxAugmentation
from downstream.augmentation.recipes import Augmentation, SceneAugmentation, ShapeAugmentation

__all__ = ["Augmentation", "BoxAugmentation", "SceneAugmentation", "ShapeAugmentation"]
