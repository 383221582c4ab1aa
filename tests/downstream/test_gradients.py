"""What is trained has a gradient, alone and in several processes, whatever the head reads."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.parallel import DistributedDataParallel

from downstream.heads import Head, HierarchicalHead, LinearHead, PoolingHead, VoteNet
from downstream.network import Mode, Network
from downstream.samples import collate_samples
from downstream.tasks import Classification, Segmentation, Task
from downstream.tasks.box_coding import BoxCoding
from downstream.tasks.detection import Detection
from downstream.types import LabelledBatch, LabelledSample
from pointcontrast.backbones import Backbone, Res16UNet
from pointcontrast.runs.batch_norm import measure_batch_norm
from pointcontrast.sparse import SparseTensor
from tests.helpers.gloo import in_ranks

CLASSES = ("chair", "table", "lamp")
HEADS = {
    "linear": LinearHead,
    "hierarchical": HierarchicalHead,
    "pooled encoder": partial(PoolingHead, level="encoder"),
    "pooled decoder": partial(PoolingHead, level="decoder"),
    "votenet": partial(VoteNet, num_seeds=64, num_proposals=16, channels=16, hidden_channels=16),
    "votenet on all levels": partial(
        VoteNet, num_seeds=64, num_proposals=16, channels=16, hidden_channels=16, seed_levels="all"
    ),
}
MODES: tuple[Mode, ...] = ("full", "decoder", "linear")
EVERYTHING = [(head, mode) for head in HEADS for mode in MODES]


def sample(seed: int) -> LabelledSample:
    rng = np.random.default_rng(seed)
    coordinates = np.unique(rng.integers(0, 20, (400, 3)), axis=0).astype(np.int32)
    count = len(coordinates)
    rows = np.repeat(rng.integers(-1, 1, (count, 1)), 3, axis=1)
    return LabelledSample(
        name=f"room {seed}",
        coordinates=coordinates,
        points=(coordinates + 0.5).astype(np.float32) * 0.1,
        features=rng.normal(size=(count, 3)).astype(np.float32),
        labels=rng.integers(0, len(CLASSES), count).astype(np.int32),
        category=seed % len(CLASSES),
        boxes=np.array([[1, 1, 1, 0.8, 0.6, 1, 0.3, seed % len(CLASSES)]], np.float32),
        box_rows=rows.astype(np.int32),
    )


def batch(seed: int) -> LabelledBatch:
    return collate_samples([sample(seed), sample(seed + 1)])


def task_of(head: str) -> Task:
    if head.startswith("votenet"):
        return Detection(CLASSES, BoxCoding([[1.0, 1.0, 1.0]] * len(CLASSES), 4))
    if head.startswith("pooled"):
        return Classification(CLASSES, [1, 1, 1])
    return Segmentation(CLASSES)


def small_network(head: str, mode: Mode) -> Network:
    torch.manual_seed(0)
    backbone = Res16UNet(3, None, "14A", engine="native", width=0.25)
    made: Head = HEADS[head](backbone.level_channels, task_of(head).num_outputs)
    return Network(backbone, made, mode)


def without_gradient(network: torch.nn.Module) -> list[str]:
    return [n for n, p in network.named_parameters() if p.requires_grad and p.grad is None]


@pytest.mark.parametrize(("head", "mode"), EVERYTHING)
def test_what_is_trained_has_a_gradient(head: str, mode: Mode) -> None:
    network = small_network(head, mode)
    task_of(head).loss(network(batch(0)), batch(0)).loss.backward()
    assert without_gradient(network) == []
    assert any(p.requires_grad for p in network.head.parameters())


def two_steps(rank: int, everything: list[tuple[str, Mode]]) -> list[dict[str, torch.Tensor]]:
    found = []
    for head, mode in everything:
        network, task = small_network(head, mode), task_of(head)
        parallel = DistributedDataParallel(network)
        trained = [p for p in network.parameters() if p.requires_grad]
        optimizer = torch.optim.SGD(trained, lr=0.01)
        for step in range(2):
            data = batch(10 * rank + 2 * step)
            optimizer.zero_grad()
            task.loss(parallel(data), data).loss.backward()
            optimizer.step()
        found.append({n: p.detach() for n, p in network.named_parameters()})
    return found


def test_two_processes_train_every_head_in_every_mode(tmp_path: Path) -> None:
    ranks = in_ranks(two_steps, 2, tmp_path, EVERYTHING)
    for (head, mode), first, second in zip(EVERYTHING, *ranks, strict=True):
        before = dict(small_network(head, mode).named_parameters())
        changed = {name for name, value in first.items() if not torch.equal(value, before[name])}
        assert changed, (head, mode)
        assert changed <= {name for name, value in before.items() if value.requires_grad}
        assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_layers_that_no_head_reads_keep_their_weights_and_statistics() -> None:
    network = small_network("pooled encoder", "full")
    unread = {
        name: value.clone()
        for name, value in network.state_dict().items()
        if name.startswith(("backbone.convtr", "backbone.bntr"))
        or any(name.startswith(f"backbone.block{level}.") for level in (5, 6, 7, 8))
    }
    assert any("running_mean" in name for name in unread)
    network.train()
    network(batch(0)).sum().backward()
    measure_batch_norm(network, [lambda: network(batch(0))])
    assert all(torch.equal(network.state_dict()[name], value) for name, value in unread.items())
    assert set(network.state_dict()) == set(small_network("pooled decoder", "full").state_dict())


class TwoLevels(Backbone):
    """A coarse level, and a fine one that has a layer of its own."""

    def __init__(self) -> None:
        super().__init__(3, None, "native")
        self.num_features = 8
        self.coarse = self.engine.Convolution(3, 4, kernel_size=2, stride=2)
        self.fine = self.engine.Convolution(3, 8, kernel_size=3)

    @property
    def level_channels(self) -> list[int]:
        return [4, 8]

    def forward_levels(self, x: SparseTensor) -> list[SparseTensor]:
        return [self.coarse(x), self.fine(x)]

    def unread_modules(self, levels: Collection[int]) -> list[torch.nn.Module]:
        return [layer for row, layer in enumerate((self.coarse, self.fine)) if row not in levels]

    def head(self, x: SparseTensor) -> SparseTensor:
        return x


@pytest.mark.parametrize("level", ["encoder", "decoder"])
def test_another_backbone_says_what_a_level_needs(level: str) -> None:
    backbone = TwoLevels()
    network = Network(backbone, PoolingHead(backbone.level_channels, 3, level))  # pyright: ignore
    network(batch(0)).sum().backward()
    assert without_gradient(network) == []
    read = backbone.coarse if level == "encoder" else backbone.fine
    trained = [p for p in backbone.parameters() if p.requires_grad]
    assert [id(p) for p in trained] == [id(p) for p in read.parameters()]
