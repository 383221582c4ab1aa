"""The contract of a backbone on every variant, and names and shapes of the paper's network."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
from typing import get_args

import pytest
import torch
from torch import nn

from pointcontrast.backbones import VARIANTS, Backbone, Res16UNet, VariantName
from pointcontrast.errors import InputError
from pointcontrast.sparse import BatchNorm, kernel_offsets
from tests.oracles.engines import ENGINES, engine_or_skip, random_coordinates, random_features

# wide enough that the coarsest level (stride 16) has several voxels
COORDINATES = random_coordinates(250, extent=24)
COORDINATES_4D = random_coordinates(250, 4, extent=16)


def small(variant: str, engine: str = "native", **options) -> Res16UNet:
    engine_or_skip(engine)
    torch.manual_seed(0)
    options = {"width": 0.125, **options}
    return Res16UNet(3, 5, variant, engine=engine, **options)  # pyright: ignore[reportArgumentType]


def features_of(coordinates: torch.Tensor) -> torch.Tensor:
    return random_features(len(coordinates), 3).float()


# --- every variant ---------------------------------------------------------------------------


def test_variants_are_those_that_can_be_asked_for() -> None:
    assert get_args(VariantName) == tuple(VARIANTS)
    assert len(VARIANTS) == 15


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_learns(variant: str) -> None:
    net = small(variant)
    y = net.encode(COORDINATES, features_of(COORDINATES))
    assert y.shape == (len(COORDINATES), 5)
    y.square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("variant", VARIANTS)
def test_arguments_build_the_same_network(variant: str) -> None:
    net = small(variant, normalize_output=True, batch_norm_momentum=0.02)
    arguments = json.loads(json.dumps(net.arguments))  # as a checkpoint keeps them
    assert "engine" not in arguments
    again = Res16UNet(**arguments, engine="native")
    assert again.arguments == net.arguments
    again.load_state_dict(net.state_dict())
    x = features_of(COORDINATES)
    assert torch.equal(again.eval().encode(COORDINATES, x), net.eval().encode(COORDINATES, x))
    assert str(again) == str(net)


def test_arguments_are_all_that_was_given() -> None:
    given = {
        "in_channels": 2,
        "out_channels": 7,
        "variant": "14B",
        "dimension": 4,
        "stem_kernel_size": 5,
        "kernel_region": "hybrid",
        "batch_norm_momentum": 0.02,
        "normalize_output": True,
        "width": 0.25,
        "widen_at": "stride",
        "batch_norm_eps": 1e-3,
    }
    not_of_the_network = {"engine", "checkpoint_activations"}
    assert {*given, *not_of_the_network} == set(inspect.signature(Res16UNet).parameters)
    assert Res16UNet(**given, engine="native").arguments == given


@pytest.mark.parametrize("variant", VARIANTS)
def test_levels(variant: str) -> None:
    net = small(variant).eval()
    x = net.engine.sparse_tensor(COORDINATES, features_of(COORDINATES))
    levels = net.forward_levels(x)
    assert [level.stride for level in levels] == [(s,) * 3 for s in (16, 8, 4, 2, 1)]
    expansion = 4 if variant in ("50", "101") else 1
    planes = [max(8, round(p / 8 / 8) * 8) for p in VARIANTS[variant][1]]
    assert [level.features.shape[1] for level in levels] == [
        expansion * channels for channels in planes[3:]
    ]
    assert net.num_features == levels[-1].features.shape[1]
    assert torch.equal(levels[-1].coordinates, COORDINATES)
    assert torch.equal(net.output(levels[-1]).features, net(x).features)


@pytest.mark.parametrize("variant", VARIANTS)
def test_momenta_are_the_authors(variant: str) -> None:
    """The configured momentum does not apply inside the blocks, where it is 0.1."""
    net = small(variant, batch_norm_momentum=0.02)
    momenta = {n: m.bn.momentum for n, m in net.named_modules() if isinstance(m, BatchNorm)}
    for name, momentum in momenta.items():
        assert momentum == (0.1 if ".norm" in name else 0.02), name
    assert {momentum for momentum in momenta.values()} == {0.1, 0.02}
    default = {n: m.bn.momentum for n, m in small(variant, batch_norm_momentum=0.05).named_modules()
               if isinstance(m, BatchNorm)}  # fmt: skip
    assert default["bn0"] == 0.05


@pytest.mark.parametrize("variant", ["14A", "50"])
def test_unit_length(variant: str) -> None:
    x = features_of(COORDINATES)
    y = small(variant, normalize_output=True).encode(COORDINATES, x)
    torch.testing.assert_close(y.norm(dim=1), torch.ones(len(y)))
    raw = small(variant).encode(COORDINATES, x)
    torch.testing.assert_close(y, raw / raw.norm(dim=1, keepdim=True))


# --- the network of the paper ----------------------------------------------------------------

# stage, residual blocks, input channels, output channels (a shortcut layer if they differ)
BLOCKS_34C = [
    ("block1", 2, 32, 32),
    ("block2", 3, 32, 64),
    ("block3", 4, 64, 128),
    ("block4", 6, 128, 256),
    ("block5", 2, 384, 256),
    ("block6", 2, 192, 128),
    ("block7", 2, 128, 96),
    ("block8", 2, 128, 96),
]
KERNELS_34C = {
    "conv0p1s1": (27, 3, 32),
    "conv1p1s2": (8, 32, 32),
    "conv2p2s2": (8, 32, 32),
    "conv3p4s2": (8, 64, 64),
    "conv4p8s2": (8, 128, 128),
    "convtr4p16s2": (8, 256, 256),
    "convtr5p8s2": (8, 256, 128),
    "convtr6p4s2": (8, 128, 96),
    "convtr7p2s2": (8, 96, 96),
    "final": (96, 32),
}
NORMS_34C = {
    "bn0": 32, "bn1": 32, "bn2": 32, "bn3": 64, "bn4": 128,
    "bntr4": 256, "bntr5": 128, "bntr6": 96, "bntr7": 96,
}  # fmt: skip


def table_34c() -> dict[str, tuple[int, ...]]:
    """Every entry of the state dict."""
    table: dict[str, tuple[int, ...]] = {f"{n}.kernel": s for n, s in KERNELS_34C.items()}
    table["final.bias"] = (1, 32)
    norms = dict(NORMS_34C)
    for block, count, channels_in, channels in BLOCKS_34C:
        for index in range(count):
            name = f"{block}.{index}"
            table[f"{name}.conv1.kernel"] = (27, channels_in if index == 0 else channels, channels)
            table[f"{name}.conv2.kernel"] = (27, channels, channels)
            norms[f"{name}.norm1"] = norms[f"{name}.norm2"] = channels
        if channels_in != channels:
            table[f"{block}.0.downsample.0.kernel"] = (channels_in, channels)
            norms[f"{block}.0.downsample.1"] = channels
    for name, channels in norms.items():
        for entry in ("weight", "bias", "running_mean", "running_var"):
            table[f"{name}.bn.{entry}"] = (channels,)
        table[f"{name}.bn.num_batches_tracked"] = ()
    return table


@pytest.mark.parametrize("engine", ENGINES)
def test_34c_has_the_names_and_shapes_of_the_paper(engine: str) -> None:
    engine_or_skip(engine)
    net = Res16UNet(3, 32, engine=engine)  # pyright: ignore[reportArgumentType]
    found = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    assert found == table_34c()
    assert len(found) == 374
    assert sum(p.numel() for p in net.parameters()) == 37_847_808
    assert sum(name.endswith(("conv1.kernel", "conv2.kernel")) for name in found) == 46
    norms = [m.bn for m in net.modules() if isinstance(m, BatchNorm)]
    assert {norm.momentum for norm in norms} == {0.05, 0.1}
    assert all(bool((norm.weight == 1).all() and (norm.bias == 0).all()) for norm in norms)


@pytest.mark.parametrize(("size", "volume"), [(3, 27), (5, 125), (2, 8)])
def test_stem_kernel_sizes(size: int, volume: int) -> None:
    net = small("14A", stem_kernel_size=size)
    assert net.conv0p1s1.kernel.shape == (volume, 3, 8)
    assert net.encode(COORDINATES, features_of(COORDINATES)).isfinite().all()


def test_width_scales_all_but_the_ends() -> None:
    whole, half = Res16UNet(3, 5, "14A"), Res16UNet(3, 5, "14A", width=0.5)
    for name, value in whole.state_dict().items():
        found = tuple(half.state_dict()[name].shape)
        expected = [n if n in (3, 5, 27, 8, 1) else n // 2 for n in value.shape]
        assert found == tuple(expected), name


def test_wiring_is_the_authors() -> None:
    """The forward pass written out: concatenation is (upsampled, skip)."""
    net = small("34C").eval()
    layers = dict(net.named_modules())
    for module in net.modules():  # statistics that are not the identity
        if isinstance(module, nn.BatchNorm1d):
            assert module.running_mean is not None
            module.running_mean.uniform_(-0.1, 0.1)
    x = net.engine.sparse_tensor(COORDINATES, features_of(COORDINATES))

    def relu(t):
        return t.replace(t.features.clamp_min(0))

    def block(name, t):
        count = len(layers[name])  # pyright: ignore[reportArgumentType]
        for part in (f"{name}.{i}" for i in range(count)):
            y = relu(layers[f"{part}.norm1"](layers[f"{part}.conv1"](t)))
            y = layers[f"{part}.norm2"](layers[f"{part}.conv2"](y))
            short = f"{part}.downsample"
            shortcut = (
                layers[f"{short}.1"](layers[f"{short}.0"](t)) if f"{short}.0" in layers else t
            )
            t = relu(y.replace(y.features + shortcut.features))
        return t

    p1 = relu(net.bn0(net.conv0p1s1(x)))
    b1 = block("block1", relu(net.bn1(net.conv1p1s2(p1))))
    b2 = block("block2", relu(net.bn2(net.conv2p2s2(b1))))
    b3 = block("block3", relu(net.bn3(net.conv3p4s2(b2))))
    t = block("block4", relu(net.bn4(net.conv4p8s2(b3))))
    for convolution, norm, skip, stage in (
        ("convtr4p16s2", "bntr4", b3, "block5"),
        ("convtr5p8s2", "bntr5", b2, "block6"),
        ("convtr6p4s2", "bntr6", b1, "block7"),
        ("convtr7p2s2", "bntr7", p1, "block8"),
    ):
        t = relu(layers[norm](layers[convolution](t)))
        t = block(stage, t.replace(torch.cat([t.features, skip.features], dim=1)))
    assert torch.equal(net.final(t).features, net(x).features)


# --- four dimensions, hybrid kernels ---------------------------------------------------------


@pytest.mark.parametrize(("region", "volume"), [("hypercube", 81), ("hybrid", 29)])
def test_time_is_neither_strided_nor_seen_outside_the_blocks(region: str, volume: int) -> None:
    net = small("14A", dimension=4, kernel_region=region)
    assert net.conv0p1s1.kernel.shape[0] == 27
    assert net.conv1p1s2.kernel.shape[0] == 8
    assert net.get_parameter("block1.0.conv1.kernel").shape[0] == volume
    x = net.engine.sparse_tensor(COORDINATES_4D, features_of(COORDINATES_4D))
    levels = net.forward_levels(x)
    assert [level.stride for level in levels] == [(s, s, s, 1) for s in (16, 8, 4, 2, 1)]
    net.output(levels[-1]).features.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_hybrid_weights_are_the_cube_s_in_another_order() -> None:
    """In 3D, permuting the 46 (here 16) block kernels converts one network to the other."""
    hybrid, cube = small("14A", kernel_region="hybrid"), small("14A")
    order = kernel_offsets((3, 3, 3), "hybrid").tolist()
    permutation = [order.index(tap) for tap in kernel_offsets((3, 3, 3)).tolist()]
    state = hybrid.state_dict()
    blocks = [name for name in state if name.endswith(("conv1.kernel", "conv2.kernel"))]
    assert len(blocks) == 16
    x = features_of(COORDINATES)
    expected = hybrid.eval().encode(COORDINATES, x)
    cube.load_state_dict(state)
    assert not torch.allclose(cube.eval().encode(COORDINATES, x), expected, atol=1e-3)
    cube.load_state_dict({n: v[permutation] if n in blocks else v for n, v in state.items()})
    torch.testing.assert_close(cube.encode(COORDINATES, x), expected, rtol=1e-4, atol=1e-5)


# --- behaviour -------------------------------------------------------------------------------


def test_it_is_a_backbone() -> None:
    net = small("14A")
    assert isinstance(net, Backbone)
    assert (net.in_channels, net.out_channels, net.engine_name) == (3, 5, "native")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_work(copied, engine: str) -> None:
    net = small("14A", engine).eval()
    x = features_of(COORDINATES)
    expected = net.encode(COORDINATES, x)
    again = copied(net)
    torch.testing.assert_close(again.encode(COORDINATES, x), expected, rtol=0, atol=1e-6)
    nn.init.zeros_(again.final.kernel)
    assert net.final.kernel.any()


@pytest.mark.parametrize("engine", ENGINES)
def test_order_of_rows_does_not_matter(engine: str) -> None:
    net = small("14A", engine).double()
    x = random_features(len(COORDINATES), 3)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    plain = net.encode(COORDINATES, x)
    shuffled = net.encode(COORDINATES[order], x[order])
    torch.testing.assert_close(shuffled, plain[order], rtol=1e-9, atol=1e-9)


def test_two_runs_agree_bit_for_bit() -> None:
    results = []
    for _ in range(2):
        net = small("34C")
        y = net.encode(COORDINATES, features_of(COORDINATES))
        y.square().sum().backward()
        results.append([y, *(p.grad for p in net.parameters()), *net.buffers()])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_nan_does_not_hide() -> None:
    x = features_of(COORDINATES)
    x[0, 0] = float("nan")
    assert small("14A").eval().encode(COORDINATES, x)[0].isnan().all()


def test_single_voxel_and_none_in_evaluation() -> None:
    net = small("14A", normalize_output=True).eval()
    assert net.encode(COORDINATES[:1], torch.ones(1, 3)).norm().item() == pytest.approx(1)
    assert net.encode(COORDINATES[:0], torch.ones(0, 3)).shape == (0, 5)
    with pytest.raises(ValueError, match="cannot train on 1 voxels"):
        net.train().encode(COORDINATES[:1], torch.ones(1, 3))


@pytest.mark.parametrize("engine", ENGINES)
def test_autocast_of_a_bottleneck(engine: str) -> None:
    """1x1 layers in bfloat16 before and after 3x3x3 ones in full precision."""
    net = small("50", engine)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = net.encode(COORDINATES, features_of(COORDINATES))
    y.float().square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


# --- bad arguments ---------------------------------------------------------------------------

BAD = {
    "variant": ({"variant": "34Z"}, "variant '34Z' is unknown; use one of 14, 14A"),
    "engine": ({"engine": "spconv"}, "engine 'spconv' is unknown"),
    "width": ({"width": 0}, "width 0 must be positive"),
    "dimension": ({"dimension": 2}, "dimension 2 must be 3, or 4"),
    "in_channels": ({"in_channels": 0}, "in_channels 0 and out_channels 5 must be"),
    "momentum": ({"batch_norm_momentum": 1.5}, "batch_norm_momentum 1.5 must be"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_are_named(case: str) -> None:
    wrong, message = BAD[case]
    with pytest.raises(InputError, match=message):
        Res16UNet(**{"in_channels": 3, "out_channels": 5, "variant": "14A", **wrong})


def test_region_that_no_engine_has() -> None:
    with pytest.raises(ValueError, match="kernel region 'cross' is unknown"):
        small("14A", kernel_region="cross")


def test_hybrid_kernels_on_minkowski() -> None:
    with pytest.raises(InputError, match="no hybrid kernel"):
        small("14A", "minkowski", dimension=4, kernel_region="hybrid")


def test_input_of_another_kind() -> None:
    net = small("14A")
    with pytest.raises(ValueError, match="takes 3 channels, its input has 2"):
        net.encode(COORDINATES, torch.ones(len(COORDINATES), 2))
    with pytest.raises(ValueError, match="has 3 dimensions, its input 4"):
        net.encode(COORDINATES_4D, features_of(COORDINATES_4D))
    with pytest.raises(
        ValueError, match=r"weights are torch\.float32, its input is torch\.float64"
    ):
        net.encode(COORDINATES, features_of(COORDINATES).double())
