"""Finding the compiled libraries, where they could be built: plain C functions through ctypes.

They need no header of Python or torch, so that any C++ compiler builds them and one build serves
every torch. Where one is missing the package does the same in Python, more slowly.
"""

from __future__ import annotations

import ctypes
import importlib.machinery
import os
from pathlib import Path

SWITCH = "POINTCONTRAST_KERNELS"
"""In the environment: 0 leaves all compiled kernels out; ``avx512_bf16``, ``avx512``, ``avx2``,
``neon`` or ``portable`` names the instructions of the sparse convolutions; unset or empty is the
best there is.
"""
BFLOAT16_SWITCH = "POINTCONTRAST_BFLOAT16"
"""In the environment: whether sparse convolutions multiply in bfloat16 under autocast. Unset or
empty: where the instructions in use have such products (``avx512_bf16``); ``emulate``: also where
they do not, to the same numbers but slower than float32, for tests; 0: nowhere.
"""

ROOT = Path(__file__).parents[1]


def switched_off() -> bool:
    """Whether the environment asks for Python alone."""
    return os.environ.get(SWITCH) == "0"


def load_library(name: str) -> ctypes.CDLL | None:
    """The library of the extension ``pointcontrast.<name>``, or None where it was not built.

    Raises:
        OSError: it is there and cannot be loaded.
    """
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        path = ROOT.joinpath(*name.split(".")).with_name(name.split(".")[-1] + suffix)
        if path.exists():
            return ctypes.CDLL(str(path))
    return None
