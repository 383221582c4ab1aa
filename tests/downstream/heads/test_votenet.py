from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from downstream.heads import VoteNet
from downstream.network import Network
from downstream.samples import collate_samples
from downstream.types import IGNORE, LabelledBatch, LabelledSample
from pointcontrast.backbones import Res16UNet
from pointcontrast.errors import InputError

NUM_OUTPUTS = 17


def sample(num_voxels: int, seed: int) -> LabelledSample:
    rng = np.random.default_rng(seed)
    coordinates = np.unique(rng.integers(0, 16, (num_voxels, 3)), axis=0).astype(np.int32)
    count = len(coordinates)
    return LabelledSample(
        name=f"room {seed}",
        coordinates=coordinates,
        points=((coordinates + rng.random((count, 3))) * 0.1 + seed).astype(np.float32),
        features=rng.normal(size=(count, 3)).astype(np.float32),
        labels=np.full(count, IGNORE, np.int32),
        category=IGNORE,
        boxes=np.zeros((0, 8), np.float32),
        box_rows=np.full((count, 3), -1, np.int32),
    )


def batch() -> LabelledBatch:
    return collate_samples([sample(300, 0), sample(40, 1), sample(500, 2)])


def network(engine: str = "native", **arguments: object) -> Network:
    torch.manual_seed(0)
    backbone = Res16UNet(3, None, "14A", engine=engine, width=0.25)
    values = {"num_seeds": 64, "num_proposals": 20, "num_samples": 8, "channels": 24}
    head = VoteNet(backbone.level_channels, NUM_OUTPUTS, **{**values, **arguments})
    return Network(backbone, head)


@pytest.mark.parametrize("seed_levels", ["finest", "all"])
def test_shapes_and_frames(seed_levels: str) -> None:
    made, data = network(seed_levels=seed_levels), batch()
    found = made(data)
    assert found.seeds.shape == (3, 64)
    assert found.votes.shape == (3, 64, 3)
    assert found.centers.shape == (3, 20, 3)
    assert found.outputs.shape == (3, 20, NUM_OUTPUTS)
    for row, (first, last) in enumerate(zip(data.offsets, data.offsets[1:], strict=False)):
        assert (found.seeds[row] >= first).all()
        assert (found.seeds[row] < last).all()
        votes = {tuple(vote) for vote in found.votes[row].tolist()}
        assert {tuple(center) for center in found.centers[row].tolist()} <= votes
    assert len(found.seeds[1].unique()) == data.offsets[2] - data.offsets[1] < 64  # repeated


@pytest.mark.parametrize("seed_levels", ["finest", "all"])
def test_a_sample_is_the_same_alone_and_beside_others(seed_levels: str) -> None:
    made = network(seed_levels=seed_levels).eval()
    together = made(batch())
    for row, (count, seed) in enumerate(((300, 0), (40, 1), (500, 2))):
        alone = made(collate_samples([sample(count, seed)]))
        torch.testing.assert_close(together.votes[row], alone.votes[0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(together.outputs[row], alone.outputs[0], atol=1e-4, rtol=1e-3)


def test_both_engines_propose_the_same() -> None:
    native, minkowski = network().eval(), network("minkowski").eval()
    minkowski.load_state_dict(native.state_dict())
    ours, theirs = native(batch()), minkowski(batch())
    assert torch.equal(ours.seeds, theirs.seeds)
    torch.testing.assert_close(ours.votes, theirs.votes, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(ours.outputs, theirs.outputs, atol=1e-4, rtol=1e-3)


def test_moving_the_scene_moves_the_votes_and_nothing_else() -> None:
    made, data = network().eval(), batch()
    shift = torch.tensor([4.0, -2.0, 1.0])
    found, moved = made(data), made(replace(data, points=data.points + shift))
    torch.testing.assert_close(moved.votes, found.votes + shift, atol=1e-5, rtol=0)
    torch.testing.assert_close(moved.outputs, found.outputs, atol=1e-3, rtol=1e-3)


def test_every_weight_has_a_gradient() -> None:
    made = network(seed_levels="all")
    found = made(batch())
    (found.outputs.square().sum() + found.votes.square().sum()).backward()
    lacking = [n for n, p in made.named_parameters() if p.grad is None or not p.grad.any()]
    assert not lacking


def test_the_release_values_are_the_defaults() -> None:
    head = VoteNet([8, 96], 100)
    assert head.arguments == {
        "num_seeds": 1024,
        "num_proposals": 256,
        "radius": 0.3,
        "num_samples": 16,
        "channels": 256,
        "hidden_channels": 128,
        "seed_levels": "finest",
        "proposal_gradient": 1.0,
    }
    shapes = [tuple(p.shape) for n, p in head.named_parameters() if n.endswith("weight")]
    matrices = [shape for shape in shapes if len(shape) == 2]
    assert matrices == [
        (256, 96), (256, 256), (256, 256), (259, 256),
        (128, 259), (128, 128), (128, 128), (128, 128), (128, 128), (100, 128),
    ]  # fmt: skip


def test_broken_votes_are_named() -> None:
    made = network().eval()
    made.head.project.bias.data[3] = torch.nan
    with pytest.raises(InputError, match="room 0, room 1, room 2: votes are NaN"):
        made(batch())


def gradients(share: float) -> dict[str, torch.Tensor]:
    """Of the proposals alone."""
    made = network(proposal_gradient=share).eval()
    made(batch()).outputs.square().mean().backward()
    return {n: p.grad for n, p in made.named_parameters() if p.grad is not None}


def test_a_share_of_the_proposals_gradients_goes_on() -> None:
    whole, half, none = gradients(1.0), gradients(0.5), gradients(0.0)
    after = ("head.clustering.", "head.proposing.")
    for name, value in whole.items():
        share = 1.0 if name.startswith(after) else 0.5
        torch.testing.assert_close(half[name], share * value, atol=1e-7, rtol=1e-3)
        if share < 1 and name in none:
            assert not none[name].any()


@pytest.mark.parametrize(
    ("name", "value"),
    [("num_seeds", 0), ("radius", 0.0), ("channels", -1), ("proposal_gradient", 1.5)],
)
def test_bad_values_are_named(name: str, value: float) -> None:
    with pytest.raises(InputError, match=name):
        network(**{name: value})
