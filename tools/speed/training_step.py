"""A training step of the released detection recipe, split between backbone and head."""

from __future__ import annotations

import time
from itertools import count

import torch

from downstream.data import CloudDataset
from downstream.heads import VoteNet
from downstream.network import Network
from downstream.samples import collate_samples
from downstream.types import LabelledBatch
from pointcontrast.backbones import Res16UNet
from pointcontrast.backbones.res16unet_variants import VariantName
from tools.speed.timing import Figures, parts_between, ratios, repeated, seconds_of, spread

_PARTS = ("backbone_forward", "head_forward", "loss", "head_backward", "backbone_backward")
_OPTIMIZERS = ("backbone_optimizer", "head_optimizer")


def time_training_step(
    dataset: CloudDataset, variant: VariantName, num_seeds: int, num_proposals: int, rounds: int
) -> Figures:
    """Measure one step on all images of a dataset, and the share spent outside the backbone.

    A step is what training does with a batch: forward, loss, backward, Adam. Making the batch is
    the work of other processes in training and is measured separately.

    Args:
        dataset: Images; their benchmark gives the loss.
        variant: Variant of the backbone.
        num_seeds: Seeds of the head.
        num_proposals: Proposals of the head.
        rounds: Steps measured, after one that is not counted; at least 2.

    Returns:
        Medians and quartiles of the parts, of the optimiser's step for backbone and head and of
        the batch, in milliseconds; and the median and quartiles of ``outside_backbone_share``.
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
    epochs = count()

    def measure() -> dict[str, float]:
        epoch = next(epochs)
        start = time.perf_counter()
        batch = collate_samples([dataset[epoch, row] for row in range(len(dataset))])
        taken = {"batch": time.perf_counter() - start}
        for optimizer in optimizers:
            optimizer.zero_grad()
        taken |= _time_passes(network, batch, dataset)
        for name, optimizer in zip(_OPTIMIZERS, optimizers, strict=True):
            taken[name] = seconds_of(optimizer.step)
        return taken

    times = repeated(measure, rounds, "training steps")
    inside = _sums(times, [name for name in times if name.startswith("backbone")])
    outside = _sums(times, ["head_forward", "loss", "head_backward", "head_optimizer"])
    whole = [a + b for a, b in zip(inside, outside, strict=True)]
    figures: Figures = {
        "step_variant": variant,
        "step_num_clouds": len(dataset),
        **ratios("outside_backbone_share", outside, whole, digits=4),
        **spread("step", whole),
    }
    for name, seconds in times.items():
        figures |= spread(f"step_{name}", seconds)
    return figures


def _time_passes(network: Network, batch: LabelledBatch, dataset: CloudDataset) -> dict[str, float]:
    """Forward and backward, the latter in two parts that meet at the backbone's features."""
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
    return dict(zip(_PARTS, parts_between(marks), strict=True))


def _sums(times: dict[str, list[float]], names: list[str]) -> list[float]:
    return [sum(each) for each in zip(*(times[name] for name in names), strict=True)]
