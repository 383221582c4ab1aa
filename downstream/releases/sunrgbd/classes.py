"""Classes of detection."""

from __future__ import annotations

CLASS_NAMES: tuple[str, ...] = (
    "bed",
    "table",
    "sofa",
    "chair",
    "toilet",
    "desk",
    "dresser",
    "night_stand",
    "bookshelf",
    "bathtub",
)
"""The ten classes of VoteNet (facebookresearch/votenet ``sunrgbd/model_util_sunrgbd.py``), in its
order."""
