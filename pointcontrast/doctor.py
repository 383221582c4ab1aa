"""What works on this machine, and how to mend what does not: ``python -m pointcontrast.doctor``.

Every check is a function of its own that looks at one thing and returns a :class:`Check`. The
imports that may fail are made inside the checks, so that the report comes in every case.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pointcontrast
from pointcontrast.errors import InputError

SUPPORTED_PYTHON = ((3, 10), (3, 13))
"""The first and the last Python that the package is tested with."""

LIBRARY_PACKAGES = {
    "libusb-1.0.so.0": "libusb-1.0-0",
    "libGL.so.1": "libgl1",
    "libX11.so.6": "libx11-6",
    "libgomp.so.1": "libgomp1",
}
"""Debian's package for each system library that Open3D loads."""

REQUIRED = ("Python", "torch", "libraries", "engine native")
"""The checks without which no pretraining can run."""

ENOUGH_DISK = 2e9
"""Bytes; a short run with its generated rooms and checkpoints stays below."""

Load = Callable[[str], ModuleType]


@dataclass(frozen=True)
class Check:
    """One line of the report.

    Attributes:
        name: what was looked at.
        ok: whether it works.
        detail: what was found.
        fix: what to do; empty where there is nothing to do.
    """

    name: str
    ok: bool
    detail: str
    fix: str = ""


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> Check:
    """Whether this Python, ``version`` = (major, minor), is a supported one."""
    first, last = (".".join(map(str, bound)) for bound in SUPPORTED_PYTHON)
    ok = SUPPORTED_PYTHON[0] <= version <= SUPPORTED_PYTHON[1]
    fix = "" if ok else f"use Python {first} to {last}: make clean, then make setup PYTHON=..."
    return Check("Python", ok, f"{platform.python_version()} at {sys.executable}", fix)


def check_platform() -> Check:
    """The operating system and the cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    num_cores = len(affinity(0)) if affinity else os.cpu_count()
    return Check("platform", True, f"{platform.platform()}, {num_cores} cores")


def check_torch(load: Load = importlib.import_module) -> Check:
    """Whether torch can be imported. ``load`` imports by name."""
    try:
        torch = load("torch")
    except Exception as error:
        return Check("torch", False, _reason(error), "make setup")
    return Check("torch", True, f"{torch.__version__}, {torch.get_num_threads()} threads")


def check_devices(
    load: Load = importlib.import_module, driver: Path = Path("/proc/driver/nvidia/version")
) -> Check:
    """The devices that torch computes on; not ok where there is an NVIDIA driver torch leaves idle.

    Args:
        load: imports by name.
        driver: a file that is there where an NVIDIA driver runs.
    """
    try:
        torch = load("torch")
    except Exception as error:
        return Check("devices", False, _reason(error), "make setup")
    devices = [
        f"cuda:{index} ({torch.cuda.get_device_name(index)})"
        for index in range(torch.cuda.device_count())
    ]
    if torch.backends.mps.is_available():
        devices.append("mps")
    detail = ", ".join([*devices, "cpu"])
    if torch.cuda.is_available() or not driver.exists():
        return Check("devices", True, detail)
    if torch.version.cuda is None:
        fix = "install a CUDA build of torch in .venv, then run make setup"
        return Check("devices", False, f"{detail}; the GPU is idle: torch is a CPU build", fix)
    fix = f"update the NVIDIA driver, or install a torch for its CUDA (not {torch.version.cuda})"
    return Check("devices", False, f"{detail}; the GPU is idle: torch cannot use it", fix)


def check_libraries(requirements: Sequence[str] | None = None) -> Check:
    """Whether every library that the package asks for is there in a version it accepts.

    Args:
        requirements: as in the package's metadata, such as ``numpy>=1.26``; None reads that.
    """
    try:
        from packaging.requirements import Requirement

        if requirements is None:
            requirements = importlib.metadata.requires("pointcontrast") or []
    except (ImportError, importlib.metadata.PackageNotFoundError) as error:
        return Check("libraries", False, _reason(error), "make setup, or pip install -e .")
    found, wrong = [], []
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        found.append(f"{requirement.name} {version}")
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} {version} is not {requirement.specifier}")
    if wrong:
        return Check("libraries", False, ", ".join(wrong), "make setup, or pip install -e .")
    return Check("libraries", True, ", ".join(found))


def check_engine(name: str) -> Check:
    """Whether the engine of that name computes one small convolution on the CPU."""
    label = f"engine {name}"
    try:
        import torch

        from pointcontrast.sparse import get_engine

        engine: Any = get_engine(name)  # pyright: ignore[reportArgumentType]
        coordinates = torch.tensor([[0, 0, 0, 0], [0, 1, 0, 0]], dtype=torch.int32)
        convolution = engine.Convolution(1, 1, kernel_size=3, dimension=3)
        output = convolution(engine.sparse_tensor(coordinates, torch.ones(2, 1)))
        if not torch.isfinite(output.features).all():
            raise InputError("a convolution gives numbers that are not finite")
    except InputError as error:
        reason, _, fix = str(error).rpartition("; ")
        return Check(label, False, reason or fix, fix if reason else _engine_fix(name))
    except Exception as error:
        return Check(label, False, _reason(error), _engine_fix(name))
    if name == "minkowski" and torch.cuda.is_available() and not engine.built_for_cuda():
        fix = "make minkowski MINKOWSKI=force_cuda (needs nvcc), or use engine: native on the GPU"
        return Check(label, False, "works on the CPU, but it was built without CUDA", fix)
    return Check(label, True, "works")


def check_open3d(load: Load = importlib.import_module) -> Check:
    """Whether Open3D can be imported; a missing system library is named with its package."""
    try:
        open3d = load("open3d")
    except Exception as error:
        reason = _reason(error)
        library = re.search(r"(lib\S+\.so[.\d]*): cannot open shared object file", reason)
        if library is None:
            return Check("Open3D", False, reason, "make setup")
        package = LIBRARY_PACKAGES.get(library[1])
        fix = (
            f"sudo apt-get install -y {package}"
            if package
            else f"install the system package that holds {library[1]}"
        )
        return Check("Open3D", False, f"the system library {library[1]} is missing", fix)
    return Check("Open3D", True, f"{open3d.__version__}")


def check_drawing(load: Load = importlib.import_module) -> Check:
    """Where pictures go: to windows, or without a display to files alone."""
    try:
        has_display = load("pointcontrast.pictures.drawing").has_display()
    except Exception as error:
        return Check("drawing", False, _reason(error), "make setup")
    files = "PNG (drawn in software) and PLY files"
    return Check("drawing", True, f"windows, {files}" if has_display else f"no display: {files}")


def check_compiler(compiler: str | None = None) -> Check:
    """The C++ compiler: ``compiler``, or what ``CXX`` names, or ``c++``."""
    compiler = compiler or os.environ.get("CXX") or "c++"
    path = shutil.which(compiler.split()[0])
    if path is None:
        fix = "sudo apt-get install -y g++ (MinkowskiEngine and the kernels are compiled)"
        return Check("C++ compiler", False, f"there is no {compiler} on the PATH", fix)
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return Check("C++ compiler", version.returncode == 0, f"{path}: {_first_line(version.stdout)}")


def check_kernels(load: Callable[[], object | None] | None = None) -> Check:
    """The compiled kernels that make loading pairs fast; NumPy and SciPy serve without them."""
    try:
        if load is None:
            from pointcontrast.compiled.points import load_kernels as load
        found = None if load() is None else "compiled"
    except ImportError as error:
        return Check("point kernels", False, str(error))
    return _compiled("point kernels", found, "NumPy and SciPy serve")


def check_sparse_kernels() -> Check:
    """The compiled kernels of the native engine; torch serves without them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is missing is said here
            from pointcontrast.sparse import kernel_library

            found = (
                f"compiled, {kernel_library.instruction_set()}"
                if kernel_library.available()
                else None
            )
    except (ImportError, ValueError) as error:
        return Check("sparse kernels", False, _reason(error))
    return _compiled("sparse kernels", found, "torch serves")


def _compiled(name: str, found: str | None, otherwise: str) -> Check:
    if found is not None:
        return Check(name, True, found)
    fix = "install a C++ compiler, then run pip install -e . again"
    return Check(name, False, f"not built; {otherwise}, more slowly", fix)


def check_disk(folder: Path = Path()) -> Check:
    """The room for runs on the disk that holds ``folder``."""
    free = shutil.disk_usage(folder).free
    fix = "" if free >= ENOUGH_DISK else f"free some space: a run takes up to {ENOUGH_DISK:.0e} B"
    return Check("disk", not fix, f"{free / 1e9:.1f} GB free at {folder.resolve()}", fix)


def check_all() -> list[Check]:
    """Every check, in the order of the report."""
    return [
        check_python(),
        check_platform(),
        check_torch(),
        check_devices(),
        check_libraries(),
        check_engine("native"),
        check_engine("minkowski"),
        check_open3d(),
        check_drawing(),
        check_compiler(),
        check_kernels(),
        check_sparse_kernels(),
        check_disk(),
    ]


def can_pretrain(checks: Sequence[Check]) -> bool:
    """Whether all of :data:`REQUIRED` are among ``checks`` and ok."""
    return set(REQUIRED) <= {check.name for check in checks if check.ok}


def report(checks: Sequence[Check], width: int = 100) -> str:
    """The checks as aligned lines of at most ``width`` characters where words allow it."""
    column = max(len(check.name) for check in checks)
    lines = [f"pointcontrast {pointcontrast.__version__}", ""]
    for check in checks:
        head = f"  {'ok' if check.ok else 'no':2}  {check.name:{column}}  "
        indent = " " * len(head)
        for text, start in ((check.detail, head), (check.fix and f"-> {check.fix}", indent)):
            if text:
                lines += textwrap.wrap(
                    text,
                    width,
                    initial_indent=start,
                    subsequent_indent=indent,
                    break_long_words=False,
                    break_on_hyphens=False,
                )
    answer = "can run here" if can_pretrain(checks) else "cannot run here yet"
    return "\n".join([*lines, "", f"Pretraining {answer}."])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report. Returns 0 where pretraining can run, else 1."""
    parser = argparse.ArgumentParser(prog="python -m pointcontrast.doctor", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json = parser.parse_args(arguments).json
    checks = check_all()
    ready = can_pretrain(checks)
    if as_json:
        rows = [dataclasses.asdict(check) for check in checks]
        print(json.dumps({"can_pretrain": ready, "checks": rows}, indent=2))
    else:
        print(report(checks, shutil.get_terminal_size((100, 0)).columns))
    return 0 if ready else 1


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {_first_line(str(error))}"


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or ["(no message)"])[0]


def _engine_fix(name: str) -> str:
    return "make minkowski" if name == "minkowski" else "make setup"


if __name__ == "__main__":
    sys.exit(main())
