"""Batch norm with the shortcut and the rectifier that follow it, as one operator of torch.

Each is a pass over memory of its own when done one by one, and on a CPU memory is what they cost.
The compiled kernels read the features once more than they must (for the mean), and write the
result; the gradient needs one pass for its sums and one for the rest.
"""

from __future__ import annotations

from typing import Any

import torch

from pointcontrast.sparse import kernels


def normalize_batch(
    features: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    shortcut: torch.Tensor | None,
    epsilon: float,
    rectify: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Normalise by the batch's own mean and variance, add a shortcut, rectify.

    Args:
        features: (N, C) on the CPU, of a dtype that the compiled kernels serve; N at least 1.
        weight: (C,), same dtype.
        bias: (C,).
        shortcut: (N, C) added behind the normalisation, or None.
        epsilon: added to the variance.
        rectify: whether what is negative becomes 0 in the end.

    Returns:
        (N, C), differentiable once, and the mean and the biased variance (C,), which are not.
    """
    return _normalize_batch(features, weight, bias, shortcut, epsilon, rectify)


@torch.library.custom_op("pointcontrast::normalize_batch", mutates_args=())
def _normalize_batch(
    features: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    shortcut: torch.Tensor | None,
    epsilon: float,
    rectify: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    features = features.contiguous()
    mean, variance = kernels.statistics(features)
    out = kernels.normalize(
        features,
        mean,
        (variance + epsilon).rsqrt(),
        weight.contiguous(),
        bias.contiguous(),
        None if shortcut is None else shortcut.contiguous(),
        rectify,
    )
    return out, mean, variance


@torch.library.custom_op("pointcontrast::normalize_batch_gradient", mutates_args=())
def _gradient(
    grad_out: torch.Tensor,
    features: torch.Tensor,
    out: torch.Tensor | None,
    mean: torch.Tensor,
    inverse_deviation: torch.Tensor,
    weight: torch.Tensor,
    shortcut: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of features, shortcut (empty where it is not wanted), weight and bias."""
    grad_features, grad_shortcut, grad_weight, grad_bias = kernels.normalize_gradient(
        grad_out.contiguous(),
        features.contiguous(),
        out,
        mean,
        inverse_deviation,
        weight.contiguous(),
        shortcut,
    )
    if grad_shortcut is None:
        grad_shortcut = features.new_empty(0)
    return grad_features, grad_shortcut, grad_weight, grad_bias


@_normalize_batch.register_fake
def _(
    features: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    shortcut: torch.Tensor | None,
    epsilon: float,
    rectify: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    channels = features.shape[1]
    return (
        torch.empty_like(features, memory_format=torch.contiguous_format),
        features.new_empty(channels),
        features.new_empty(channels),
    )


@_gradient.register_fake
def _(
    grad_out: torch.Tensor,
    features: torch.Tensor,
    out: torch.Tensor | None,
    mean: torch.Tensor,
    inverse_deviation: torch.Tensor,
    weight: torch.Tensor,
    shortcut: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    whole = torch.empty_like(features, memory_format=torch.contiguous_format)
    return (
        whole,
        torch.empty_like(whole) if shortcut else features.new_empty(0),
        torch.empty_like(mean),
        torch.empty_like(mean),
    )


def _save(ctx: Any, inputs: tuple, output: tuple[torch.Tensor, ...]) -> None:
    features, weight, _, shortcut, epsilon, rectify = inputs
    out, mean, variance = output
    ctx.mark_non_differentiable(mean, variance)
    ctx.has_shortcut = shortcut is not None
    ctx.save_for_backward(
        features, weight, mean, (variance + epsilon).rsqrt(), *([out] if rectify else [])
    )


def _backward(ctx: Any, grad: torch.Tensor, *_: Any) -> tuple[torch.Tensor | None, ...]:
    features, weight, mean, inverse_deviation, *rectified = ctx.saved_tensors
    grad_features, grad_shortcut, grad_weight, grad_bias = _gradient(
        grad,
        features,
        rectified[0] if rectified else None,
        mean,
        inverse_deviation,
        weight,
        ctx.has_shortcut and bool(rectified),
    )
    if not rectified:
        grad_shortcut = grad  # nothing stands between the shortcut and the result
    return (
        grad_features,
        grad_weight,
        grad_bias,
        grad_shortcut if ctx.has_shortcut else None,
        None,
        None,
    )


_normalize_batch.register_autograd(_backward, setup_context=_save)
