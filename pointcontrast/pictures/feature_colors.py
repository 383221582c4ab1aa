"""Features as colours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError

GREY = 128


def pca_colors(
    features: NDArray[np.floating], reference: NDArray[np.floating] | None = None
) -> NDArray[np.uint8]:
    """Colour features by their first three principal components as red, green and blue.

    Each component's 1st to 99th percentile over the reference spans 0..255. A component points
    the way that makes the third moment of the reference's scores positive, so that the colours
    stay the same when the feature space is rotated or mirrored.

    Args:
        features: (N, C), any C >= 1.
        reference: (R, C) features that the components and their ranges are measured on, so that
            several clouds share one meaning of colour; None takes ``features`` themselves.

    Returns:
        (N, 3) uint8 RGB. A component that does not vary over the reference is mid grey (128).

    Raises:
        InputError: the arrays hold NaN or infinity, disagree in C, or the reference is empty.
    """
    features = np.asarray(features, dtype=np.float64)
    reference = features if reference is None else np.asarray(reference, dtype=np.float64)
    if features.ndim != 2 or reference.ndim != 2 or features.shape[1] != reference.shape[1]:
        raise InputError(
            f"features of shape {features.shape} cannot be coloured by a reference of shape "
            f"{reference.shape}; both must be (N, C) of one network"
        )
    if len(reference) == 0:
        raise InputError("there are no features to colour: the views are empty")
    if not (np.isfinite(features).all() and np.isfinite(reference).all()):
        raise InputError("the features hold NaN or infinity; was the checkpoint trained soundly?")
    mean = reference.mean(axis=0)
    centred = reference - mean
    axes = np.linalg.eigh(centred.T @ centred)[1]
    axes = axes[:, ::-1][:, :3]  # (C, <= 3), the largest variance first
    reference_scores = centred @ axes
    signs = np.where((reference_scores**3).sum(axis=0) < 0, -1.0, 1.0)
    low, high = np.percentile(reference_scores * signs, [1, 99], axis=0)
    # float32 features that are equal up to rounding must not be blown up to full contrast
    varies = high - low > 1e-5 * np.abs(reference).max()
    scores = ((features - mean) @ axes * signs - low) / np.where(varies, high - low, 1.0)
    colors = np.full((len(features), 3), GREY, dtype=np.uint8)
    colors[:, : len(signs)] = np.where(varies, np.rint(255 * np.clip(scores, 0, 1)), GREY)
    return colors
