"""Colours of features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointcontrast.errors import InputError

GREY = 128


def pca_colors(
    features: NDArray[np.floating], reference: NDArray[np.floating] | None = None
) -> NDArray[np.uint8]:
    """Map the first three principal components of features to red, green and blue.

    The 1st to 99th percentile of each component over the reference spans 0 to 255. The sign of a
    component makes the third moment of the reference's scores positive, so that the colours do not
    change when the feature space is rotated or mirrored.

    Args:
        features: Features (N, C), C >= 1.
        reference: Features (R, C) that determine the components and their ranges, so that equal
            colours in several clouds are equal features. None takes ``features``.

    Returns:
        Colours (N, 3), uint8, RGB. A component that is constant over the reference is grey (128).

    Raises:
        InputError: The arrays hold NaN or infinity or differ in C, or the reference is empty.
    """
    features = np.asarray(features, dtype=np.float64)
    reference = features if reference is None else np.asarray(reference, dtype=np.float64)
    if features.ndim != 2 or reference.ndim != 2 or features.shape[1] != reference.shape[1]:
        raise InputError(
            f"features of shape {features.shape} do not match a reference of shape "
            f"{reference.shape}; both must be (N, C) of one network"
        )
    if len(reference) == 0:
        raise InputError("there are no features to colour: the views are empty")
    if not (np.isfinite(features).all() and np.isfinite(reference).all()):
        raise InputError("the features hold NaN or infinity; the network's training has diverged")
    mean = reference.mean(axis=0)
    centred = reference - mean
    axes = np.linalg.eigh(centred.T @ centred)[1]
    axes = axes[:, ::-1][:, :3]  # (C, <= 3), the largest variance first
    reference_scores = centred @ axes
    signs = np.where((reference_scores**3).sum(axis=0) < 0, -1.0, 1.0)
    low, high = np.percentile(reference_scores * signs, [1, 99], axis=0)
    # do not stretch features that are equal up to float32 rounding to full contrast
    varies = high - low > 1e-5 * np.abs(reference).max()
    scores = ((features - mean) @ axes * signs - low) / np.where(varies, high - low, 1.0)
    colors = np.full((len(features), 3), GREY, dtype=np.uint8)
    colors[:, : len(signs)] = np.where(varies, np.rint(255 * np.clip(scores, 0, 1)), GREY)
    return colors
