"""The sum that every sparse convolution is, and its gradients, as operators of torch.

``out[w] = sum over taps t and meetings (r, w) of t: features[r] @ kernel[t]``, taps in turn. On the
CPU the compiled kernels do it; elsewhere, and where there are none, a loop over the taps: gather
the rows that the tap reads, multiply them with its matrix, add the products to the rows that it
writes. No row is written twice within a tap, so the sum has one order and the result is the same on
every run and for any number of threads.

Under ``torch.autocast("cpu", dtype=torch.bfloat16)`` the compiled kernels round features, kernel
and the gradient that comes in to bfloat16 and sum their products in float32, where
:func:`.kernel_library.bfloat16_runs`. Results and gradients stay float32: the sums have the
digits, and the batch norm that follows then has its one pass.

As registered operators they have rules for autograd (to any order, in bfloat16 to the first) and
for the fake tensors of ``torch.compile``; ``torch.func`` refuses them with a message of torch's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch

from pointcontrast.sparse import kernel_library, kernels
from pointcontrast.sparse.coordinates import KernelMap, MapSide

Meetings = Sequence[torch.Tensor]
"""A :class:`KernelMap` as operators take it: tap_starts, then rows, order and cuts of the side that
is read, then of the side that is written; cuts of no element stand for None."""


def sparse_convolution(
    features: torch.Tensor, kernel: torch.Tensor, kernel_map: KernelMap
) -> torch.Tensor:
    """Sum the products of all meetings; those of float32 as autocast says.

    Args:
        features: (num_inputs, in) floating point.
        kernel: (taps, in, out), same dtype and device.
        kernel_map: who reads whom.

    Returns:
        (num_outputs, out), same dtype. Differentiable in features and kernel.
    """
    meetings = _flattened(kernel_map)
    if _rounds(features, kernel_map):
        return _convolve_bfloat16(features, kernel, meetings)[0]
    return _convolve(features, kernel, meetings, False)


def sparse_convolution_and_normalization(
    features: torch.Tensor,
    kernel: torch.Tensor,
    kernel_map: KernelMap,
    scale: torch.Tensor,
    shift: torch.Tensor,
    shortcut: torch.Tensor | None,
    rectify: bool,
) -> torch.Tensor:
    """``sparse_convolution(...) * scale + shift + shortcut``, then max(0, .), in one pass.

    For evaluation: it has no gradient.

    Args:
        features: (num_inputs, in) on the CPU, of a dtype that the compiled kernels serve.
        kernel: (taps, in, out).
        kernel_map: who reads whom.
        scale: (out,).
        shift: (out,).
        shortcut: (num_outputs, out) to add, or None.
        rectify: whether what is negative becomes 0.

    Returns:
        (num_outputs, out).
    """
    return kernels.convolve(
        kernels.rounded(features) if _rounds(features, kernel_map) else features.contiguous(),
        kernel.contiguous(),
        kernel_map.for_kernels(),
        scale=scale.contiguous(),
        shift=shift.contiguous(),
        # a 1x1 layer under autocast gives half precision
        shortcut=None if shortcut is None else shortcut.to(kernel.dtype).contiguous(),
        rectify=rectify,
    )


def meetings_by_tap(kernel_map: KernelMap) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The rows that meet, input's and output's, tap after tap."""
    return _by_tap(_flattened(kernel_map))


@torch.library.custom_op("pointcontrast::convolve", mutates_args=())
def _convolve(
    features: torch.Tensor, kernel: torch.Tensor, meetings: Meetings, transposed: bool
) -> torch.Tensor:
    kernel = kernel.contiguous()  # a product's last bits can depend on the order in memory
    if kernel_library.run_on(features) and meetings[6].numel():
        return kernels.convolve(
            features.contiguous(), kernel, _for_kernels(meetings), transposed=transposed
        )
    matrices = kernel.transpose(1, 2) if transposed else kernel
    output = features.new_zeros(len(meetings[5]), matrices.shape[2])
    # Without autocast: a sum of products in half precision over many taps loses digits.
    with torch.autocast(features.device.type, enabled=False):
        for tap, (reads, writes) in enumerate(_by_tap(meetings)):
            if len(reads):
                output.index_add_(0, writes, features.index_select(0, reads) @ matrices[tap])
    return output


@torch.library.custom_op("pointcontrast::kernel_gradient", mutates_args=())
def _kernel_gradient(
    features: torch.Tensor, grad_output: torch.Tensor, meetings: Meetings
) -> torch.Tensor:
    if kernel_library.run_on(features) and meetings[6].numel():
        return kernels.kernel_gradient(
            features.contiguous(), grad_output.contiguous(), _for_kernels(meetings)
        )
    gradient = features.new_zeros(len(meetings[0]) - 1, features.shape[1], grad_output.shape[1])
    with torch.autocast(features.device.type, enabled=False):
        for tap, (reads, writes) in enumerate(_by_tap(meetings)):
            torch.mm(
                features.index_select(0, reads).t(),
                grad_output.index_select(0, writes),
                out=gradient[tap],
            )
    return gradient


@torch.library.custom_op("pointcontrast::convolve_bfloat16", mutates_args=())
def _convolve_bfloat16(
    features: torch.Tensor, kernel: torch.Tensor, meetings: Meetings
) -> tuple[torch.Tensor, torch.Tensor]:
    """The sums, and the features as they were multiplied: what the backward pass needs."""
    rounded = kernels.rounded(features)
    return kernels.convolve(rounded, kernel.contiguous(), _for_kernels(meetings)), rounded


@torch.library.custom_op("pointcontrast::convolve_bfloat16_gradient", mutates_args=())
def _gradient_bfloat16(
    grad: torch.Tensor,
    rounded: torch.Tensor,
    kernel: torch.Tensor,
    meetings: Meetings,
    of_features: bool,
    of_kernel: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of the features and the kernel; empty where it is not wanted."""
    grad = kernels.rounded(grad)
    grad_features, grad_kernel = kernel.new_empty(0), kernel.new_empty(0)
    if of_features:
        turned = _for_kernels(_turned(meetings))
        grad_features = kernels.convolve(grad, kernel.contiguous(), turned, transposed=True)
    if of_kernel:
        _, depth, channels = kernel.shape
        grad_kernel = kernels.kernel_gradient(
            rounded, grad, _for_kernels(meetings), (depth, channels)
        )
    return grad_features, grad_kernel


@_convolve.register_fake
def _(
    features: torch.Tensor, kernel: torch.Tensor, meetings: Meetings, transposed: bool
) -> torch.Tensor:
    return features.new_empty(meetings[5].shape[0], kernel.shape[1 if transposed else 2])


@_kernel_gradient.register_fake
def _(features: torch.Tensor, grad_output: torch.Tensor, meetings: Meetings) -> torch.Tensor:
    taps = meetings[0].shape[0] - 1
    return features.new_empty(taps, features.shape[1], grad_output.shape[1])


@_convolve_bfloat16.register_fake
def _(
    features: torch.Tensor, kernel: torch.Tensor, meetings: Meetings
) -> tuple[torch.Tensor, torch.Tensor]:
    rows, depth = features.shape
    rounded = features.new_empty(rows, depth + depth % 2, dtype=torch.bfloat16)
    return kernel.new_empty(meetings[5].shape[0], kernel.shape[2]), rounded


@_gradient_bfloat16.register_fake
def _(
    grad: torch.Tensor,
    rounded: torch.Tensor,
    kernel: torch.Tensor,
    meetings: Meetings,
    of_features: bool,
    of_kernel: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    return (
        kernel.new_empty((rounded.shape[0], kernel.shape[1]) if of_features else 0),
        kernel.new_empty(kernel.shape if of_kernel else 0),
    )


def _save_convolution(ctx: Any, inputs: tuple, output: torch.Tensor) -> None:
    features, kernel, meetings, ctx.transposed = inputs
    ctx.save_for_backward(features, kernel, *meetings)


def _convolution_gradient(ctx: Any, grad: torch.Tensor) -> tuple:
    features, kernel, *meetings = ctx.saved_tensors
    turned = _turned(meetings)
    grad_features = grad_kernel = None
    if ctx.needs_input_grad[0]:
        grad_features = _convolve(grad, kernel, turned, not ctx.transposed)
    if ctx.needs_input_grad[1]:
        # outer(features[r], grad[w]), or turned round where the kernel's matrices are
        grad_kernel = (
            _kernel_gradient(grad, features, turned)
            if ctx.transposed
            else _kernel_gradient(features, grad, meetings)
        )
    return grad_features, grad_kernel, [None] * len(meetings), None


def _save_kernel_gradient(ctx: Any, inputs: tuple, output: torch.Tensor) -> None:
    features, grad_output, meetings = inputs
    ctx.save_for_backward(features, grad_output, *meetings)


def _kernel_gradient_gradient(ctx: Any, grad: torch.Tensor) -> tuple:
    features, grad_output, *meetings = ctx.saved_tensors
    first = second = None
    if ctx.needs_input_grad[0]:
        first = _convolve(grad_output, grad, _turned(meetings), True)
    if ctx.needs_input_grad[1]:
        second = _convolve(features, grad, meetings, False)
    return first, second, [None] * len(meetings)


def _save_bfloat16(ctx: Any, inputs: tuple, output: tuple[torch.Tensor, torch.Tensor]) -> None:
    _, kernel, meetings = inputs
    _, rounded = output
    ctx.mark_non_differentiable(rounded)
    ctx.save_for_backward(rounded, kernel, *meetings)


def _convolution_gradient_bfloat16(ctx: Any, grad: torch.Tensor, _: Any) -> tuple:
    rounded, kernel, *meetings = ctx.saved_tensors
    wanted = ctx.needs_input_grad[:2]
    gradients = _gradient_bfloat16(grad, rounded, kernel, meetings, *wanted)
    return (
        *(g if w else None for g, w in zip(gradients, wanted, strict=True)),
        [None] * len(meetings),
    )


_convolve.register_autograd(_convolution_gradient, setup_context=_save_convolution)
_kernel_gradient.register_autograd(_kernel_gradient_gradient, setup_context=_save_kernel_gradient)
_convolve_bfloat16.register_autograd(_convolution_gradient_bfloat16, setup_context=_save_bfloat16)


def _rounds(features: torch.Tensor, kernel_map: KernelMap) -> bool:
    """Whether these products are to be of bfloat16."""
    return (
        torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
        and features.dtype == torch.float32
        and features.device.type == "cpu"
        and kernel_map.outputs.cuts is not None
        and kernel_library.bfloat16_runs()
    )


def _flattened(kernel_map: KernelMap) -> Meetings:
    return [kernel_map.tap_starts, *_side(kernel_map.inputs), *_side(kernel_map.outputs)]


def _side(side: MapSide) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return side.rows, side.order, side.rows.new_empty(0) if side.cuts is None else side.cuts


def _turned(meetings: Meetings) -> Meetings:
    """The same meetings, read and written sides exchanged."""
    return [meetings[0], *meetings[4:], *meetings[1:4]]


def _for_kernels(meetings: Meetings) -> kernels.Meetings:
    tap_starts, read_rows, _, _, write_rows, write_order, cuts = meetings
    return kernels.Meetings(read_rows, write_rows, tap_starts, write_order, cuts)


def _by_tap(meetings: Meetings) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    starts: list[int] = meetings[0].tolist()
    for start, end in pairwise(starts):
        yield meetings[1][start:end], meetings[4][start:end]
