"""Weights that no trained network can have: a file that was damaged, or a run that diverged."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from pointcontrast.errors import InputError

LARGEST = 1e6
"""Largest magnitude of a weight; trained ones are below 100."""
LARGEST_STATISTIC = 1e12
"""Largest magnitude of batch norm's statistics, which follow the units of the input."""


def check_weights(path: Path, state_dict: Mapping[str, torch.Tensor]) -> None:
    """Check the values of a network's weights.

    Args:
        path: File of the weights, for the message.
        state_dict: Weights by name.

    Raises:
        InputError: A tensor is not of floats, holds NaN or infinity or absurd magnitudes, is a
            kernel of zeros, or a negative variance; the message names it.
    """
    for name, tensor in state_dict.items():
        fault = _fault(name, tensor)
        if fault is not None:
            raise InputError(
                f"{path}: {name} {fault}, which no trained network has; take another checkpoint "
                "of that run, or copy the file again"
            )


def _fault(name: str, tensor: torch.Tensor) -> str | None:
    if name.endswith("num_batches_tracked"):
        return None
    if not tensor.is_floating_point():
        return f"holds {str(tensor.dtype).removeprefix('torch.')}"
    if not tensor.numel():
        return f"is empty, {tuple(tensor.shape)}"
    low, high = (float(value) for value in tensor.aminmax())
    if not torch.isfinite(torch.tensor([low, high])).all():  # NaN passes through both
        wrong = int((~torch.isfinite(tensor)).sum())
        return f"holds {wrong} values of {tensor.numel()} that are NaN or infinite"
    is_statistic = "running_" in name
    if max(-low, high) > (LARGEST_STATISTIC if is_statistic else LARGEST):
        return f"holds values from {low:.3g} to {high:.3g}"
    if name.endswith("running_var") and low < 0:
        return f"holds a negative variance, {low:.3g}"
    if name.endswith(("kernel", "weight")) and tensor.ndim > 1 and low == high == 0:
        return "is all zero"
    return None
