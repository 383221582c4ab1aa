"""The compiled library of the native engine: loading, selection of instructions, calls."""

from __future__ import annotations

import ctypes
import os
import warnings
from functools import cache
from typing import Any

import torch

from pointcontrast.compiled.library import BFLOAT16_SWITCH, SWITCH, load_library, switched_off
from pointcontrast.errors import InputError

INSTRUCTION_SETS = ("avx512_bf16", "avx512", "avx2", "neon", "portable")
POINTER, INT, INT64 = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64
SUFFIXES = {torch.float32: "float", torch.float64: "double"}
"""Suffixes of the functions' names by the dtype that they compute in."""
FACTOR_SUFFIXES = {**SUFFIXES, torch.bfloat16: "bfloat16"}
"""Suffixes of the functions with products, whose factors may be less precise than their sums."""


@cache
def load() -> ctypes.CDLL | None:
    """Load the library; None if it is switched off or, with one warning, missing."""
    if switched_off():
        return None
    try:
        library = load_library("sparse._sparse_kernels")
        reason = "they were not built; `pip install -e .` builds them if there is a C++ compiler"
    except OSError as error:
        library, reason = None, f"they cannot be loaded ({error})"
    if library is None:
        warnings.warn(
            f"no compiled kernels for sparse convolutions: {reason}. torch computes the same "
            f"results, more slowly ({SWITCH}=0 silences this warning)",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    _declare(library)
    _choose(library, os.environ.get(SWITCH, ""))
    # Torch's threads, if its OpenMP has GNU's entry point: two pools would compete for the cores
    try:
        lend = ctypes.CDLL(torch._C.__file__).GOMP_parallel
    except (OSError, AttributeError):
        lend = None
    library.pointcontrast_lend_threads(ctypes.cast(lend, POINTER) if lend else None)
    return library


def available() -> bool:
    """Whether the compiled kernels are built and not switched off."""
    return load() is not None


def run_on(features: torch.Tensor) -> bool:
    """Whether the compiled kernels support this tensor: on the CPU, float32 or float64."""
    return features.device.type == "cpu" and features.dtype in SUFFIXES and available()


def bfloat16_runs() -> bool:
    """Whether convolutions multiply in bfloat16 under autocast.

    They do if the selected instructions have bfloat16 products, or if the environment has
    ``POINTCONTRAST_BFLOAT16=emulate``.

    Raises:
        InputError: The environment variable is neither ``emulate`` nor 0.
    """
    wanted = os.environ.get(BFLOAT16_SWITCH, "")
    if wanted not in ("", "0", "emulate"):
        raise InputError(
            f"{BFLOAT16_SWITCH} is {wanted!r}; use emulate or 0, or unset it to follow the "
            "processor"
        )
    library = load()
    if library is None or wanted == "0":
        return False
    return wanted == "emulate" or bool(library.pointcontrast_has_bfloat16())


def instruction_set() -> str:
    """Name of the selected instruction set; ``torch`` without compiled kernels."""
    library = load()
    return "torch" if library is None else library.pointcontrast_instruction_set().decode()


def instruction_sets() -> list[str]:
    """Names in ``INSTRUCTION_SETS`` that run on this processor, fastest first."""
    library = load()
    if library is None:
        return []
    return [name for name in INSTRUCTION_SETS if library.pointcontrast_has(name.encode())]


def choose_instruction_set(name: str) -> str:
    """Select an instruction set for the whole process.

    Args:
        name: One of ``INSTRUCTION_SETS``, or empty for the fastest on this processor.

    Returns:
        Name of the selected instruction set.

    Raises:
        InputError: The processor or the build does not have it, or there are no compiled kernels.
    """
    library = load()
    if library is None:
        raise InputError(f"there are no compiled kernels, so that {name!r} cannot be selected")
    _choose(library, name)
    return instruction_set()


def peak(seconds: float = 0.3) -> float:
    """Measure floating-point operations per second in registers, on torch's number of threads."""
    library = load()
    assert library is not None
    return library.pointcontrast_peak(seconds, torch.get_num_threads())


def call(name: str, *arguments: Any) -> int:
    """Call ``pointcontrast_<name>`` with tensors as pointers, and return its count.

    Raises:
        MemoryError: It returned -1.
    """
    library = load()
    assert library is not None
    result: int = getattr(library, f"pointcontrast_{name}")(
        *(a.data_ptr() if isinstance(a, torch.Tensor) else a for a in arguments)
    )
    if result < 0:
        raise MemoryError(f"not enough memory to {name.replace('_', ' ')}")
    return result


def pointer(tensor: torch.Tensor | None) -> int | None:
    """Address of a tensor's data; None for None."""
    return None if tensor is None else tensor.data_ptr()


def _choose(library: ctypes.CDLL, name: str) -> None:
    if not library.pointcontrast_choose_instruction_set(name.encode()):
        here = [n for n in INSTRUCTION_SETS if library.pointcontrast_has(n.encode())]
        raise InputError(
            f"instruction set {name!r} does not run on this processor, which has "
            f"{', '.join(here)}; set {SWITCH} to one of them, or to 0 for torch alone"
        )


def _declare(library: ctypes.CDLL) -> None:
    library.pointcontrast_instruction_set.restype = ctypes.c_char_p
    for name in ("has", "choose_instruction_set"):
        function = getattr(library, f"pointcontrast_{name}")
        function.restype, function.argtypes = INT, [ctypes.c_char_p]
    library.pointcontrast_has_bfloat16.restype = INT
    library.pointcontrast_has_bfloat16.argtypes = []
    library.pointcontrast_peak.restype = ctypes.c_double
    library.pointcontrast_peak.argtypes = [ctypes.c_double, INT]
    library.pointcontrast_lend_threads.restype = None
    library.pointcontrast_lend_threads.argtypes = [POINTER]
    library.pointcontrast_sort_coordinates.restype = INT64
    library.pointcontrast_sort_coordinates.argtypes = [
        POINTER, INT64, INT64, POINTER, POINTER, POINTER, POINTER,
    ]  # fmt: skip
    library.pointcontrast_downsample.restype = INT64
    library.pointcontrast_downsample.argtypes = [
        POINTER, INT64, INT64, POINTER, POINTER, POINTER, POINTER,
    ]  # fmt: skip
    library.pointcontrast_begin_map.restype = POINTER
    library.pointcontrast_begin_map.argtypes = [
        POINTER, POINTER, INT64, POINTER, POINTER, INT64, INT64, POINTER, POINTER,
        POINTER, INT64, POINTER, POINTER, POINTER, INT,
    ]  # fmt: skip
    library.pointcontrast_finish_map.restype = None
    library.pointcontrast_finish_map.argtypes = [
        POINTER, POINTER, POINTER, POINTER, POINTER, POINTER, INT,
    ]  # fmt: skip
    for name, suffixes in {
        "convolve": FACTOR_SUFFIXES,
        "kernel_gradient": FACTOR_SUFFIXES,
        "normalize": SUFFIXES,
        "normalize_gradient": SUFFIXES,
    }.items():
        for suffix in suffixes.values():
            function = getattr(library, f"pointcontrast_{name}_{suffix}")
            function.restype, function.argtypes = INT, [POINTER, INT]
    for suffix in SUFFIXES.values():
        function = getattr(library, f"pointcontrast_statistics_{suffix}")
        function.restype = INT
        function.argtypes = [POINTER, INT64, INT64, POINTER, POINTER, INT]
