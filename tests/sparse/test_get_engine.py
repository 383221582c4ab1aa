"""Selection of an engine, and side effects of its import."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import subprocess
import sys

import pytest
import torch

from pointcontrast.errors import InputError
from pointcontrast.sparse import Engine, get_engine
from tests.oracles.engines import engine_or_skip

OURS = "pointcontrast.sparse.minkowski"


class BrokenImport(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """An installed MinkowskiEngine whose import raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def find_spec(self, fullname, path=None, target=None):
        if fullname == "MinkowskiEngine":
            return importlib.machinery.ModuleSpec(fullname, self)
        return None

    def create_module(self, spec):
        return None

    def exec_module(self, module) -> None:
        sys.path.append("left behind")
        raise self.error


@pytest.fixture
def no_minkowski(monkeypatch: pytest.MonkeyPatch):
    """Forget MinkowskiEngine; call the fixture to make its next import fail in some way."""
    for name in (OURS, "MinkowskiEngine"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    def make(error: Exception | None) -> None:
        if error is None:
            monkeypatch.setitem(sys.modules, "MinkowskiEngine", None)
        else:
            monkeypatch.setattr(sys, "meta_path", [BrokenImport(error), *sys.meta_path])

    yield make
    sys.modules.pop(OURS, None)  # before monkeypatch restores the real one


def test_unknown_name() -> None:
    with pytest.raises(InputError, match="'spconv' is unknown; use one of auto, native, minkowski"):
        get_engine("spconv")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", ["native", "minkowski"])
def test_engines_offer_all_names(name: str) -> None:
    engine = engine_or_skip(name)
    assert name == engine.NAME
    assert get_engine(name) is engine  # pyright: ignore[reportArgumentType]
    for needed in Engine.__annotations__:
        assert hasattr(engine, needed)


def test_minkowski_absent(no_minkowski) -> None:
    no_minkowski(None)
    with pytest.raises(InputError, match=r"is not installed; run `make minkowski`.*engine: native"):
        get_engine("minkowski")
    assert get_engine("auto").NAME == "native"


BROKEN = {
    "built for another torch": (
        ImportError("MinkowskiEngineBackend/_C.so: undefined symbol: _ZN2at4_ops\nmore lines"),
        r"broken \(MinkowskiEngineBackend/_C.so: undefined symbol: _ZN2at4_ops\), most often",
    ),
    "library missing": (OSError("libopenblas.so.0: cannot open shared object file"), "libopenblas"),
    "extension missing": (
        ModuleNotFoundError("No such module", name="MinkowskiEngineBackend"),
        "needs the missing module 'MinkowskiEngineBackend'",
    ),
    "nameless": (RuntimeError(), r"broken \(RuntimeError\)"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_minkowski_broken(case: str, no_minkowski) -> None:
    error, message = BROKEN[case]
    no_minkowski(error)
    path = list(sys.path)
    with pytest.raises(InputError, match=message) as raised:
        get_engine("minkowski")
    assert "\n" not in str(raised.value)
    assert "make minkowski" in str(raised.value)
    assert raised.value.__cause__ is error
    assert sys.path == path
    assert not hasattr(__import__("collections"), "Sequence")


def test_auto_without_a_gpu_is_native(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert get_engine("auto").NAME == "native"


@pytest.mark.parametrize(("built", "expected"), [(True, "minkowski"), (False, "native")])
def test_auto_with_a_gpu(built: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_or_skip("minkowski")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(engine, "built_for_cuda", lambda: built)
    chosen = get_engine("auto").NAME
    assert chosen == expected


def test_auto_with_a_gpu_and_a_broken_minkowski(
    no_minkowski, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_minkowski(ImportError("undefined symbol"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert get_engine("auto").NAME == "native"


SIDE_EFFECTS = """
import collections, os, sys, warnings
import torch

os.cpu_count = lambda: 64  # where MinkowskiEngine would set OMP_NUM_THREADS
os.environ.pop("OMP_NUM_THREADS", None)

def state():
    return (
        list(sys.path), dict(os.environ), hasattr(collections, "Sequence"), list(warnings.filters),
        torch.get_rng_state().tolist(), torch.get_num_threads(), torch.get_default_dtype(),
    )

before = state()
import pointcontrast.sparse
import pointcontrast.backbones
assert "pointcontrast.sparse.native" not in sys.modules
assert not any("inkowski" in name for name in sys.modules)
assert state() == before
pointcontrast.sparse.get_engine("native")
assert state() == before
if sys.argv[1] == "minkowski":
    engine = pointcontrast.sparse.get_engine("minkowski")
    assert state() == before, [pair for pair in zip(state(), before) if pair[0] != pair[1]]
    net = pointcontrast.backbones.Res16UNet(3, 4, "14A", width=0.25, engine="minkowski")
    coordinates = torch.randint(-9, 9, (300, 3)).unique(dim=0)
    coordinates = torch.nn.functional.pad(coordinates, (1, 0)).int()
    net.encode(coordinates, torch.ones(len(coordinates), 3)).sum().backward()
"""


@pytest.mark.parametrize("name", ["native", "minkowski"])
def test_imports_have_no_side_effects(name: str) -> None:
    """Fresh process with warnings as errors; the engine works after the side effects are undone."""
    engine_or_skip(name)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SIDE_EFFECTS, name],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
