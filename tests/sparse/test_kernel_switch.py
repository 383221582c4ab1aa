"""Selection of the kernels by the environment, and missing or broken kernels."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from pointcontrast.compiled.library import SWITCH
from pointcontrast.errors import InputError
from pointcontrast.sparse import kernel_library, native
from tests.helpers.fork_server import Forked
from tests.oracles.engines import random_coordinates, random_features

COORDINATES = random_coordinates(200, extent=4)

SCRIPT = """
import warnings
warnings.simplefilter("error")
import torch
from pointcontrast.sparse import kernel_library, native
coordinates = torch.tensor([[0, 1, 2, 3], [0, 1, 2, 4]])
x = native.sparse_tensor(coordinates, torch.ones(2, 3))
layer = native.Convolution(3, 3, kernel_size=3)
taps = torch.stack([layer.kernel[13] + layer.kernel[22], layer.kernel[13] + layer.kernel[4]])
torch.testing.assert_close(layer(x).features, taps.sum(1))
print(kernel_library.instruction_set(), kernel_library.available())
"""


def run(value: str | None, folder: Path) -> tuple[int | None, str]:
    """Exit status and output of the script under a value of the switch."""
    script = folder / "script.py"
    script.write_text(SCRIPT)
    environment = {name: v for name, v in os.environ.items() if name != SWITCH}
    if value is not None:
        environment[SWITCH] = value
    process = Forked([script], folder, environment)
    said, _ = process.communicate(timeout=120)
    return process.returncode, said


def test_torch_alone(tmp_path: Path) -> None:
    """Without a warning, because the environment asks for it."""
    assert run("0", tmp_path) == (0, "torch False\n")


def test_each_instruction_set_by_name(library, tmp_path: Path) -> None:
    """Available sets run; for the others the error lists those that are available."""
    here = kernel_library.instruction_sets()
    absent = [n for n in kernel_library.INSTRUCTION_SETS if n not in here]
    assert run("portable", tmp_path) == (0, "portable True\n")
    for name in (*absent[:1], "nonsense"):
        status, said = run(name, tmp_path)
        assert status == 1
        last = said.strip().splitlines()[-1]
        assert last.startswith("pointcontrast.errors.InputError: instruction set")
        assert repr(name) in last
        assert ", ".join(here) in last
        assert SWITCH in last


def test_unset_is_the_best_there_is(library, tmp_path: Path) -> None:
    best = kernel_library.instruction_sets()[0]
    assert run(None, tmp_path) == (0, f"{best} True\n")


@pytest.fixture
def forgotten(library, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Load the library again, now and after the test."""
    kernel_library.load.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    kernel_library.load.cache_clear()
    kernel_library.load()


def results() -> list[torch.Tensor]:
    torch.manual_seed(0)
    convolution, norm = native.Convolution(3, 5, kernel_size=3), native.BatchNorm(5)
    features = random_features(len(COORDINATES), 3).float().requires_grad_()
    x = native.sparse_tensor(COORDINATES, features)
    y = norm.after(convolution, x, rectify=True).features
    y.square().sum().backward()
    with torch.no_grad():
        folded = norm.eval().after(convolution, x).features
    gradients = [features.grad, *(p.grad for p in (*convolution.parameters(), *norm.parameters()))]
    return [y.detach(), folded, *(g for g in gradients if g is not None)]


def broken(name: str):
    raise OSError("libstdc++.so.6: version `GLIBCXX_3.4.32' not found")


MISSING = {
    "absent": (lambda name: None, r"not built; `pip install -e \.` builds them if"),
    "broken": (broken, r"cannot be loaded \(libstdc\+\+\.so\.6: version `GLIBCXX_3\.4\.32' not"),
}


@pytest.mark.parametrize("case", MISSING)
def test_without_the_library(case: str, forgotten: pytest.MonkeyPatch) -> None:
    """One warning per process, with the fix; and the same results."""
    expected = results()
    assert kernel_library.available()
    kernel_library.load.cache_clear()
    load, message = MISSING[case]
    forgotten.setattr(kernel_library, "load_library", load)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found, again = results(), results()
    assert [w.category for w in caught] == [RuntimeWarning]
    with pytest.raises(RuntimeWarning, match=message):
        raise caught[0].message  # pyright: ignore[reportGeneralTypeIssues]
    assert f"{SWITCH}=0" in str(caught[0].message)
    assert kernel_library.instruction_set() == "torch"
    for compiled, plain, repeated in zip(expected, found, again, strict=True):
        torch.testing.assert_close(plain, compiled, rtol=1e-4, atol=1e-5)
        assert torch.equal(plain, repeated)


def test_switched_off_is_silent(forgotten: pytest.MonkeyPatch) -> None:
    forgotten.setenv(SWITCH, "0")
    assert not kernel_library.available()
    with pytest.raises(InputError, match="no compiled kernels, so that 'avx2' cannot be selected"):
        kernel_library.choose_instruction_set("avx2")
