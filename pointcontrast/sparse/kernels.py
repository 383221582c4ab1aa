"""The compiled kernels of the native engine, where they could be built: ``csrc/`` through ctypes.

The functions here check nothing: ``coordinates.py``, ``convolution.py`` and ``normalization.py``
call them with tensors on the CPU that are contiguous, of one floating-point type and in range.
The products of a convolution can be of bfloat16, summed in float32.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import torch

from pointcontrast.sparse.kernel_library import (
    FACTOR_SUFFIXES,
    INT,
    INT64,
    POINTER,
    SUFFIXES,
    call,
    load,
)

BLOCK_ROWS = 128
"""``kBlockRows`` of ``csrc/kernels.h``."""


class _Meetings(ctypes.Structure):
    _fields_ = (
        ("read_rows", POINTER),
        ("write_rows", POINTER),
        ("tap_starts", POINTER),
        ("write_order", POINTER),
        ("cuts", POINTER),
        ("num_taps", INT64),
        ("num_written", INT64),
        ("num_blocks", INT64),
    )


class _Convolution(ctypes.Structure):
    _fields_ = (
        ("meetings", _Meetings),
        ("features", POINTER),
        ("kernel", POINTER),
        ("out", POINTER),
        ("depth", INT64),
        ("channels", INT64),
        ("transposed", INT),
        ("scale", POINTER),
        ("shift", POINTER),
        ("shortcut", POINTER),
        ("rectify", INT),
    )


class _KernelGradient(ctypes.Structure):
    _fields_ = (
        ("meetings", _Meetings),
        ("features", POINTER),
        ("grad_out", POINTER),
        ("grad_kernel", POINTER),
        ("depth", INT64),
        ("channels", INT64),
    )


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


@dataclass(frozen=True)
class Meetings:
    """The meetings of a kernel map seen from the side that is written; see ``csrc/kernels.h``.

    Attributes:
        read_rows: (M,) int32, tap after tap, within a tap in the order of space.
        write_rows: (M,) int32.
        tap_starts: (taps + 1,) int64.
        write_order: (num_written,) int32: the written rows in the order of space.
        cuts: (taps, blocks + 1) int32: the first meeting of each block of ``BLOCK_ROWS`` of them.
    """

    read_rows: torch.Tensor
    write_rows: torch.Tensor
    tap_starts: torch.Tensor
    write_order: torch.Tensor
    cuts: torch.Tensor

    def _structure(self) -> _Meetings:
        return _Meetings(
            self.read_rows.data_ptr(),
            self.write_rows.data_ptr(),
            self.tap_starts.data_ptr(),
            self.write_order.data_ptr(),
            self.cuts.data_ptr(),
            len(self.tap_starts) - 1,
            len(self.write_order),
            self.cuts.shape[1] - 1,
        )


def rounded(features: torch.Tensor) -> torch.Tensor:
    """(rows, depth) as the kernels take bfloat16: an odd depth gets a last column of zeros."""
    result = features.to(torch.bfloat16)
    if features.shape[1] % 2:
        result = torch.nn.functional.pad(result, (0, 1))
    return result.contiguous()


def sort_coordinates(
    coordinates: torch.Tensor, lower: torch.Tensor, radix: torch.Tensor
) -> tuple[torch.Tensor, int]:
    """The order of space, and how many rows stand there for a second time.

    Args:
        coordinates: (N, columns) int32.
        lower: (columns,) int64.
        radix: (columns,) int64: a place is numbered ``sum((coordinate - lower) * radix)``.

    Returns:
        (N,) int32 rows in the order of their numbers, and the count.
    """
    order = torch.empty(len(coordinates), dtype=torch.int32)
    unit = torch.ones_like(lower)
    duplicates = call(
        "sort_coordinates", coordinates, *coordinates.shape, unit, lower, radix, order
    )
    return order, duplicates


def downsample(
    coordinates: torch.Tensor, step: torch.Tensor, lower: torch.Tensor, radix: torch.Tensor
) -> torch.Tensor:
    """(N, columns) int32 coordinates floored to multiples of ``step``, each once, in order.

    ``lower`` and ``radix`` number the floored coordinates divided by ``step``.
    """
    wider = torch.empty_like(coordinates)
    count = call("downsample", coordinates, *coordinates.shape, step, lower, radix, wider)
    return wider[:count].clone()


@dataclass(frozen=True)
class MapRows:
    """A kernel map as :func:`build_map` makes it: the fields of :class:`Meetings`, both sides."""

    input_rows: torch.Tensor
    output_rows: torch.Tensor
    tap_starts: torch.Tensor
    input_cuts: torch.Tensor
    output_cuts: torch.Tensor


def build_map(
    inputs: torch.Tensor,
    input_order: torch.Tensor,
    outputs: torch.Tensor,
    output_order: torch.Tensor,
    unit: torch.Tensor,
    lower: torch.Tensor,
    radix: torch.Tensor,
    deltas: torch.Tensor,
    opposite: torch.Tensor,
) -> MapRows:
    """The meetings of two coordinate sets.

    Args:
        inputs: (N, columns) int32.
        input_order: (N,) int32 of :func:`sort_coordinates`.
        outputs: (N', columns) int32; the very same tensor where it is the same set.
        output_order: (N',) int32.
        unit: (columns,) int64: spacing of the inputs; places are numbered in its multiples.
        lower: (columns,) int64.
        radix: (columns,) int64.
        deltas: (taps,) int64: what each tap adds to the number of an output.
        opposite: (taps,) int64: an earlier tap that goes the other way in the same set, or -1.
    """
    library = load()
    assert library is not None
    num_taps = len(deltas)
    counts = torch.empty(num_taps, dtype=torch.int64)
    threads = torch.get_num_threads()
    begun = library.pointcontrast_begin_map(
        inputs.data_ptr(), input_order.data_ptr(), len(inputs),
        outputs.data_ptr(), output_order.data_ptr(), len(outputs),
        inputs.shape[1], unit.data_ptr(), lower.data_ptr(), radix.data_ptr(),
        num_taps, deltas.data_ptr(), opposite.data_ptr(), counts.data_ptr(), threads,
    )  # fmt: skip
    if not begun:
        raise MemoryError("not enough memory for a kernel map")
    tap_starts = torch.zeros(num_taps + 1, dtype=torch.int64)
    torch.cumsum(counts, 0, out=tap_starts[1:])
    rows = torch.empty(2, int(tap_starts[-1]), dtype=torch.int32)
    input_cuts, output_cuts = (
        torch.empty(num_taps, -(-len(rows) // BLOCK_ROWS) + 1, dtype=torch.int32)
        for rows in (inputs, outputs)
    )
    library.pointcontrast_finish_map(
        begun, opposite.data_ptr(), rows[0].data_ptr(), rows[1].data_ptr(),
        input_cuts.data_ptr(), output_cuts.data_ptr(), threads,
    )  # fmt: skip
    return MapRows(rows[0], rows[1], tap_starts, input_cuts, output_cuts)


def convolve(
    features: torch.Tensor,
    kernel: torch.Tensor,
    meetings: Meetings,
    *,
    transposed: bool = False,
    scale: torch.Tensor | None = None,
    shift: torch.Tensor | None = None,
    shortcut: torch.Tensor | None = None,
    rectify: bool = False,
) -> torch.Tensor:
    """out[w] = sum over taps t and meetings (r, w) of t: features[r] @ kernel[t], and what follows.

    Args:
        features: (rows, depth); or :func:`rounded` to bfloat16, where the kernel is float32. The
            kernel is then rounded too, products are summed in float32, and ``scale`` and all that
            follows is float32.
        kernel: (taps, depth, channels), or (taps, channels, depth) where ``transposed``.
        meetings: who reads whom.
        transposed: whether each tap's matrix is meant turned.
        scale: (channels,): the result is multiplied with it and
        shift: (channels,) added, then
        shortcut: (num_written, channels) added, and
        rectify: what is negative becomes 0.

    Returns:
        (num_written, channels), of the kernel's dtype.
    """
    depth, channels = kernel.shape[1:] if not transposed else kernel.shape[:0:-1]
    out = kernel.new_empty(len(meetings.write_order), channels)
    if not kernel.numel():
        return out.zero_()
    work = _Convolution(
        meetings._structure(), features.data_ptr(), kernel.data_ptr(), out.data_ptr(),
        depth, channels, transposed, _pointer(scale), _pointer(shift), _pointer(shortcut), rectify,
    )  # fmt: skip
    call(f"convolve_{FACTOR_SUFFIXES[features.dtype]}", ctypes.byref(work), torch.get_num_threads())
    return out


def kernel_gradient(
    features: torch.Tensor,
    grad_out: torch.Tensor,
    meetings: Meetings,
    shape: tuple[int, int] | None = None,
) -> torch.Tensor:
    """Of each tap the sum of outer(features[r], grad_out[w]).

    Args:
        features: (rows, depth), or :func:`rounded` to bfloat16.
        grad_out: (num_written, channels), likewise.
        meetings: who read whom.
        shape: depth and channels, where they were rounded and may have a column of zeros more.

    Returns:
        (taps, depth, channels), float32 where they were rounded.
    """
    depth, channels = shape or (features.shape[1], grad_out.shape[1])
    gradient = torch.empty(
        len(meetings.tap_starts) - 1,
        depth,
        channels,
        dtype=torch.float32 if features.dtype == torch.bfloat16 else features.dtype,
    )
    if not gradient.numel():
        return gradient
    work = _KernelGradient(
        meetings._structure(), features.data_ptr(), grad_out.data_ptr(), gradient.data_ptr(),
        depth, channels,
    )  # fmt: skip
    call(
        f"kernel_gradient_{FACTOR_SUFFIXES[features.dtype]}",
        ctypes.byref(work),
        torch.get_num_threads(),
    )
    return gradient


def statistics(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and biased variance (channels,) of (rows, channels), rows at least 1."""
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
    """(features - mean) * inverse_deviation * weight + bias + shortcut, then max(0, .)."""
    out = torch.empty_like(features)
    if shortcut is not None:
        shortcut = shortcut.to(features.dtype)  # a 1x1 layer under autocast gives half precision
    work = _Normalization(
        features.data_ptr(), out.data_ptr(), _pointer(shortcut), mean.data_ptr(),
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
    """Gradients of :func:`normalize` behind :func:`statistics`.

    Args:
        grad_out: (rows, channels).
        features: (rows, channels) that went in.
        out: what came out, where it was rectified.
        mean: (channels,).
        inverse_deviation: (channels,).
        weight: (channels,).
        shortcut: whether its gradient is wanted (it is ``grad_out`` where nothing was rectified).

    Returns:
        Gradients of the features, the shortcut, the weight and the bias.
    """
    grad_features = torch.empty_like(features)
    grad_shortcut = torch.empty_like(features) if shortcut else None
    grad_weight, grad_bias = (features.new_empty(features.shape[1]) for _ in range(2))
    work = _NormalizationGradient(
        grad_out.data_ptr(), features.data_ptr(), _pointer(out), mean.data_ptr(),
        inverse_deviation.data_ptr(), weight.data_ptr(), grad_features.data_ptr(),
        _pointer(grad_shortcut), grad_weight.data_ptr(), grad_bias.data_ptr(), *features.shape,
    )  # fmt: skip
    call(
        f"normalize_gradient_{SUFFIXES[features.dtype]}",
        ctypes.byref(work),
        torch.get_num_threads(),
    )
    return grad_features, grad_shortcut, grad_weight, grad_bias


def _pointer(tensor: torch.Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()
