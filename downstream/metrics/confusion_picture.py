"""A picture of a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from downstream.metrics.confusion import segmentation_scores
from pointcontrast.errors import InputError
from pointcontrast.files import atomic_file

_MOST_WITH_NUMBERS = 25
_ABSENT = "0.85"  # grey
_BAR = "#4a90c2"


def draw_confusion(
    path: Path, matrix: torch.Tensor, class_names: Sequence[str], title: str
) -> None:
    """Draw a confusion matrix in percent of the ground truth, with the IoU of each class.

    The row of a class that does not occur is grey. With at most 25 classes, values of 0.5 % and
    more are written into the matrix.

    Args:
        path: PNG to write; its folder is made.
        matrix: (C, C) counts, rows ground truth.
        class_names: Names of the C classes.
        title: Title of the picture.

    Raises:
        InputError: the matrix is empty, or the number of names is not C.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = len(class_names)
    if matrix.shape != (size, size):
        raise InputError(f"{size} class names do not fit a matrix of {tuple(matrix.shape)}")
    scores = segmentation_scores(matrix)
    counts = matrix.cpu().numpy().astype(np.float64)
    whole = counts.sum(axis=1, keepdims=True)
    shares = np.divide(100 * counts, whole, out=np.full_like(counts, np.nan), where=whole > 0)
    edge = 2.2 + 0.34 * size if size <= _MOST_WITH_NUMBERS else 4.2 + 0.17 * size
    font = 8 if size <= _MOST_WITH_NUMBERS else 6
    figure = Figure(figsize=(edge + 2.6, edge), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    image = _draw_shares(axes, shares, class_names, font)
    _draw_iou(axes, scores.iou, font)
    axes.set_title(f"{title}\nmean IoU {100 * scores.mean_iou:.1f} %", fontsize=10)
    figure.colorbar(image, ax=axes, label="% of ground truth", shrink=0.7)
    with atomic_file(path) as partial:
        # The matrix stays square, whatever the shape of the figure: crop what it leaves
        figure.savefig(partial, format="png", bbox_inches="tight", pad_inches=0.1)


def _draw_shares(
    axes: Any, shares: NDArray[np.float64], class_names: Sequence[str], font: int
) -> Any:
    """Draw the matrix (C, C) of percentages, rows ground truth; NaN is grey."""
    size = len(class_names)
    axes.set_facecolor(_ABSENT)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    axes.set_xticks(range(size), class_names, rotation=90, fontsize=font)
    axes.set_yticks(range(size), class_names, fontsize=font)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    if size <= _MOST_WITH_NUMBERS:
        for row, column in zip(*np.nonzero(shares >= 0.5), strict=True):
            share = shares[row, column]
            color = "white" if share > 55 else "black"
            place = {"ha": "center", "va": "center", "fontsize": 6.5, "color": color}
            axes.text(column, row, f"{share:.0f}", **place)
    return image


def _draw_iou(matrix_axes: Any, iou: NDArray[np.float64], font: int) -> None:
    """Draw a bar and the percentage for the IoU of each class (C,); a dash for NaN."""
    # Inside the axes of the matrix: outside, it would not shrink with the square
    axes = matrix_axes.inset_axes((1.02, 0, 0.14, 1), sharey=matrix_axes)
    rows, percent = np.arange(len(iou)), 100 * iou
    axes.barh(rows, np.full(len(iou), 100.0), height=0.8, color="0.93")
    axes.barh(rows, np.nan_to_num(percent), height=0.8, color=_BAR)
    for row, value in enumerate(percent):
        text = "-" if np.isnan(value) else f"{value:.1f}"
        axes.text(104, row, text, va="center", fontsize=font)
    axes.set_xlim(0, 100)
    axes.set_ylim(len(iou) - 0.5, -0.5)
    axes.set_xticks([])
    axes.tick_params(left=False, labelleft=False)
    axes.spines[:].set_visible(False)
    axes.set_title("IoU, %", fontsize=font)
