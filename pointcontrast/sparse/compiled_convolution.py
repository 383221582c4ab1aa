"""The compiled kernels for convolutions: ``csrc/convolution.inl`` through ctypes.

The functions do not check their arguments. ``convolution.py`` calls them with contiguous tensors on
the CPU, of one floating-point type and in range. Factors can be bfloat16, with sums in float32.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import torch

from pointcontrast.sparse.kernel_library import FACTOR_SUFFIXES, INT, INT64, POINTER, call, pointer


class _MapEntries(ctypes.Structure):
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
        ("entries", _MapEntries),
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
        ("entries", _MapEntries),
        ("features", POINTER),
        ("grad_out", POINTER),
        ("grad_kernel", POINTER),
        ("depth", INT64),
        ("channels", INT64),
    )


@dataclass(frozen=True)
class MapEntries:
    """Entries of a kernel map, sorted by the row that they write; see ``csrc/kernels.h``.

    Attributes:
        read_rows: Row that each entry reads (M,), int32; sorted by tap, then in the order of space.
        write_rows: Row that each entry writes (M,), int32.
        tap_starts: First entry of each tap (taps + 1,), int64.
        write_order: Written rows in the order of space (num_written,), int32.
        cuts: First entry of each block of ``BLOCK_ROWS`` written rows (taps, blocks + 1), int32.
    """

    read_rows: torch.Tensor
    write_rows: torch.Tensor
    tap_starts: torch.Tensor
    write_order: torch.Tensor
    cuts: torch.Tensor

    def _structure(self) -> _MapEntries:
        return _MapEntries(
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
    """Round (rows, depth) to bfloat16 for the kernels, padding an odd depth with zeros."""
    result = features.to(torch.bfloat16)
    if features.shape[1] % 2:
        result = torch.nn.functional.pad(result, (0, 1))
    return result.contiguous()


def convolve(
    features: torch.Tensor,
    kernel: torch.Tensor,
    entries: MapEntries,
    *,
    transposed: bool = False,
    scale: torch.Tensor | None = None,
    shift: torch.Tensor | None = None,
    shortcut: torch.Tensor | None = None,
    rectify: bool = False,
) -> torch.Tensor:
    """Convolve: out[w] = sum over taps t and entries (r, w) of t of features[r] @ kernel[t].

    Args:
        features: Features (rows, depth), or :func:`rounded` to bfloat16 with a float32 kernel. The
            kernel is then rounded too, and everything else is float32.
        kernel: Weights (taps, depth, channels), or (taps, channels, depth) if ``transposed``.
        entries: Entries of the kernel map.
        transposed: Whether to transpose the matrix of each tap.
        scale: Factor of each channel of the result (channels,).
        shift: Term added to each channel after that (channels,).
        shortcut: Features added after that (num_written, channels).
        rectify: Whether to replace negative values by 0 in the end.

    Returns:
        Features (num_written, channels), of the kernel's dtype.
    """
    depth, channels = kernel.shape[1:] if not transposed else kernel.shape[:0:-1]
    out = kernel.new_empty(len(entries.write_order), channels)
    if not kernel.numel():
        return out.zero_()
    work = _Convolution(
        entries._structure(), features.data_ptr(), kernel.data_ptr(), out.data_ptr(),
        depth, channels, transposed, pointer(scale), pointer(shift), pointer(shortcut), rectify,
    )  # fmt: skip
    call(f"convolve_{FACTOR_SUFFIXES[features.dtype]}", ctypes.byref(work), torch.get_num_threads())
    return out


def kernel_gradient(
    features: torch.Tensor,
    grad_out: torch.Tensor,
    entries: MapEntries,
    shape: tuple[int, int] | None = None,
) -> torch.Tensor:
    """Sum outer(features[r], grad_out[w]) over the entries (r, w) of each tap.

    Args:
        features: Features (rows, depth), or :func:`rounded` to bfloat16.
        grad_out: Gradient of the output (num_written, channels), likewise.
        entries: Entries of the kernel map.
        shape: Depth and channels without the padding of :func:`rounded`; None takes those given.

    Returns:
        Gradient of the kernel (taps, depth, channels), float32 for bfloat16 factors.
    """
    depth, channels = shape or (features.shape[1], grad_out.shape[1])
    gradient = torch.empty(
        len(entries.tap_starts) - 1,
        depth,
        channels,
        dtype=torch.float32 if features.dtype == torch.bfloat16 else features.dtype,
    )
    if not gradient.numel():
        return gradient
    work = _KernelGradient(
        entries._structure(), features.data_ptr(), grad_out.data_ptr(), gradient.data_ptr(),
        depth, channels,
    )  # fmt: skip
    call(
        f"kernel_gradient_{FACTOR_SUFFIXES[features.dtype]}",
        ctypes.byref(work),
        torch.get_num_threads(),
    )
    return gradient
