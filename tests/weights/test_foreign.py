from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pointcontrast.backbones import Res16UNet
from pointcontrast.errors import InputError
from pointcontrast.weights.backbone_file import load_backbone, read_weights
from pointcontrast.weights.kernel_order import hybrid_taps, hypercube_from_hybrid, hypercube_taps
from tests.helpers.authors_weights import (
    BLOCK_KERNEL,
    in_hybrid_order,
    with_strong_centres,
    write_authors_file,
)

# Read from MinkowskiEngine v0.4.3 Common.py and v0.5.4 kernel_region.hpp
HYBRID = [
    (0, 0, 0), (-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (-1, -1, 0), (-1, 1, 0), (1, -1, 0),
    (1, 1, 0), (0, 0, -1), (0, 0, 1), (-1, 0, -1), (-1, 0, 1), (1, 0, -1), (1, 0, 1), (0, -1, -1),
    (0, -1, 1), (0, 1, -1), (0, 1, 1), (-1, -1, -1), (-1, -1, 1), (-1, 1, -1), (-1, 1, 1),
    (1, -1, -1), (1, -1, 1), (1, 1, -1), (1, 1, 1),
]  # fmt: skip
PERMUTATION = [
    19, 15, 23, 11, 9, 13, 21, 17, 25, 5, 3, 7, 1, 0, 2, 6, 4, 8, 20, 16, 24, 12, 10, 14, 22, 18, 26
]  # fmt: skip


def small() -> Res16UNet:
    torch.manual_seed(0)
    return with_strong_centres(Res16UNet(3, 32, "14A", engine="native", width=0.25)).eval()


def cloud() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    coordinates = torch.randint(0, 12, (600, 4), generator=generator)
    coordinates[:, 0] = 0
    coordinates = torch.unique(coordinates, dim=0).int()
    return coordinates, torch.randn(len(coordinates), 3, generator=generator)


def test_both_orders_are_those_of_the_two_versions() -> None:
    assert hybrid_taps() == HYBRID
    assert hypercube_from_hybrid() == PERMUTATION
    assert hypercube_taps()[13] == (0, 0, 0)
    assert sorted(hypercube_taps()) == sorted(HYBRID)


def test_a_kernel_in_either_order_is_one_dense_convolution() -> None:
    generator = torch.Generator().manual_seed(2)
    kernel = torch.randn(27, 4, 5, generator=generator, dtype=torch.float64)  # hybrid order
    image = torch.randn(4, 6, 7, 8, generator=generator, dtype=torch.float64)

    def convolve(taps: list[tuple[int, int, int]], weights: torch.Tensor) -> torch.Tensor:
        padded = torch.nn.functional.pad(image, (1, 1, 1, 1, 1, 1))
        out = torch.zeros(5, 6, 7, 8, dtype=torch.float64)
        for (x, y, z), weight in zip(taps, weights, strict=True):
            seen = padded[:, 1 + x : 7 + x, 1 + y : 8 + y, 1 + z : 9 + z]
            out += torch.einsum("cxyz,cd->dxyz", seen, weight)
        return out

    old = convolve(HYBRID, kernel)
    torch.testing.assert_close(convolve(hypercube_taps(), kernel[PERMUTATION]), old)
    assert not torch.allclose(convolve(hypercube_taps(), kernel), old)


def emulated(backbone: Res16UNet, old: dict[str, torch.Tensor]) -> torch.Tensor:
    """Features of the network with the taps of its block kernels in the order of version 0.4."""
    coordinates, features = cloud()
    occupied: dict[tuple[int, ...], dict[tuple[int, ...], int]] = {}

    def hook(name: str):
        def convolve(module, inputs, output):
            x = inputs[0]
            stride = x.stride
            if stride not in occupied:
                occupied[stride] = {tuple(c): i for i, c in enumerate(x.coordinates.tolist())}
            rows = occupied[stride]
            out = torch.zeros_like(output.features)
            for tap, weight in zip(HYBRID, old[name + ".kernel"], strict=True):
                moved = x.coordinates[:, 1:] + torch.tensor(tap) * torch.tensor(stride)
                for row, place in enumerate(moved.tolist()):
                    source = rows.get((0, *place))
                    if source is not None:
                        out[row] += x.features[source] @ weight
            return output.replace(out)

        return convolve

    handles = [
        module.register_forward_hook(hook(name))
        for name, module in backbone.named_modules()
        if BLOCK_KERNEL.fullmatch(name + ".kernel")
    ]
    # without fused batch norm, so that each convolution's hook is called
    with torch.no_grad():
        found = backbone.encode(coordinates, features)
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize("legacy", [False, True])
def test_features_are_those_of_the_old_version(tmp_path: Path, legacy: bool) -> None:
    backbone = small()
    old = in_hybrid_order(backbone.state_dict())
    write_authors_file(tmp_path / "old.pth", old, legacy=legacy)
    found = read_weights(tmp_path / "old.pth")
    assert found.metadata is None
    assert found.source == {
        "format": "torch",
        "container": "legacy" if legacy else "zip",
        "program": "SpatioTemporalSegmentation, or PointContrast finetuning",
        "place": "state_dict",
        "prefix": "module.",
        "kernel_order": "hybrid",
        "decided_by": found.source["decided_by"],
        "num_permuted": sum(bool(BLOCK_KERNEL.fullmatch(name)) for name in old),
    }
    assert found.source["decided_by"].startswith("tap 0 is the largest, ")
    coordinates, features = cloud()
    loaded = Res16UNet(3, 32, "14A", engine="native", width=0.25).eval()
    loaded.load_state_dict(found.state_dict, strict=True)
    with torch.no_grad():
        new = loaded.encode(coordinates, features)
        loaded.load_state_dict(old, strict=True)  # what loading without reordering would give
        wrong = loaded.encode(coordinates, features)
    expected = emulated(loaded, old)
    torch.testing.assert_close(new, expected, rtol=1e-5, atol=1e-5)
    assert (wrong - expected).abs().max() > 1e-2  # a thousand times the tolerance


@pytest.mark.parametrize(
    ("prefix", "key"),
    [("module.", "state_dict"), ("encoder.", "state_dict"), ("", "model_state"),
     ("module.trunk.1.", "model"), ("backbone_net.net.", "model_state_dict")],
)  # fmt: skip
def test_prefixes_and_keys_are_found(tmp_path: Path, prefix: str, key: str) -> None:
    state = small().state_dict()
    write_authors_file(tmp_path / "w.pth", in_hybrid_order(state), prefix=prefix, key=key)
    found = read_weights(tmp_path / "w.pth")
    assert found.source["prefix"] == prefix
    assert list(found.state_dict) == list(state)
    for name, tensor in state.items():
        torch.testing.assert_close(found.state_dict[name], tensor, rtol=0, atol=0)


def test_files_of_the_new_version_stay_as_they_are(tmp_path: Path) -> None:
    state = small().state_dict()
    write_authors_file(tmp_path / "new.pth", state, legacy=False)
    found = read_weights(tmp_path / "new.pth")
    assert (found.source["kernel_order"], found.source["num_permuted"]) == ("hypercube", 0)
    for name, tensor in state.items():
        torch.testing.assert_close(found.state_dict[name], tensor, rtol=0, atol=0)


def test_untrained_kernels_ask_for_their_order(tmp_path: Path) -> None:
    torch.manual_seed(0)
    state = Res16UNet(3, 32, "14A", engine="native", width=0.25).state_dict()
    write_authors_file(tmp_path / "new.pth", state)
    with pytest.raises(InputError, match="set kernel_order to hybrid"):
        read_weights(tmp_path / "new.pth")
    assert read_weights(tmp_path / "new.pth", "hybrid").source["num_permuted"] > 0
    assert read_weights(tmp_path / "new.pth", "hypercube").source["num_permuted"] == 0


def test_the_full_network_has_the_authors_entries(tmp_path: Path) -> None:
    torch.manual_seed(0)
    backbone = with_strong_centres(Res16UNet(3, 32, "34C", engine="native"))
    write_authors_file(tmp_path / "full.pth", in_hybrid_order(backbone.state_dict()))
    found = read_weights(tmp_path / "full.pth")
    assert len(found.state_dict) == 374
    assert found.source["num_permuted"] == 46
    assert found.state_dict["conv0p1s1.kernel"].shape == (27, 3, 32)
    assert found.state_dict["final.kernel"].shape == (96, 32)
    backbone.load_state_dict(found.state_dict, strict=True)


def test_bad_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.pth does not exist"):
        read_weights(tmp_path / "none.pth")
    (tmp_path / "empty.pth").write_bytes(b"")
    (tmp_path / "page.pth").write_text("<html>not found</html>")
    write_authors_file(tmp_path / "whole.pth", small().state_dict(), legacy=False)
    (tmp_path / "cut.pth").write_bytes((tmp_path / "whole.pth").read_bytes()[:5000])
    write_authors_file(tmp_path / "old.pth", small().state_dict(), legacy=True)
    (tmp_path / "cut_old.pth").write_bytes((tmp_path / "old.pth").read_bytes()[:5000])
    for name in ("empty", "page", "cut", "cut_old"):
        with pytest.raises(InputError, match=rf"{name}\.pth is not a complete .pth file"):
            read_weights(tmp_path / f"{name}.pth")
    torch.save({"model": {"fc.weight": torch.ones(2)}}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"no sparse residual U-Net.*it has the keys model"):
        read_weights(tmp_path / "other.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(InputError, match="it has a list"):
        read_weights(tmp_path / "list.pth")
    state = small().state_dict()
    both = {f"{a}.{n}": w + ord(a) for a, (n, w) in itertools.product("ab", state.items())}
    torch.save({"state_dict": both}, tmp_path / "two.pth")
    with pytest.raises(InputError, match=r"several networks: a, b; choose one with .*--network a"):
        read_weights(tmp_path / "two.pth")


def test_a_foreign_file_is_no_backbone_file(tmp_path: Path) -> None:
    write_authors_file(tmp_path / "w.pth", small().state_dict())
    with pytest.raises(InputError, match="does not name the network"):
        load_backbone(tmp_path / "w.pth")


def test_one_of_several_networks_is_chosen_by_name(tmp_path: Path) -> None:
    state = small().state_dict()
    average = {name: w * 0.5 if w.is_floating_point() else w for name, w in state.items()}
    torch.save({"model": state, "model_ema": average}, tmp_path / "two.pth")
    with pytest.raises(InputError, match="several networks: model, model_ema; choose one"):
        read_weights(tmp_path / "two.pth", "hypercube")
    for name, factor in (("model", 1.0), ("model_ema", 0.5)):
        found = read_weights(tmp_path / "two.pth", "hypercube", name)
        kernel = found.state_dict["conv0p1s1.kernel"]
        torch.testing.assert_close(kernel, factor * state["conv0p1s1.kernel"])
        assert found.source["place"] == name
    with pytest.raises(InputError, match="0 networks 'ema'; give --network one of model, model_"):
        read_weights(tmp_path / "two.pth", "hypercube", "ema")


def test_a_moving_average_below_the_weights_at_the_top_is_seen(tmp_path: Path) -> None:
    state = small().state_dict()
    average = {name: w * 0.5 if w.is_floating_point() else w for name, w in state.items()}
    torch.save({**state, "ema": average}, tmp_path / "two.pth")
    with pytest.raises(InputError, match="several networks"):
        read_weights(tmp_path / "two.pth", "hypercube")
    assert read_weights(tmp_path / "two.pth", "hypercube", "ema").source["place"] == "ema"


def test_copies_of_one_network_are_one(tmp_path: Path) -> None:
    state = small().state_dict()
    copy = {name: w.clone() for name, w in state.items()}
    torch.save({"state_dict": state, "model": copy}, tmp_path / "same.pth")
    assert read_weights(tmp_path / "same.pth", "hypercube").source["place"] == "state_dict"


def test_a_checkpoint_of_lightning_is_read_as_the_same_pth(tmp_path: Path) -> None:
    state = {f"model.{name}": w for name, w in small().state_dict().items()}
    value = {"state_dict": state, "pytorch-lightning_version": "2.4.0", "global_step": 3}
    torch.save(value, tmp_path / "a.ckpt")
    torch.save(value, tmp_path / "a.pth")
    one, two = (read_weights(tmp_path / f"a.{end}", "hypercube") for end in ("ckpt", "pth"))
    assert one.source == two.source
    assert all(torch.equal(one.state_dict[name], w) for name, w in two.state_dict.items())
    torch.save({**value, "pointcontrast": {"architecture": {}}}, tmp_path / "last.ckpt")
    with pytest.raises(InputError, match=r"last\.ckpt is a checkpoint of a run of this"):
        read_weights(tmp_path / "last.ckpt")


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("block1.0.conv1.kernel", lambda w: w.index_fill(0, torch.tensor([2]), float("nan")),
         "values of .* that are NaN or infinite"),
        ("bn0.bn.running_var", lambda w: w * float("inf"), "NaN or infinite"),
        ("conv0p1s1.kernel", torch.zeros_like, "is all zero"),
        ("final.kernel", lambda w: w * 1e9, "holds values from -"),
        ("bn1.bn.running_var", lambda w: w - 2, "holds a negative variance, -1"),
        ("conv1p1s2.kernel", lambda w: (w * 127).to(torch.int8), "holds int8"),
    ],
)  # fmt: skip
def test_weights_that_no_network_can_have_are_named(
    tmp_path: Path, name: str, change: Callable[[torch.Tensor], torch.Tensor], says: str
) -> None:
    state = small().state_dict()
    state[name] = change(state[name])
    torch.save({"state_dict": state}, tmp_path / "bad.pth")
    with pytest.raises(InputError, match=rf"bad\.pth: {re.escape(name)} .*{says}"):
        read_weights(tmp_path / "bad.pth", "hypercube")
