"""Checks of the parts of this package: sparse engines, pictures, compiled kernels."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable
from typing import Any

from pointcontrast.doctor.check import Check, Load, reason
from pointcontrast.errors import InputError

LIBRARY_PACKAGES = {
    "libusb-1.0.so.0": "libusb-1.0-0",
    "libGL.so.1": "libgl1",
    "libX11.so.6": "libx11-6",
    "libgomp.so.1": "libgomp1",
}
"""Debian package of each system library that Open3D loads."""


def check_engine(name: str) -> Check:
    """Check that an engine computes a small convolution on the CPU."""
    label = f"engine {name}"
    otherwise = "make minkowski" if name == "minkowski" else "make setup"
    try:
        import torch

        from pointcontrast.sparse import get_engine

        engine: Any = get_engine(name)  # pyright: ignore[reportArgumentType]
        coordinates = torch.tensor([[0, 0, 0, 0], [0, 1, 0, 0]], dtype=torch.int32)
        convolution = engine.Convolution(1, 1, kernel_size=3, dimension=3)
        output = convolution(engine.sparse_tensor(coordinates, torch.ones(2, 1)))
        if not torch.isfinite(output.features).all():
            raise InputError("a convolution returns numbers that are not finite")
    except InputError as error:
        cause, _, fix = str(error).rpartition("; ")
        return Check(label, False, cause or fix, fix if cause else otherwise)
    except Exception as error:
        return Check(label, False, reason(error), otherwise)
    if name == "minkowski" and torch.cuda.is_available() and not engine.built_for_cuda():
        fix = "make minkowski MINKOWSKI=force_cuda (needs nvcc), or use engine: native on the GPU"
        return Check(label, False, "works on the CPU, but it was built without CUDA", fix)
    return Check(label, True, "works")


def check_open3d(load: Load = importlib.import_module) -> Check:
    """Check that Open3D can be imported, and name the package of a missing system library."""
    try:
        open3d = load("open3d")
    except Exception as error:
        cause = reason(error)
        library = re.search(r"(lib\S+\.so[.\d]*): cannot open shared object file", cause)
        if library is None:
            return Check("Open3D", False, cause, "make setup")
        package = LIBRARY_PACKAGES.get(library[1])
        fix = (
            f"sudo apt-get install -y {package}"
            if package
            else f"install the system package that contains {library[1]}"
        )
        return Check("Open3D", False, f"the system library {library[1]} is missing", fix)
    return Check("Open3D", True, f"{open3d.__version__}")


def check_drawing(load: Load = importlib.import_module) -> Check:
    """Tell whether pictures can be shown in windows, or only written to files."""
    try:
        has_display = load("pointcontrast.pictures.drawing").has_display()
    except Exception as error:
        return Check("drawing", False, reason(error), "make setup")
    files = "PNG (drawn in software) and PLY files"
    return Check("drawing", True, f"windows, {files}" if has_display else f"no display: {files}")


def check_kernels(load: Callable[[], object | None] | None = None) -> Check:
    """Check the compiled kernels for points; without them NumPy and SciPy do the work."""
    try:
        if load is None:
            from pointcontrast.compiled.points import load_kernels as load
        found = None if load() is None else "compiled"
    except ImportError as error:
        return Check("point kernels", False, str(error))
    return _compiled("point kernels", found, "NumPy and SciPy do the work")


def check_sparse_kernels() -> Check:
    """Check the compiled kernels of the native engine; without them torch does the work."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the report says what is missing
            from pointcontrast.sparse import kernel_library

            found = (
                f"compiled, {kernel_library.instruction_set()}"
                if kernel_library.available()
                else None
            )
    except (ImportError, ValueError) as error:
        return Check("sparse kernels", False, reason(error))
    return _compiled("sparse kernels", found, "torch does the work")


def _compiled(name: str, found: str | None, otherwise: str) -> Check:
    if found is not None:
        return Check(name, True, found)
    fix = "install a C++ compiler, then run pip install -e . again"
    return Check(name, False, f"not built; {otherwise}, more slowly", fix)
