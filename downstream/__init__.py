"""Finetuning a pretrained backbone on benchmarks, evaluation, and predictions for any scan.

>>> import downstream
>>> network = downstream.load("runs/s3dis/TIME")
>>> prediction = network(points, colors)  # .labels, .probabilities, .class_names; or boxes

Read in this order: ``types``, ``releases`` with ``shapes`` (raw data to labelled clouds),
``benchmarks`` (the clouds, classes and metrics of a dataset), ``augmentation`` and ``samples``
(clouds to voxels), ``label_lists`` (few labels), ``data`` (batches), ``heads``, ``boxes``,
``tasks`` (losses and scores) with ``metrics``, ``initialization`` and ``network`` (backbone and
head), ``finetune``, ``predictor`` and ``evaluate``, ``predictions`` (files and pictures), and
``predict`` (:func:`load`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from downstream.predict import Boxes, CloudLabel, PointLabels, PredictionNetwork, load

__all__ = ["Boxes", "CloudLabel", "PointLabels", "PredictionNetwork", "load"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module("downstream.predict"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Public names, imported or not."""
    return sorted({*globals(), *__all__})
