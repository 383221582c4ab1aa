"""A training step of the released detection recipe, cut at the border of the backbone."""

from __future__ import annotations

import statistics
import time
from itertools import pairwise

import torch
from tqdm import tqdm

from downstream.data import CloudDataset
from downstream.heads import VoteNet
from downstream.network import Network
from downstream.samples import collate_samples
from downstream.types import LabelledBatch
from pointcontrast.backbones import Res16UNet
from pointcontrast.backbones.res16unet_variants import VariantName
from tools.speed.timing import Figures, spread

_PARTS = ("backbone_forward", "head_forward", "loss", "head_backward", "backbone_backward")
_OPTIMIZERS = ("backbone_optimizer", "head_optimizer")


def time_training_step(
    dataset: CloudDataset, variant: VariantName, num_seeds: int, num_proposals: int, rounds: int
) -> Figures:
    """Measure one step on all images of a dataset: what of it is spent outside the backbone.

    A step is what training does with a batch: forward, loss, backward, Adam. Making the batch is
    the work of other processes in training and is measured beside it.

    Args:
        dataset: its benchmark gives the loss.
        variant: of the backbone.
        num_seeds: of the head.
        num_proposals: of the head.
        rounds: after one that is not counted; at least 2.

    Returns:
        Medians and quartiles of the parts, of the optimiser's step on either side and of the
        batch, in milliseconds; and the median and quartiles of ``outside_backbone_share``.
    """
    torch.manual_seed(0)
    backbone = Res16UNet(3, None, variant)
    task = dataset.benchmark.task
    head = VoteNet(
        backbone.level_channels,
        task.num_outputs,
        num_seeds=num_seeds,
        num_proposals=num_proposals,
    )
    network = Network(backbone, head)
    optimizers = [torch.optim.Adam(part.parameters(), lr=1e-3) for part in (backbone, head)]
    times: dict[str, list[float]] = {name: [] for name in (*_PARTS, *_OPTIMIZERS, "batch")}
    for index in tqdm(range(rounds + 1), desc="training steps", unit="step"):
        start = time.perf_counter()
        batch = collate_samples([dataset[index, row] for row in range(len(dataset))])
        taken = {"batch": time.perf_counter() - start}
        for optimizer in optimizers:
            optimizer.zero_grad()
        taken |= _time_passes(network, batch, dataset)
        for name, optimizer in zip(_OPTIMIZERS, optimizers, strict=True):
            start = time.perf_counter()
            optimizer.step()
            taken[name] = time.perf_counter() - start
        if index:
            for name, seconds in taken.items():
                times[name].append(seconds)
    inside = _sums(times, [name for name in times if name.startswith("backbone")])
    outside = _sums(times, ["head_forward", "loss", "head_backward", "head_optimizer"])
    shares = [out / (out + within) for out, within in zip(outside, inside, strict=True)]
    low, middle, high = statistics.quantiles(shares, n=4)
    figures: Figures = {
        "step_variant": variant,
        "step_num_clouds": len(dataset),
        "outside_backbone_share": round(middle, 4),
        "outside_backbone_share_quartile_low": round(low, 4),
        "outside_backbone_share_quartile_high": round(high, 4),
        **spread("step", [a + b for a, b in zip(inside, outside, strict=True)]),
    }
    for name, seconds in times.items():
        figures |= spread(f"step_{name}", seconds)
    return figures


def _time_passes(network: Network, batch: LabelledBatch, dataset: CloudDataset) -> dict[str, float]:
    """Forward and backward; gradients stop at the backbone's features and go on from there."""
    backbone = network.backbone
    marks = [time.perf_counter()]
    x = backbone.engine.sparse_tensor(batch.coordinates, batch.features)
    levels = backbone.forward_levels(x)
    features = levels[-1].features
    marks.append(time.perf_counter())
    border = features.detach().requires_grad_()
    outputs = network.head([*levels[:-1], levels[-1].replace(border)], batch)
    marks.append(time.perf_counter())
    loss = dataset.benchmark.task.loss(outputs, batch).loss
    marks.append(time.perf_counter())
    loss.backward()
    marks.append(time.perf_counter())
    assert border.grad is not None
    features.backward(border.grad)
    marks.append(time.perf_counter())
    return dict(zip(_PARTS, (b - a for a, b in pairwise(marks)), strict=True))


def _sums(times: dict[str, list[float]], names: list[str]) -> list[float]:
    return [sum(each) for each in zip(*(times[name] for name in names), strict=True)]
