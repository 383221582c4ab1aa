"""The classes that are detected."""

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
"""VoteNet's ten (facebookresearch/votenet ``sunrgbd/model_util_sunrgbd.py``), in its order."""
