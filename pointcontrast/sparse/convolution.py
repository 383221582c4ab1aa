"""Sparse convolution and its gradients as operators of torch.

``out[w] = sum over taps t and entries (r, w) of t: features[r] @ kernel[t]``, tap by tap. On the
CPU the compiled kernels compute it. On other devices, and without compiled kernels, a loop over the
taps gathers the rows that the tap reads, multiplies them with its matrix, and adds the products to
the rows that it writes. No row is written twice within a tap, so the order of the sum is fixed and
the result deterministic, for any number of threads.

Under ``torch.autocast("cpu", dtype=torch.bfloat16)``, and if :func:`.kernel_library.bfloat16_runs`,
the compiled kernels round features, kernel and incoming gradient to bfloat16 and sum the products
in float32. Results and gradients stay float32: the sums have that precision, and the batch norm
that follows can then run in one pass.

The operators are registered with autograd (to any order, in bfloat16 to the first) and with the
fake tensors of ``torch.compile``. ``torch.func`` does not support them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch

from pointcontrast.sparse import compiled_convolution as compiled
from pointcontrast.sparse import kernel_library
from pointcontrast.sparse.compiled_convolution import MapEntries
from pointcontrast.sparse.kernel_map import KernelMap, MapSide

FlatMap = Sequence[torch.Tensor]
"""A :class:`KernelMap` as an argument of operators: tap_starts, then rows, order and cuts of the
side that is read, then of the side that is written. Empty cuts stand for None."""


def sparse_convolution(
    features: torch.Tensor, kernel: torch.Tensor, kernel_map: KernelMap
) -> torch.Tensor:
    """Convolve features, in bfloat16 if autocast asks for it.

    Args:
        features: Features (num_inputs, in), floating point.
        kernel: Weights (taps, in, out), same dtype and device.
        kernel_map: Kernel map of the layer.

    Returns:
        Features (num_outputs, out), same dtype. Differentiable in features and kernel.
    """
    flat_map = _flattened(kernel_map)
    if _rounds(features, kernel_map):
        return _convolve_bfloat16(features, kernel, flat_map)[0]
    return _convolve(features, kernel, flat_map, False)


def sparse_convolution_and_normalization(
    features: torch.Tensor,
    kernel: torch.Tensor,
    kernel_map: KernelMap,
    scale: torch.Tensor,
    shift: torch.Tensor,
    shortcut: torch.Tensor | None,
    rectify: bool,
) -> torch.Tensor:
    """Compute ``sparse_convolution(...) * scale + shift + shortcut``, then max(0, .), in one pass.

    For evaluation: it has no gradient.

    Args:
        features: Features (num_inputs, in) on the CPU, float32 or float64.
        kernel: Weights (taps, in, out).
        kernel_map: Kernel map of the layer.
        scale: Factor of each channel (out,).
        shift: Term of each channel (out,).
        shortcut: Features to add (num_outputs, out), or None.
        rectify: Whether to replace negative values by 0.

    Returns:
        Features (num_outputs, out).
    """
    return compiled.convolve(
        compiled.rounded(features) if _rounds(features, kernel_map) else features.contiguous(),
        kernel.contiguous(),
        kernel_map.entries(),
        scale=scale.contiguous(),
        shift=shift.contiguous(),
        # a 1x1 layer under autocast returns half precision
        shortcut=None if shortcut is None else shortcut.to(kernel.dtype).contiguous(),
        rectify=rectify,
    )


def entries_by_tap(kernel_map: KernelMap) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield the input rows and the output rows of each tap."""
    return _by_tap(_flattened(kernel_map))


@torch.library.custom_op("pointcontrast::convolve", mutates_args=())
def _convolve(
    features: torch.Tensor, kernel: torch.Tensor, flat_map: FlatMap, transposed: bool
) -> torch.Tensor:
    kernel = kernel.contiguous()  # a product's last bits can depend on the order in memory
    if kernel_library.run_on(features) and flat_map[6].numel():
        return compiled.convolve(
            features.contiguous(), kernel, _map_entries(flat_map), transposed=transposed
        )
    matrices = kernel.transpose(1, 2) if transposed else kernel
    output = features.new_zeros(len(flat_map[5]), matrices.shape[2])
    # without autocast: a sum over many taps in half precision loses digits
    with torch.autocast(features.device.type, enabled=False):
        for tap, (reads, writes) in enumerate(_by_tap(flat_map)):
            if len(reads):
                output.index_add_(0, writes, features.index_select(0, reads) @ matrices[tap])
    return output


@torch.library.custom_op("pointcontrast::kernel_gradient", mutates_args=())
def _kernel_gradient(
    features: torch.Tensor, grad_output: torch.Tensor, flat_map: FlatMap
) -> torch.Tensor:
    if kernel_library.run_on(features) and flat_map[6].numel():
        return compiled.kernel_gradient(
            features.contiguous(), grad_output.contiguous(), _map_entries(flat_map)
        )
    gradient = features.new_zeros(len(flat_map[0]) - 1, features.shape[1], grad_output.shape[1])
    with torch.autocast(features.device.type, enabled=False):
        for tap, (reads, writes) in enumerate(_by_tap(flat_map)):
            torch.mm(
                features.index_select(0, reads).t(),
                grad_output.index_select(0, writes),
                out=gradient[tap],
            )
    return gradient


@torch.library.custom_op("pointcontrast::convolve_bfloat16", mutates_args=())
def _convolve_bfloat16(
    features: torch.Tensor, kernel: torch.Tensor, flat_map: FlatMap
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the result, and the rounded features for the backward pass."""
    rounded = compiled.rounded(features)
    return compiled.convolve(rounded, kernel.contiguous(), _map_entries(flat_map)), rounded


@torch.library.custom_op("pointcontrast::convolve_bfloat16_gradient", mutates_args=())
def _gradient_bfloat16(
    grad: torch.Tensor,
    rounded: torch.Tensor,
    kernel: torch.Tensor,
    flat_map: FlatMap,
    of_features: bool,
    of_kernel: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradients of the features and of the kernel, each empty if it is not needed."""
    grad = compiled.rounded(grad)
    grad_features, grad_kernel = kernel.new_empty(0), kernel.new_empty(0)
    if of_features:
        swapped = _map_entries(_swapped(flat_map))
        grad_features = compiled.convolve(grad, kernel.contiguous(), swapped, transposed=True)
    if of_kernel:
        _, depth, channels = kernel.shape
        grad_kernel = compiled.kernel_gradient(
            rounded, grad, _map_entries(flat_map), (depth, channels)
        )
    return grad_features, grad_kernel


@_convolve.register_fake
def _(
    features: torch.Tensor, kernel: torch.Tensor, flat_map: FlatMap, transposed: bool
) -> torch.Tensor:
    return features.new_empty(flat_map[5].shape[0], kernel.shape[1 if transposed else 2])


@_kernel_gradient.register_fake
def _(features: torch.Tensor, grad_output: torch.Tensor, flat_map: FlatMap) -> torch.Tensor:
    taps = flat_map[0].shape[0] - 1
    return features.new_empty(taps, features.shape[1], grad_output.shape[1])


@_convolve_bfloat16.register_fake
def _(
    features: torch.Tensor, kernel: torch.Tensor, flat_map: FlatMap
) -> tuple[torch.Tensor, torch.Tensor]:
    rows, depth = features.shape
    rounded = features.new_empty(rows, depth + depth % 2, dtype=torch.bfloat16)
    return kernel.new_empty(flat_map[5].shape[0], kernel.shape[2]), rounded


@_gradient_bfloat16.register_fake
def _(
    grad: torch.Tensor,
    rounded: torch.Tensor,
    kernel: torch.Tensor,
    flat_map: FlatMap,
    of_features: bool,
    of_kernel: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    return (
        kernel.new_empty((rounded.shape[0], kernel.shape[1]) if of_features else 0),
        kernel.new_empty(kernel.shape if of_kernel else 0),
    )


def _save_convolution(ctx: Any, inputs: tuple, output: torch.Tensor) -> None:
    features, kernel, flat_map, ctx.transposed = inputs
    ctx.save_for_backward(features, kernel, *flat_map)


def _convolution_gradient(ctx: Any, grad: torch.Tensor) -> tuple:
    features, kernel, *flat_map = ctx.saved_tensors
    swapped = _swapped(flat_map)
    grad_features = grad_kernel = None
    if ctx.needs_input_grad[0]:
        grad_features = _convolve(grad, kernel, swapped, not ctx.transposed)
    if ctx.needs_input_grad[1]:
        # outer(features[r], grad[w]), transposed if the kernel's matrices are
        grad_kernel = (
            _kernel_gradient(grad, features, swapped)
            if ctx.transposed
            else _kernel_gradient(features, grad, flat_map)
        )
    return grad_features, grad_kernel, [None] * len(flat_map), None


def _save_kernel_gradient(ctx: Any, inputs: tuple, output: torch.Tensor) -> None:
    features, grad_output, flat_map = inputs
    ctx.save_for_backward(features, grad_output, *flat_map)


def _kernel_gradient_gradient(ctx: Any, grad: torch.Tensor) -> tuple:
    features, grad_output, *flat_map = ctx.saved_tensors
    first = second = None
    if ctx.needs_input_grad[0]:
        first = _convolve(grad_output, grad, _swapped(flat_map), True)
    if ctx.needs_input_grad[1]:
        second = _convolve(features, grad, flat_map, False)
    return first, second, [None] * len(flat_map)


def _save_bfloat16(ctx: Any, inputs: tuple, output: tuple[torch.Tensor, torch.Tensor]) -> None:
    _, kernel, flat_map = inputs
    _, rounded = output
    ctx.mark_non_differentiable(rounded)
    ctx.save_for_backward(rounded, kernel, *flat_map)


def _convolution_gradient_bfloat16(ctx: Any, grad: torch.Tensor, _: Any) -> tuple:
    rounded, kernel, *flat_map = ctx.saved_tensors
    wanted = ctx.needs_input_grad[:2]
    gradients = _gradient_bfloat16(grad, rounded, kernel, flat_map, *wanted)
    return (
        *(g if w else None for g, w in zip(gradients, wanted, strict=True)),
        [None] * len(flat_map),
    )


_convolve.register_autograd(_convolution_gradient, setup_context=_save_convolution)
_kernel_gradient.register_autograd(_kernel_gradient_gradient, setup_context=_save_kernel_gradient)
_convolve_bfloat16.register_autograd(_convolution_gradient_bfloat16, setup_context=_save_bfloat16)


def _rounds(features: torch.Tensor, kernel_map: KernelMap) -> bool:
    """Whether to multiply in bfloat16."""
    return (
        torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
        and features.dtype == torch.float32
        and features.device.type == "cpu"
        and kernel_map.outputs.cuts is not None
        and kernel_library.bfloat16_runs()
    )


def _flattened(kernel_map: KernelMap) -> FlatMap:
    return [kernel_map.tap_starts, *_side(kernel_map.inputs), *_side(kernel_map.outputs)]


def _side(side: MapSide) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return side.rows, side.order, side.rows.new_empty(0) if side.cuts is None else side.cuts


def _swapped(flat_map: FlatMap) -> FlatMap:
    """Swap the sides that are read and written."""
    return [flat_map[0], *flat_map[4:], *flat_map[1:4]]


def _map_entries(flat_map: FlatMap) -> MapEntries:
    tap_starts, read_rows, _, _, write_rows, write_order, cuts = flat_map
    return MapEntries(read_rows, write_rows, tap_starts, write_order, cuts)


def _by_tap(flat_map: FlatMap) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    starts: list[int] = flat_map[0].tolist()
    for start, end in pairwise(starts):
        yield flat_map[1][start:end], flat_map[4][start:end]
