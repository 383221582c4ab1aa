"""Checks of the machine and of the Python environment."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pointcontrast.doctor.check import Check, Load, first_line, reason

SUPPORTED_PYTHON = ((3, 10), (3, 13))
"""First and last version of Python that the package is tested with."""

ENOUGH_DISK = 2e9
"""Bytes; a short run with its generated rooms and checkpoints takes less."""


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> Check:
    """Check that this Python, ``version`` = (major, minor), is supported."""
    first, last = (".".join(map(str, bound)) for bound in SUPPORTED_PYTHON)
    ok = SUPPORTED_PYTHON[0] <= version <= SUPPORTED_PYTHON[1]
    fix = "" if ok else f"use Python {first} to {last}: make clean, then make setup PYTHON=..."
    return Check("Python", ok, f"{platform.python_version()} at {sys.executable}", fix)


def check_platform() -> Check:
    """Name the operating system and the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    num_cores = len(affinity(0)) if affinity else os.cpu_count()
    return Check("platform", True, f"{platform.platform()}, {num_cores} cores")


def check_torch(load: Load = importlib.import_module) -> Check:
    """Check that torch can be imported."""
    try:
        torch = load("torch")
    except Exception as error:
        return Check("torch", False, reason(error), "make setup")
    return Check("torch", True, f"{torch.__version__}, {torch.get_num_threads()} threads")


def check_devices(
    load: Load = importlib.import_module, driver: Path = Path("/proc/driver/nvidia/version")
) -> Check:
    """List the devices of torch; not ok if there is an NVIDIA driver that torch does not use.

    Args:
        load: Importer of torch.
        driver: File that exists if an NVIDIA driver is loaded.
    """
    try:
        torch = load("torch")
    except Exception as error:
        return Check("devices", False, reason(error), "make setup")
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
        return Check("devices", False, f"{detail}; the GPU is unused: torch is a CPU build", fix)
    fix = f"update the NVIDIA driver, or install a torch for its CUDA (not {torch.version.cuda})"
    return Check("devices", False, f"{detail}; the GPU is unused: torch cannot use it", fix)


def check_libraries(requirements: Sequence[str] | None = None) -> Check:
    """Check that every required library is installed in a version that the package accepts.

    Args:
        requirements: Requirements such as ``numpy>=1.26``; None reads the package's metadata.
    """
    try:
        from packaging.requirements import Requirement

        if requirements is None:
            requirements = importlib.metadata.requires("pointcontrast") or []
    except (ImportError, importlib.metadata.PackageNotFoundError) as error:
        return Check("libraries", False, reason(error), "make setup, or pip install -e .")
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


def check_compiler(compiler: str | None = None) -> Check:
    """Check the C++ compiler: ``compiler``, else the environment's ``CXX``, else ``c++``."""
    compiler = compiler or os.environ.get("CXX") or "c++"
    path = shutil.which(compiler.split()[0])
    if path is None:
        fix = "sudo apt-get install -y g++ (MinkowskiEngine and the kernels are compiled)"
        return Check("C++ compiler", False, f"there is no {compiler} on the PATH", fix)
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return Check("C++ compiler", version.returncode == 0, f"{path}: {first_line(version.stdout)}")


def check_disk(folder: Path = Path()) -> Check:
    """Check the free space on the disk of ``folder``."""
    free = shutil.disk_usage(folder).free
    fix = "" if free >= ENOUGH_DISK else f"free some space: a run takes up to {ENOUGH_DISK:.0e} B"
    return Check("disk", not fix, f"{free / 1e9:.1f} GB free at {folder.resolve()}", fix)
