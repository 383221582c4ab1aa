"""Batch norm with a shortcut and a rectifier, as one operator of torch.

Done one by one, each is a pass over memory, which dominates their cost on a CPU. The compiled
kernels read the features twice (the first time for mean and variance) and write the result once.
The gradient takes one pass for its sums and one for the rest.
"""

from __future__ import annotations

from typing import Any

import torch

from pointcontrast.sparse import compiled_normalization as compiled


def normalize_batch(
    features: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    shortcut: torch.Tensor | None,
    epsilon: float,
    rectify: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Normalize by the mean and variance of the batch, add a shortcut, rectify.

    Args:
        features: Features (N, C) on the CPU, float32 or float64, with N >= 1.
        weight: Weight of each channel (C,), same dtype.
        bias: Bias of each channel (C,).
        shortcut: Features (N, C) added after the normalization, or None.
        epsilon: Constant added to the variance.
        rectify: Whether to replace negative values by 0 in the end.

    Returns:
        Features (N, C), differentiable once; and mean and biased variance (C,), not differentiable.
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
    mean, variance = compiled.statistics(features)
    out = compiled.normalize(
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
    """Gradients of features, shortcut (empty if it is not needed), weight and bias."""
    grad_features, grad_shortcut, grad_weight, grad_bias = compiled.normalize_gradient(
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
        grad_shortcut = grad
    return (
        grad_features,
        grad_weight,
        grad_bias,
        grad_shortcut if ctx.has_shortcut else None,
        None,
        None,
    )


_normalize_batch.register_autograd(_backward, setup_context=_save)
