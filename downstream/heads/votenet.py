"""The head of VoteNet: seeds vote for object centres, clusters of votes propose boxes.

Qi et al., Deep Hough Voting for 3D Object Detection in Point Clouds, ICCV 2019. Its code is
facebookresearch/votenet ``models/{voting_module,proposal_module}.py``; PointContrast applies it to
a sparse U-Net in ``downstream/votenet_det_new``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import nn

from downstream.heads.head import Head
from downstream.heads.point_sets import (
    ball_query,
    farthest_points,
    group,
    interpolate,
    three_nearest,
)
from downstream.types import LabelledBatch, Proposals
from pointcontrast.errors import InputError
from pointcontrast.sparse import SparseTensor

SeedLevels = Literal["finest", "all"]


class VoteNet(Head):
    """Seeds, votes, clusters and proposals on the features of any backbone.

    The released networks end in a layer of 256 outputs, which no pretrained file provides. Here
    that layer is the first of the head, computed only at the seeds.

    Deviations: layers before batch norm have no bias, which batch norm would cancel; a cloud with
    fewer voxels than seeds repeats them.
    """

    predicts = "boxes"

    def __init__(
        self,
        level_channels: Sequence[int],
        num_outputs: int,
        num_seeds: int = 1024,
        num_proposals: int = 256,
        radius: float = 0.3,
        num_samples: int = 16,
        channels: int = 256,
        hidden_channels: int = 128,
        seed_levels: SeedLevels = "finest",
        proposal_gradient: float = 1.0,
    ) -> None:
        """Build the layers; defaults are the released values.

        Args:
            level_channels: Channels of the backbone's levels.
            num_outputs: Number of outputs K per proposal.
            num_seeds: Number of voxels that vote, chosen by farthest-point sampling.
            num_proposals: Number of clusters, chosen likewise among the votes.
            radius: Radius of a cluster, metres.
            num_samples: Number of votes taken from a cluster.
            channels: Channels of the features of seeds and votes.
            hidden_channels: Channels of the layers that make proposals.
            seed_levels: Features of the seeds. ``finest``: those of their voxels; ``all``: also
                those of all coarser levels, interpolated from the three nearest cells, for linear
                probing (as ``HierarchicalHead``).
            proposal_gradient: Factor of the proposals' gradients with respect to votes and
                features, 0..1; 1 as released. Few proposals hit an object at first, and in small
                batches their gradients drown those of the votes.

        Raises:
            InputError: a value is out of range; the message names it.
        """
        super().__init__(
            num_seeds=num_seeds,
            num_proposals=num_proposals,
            radius=radius,
            num_samples=num_samples,
            channels=channels,
            hidden_channels=hidden_channels,
            seed_levels=seed_levels,
            proposal_gradient=proposal_gradient,
        )
        for name in ("num_seeds", "num_proposals", "num_samples", "channels", "hidden_channels"):
            if self.arguments[name] < 1:
                raise InputError(f"{name} {self.arguments[name]} must be at least 1")
        if not radius > 0:
            raise InputError(f"radius {radius} must be positive (metres)")
        if not 0 <= proposal_gradient <= 1:
            raise InputError(f"proposal_gradient {proposal_gradient} must be from 0 to 1")
        self.num_seeds = num_seeds
        self.num_proposals = num_proposals
        self.radius = radius
        self.num_samples = num_samples
        self.proposal_gradient = proposal_gradient
        self.all_levels = seed_levels == "all"
        self.levels_read = None if self.all_levels else (-1,)
        in_channels = sum(level_channels) if self.all_levels else level_channels[-1]
        self.project = nn.Linear(in_channels, channels)
        self.voting = nn.Sequential(
            _layer(channels, channels),
            _layer(channels, channels),
            nn.Linear(channels, 3 + channels),
        )
        widths = (3 + channels, hidden_channels, hidden_channels, hidden_channels)
        self.clustering = nn.Sequential(*(_layer(a, b) for a, b in pairwise(widths)))
        for layer in self.clustering.modules():
            if isinstance(layer, nn.Linear):  # as the shared layers of PointNet++
                nn.init.kaiming_normal_(layer.weight)
        self.proposing = nn.Sequential(
            _layer(hidden_channels, hidden_channels),
            _layer(hidden_channels, hidden_channels),
            nn.Linear(hidden_channels, num_outputs),
        )

    def forward(self, levels: list[SparseTensor], batch: LabelledBatch) -> Proposals:
        """Compute the proposals of each sample, in the frame of its points.

        Raises:
            InputError: a vote is NaN or infinite: damaged weights, or training that diverged.
        """
        seeds = farthest_points(batch.points, batch.offsets, self.num_seeds)
        features = self.project(self._seed_features(levels, seeds))
        moves = _per_row(self.voting, features)
        votes = batch.points[seeds] + moves[..., :3].float()
        if not torch.isfinite(votes).all():
            raise InputError(
                f"{', '.join(batch.names)}: votes are NaN or infinite; the weights are damaged, "
                "or training diverged: lower model.optimizer's lr"
            )
        features = F.normalize(features + moves[..., 3:], dim=-1)
        damped = (_damped(value, self.proposal_gradient) for value in (votes, features))
        return replace(self._propose(seeds, *damped), votes=votes)

    def _propose(
        self, seeds: torch.Tensor, votes: torch.Tensor, features: torch.Tensor
    ) -> Proposals:
        num_clouds, num_votes, _ = votes.shape
        starts = torch.arange(num_clouds, device=votes.device) * num_votes
        offsets = tuple(range(0, num_clouds * num_votes + 1, num_votes))
        chosen = farthest_points(votes.detach().reshape(-1, 3), offsets, self.num_proposals)
        chosen = chosen - starts[:, None]
        centers = group(votes, chosen[..., None]).squeeze(2)
        rows = ball_query(votes.detach(), centers.detach(), self.radius, self.num_samples)
        places = (group(votes, rows) - centers[:, :, None]) / self.radius
        members = torch.cat([places.to(features.dtype), group(features, rows)], dim=-1)
        clusters = _per_row(self.clustering, members).amax(dim=2)
        return Proposals(seeds, votes, centers, _per_row(self.proposing, clusters).float())

    def _seed_features(self, levels: list[SparseTensor], seeds: torch.Tensor) -> torch.Tensor:
        """Features (B, S, C) of the seeds, from the finest level or from all."""
        finest = levels[-1]
        columns = [finest.features[seeds]]
        for level in levels[:-1] if self.all_levels else []:
            cells = level.coordinates
            middles = cells[:, 1:].float() + torch.tensor(level.stride, device=cells.device) / 2
            found = []
            for cloud, rows in enumerate(seeds):
                here = torch.nonzero(cells[:, 0] == cloud).squeeze(1)
                places = finest.coordinates[rows, 1:].float() + 0.5
                squares, nearest = three_nearest(places[None], middles[here][None])
                weights = 1 / (squares.sqrt() + 1e-8)
                weights = weights / weights.sum(dim=-1, keepdim=True)
                found.append(interpolate(level.features[here][None], nearest, weights)[0])
            columns.append(torch.stack(found))
        return torch.cat(columns, dim=-1)


def _layer(in_channels: int, out_channels: int) -> nn.Sequential:
    """Linear layer, batch norm and ReLU on rows."""
    return nn.Sequential(
        nn.Linear(in_channels, out_channels, bias=False), nn.BatchNorm1d(out_channels), nn.ReLU()
    )


def _damped(x: torch.Tensor, share: float) -> torch.Tensor:
    """Return the same values with the gradient scaled by ``share``."""
    return x if share == 1 else share * x + (1 - share) * x.detach()


def _per_row(layers: nn.Sequential, x: torch.Tensor) -> torch.Tensor:
    """Apply layers that take rows (N, C) to (..., C)."""
    return layers(x.flatten(end_dim=-2)).unflatten(0, x.shape[:-1])
