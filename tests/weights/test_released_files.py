"""Files with the structure of four programs: read, identified and converted."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from downstream.initialization import load_into_backbone
from pointcontrast.backbones import Res16UNet
from pointcontrast.data.network_input import NetworkInput
from pointcontrast.errors import InputError
from pointcontrast.weights.backbone_file import read_weights
from tests.helpers.authors_weights import BLOCK_KERNEL, in_hybrid_order, write_checkpoint
from tests.helpers.small_backbones import assert_same_weights, trained_like

PROGRAMS = {
    "PointContrast": "PointContrast pretraining",
    "ContrastiveSceneContexts": "ContrastiveSceneContexts pretraining",
    "ContrastiveSceneContexts finetuning": "ContrastiveSceneContexts finetuning",
    "SpatioTemporalSegmentation": "SpatioTemporalSegmentation",
    "DepthContrast": "DepthContrast",
}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("program", list(PROGRAMS))
def test_each_program_is_identified_and_its_weights_reordered(
    tmp_path: Path, program: str, legacy: bool
) -> None:
    stem = 5 if program == "SpatioTemporalSegmentation" else 3
    out_channels = None if program == "DepthContrast" else 20
    state = trained_like(stem_kernel_size=stem, out_channels=out_channels).state_dict()
    path = tmp_path / "w.pth"
    write_checkpoint(path, program, in_hybrid_order(state), legacy=legacy)
    found = read_weights(path)
    assert found.source["program"] == PROGRAMS[program]
    assert found.source["container"] == ("legacy" if legacy else "zip")
    assert found.source["kernel_order"] == "hybrid"
    assert found.source["num_permuted"] == sum(map(bool, map(BLOCK_KERNEL.fullmatch, state)))
    assert found.metadata is None
    assert_same_weights(found.state_dict, state)
    if program == "DepthContrast":  # the trained network, not its moving average; without the head
        assert found.source["prefix"] == "module.trunk.2."
        assert set(found.dropped) == {"head.clf.0.linear.weight", "head.clf.0.linear.bias"}
    else:
        assert (found.source["prefix"], found.dropped) == ("", ())


def test_a_stem_of_size_five_is_no_block_kernel(tmp_path: Path) -> None:
    state = trained_like(stem_kernel_size=5).state_dict()
    old = in_hybrid_order(state)
    assert torch.equal(old["conv0p1s1.kernel"], state["conv0p1s1.kernel"])
    write_checkpoint(tmp_path / "w.pth", "SpatioTemporalSegmentation", old, legacy=True)
    found = read_weights(tmp_path / "w.pth").state_dict
    assert found["conv0p1s1.kernel"].shape[0] == 125
    assert torch.equal(found["conv0p1s1.kernel"], state["conv0p1s1.kernel"])


def test_bottleneck_blocks_have_one_kernel_in_another_order(tmp_path: Path) -> None:
    backbone = trained_like(variant="50")
    state = backbone.state_dict()
    old = {}
    places = in_hybrid_order({"block1.0.conv1.kernel": torch.arange(27)})["block1.0.conv1.kernel"]
    for name, tensor in state.items():
        wide = BLOCK_KERNEL.fullmatch(name) and tensor.ndim == 3
        old[name] = tensor[places].clone() if wide else tensor
    assert places[0] == 13
    with torch.no_grad():  # trained kernels have the largest weights in their centre
        for name in (n for n in old if BLOCK_KERNEL.fullmatch(n) and old[n].ndim == 3):
            old[name][0] *= 4
            state[name][13] *= 4
    write_checkpoint(tmp_path / "w.pth", "SpatioTemporalSegmentation", old, legacy=False)
    found = read_weights(tmp_path / "w.pth")
    assert found.source["num_permuted"] == 2 + 3 + 4 + 6 + 8
    assert_same_weights(found.state_dict, state)


@pytest.mark.parametrize("classes", [13, 20, 32])
def test_heads_of_any_width_are_left_out_and_reported(tmp_path: Path, classes: int) -> None:
    source = trained_like(out_channels=classes)
    old = in_hybrid_order(source.state_dict())
    write_checkpoint(tmp_path / "w.pth", "ContrastiveSceneContexts", old, legacy=True)
    backbone = Res16UNet(3, 32, "14A", width=0.25, engine="native")
    before = backbone.final.kernel.clone()
    report = load_into_backbone(
        backbone, tmp_path / "w.pth", network_input=NetworkInput(0.05, ("color",))
    )
    assert set(report.dropped) == {"final.kernel", "final.bias"}
    assert "ContrastiveSceneContexts pretraining" in str(report)
    assert torch.equal(backbone.final.kernel, before)
    assert torch.equal(backbone.block3[0].conv1.kernel, source.block3[0].conv1.kernel)


def test_depth_contrasts_head_is_reported_too(tmp_path: Path) -> None:
    source = trained_like(out_channels=None)
    old = in_hybrid_order(source.state_dict())
    write_checkpoint(tmp_path / "w.pth.tar", "DepthContrast", old, legacy=True)
    backbone = Res16UNet(3, None, "14A", width=0.25, engine="native")
    report = load_into_backbone(
        backbone, tmp_path / "w.pth.tar", network_input=NetworkInput(0.05, ("color",))
    )
    assert "head.clf.0.linear.weight" in str(report)
    assert_same_weights(backbone.state_dict(), source.state_dict())


def test_an_order_given_against_the_weights_is_recorded(tmp_path: Path) -> None:
    state = trained_like().state_dict()
    write_checkpoint(tmp_path / "w.pth", "PointContrast", in_hybrid_order(state), legacy=True)
    found = read_weights(tmp_path / "w.pth", "hypercube")
    assert found.source["num_permuted"] == 0
    assert found.source["decided_by"] == (
        "kernel_order, though tap 0 is the largest, as in hybrid order"
    )


def test_another_architecture_is_named(tmp_path: Path) -> None:
    old = in_hybrid_order(trained_like(variant="18A").state_dict())
    write_checkpoint(tmp_path / "w.pth", "PointContrast", old, legacy=True)
    backbone = Res16UNet(3, None, "14A", width=0.25, engine="native")
    with pytest.raises(InputError, match=r"w\.pth is of another network than the run's backbone"):
        load_into_backbone(
            backbone, tmp_path / "w.pth", network_input=NetworkInput(0.025, ("ones",))
        )
