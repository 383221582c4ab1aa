from __future__ import annotations

import numpy as np
import pytest
import torch

from downstream.tasks.box_coding import BoxCoding
from downstream.tasks.detection_loss import detection_loss, vote_loss
from downstream.types import LabelledBatch, Proposals
from tests.oracles.votenet_loss import votenet_loss

MEAN_SIZES = np.array([[0.6, 0.5, 0.9], [2.0, 1.0, 0.8], [0.5, 1.5, 1.8]])


def boxes(rng: np.random.Generator, count: int, padding: int = 0) -> np.ndarray:
    """(count + padding, 8); the last rows are none."""
    found = np.zeros((count + padding, 8))
    found[:, 7] = -1
    found[:count, :3] = rng.uniform(-2, 2, (count, 3))
    found[:count, 3:6] = rng.uniform(0.3, 2, (count, 3))
    found[:count, 6] = rng.uniform(-np.pi, np.pi, count)
    found[:count, 7] = rng.integers(0, 3, count)
    return found


def case(
    seed: int, bins: int, counts: tuple[int, ...] = (5, 2)
) -> tuple[Proposals, LabelledBatch, BoxCoding]:
    """Two samples, one of them with padded boxes; votes and proposals near and far."""
    rng = np.random.default_rng(seed)
    most, num_seeds, num_proposals = max(counts), 30, 24
    truth = np.stack([boxes(rng, count, most - count) for count in counts])
    if bins == 1:
        truth[..., 6] = 0
    num_voxels = 50
    rows = np.full((len(counts), num_voxels, 3), -1)
    for sample, count in enumerate(counts):
        if count:
            one = rng.integers(0, count, num_voxels)
            other = np.where(rng.random(num_voxels) < 0.3, rng.integers(0, count, num_voxels), one)
            rows[sample] = np.stack([one, other, one], axis=1)
        rows[sample, rng.random(num_voxels) < 0.4] = -1
    coding = BoxCoding(MEAN_SIZES.tolist(), bins)
    near = truth[:, rng.integers(0, max(1, most), num_proposals), :3] if most else 0
    centers = near + rng.choice([0.05, 0.25, 0.6], (len(counts), num_proposals, 1)) * rng.normal(
        size=(len(counts), num_proposals, 3)
    )
    seeds = np.stack([rng.permutation(num_voxels)[:num_seeds] + num_voxels * s for s in range(2)])
    proposals = Proposals(
        seeds=torch.from_numpy(seeds),
        votes=torch.from_numpy(rng.uniform(-2, 2, (2, num_seeds, 3))),
        centers=torch.from_numpy(centers),
        outputs=torch.from_numpy(rng.normal(size=(2, num_proposals, coding.num_outputs))),
    )
    total = 2 * num_voxels
    batch = LabelledBatch(
        names=("a", "b"),
        coordinates=torch.zeros(total, 4, dtype=torch.int32),
        points=torch.zeros(total, 3),
        features=torch.zeros(total, 3),
        labels=torch.full((total,), -1),
        categories=torch.tensor([-1, -1]),
        boxes=torch.from_numpy(truth),
        box_rows=torch.from_numpy(rows.reshape(-1, 3)).int(),
        offsets=(0, num_voxels, total),
    )
    return proposals, batch, coding


@pytest.mark.parametrize("bins", [1, 12])
@pytest.mark.parametrize("seed", range(3))
def test_the_loss_is_that_of_loops(seed: int, bins: int) -> None:
    proposals, batch, coding = case(seed, bins)
    found = detection_loss(proposals, coding, batch)
    samples = []
    for sample in range(2):
        truth = batch.boxes[sample].numpy()
        samples.append({
            "votes": proposals.votes[sample].numpy(),
            "candidates": batch.box_rows[proposals.seeds[sample]].numpy(),
            "centers": proposals.centers[sample].numpy(),
            "outputs": proposals.outputs[sample].numpy(),
            "boxes": truth[truth[:, 7] >= 0],
        })  # fmt: skip
    wanted = votenet_loss(samples, MEAN_SIZES, bins)
    assert found.loss.item() == pytest.approx(wanted.pop("loss"), rel=1e-6)
    for name, value in wanted.items():
        assert found.terms[name].item() == pytest.approx(value, rel=1e-6), name
    assert 0.1 < found.terms["objects"].item() < 0.9


@pytest.mark.parametrize("counts", [(0, 3), (0, 0)])
def test_samples_without_boxes_have_finite_gradients(counts: tuple[int, int]) -> None:
    proposals, batch, coding = case(0, 12, counts)
    leaves = {name: getattr(proposals, name).requires_grad_() for name in ("votes", "outputs")}
    loss = detection_loss(proposals, coding, batch).loss
    loss.backward()
    assert torch.isfinite(loss)
    assert loss > 0
    for leaf in leaves.values():
        assert leaf.grad is not None
        assert torch.isfinite(leaf.grad).all()


def test_gradients_are_those_of_finite_differences() -> None:
    proposals, batch, coding = case(4, 12)

    def loss(votes: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
        changed = Proposals(proposals.seeds, votes, proposals.centers, outputs)
        return detection_loss(changed, coding, batch).loss

    leaves = (proposals.votes.requires_grad_(), proposals.outputs.requires_grad_())
    assert torch.autograd.gradcheck(loss, leaves, fast_mode=True)


def test_a_vote_on_the_centre_costs_nothing() -> None:
    proposals, batch, _ = case(1, 12)
    rows = batch.box_rows[proposals.seeds].long()
    samples = torch.arange(2)[:, None]
    on_center = batch.boxes[samples, rows[..., 1].clamp(min=0), :3]
    exact = Proposals(proposals.seeds, on_center, proposals.centers, proposals.outputs)
    assert vote_loss(exact, batch.boxes, batch).item() == 0
    shifted = Proposals(proposals.seeds, on_center + 1e-3, proposals.centers, proposals.outputs)
    assert vote_loss(shifted, batch.boxes, batch).item() == pytest.approx(3e-3, rel=1e-4)
