"""Search for the compiled libraries: plain C functions, called through ctypes.

They need no header of Python or torch, so that any C++ compiler builds them and one build serves
every version of torch. Without a library, the package does the same in Python, more slowly.
"""

from __future__ import annotations

import ctypes
import importlib.machinery
import os
from pathlib import Path

SWITCH = "POINTCONTRAST_KERNELS"
"""Environment variable: 0 disables all compiled kernels; ``avx512_bf16``, ``avx512``, ``avx2``,
``neon`` or ``portable`` selects the instructions of the sparse convolutions; unset or empty selects
the best available ones.
"""
BFLOAT16_SWITCH = "POINTCONTRAST_BFLOAT16"
"""Environment variable: whether sparse convolutions multiply in bfloat16 under autocast. Unset or
empty: if the instructions in use have bfloat16 products (``avx512_bf16``); ``emulate``: always,
with the same numbers but slower than float32, for tests; 0: never.
"""

ROOT = Path(__file__).parents[1]


def switched_off() -> bool:
    """Return whether the environment disables all compiled kernels."""
    return os.environ.get(SWITCH) == "0"


def load_library(name: str) -> ctypes.CDLL | None:
    """Load the library of the extension ``pointcontrast.<name>``; None if it was not built.

    Raises:
        OSError: It exists but cannot be loaded.
    """
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        path = ROOT.joinpath(*name.split(".")).with_name(name.split(".")[-1] + suffix)
        if path.exists():
            return ctypes.CDLL(str(path))
    return None
