"""A picture of a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from downstream.metrics.confusion import segmentation_scores
from pointcontrast.files import atomic_file

_MOST_WITH_NUMBERS = 25


def draw_confusion(
    path: Path, matrix: torch.Tensor, class_names: Sequence[str], title: str
) -> None:
    """Draw where each class goes, in per cent of what is true, and its IoU beside its name.

    Args:
        path: the PNG.
        matrix: (C, C) counts, rows truth.
        class_names: C names.
        title: above the picture.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    counts = matrix.cpu().numpy().astype(np.float64)
    scores = segmentation_scores(matrix)
    whole = counts.sum(axis=1, keepdims=True)
    shares = np.divide(100 * counts, whole, out=np.zeros_like(counts), where=whole > 0)
    size = len(class_names)
    edge = 2.2 + 0.34 * size if size <= _MOST_WITH_NUMBERS else 4.2 + 0.17 * size
    figure = Figure(figsize=(edge + 1.4, edge), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    font = 8 if size <= _MOST_WITH_NUMBERS else 6
    names = [
        f"{name}  {'-' if np.isnan(iou) else f'{100 * iou:.1f}'}"
        for name, iou in zip(class_names, scores.iou, strict=True)
    ]
    axes.set_xticks(range(size), class_names, rotation=90, fontsize=font)
    axes.set_yticks(range(size), names, fontsize=font)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true, with IoU in %")
    axes.set_title(f"{title}\nmean IoU {100 * scores.mean_iou:.1f} %", fontsize=10)
    if size <= _MOST_WITH_NUMBERS:
        for row, column in zip(*np.nonzero(shares >= 0.5), strict=True):
            color = "white" if shares[row, column] > 55 else "black"
            axes.text(
                column, row, f"{shares[row, column]:.0f}",
                ha="center", va="center", fontsize=6.5, color=color,
            )  # fmt: skip
    figure.colorbar(image, ax=axes, label="% of what is true", shrink=0.7)
    with atomic_file(path) as partial:
        figure.savefig(partial, format="png")
