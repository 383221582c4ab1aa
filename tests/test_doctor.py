from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from pointcontrast import sparse
from pointcontrast.doctor import __main__ as doctor
from pointcontrast.doctor import machine, parts
from pointcontrast.doctor.check import Check, Load
from pointcontrast.errors import InputError

NO_DRIVER = Path("no/such/driver")


def loading(**attributes: Any) -> Load:
    """Importer that returns the same made-up module for every name."""
    return lambda name: cast(ModuleType, SimpleNamespace(**attributes))


def failing(error: Exception) -> Load:
    def load(name: str) -> ModuleType:
        raise error

    return load


def made_up_torch(num_cuda: int, cuda_release: str | None, mps: bool = False) -> Load:
    return loading(
        cuda=SimpleNamespace(
            device_count=lambda: num_cuda,
            is_available=lambda: num_cuda > 0,
            get_device_name=lambda index: f"GPU{index}",
        ),
        backends=SimpleNamespace(mps=SimpleNamespace(is_available=lambda: mps)),
        version=SimpleNamespace(cuda=cuda_release),
    )


@pytest.mark.parametrize(
    ("version", "ok"),
    [((3, 9), False), ((3, 10), True), ((3, 13), True), ((3, 14), False), ((4, 0), False)],
)
def test_python_versions(version: tuple[int, int], ok: bool):
    check = machine.check_python(version)
    assert check.ok is ok
    assert bool(check.fix) is not ok


def test_torch_that_works_and_torch_that_does_not():
    good = machine.check_torch(loading(__version__="9.9+cu", get_num_threads=lambda: 3))
    assert good == Check("torch", True, "9.9+cu, 3 threads")
    bad = machine.check_torch(failing(OSError("libtorch.so: file too short\nmore")))
    assert bad == Check("torch", False, "OSError: libtorch.so: file too short", "make setup")


def test_devices_are_named():
    check = machine.check_devices(made_up_torch(2, "13.0", mps=True), NO_DRIVER)
    assert check == Check("devices", True, "cuda:0 (GPU0), cuda:1 (GPU1), mps, cpu")
    assert machine.check_devices(made_up_torch(0, None), NO_DRIVER).ok


@pytest.mark.parametrize(("release", "fix"), [(None, "CUDA build of torch"), ("13.0", "driver")])
def test_an_unused_gpu_is_reported(tmp_path: Path, release: str | None, fix: str):
    driver = tmp_path / "version"
    driver.touch()
    check = machine.check_devices(made_up_torch(0, release), driver)
    assert not check.ok
    assert fix in check.fix


def test_libraries_of_this_environment_are_accepted():
    check = machine.check_libraries()
    assert check.ok, check.detail
    assert "torch " in check.detail
    assert "pytest" not in check.detail  # extras are not asked for


def test_libraries_missing_and_too_old_are_distinguished():
    check = machine.check_libraries(["numpy>=9999", "no-such-library>=1", "packaging"])
    assert not check.ok
    assert "no-such-library is missing" in check.detail
    assert "is not >=9999" in check.detail
    assert "packaging" not in check.detail


def test_the_native_engine_works():
    assert parts.check_engine("native") == Check("engine native", True, "works")


def test_an_engine_that_is_absent_tells_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    def absent(name: str) -> None:
        raise InputError("it is not installed; build it")

    monkeypatch.setattr(sparse, "get_engine", absent)
    check = parts.check_engine("minkowski")
    assert check == Check("engine minkowski", False, "it is not installed", "build it")


def test_an_engine_that_breaks_while_computing_is_not_ok(monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("undefined symbol")

    monkeypatch.setattr(sparse, "get_engine", lambda name: SimpleNamespace(Convolution=broken))
    check = parts.check_engine("minkowski")
    assert check.detail == "RuntimeError: undefined symbol"
    assert check.fix == "make minkowski"


def test_an_engine_without_cuda_with_a_gpu_is_reported(monkeypatch: pytest.MonkeyPatch):
    native = sparse.get_engine("native")
    cpu_build = SimpleNamespace(
        Convolution=native.Convolution,
        sparse_tensor=native.sparse_tensor,
        built_for_cuda=lambda: False,
    )
    monkeypatch.setattr(sparse, "get_engine", lambda name: cpu_build)
    assert parts.check_engine("minkowski").ok
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    check = parts.check_engine("minkowski")
    assert not check.ok
    assert "without CUDA" in check.detail


@pytest.mark.parametrize(("library", "package"), parts.LIBRARY_PACKAGES.items())
def test_open3d_names_the_package_of_a_missing_library(library: str, package: str):
    message = f"{library}: cannot open shared object file: No such file or directory"
    check = parts.check_open3d(failing(OSError(message)))
    assert check.detail == f"the system library {library} is missing"
    assert check.fix == f"sudo apt-get install -y {package}"


def test_open3d_with_an_unknown_library_or_none():
    message = "libfoo-2.so.3: cannot open shared object file"
    assert "libfoo-2.so.3" in parts.check_open3d(failing(ImportError(message))).fix
    absent = parts.check_open3d(failing(ModuleNotFoundError("No module named 'open3d'")))
    assert absent.fix == "make setup"
    assert parts.check_open3d(loading(__version__="1.2")) == Check("Open3D", True, "1.2")


def test_drawing_with_and_without_a_display():
    windows = parts.check_drawing(loading(has_display=lambda: True))
    files = parts.check_drawing(loading(has_display=lambda: False))
    assert windows.ok
    assert files.ok
    assert windows.detail.startswith("windows")
    assert files.detail.startswith("no display")


def test_point_kernels_built_and_missing():
    assert parts.check_kernels(lambda: object()).ok
    missing = parts.check_kernels(lambda: None)
    assert not missing.ok
    assert "C++ compiler" in missing.fix


def test_compiler_found_and_missing():
    assert "no-such-compiler" in machine.check_compiler("no-such-compiler -O2").detail
    found = machine.check_compiler(sys.executable)
    assert found.ok
    assert "Python 3" in found.detail


def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for free, ok in ((1e8, False), (1e10, True)):
        monkeypatch.setattr("shutil.disk_usage", lambda path, free=free: SimpleNamespace(free=free))
        assert machine.check_disk(tmp_path).ok is ok


def test_pretraining_needs_the_required_checks_and_no_others():
    good = [Check(name, True, "") for name in doctor.REQUIRED]
    assert doctor.can_pretrain([*good, Check("Open3D", False, "")])
    for index in range(len(good)):
        assert not doctor.can_pretrain(good[:index] + good[index + 1 :])
        bad = Check(good[index].name, False, "")
        assert not doctor.can_pretrain([*good[:index], bad, *good[index + 1 :]])


def test_every_required_check_is_made():
    assert set(doctor.REQUIRED) <= {check.name for check in doctor.check_all()}


def test_report_is_aligned_and_tells_the_fix():
    lines = doctor.report(
        [Check("a", True, "word " * 30), Check("longer", False, "is missing", "get it")], width=60
    ).splitlines()
    assert max(map(len, lines)) <= 60
    starts = {line.index(word) for line in lines for word in ("word", "is", "->") if word in line}
    assert starts == {lines[-4].index("is missing")}
    assert lines[-1] == "Pretraining cannot run here yet."


@pytest.mark.parametrize("ready", [True, False])
def test_exit_status_and_json(
    ready: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    checks = [Check(name, ready, "detail", "") for name in doctor.REQUIRED]
    monkeypatch.setattr(doctor, "check_all", lambda: checks)
    assert doctor.main(["--json"]) == (0 if ready else 1)
    output = json.loads(capsys.readouterr().out)
    assert output["can_pretrain"] is ready
    assert [Check(**row) for row in output["checks"]] == checks
    assert doctor.main([]) == (0 if ready else 1)
    assert "Pretraining" in capsys.readouterr().out


def test_importing_it_loads_nothing_heavy():
    code = (
        "import sys, pointcontrast.doctor.__main__\n"
        "sys.exit(bool({'torch', 'open3d'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
