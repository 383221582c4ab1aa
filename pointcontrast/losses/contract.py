"""What every loss takes and what it returns.

A loss is a module called as ``loss(features0, features1, correspondences, generator,
offsets0=..., offsets1=...)``. It returns a :class:`LossOutput` and raises ``ValueError`` for what
:func:`check_inputs` and :func:`unit_length` refuse. A loss whose attribute ``gather_negatives`` is
true takes negatives of other processes: every rank calls it in every step, with no row where the
rank has no pair.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import normalize as scaled_to_unit_length

from pointcontrast.errors import InputError

UNIT_TOLERANCE = 1e-3
"""Largest distance of a row's length from 1 that counts as unit length in float32."""


@dataclass(frozen=True)
class LossOutput:
    """A loss and its terms.

    Attributes:
        loss: Scalar, to differentiate.
        terms: Detached scalars by name, to log.
    """

    loss: torch.Tensor
    terms: dict[str, torch.Tensor]


def check_inputs(
    features0: torch.Tensor,
    features1: torch.Tensor,
    correspondences: torch.Tensor,
    offsets0: Sequence[int] | None = None,
    offsets1: Sequence[int] | None = None,
    *,
    may_be_empty: bool = False,
) -> None:
    """Check the arguments that all losses share.

    Args:
        features0: Features of view0, (N0, C) floating point.
        features1: Features of view1, (N1, C), same dtype and device.
        correspondences: Rows of features0 and features1, (M, 2) int64, sorted by column 0, M >= 1.
        offsets0: B+1 row numbers of features0, ascending from 0 to N0, or None.
        offsets1: B+1 row numbers of features1; given if and only if offsets0 is.
        may_be_empty: Whether M may be 0.

    Raises:
        ValueError: An argument differs from this; the message has the value found.
    """
    _check_features(features0, features1)
    _check_correspondences(correspondences, len(features0), len(features1), may_be_empty)
    if correspondences.device != features0.device:
        raise ValueError(
            f"correspondences are on {correspondences.device}, features on {features0.device}"
        )
    if offsets0 is None and offsets1 is None:
        return
    if offsets0 is None or offsets1 is None or len(offsets0) != len(offsets1):
        raise ValueError(
            f"offsets0 and offsets1 must have the same length: got {offsets0} and {offsets1}"
        )
    _check_offsets("offsets0", offsets0, len(features0))
    _check_offsets("offsets1", offsets1, len(features1))


def check_negatives(gather_negatives: bool, same_scene_negatives: bool) -> None:
    """Refuse negatives of other ranks and of the row's own scene at once.

    Raises:
        InputError: Both are asked for.
    """
    if gather_negatives and same_scene_negatives:
        raise InputError(
            "gather_negatives and same_scene_negatives exclude each other: all rows of a scene are "
            "on one rank; leave one of them out"
        )


def unit_length(features: torch.Tensor, rows: torch.Tensor, normalize: bool) -> torch.Tensor:
    """Scale rows to unit length, or check that those which enter a loss have it.

    Both losses are defined on the unit sphere: a temperature and a margin mean nothing for rows of
    any length. A row of zeros stays a row of zeros (as :func:`pointcontrast.sparse.normalize` and
    ``torch.nn.functional.normalize`` leave it). NaN passes, for the guard of a run to find.

    Args:
        features: (N, C) floating point.
        rows: Rows that enter the loss, (K,) int64; only these are checked.
        normalize: Whether to scale all rows; otherwise they are checked to
            :data:`UNIT_TOLERANCE`, or to the dtype's resolution where that is coarser.

    Returns:
        (N, C), the features with rows of unit length.

    Raises:
        InputError: A row is of another length, and ``normalize`` is false.
    """
    if normalize:
        return scaled_to_unit_length(features, dim=1)
    if len(rows) == 0:
        return features
    dtype = torch.promote_types(features.dtype, torch.float32)
    lengths = torch.linalg.vector_norm(features.detach()[rows], dim=1, dtype=dtype)
    low, high = torch.stack(torch.where(lengths == 0, 1, lengths).aminmax()).tolist()
    tolerance = max(UNIT_TOLERANCE, torch.finfo(features.dtype).eps)
    if 1 - low > tolerance or high - 1 > tolerance:
        raise InputError(
            f"features have rows of length {low:.4g} to {high:.4g}, but the loss takes unit "
            "length: normalise them (model.backbone.init_args.normalize_output: true) or give "
            "normalize=True (model.loss.init_args.normalize: true)"
        )
    return features


def _check_features(features0: torch.Tensor, features1: torch.Tensor) -> None:
    for name, features in (("features0", features0), ("features1", features1)):
        if features.ndim != 2 or not features.is_floating_point():
            raise ValueError(
                f"{name} must be (N, C) floating point: got {tuple(features.shape)} "
                f"{features.dtype}"
            )
    kinds = [(f.shape[1], f.dtype, f.device) for f in (features0, features1)]
    if kinds[0] != kinds[1]:
        raise ValueError(
            "features0 and features1 must agree in channels, dtype and device: got "
            f"{kinds[0]} and {kinds[1]}"
        )


def _check_correspondences(
    correspondences: torch.Tensor, num_rows0: int, num_rows1: int, may_be_empty: bool
) -> None:
    if correspondences.ndim != 2 or correspondences.shape[1] != 2:
        raise ValueError(f"correspondences must be (M, 2): got {tuple(correspondences.shape)}")
    if correspondences.dtype != torch.int64:
        raise ValueError(f"correspondences must be int64: got {correspondences.dtype}")
    if len(correspondences) == 0 and may_be_empty:
        return
    if len(correspondences) == 0:
        raise ValueError("correspondences are empty: drop a batch without a match before the loss")
    column0 = correspondences[:, 0]
    unsorted = (column0[1:] < column0[:-1]).any().to(torch.int64)
    # one transfer from the device for all values
    low0, low1, high0, high1, is_unsorted = torch.cat(
        [correspondences.amin(0), correspondences.amax(0), unsorted[None]]
    ).tolist()
    for column, low, high, num_rows in ((0, low0, high0, num_rows0), (1, low1, high1, num_rows1)):
        if low < 0 or high >= num_rows:
            raise ValueError(
                f"correspondences column {column} names row {low if low < 0 else high}, "
                f"but features{column} have rows 0 to {num_rows - 1}"
            )
    if is_unsorted:
        raise ValueError("correspondences must be sorted by column 0")


def _check_offsets(name: str, offsets: Sequence[int], num_rows: int) -> None:
    falling = any(end < start for start, end in itertools.pairwise(offsets))
    if len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != num_rows or falling:
        raise ValueError(
            f"{name} must rise from 0 to the number of rows, {num_rows}: got {tuple(offsets)}"
        )
