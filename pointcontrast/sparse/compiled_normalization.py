"""The compiled kernels for batch norm: ``csrc/normalization.inl`` through ctypes.

The functions do not check their arguments. ``normalization.py`` and ``native_batch_norm.py`` call
them with contiguous tensors on the CPU, of one floating-point type.
"""

from __future__ import annotations

import ctypes

import torch

from pointcontrast.sparse.kernel_library import INT, INT64, POINTER, SUFFIXES, call, pointer


class _Normalization(ctypes.Structure):
    _fields_ = (
        ("input", POINTER),
        ("out", POINTER),
        ("shortcut", POINTER),
        ("mean", POINTER),
        ("inverse_deviation", POINTER),
        ("weight", POINTER),
        ("bias", POINTER),
        ("rows", INT64),
        ("channels", INT64),
        ("rectify", INT),
    )


class _NormalizationGradient(ctypes.Structure):
    _fields_ = (
        ("grad_out", POINTER),
        ("input", POINTER),
        ("out", POINTER),
        ("mean", POINTER),
        ("inverse_deviation", POINTER),
        ("weight", POINTER),
        ("grad_in", POINTER),
        ("grad_shortcut", POINTER),
        ("grad_weight", POINTER),
        ("grad_bias", POINTER),
        ("rows", INT64),
        ("channels", INT64),
    )


def statistics(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and biased variance (channels,) of (rows, channels), with at least one row."""
    mean, variance = (features.new_empty(features.shape[1]) for _ in range(2))
    call(
        f"statistics_{SUFFIXES[features.dtype]}",
        features, *features.shape, mean, variance, torch.get_num_threads(),
    )  # fmt: skip
    return mean, variance


def normalize(
    features: torch.Tensor,
    mean: torch.Tensor,
    inverse_deviation: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    shortcut: torch.Tensor | None,
    rectify: bool,
) -> torch.Tensor:
    """Compute (features - mean) * inverse_deviation * weight + bias + shortcut, then max(0, .)."""
    out = torch.empty_like(features)
    if shortcut is not None:
        shortcut = shortcut.to(features.dtype)  # a 1x1 layer under autocast returns half precision
    work = _Normalization(
        features.data_ptr(), out.data_ptr(), pointer(shortcut), mean.data_ptr(),
        inverse_deviation.data_ptr(), weight.data_ptr(), bias.data_ptr(), *features.shape, rectify,
    )  # fmt: skip
    call(f"normalize_{SUFFIXES[features.dtype]}", ctypes.byref(work), torch.get_num_threads())
    return out


def normalize_gradient(
    grad_out: torch.Tensor,
    features: torch.Tensor,
    out: torch.Tensor | None,
    mean: torch.Tensor,
    inverse_deviation: torch.Tensor,
    weight: torch.Tensor,
    shortcut: bool,
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor, torch.Tensor]:
    """Gradients of :func:`normalize` with the mean and variance of :func:`statistics`.

    Args:
        grad_out: Gradient of the output (rows, channels).
        features: Input (rows, channels).
        out: Output, if it was rectified.
        mean: Mean of each channel (channels,).
        inverse_deviation: Inverse standard deviation of each channel (channels,).
        weight: Weight of each channel (channels,).
        shortcut: Whether to compute the gradient of the shortcut. Without a rectifier it is
            ``grad_out``.

    Returns:
        Gradients of the features, the shortcut, the weight and the bias.
    """
    grad_features = torch.empty_like(features)
    grad_shortcut = torch.empty_like(features) if shortcut else None
    grad_weight, grad_bias = (features.new_empty(features.shape[1]) for _ in range(2))
    work = _NormalizationGradient(
        grad_out.data_ptr(), features.data_ptr(), pointer(out), mean.data_ptr(),
        inverse_deviation.data_ptr(), weight.data_ptr(), grad_features.data_ptr(),
        pointer(grad_shortcut), grad_weight.data_ptr(), grad_bias.data_ptr(), *features.shape,
    )  # fmt: skip
    call(
        f"normalize_gradient_{SUFFIXES[features.dtype]}",
        ctypes.byref(work),
        torch.get_num_threads(),
    )
    return grad_features, grad_shortcut, grad_weight, grad_bias
