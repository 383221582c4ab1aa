from __future__ import annotations

import pytest
import torch

from pointcontrast.errors import InputError
from pointcontrast.weights.spconv_layout import from_spconv, to_spconv
from tests.helpers.small_backbones import assert_same_weights, small_cloud, trained_like
from tests.oracles.spunet import SpUNet

SPUNETS = [
    # the authors' network, and SpUNet-v1m1
    {"variant": "14A"},
    {"variant": "18B", "widen_at": "stride", "batch_norm_eps": 1e-3, "stem_kernel_size": 5},
    {"variant": "34C", "stem_kernel_size": 5},
    {"variant": "34C", "widen_at": "stride", "batch_norm_eps": 1e-3},
]


@pytest.mark.parametrize("arguments", SPUNETS[:2])
def test_features_are_those_of_spunet(arguments: dict) -> None:
    backbone = trained_like(**arguments).double()
    coordinates, features = small_cloud()
    features = features.double()
    with torch.no_grad():
        found = backbone.encode(coordinates, features)
    weights = to_spconv(backbone.state_dict())
    expected = SpUNet(weights, arguments.get("batch_norm_eps", 1e-5))(coordinates, features)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    for name in ("enc.1.block0.conv1.weight", "conv_input.0.weight"):  # the order of the axes
        turned = {**weights, name: weights[name].transpose(1, 3)}
        other = SpUNet(turned, arguments.get("batch_norm_eps", 1e-5))(coordinates, features)
        assert (other - expected).abs().max() > 1e-3


def test_another_eps_gives_other_features() -> None:
    backbone = trained_like()
    coordinates, features = small_cloud()
    with torch.no_grad():
        found = backbone.encode(coordinates, features)
    expected = SpUNet(to_spconv(backbone.state_dict()), 1e-3)(coordinates, features)
    assert (found - expected).abs().max() > 1e-4


@pytest.mark.parametrize("arguments", SPUNETS)
def test_features_are_those_of_spconv_itself(arguments: dict) -> None:
    pytest.importorskip("spconv", reason="its wheel is for Linux on x86_64")
    from tests.oracles.spconv_spunet import SpconvSpUNet

    backbone = trained_like(**arguments)
    coordinates, features = small_cloud()
    with torch.no_grad():
        found = backbone.encode(coordinates, features).double()
    eps = arguments.get("batch_norm_eps", 1e-5)
    expected = SpconvSpUNet(to_spconv(backbone.state_dict()), eps)(coordinates, features)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


@pytest.mark.parametrize("arguments", SPUNETS)
def test_there_and_back_is_exact(arguments: dict) -> None:
    state = trained_like(**arguments).state_dict()
    converted = to_spconv(state)
    assert converted["conv_input.0.weight"].shape == (8, 5, 5, 5, 3)
    assert converted["final.bias"].shape == (8,)
    back = from_spconv(converted, arguments.get("stem_kernel_size", 3))
    assert_same_weights(back, state)


def test_names_are_spunets() -> None:
    names = set(to_spconv(trained_like(variant="34C", widen_at="stride").state_dict()))
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    expected = {"conv_input.0.weight", "final.weight", "final.bias"}
    expected |= {f"conv_input.1.{name}" for name in norm}
    for part, counts in (("enc", (2, 3, 4, 6)), ("dec", (2, 2, 2, 2))):
        for stage, count in enumerate(counts):
            step = "down" if part == "enc" else "up"
            expected.add(f"{step}.{stage}.0.weight")
            expected |= {f"{step}.{stage}.1.{name}" for name in norm}
            for block in range(count):
                start = f"{part}.{stage}.block{block}"
                for index in (1, 2):
                    expected.add(f"{start}.conv{index}.weight")
                    expected |= {f"{start}.bn{index}.{name}" for name in norm}
                if part == "dec" and block == 0:
                    expected.add(f"{start}.proj.0.weight")
                    expected |= {f"{start}.proj.1.{name}" for name in norm}
    assert names == expected


def test_incompatible_weights_are_refused() -> None:
    with pytest.raises(InputError, match="only variants 14, 18 and 34"):
        to_spconv(trained_like(variant="50").state_dict())
    with pytest.raises(InputError, match="conv0p1s1 has 343 taps"):
        to_spconv(trained_like(stem_kernel_size=7).state_dict())
    weights = to_spconv(trained_like(stem_kernel_size=5).state_dict())
    with pytest.raises(InputError, match="has weights outside of its centre"):
        from_spconv(weights, 3)
    weights["down.0.0.weight"] = weights["down.0.0.weight"].permute(1, 2, 3, 4, 0)  # spconv 1
    with pytest.raises(InputError, match=r"down\.0\.0 has the shape .* not \(out, k, k, k, in\)"):
        from_spconv(weights)
