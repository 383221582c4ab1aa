from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pointcontrast.backbones import VARIANTS, Res16UNet
from pointcontrast.errors import InputError
from pointcontrast.weights.architecture import infer_arguments
from tests.helpers.small_backbones import trained_like

PATH = Path("w.pth")


def shapes(state: dict[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_each_variant_is_inferred_at_full_width(variant: str) -> None:
    with torch.device("meta"):
        state = Res16UNet(6, 20, variant, engine="native").state_dict()
    state = {name: torch.empty(()).expand(tensor.shape) for name, tensor in state.items()}
    found = infer_arguments(PATH, state)
    assert found == {
        "in_channels": 6,
        "out_channels": 20,
        "variant": variant,
        "stem_kernel_size": 3,
        "width": 1.0,
        "widen_at": "block",
    }


@pytest.mark.parametrize("width", [0.25, 0.3, 0.5, 0.77, 1.5])
@pytest.mark.parametrize("variant", ["14C", "18B", "34A"])
def test_narrow_and_wide_ones_are_built_again(variant: str, width: float) -> None:
    state = Res16UNet(
        3, None, variant, width=width, stem_kernel_size=5, widen_at="stride", engine="native"
    ).state_dict()
    found = infer_arguments(PATH, state)
    again = Res16UNet(**found, engine="native")
    assert shapes(again.state_dict()) == shapes(state)
    assert len(str(found["width"])) <= len(str(width))


def test_it_says_why_it_cannot() -> None:
    state = trained_like().state_dict()
    with pytest.raises(InputError, match=r"w\.pth holds no Res16UNet"):
        infer_arguments(PATH, {"fc.weight": torch.ones(1)})
    other = {name.replace("block5.0", "block5.1"): w for name, w in state.items()} | state
    with pytest.raises(InputError, match=r"none of the variants: its eight stages have \(1, 1, 1"):
        infer_arguments(PATH, other)
    fewer = {name: w for name, w in state.items() if name != "bn3.bn.running_var"}
    with pytest.raises(InputError, match=r"bn3\.bn\.running_var is none in"):
        infer_arguments(PATH, fewer)
    with pytest.raises(InputError, match=r"extra\.weight is \(1,\) in the file and none in"):
        infer_arguments(PATH, {**state, "extra.weight": torch.ones(1)})
