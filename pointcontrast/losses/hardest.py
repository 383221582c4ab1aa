"""HardestContrastive: matches closer than one margin, the hardest negatives beyond another.

Follows the authors' ``HardestContrastiveLossTrainer`` (facebookresearch/PointContrast at 47e8682,
``pretrain/pointcontrast/lib/ddp_trainer.py``), which took it from FCGF. With features f (view0) and
g (view1), both of unit length::

    positive = mean over sampled matches (i, j) of relu(|f_i - g_j|^2 - 0.1)
    negative = half the sum of two directions, view0 to view1:
               mean over i of relu(1.4 - min over pool rows p of d(f_i, g_p))^2
    loss     = positive + negative_weight * negative
    d(a, b)  = sqrt(|a - b|^2 + 1e-7)

As there: the positive margin is subtracted from the squared distance (the formula of the FCGF paper
squares after it); the pools are random rows of the whole batch, so most negatives are of other
scenes; a hardest negative that is itself a match of its row, by the full list of correspondences,
is dropped after the minimum was taken, not replaced by the second hardest. The authors' config
has ``neg_weight: 1.0``, but the released code never reads it: it adds the terms as they are, which
is ``negative_weight=1``.

Deliberate differences: if all hardest negatives of a direction are dropped, its mean is 0 (there,
NaN); all randomness comes from one generator; the nearest rows are searched in chunks without a
gradient, and only the chosen distances are computed with one, so that memory grows with the
number of features and not with positives x pool; rows of another length are refused (the margins
are distances on the unit sphere, where the authors' scripts train: ``net.normalize_feature``). The
gradient is that of the minimum: of several pool rows at the same smallest distance one receives it,
in practice on the CPU the first.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import nn

from pointcontrast.errors import InputError
from pointcontrast.losses.contract import LossOutput, check_inputs, check_negatives, unit_length
from pointcontrast.losses.gathering import mean_over_ranks, rows_of_other_ranks, sum_over_ranks
from pointcontrast.losses.sampling import choose_rows, scene_of_rows

_SQUARED_DISTANCE_FLOOR = 1e-7  # keeps the root's gradient finite where two features are equal
_NO_ROW = -1


def hardest_contrastive(
    features0: torch.Tensor,
    features1: torch.Tensor,
    correspondences: torch.Tensor,
    generator: torch.Generator | None = None,
    *,
    num_positives_per_pair: int = 1024,
    num_negatives_per_pair: int = 256,
    positive_margin: float = 0.1,
    negative_margin: float = 1.4,
    negative_weight: float = 1.0,
    same_scene_negatives: bool = False,
    chunk_size: int = 1024,
    gather_negatives: bool = False,
    normalize: bool = False,
    offsets0: Sequence[int] | None = None,
    offsets1: Sequence[int] | None = None,
) -> LossOutput:
    """Sample matches and pools from a batch of pairs of views; equation in this module.

    Args:
        features0: Features of view0, (N0, C) floating point, rows of unit length.
        features1: Features of view1, (N1, C), same dtype and device.
        correspondences: Rows of features0 and features1 that match, (M, 2) int64, sorted by
            column 0.
        generator: Source of randomness for the pools and the matches that take part; None:
            PyTorch's global generator for the CPU.
        num_positives_per_pair: Largest number of matches per pair of the batch, chosen from all
            pairs together.
        num_negatives_per_pair: Rows per pair and side in the pools of negatives, chosen from all
            rows of the side together (from each scene if ``same_scene_negatives``).
        positive_margin: Squared distance up to which a match costs nothing.
        negative_margin: Distance from which a negative costs nothing.
        negative_weight: Factor of the negative term.
        same_scene_negatives: Whether negatives are of a row's own scene only.
        chunk_size: Rows whose distances to the pool are held at once; changes memory and speed,
            never the result.
        gather_negatives: Whether the pools are those of all ranks together. The means are then over
            all ranks' rows: under DDP the gradient is that of one process on the joined batch.
            Batch norm still sees each rank's own batch, and each rank still chooses its own matches
            and its own part of the pools. The released code does not do this.
        normalize: Whether to scale the rows to unit length first; otherwise rows of another
            length are refused.
        offsets0: B+1 row numbers; sample b owns rows ``offsets0[b]:offsets0[b + 1]``. None: the
            whole batch counts as one pair.
        offsets1: B+1 row numbers of features1, given together with offsets0.

    Returns:
        The loss (float32 at least), and the terms ``positive``, ``negative`` (before its weight),
        ``accuracy`` (fraction of the negatives kept that are farther than their row's match; 0 if
        none was kept) and ``dropped`` (fraction of the hardest negatives that were matches, or
        did not exist).

    Raises:
        InputError: A number is out of its range, negatives are to be of the own scene and of other
            ranks, or rows are not of unit length.
        ValueError: A tensor has a wrong shape, dtype or value
            (:func:`~pointcontrast.losses.contract.check_inputs`), or offsets are missing.
    """
    _check_counts(num_positives_per_pair, num_negatives_per_pair, chunk_size)
    _check_weights(positive_margin, negative_margin, negative_weight)
    check_negatives(gather_negatives, same_scene_negatives)
    check_inputs(
        features0, features1, correspondences, offsets0, offsets1, may_be_empty=gather_negatives
    )
    if same_scene_negatives and offsets0 is None:
        raise ValueError("same_scene_negatives needs offsets0 and offsets1: got None")
    offsets0 = (0, len(features0)) if offsets0 is None else offsets0
    offsets1 = (0, len(features1)) if offsets1 is None else offsets1
    num_pairs, device = len(offsets0) - 1, features0.device
    pool0, pool1 = (
        _sample_pool(offsets, num_negatives_per_pair, same_scene_negatives, generator, device)
        for offsets in (offsets0, offsets1)
    )
    num_positives = num_positives_per_pair * num_pairs
    chosen = choose_rows(len(correspondences), num_positives, generator, device)
    positives = correspondences[chosen]
    return contrast_with_pools(
        unit_length(features0, torch.cat([positives[:, 0], pool0]), normalize),
        unit_length(features1, torch.cat([positives[:, 1], pool1]), normalize),
        correspondences,
        positives,
        pool0,
        pool1,
        positive_margin=positive_margin,
        negative_margin=negative_margin,
        negative_weight=negative_weight,
        scene_offsets=(offsets0, offsets1) if same_scene_negatives else None,
        chunk_size=chunk_size,
        gather_negatives=gather_negatives,
    )


class HardestContrastive(nn.Module):
    """:func:`hardest_contrastive` as a module: it holds the numbers.

    Args:
        num_positives_per_pair: Largest number of matches per pair of the batch.
        num_negatives_per_pair: Rows per pair and side in the pools of negatives.
        positive_margin: Squared distance up to which a match costs nothing.
        negative_margin: Distance from which a negative costs nothing.
        negative_weight: Factor of the negative term.
        same_scene_negatives: Whether negatives are of a row's own scene only.
        chunk_size: Rows whose distances to the pool are held at once; changes memory and speed,
            never the result.
        gather_negatives: Whether the pools are those of all ranks together.
        normalize: Whether to scale the rows to unit length first, for a backbone that does not.

    Raises:
        InputError: A number is out of its range, or negatives are to be of the own scene and of
            other ranks.
    """

    def __init__(
        self,
        *,
        num_positives_per_pair: int = 1024,
        num_negatives_per_pair: int = 256,
        positive_margin: float = 0.1,
        negative_margin: float = 1.4,
        negative_weight: float = 1.0,
        same_scene_negatives: bool = False,
        chunk_size: int = 1024,
        gather_negatives: bool = False,
        normalize: bool = False,
    ) -> None:
        super().__init__()
        _check_counts(num_positives_per_pair, num_negatives_per_pair, chunk_size)
        _check_weights(positive_margin, negative_margin, negative_weight)
        check_negatives(gather_negatives, same_scene_negatives)
        self.num_positives_per_pair = num_positives_per_pair
        self.num_negatives_per_pair = num_negatives_per_pair
        self.positive_margin = positive_margin
        self.negative_margin = negative_margin
        self.negative_weight = negative_weight
        self.same_scene_negatives = same_scene_negatives
        self.chunk_size = chunk_size
        self.gather_negatives = gather_negatives
        self.normalize = normalize

    def forward(
        self,
        features0: torch.Tensor,
        features1: torch.Tensor,
        correspondences: torch.Tensor,
        generator: torch.Generator | None = None,
        *,
        offsets0: Sequence[int] | None = None,
        offsets1: Sequence[int] | None = None,
    ) -> LossOutput:
        """Compute the loss of one batch; arguments and errors: :func:`hardest_contrastive`."""
        return hardest_contrastive(
            features0,
            features1,
            correspondences,
            generator,
            num_positives_per_pair=self.num_positives_per_pair,
            num_negatives_per_pair=self.num_negatives_per_pair,
            positive_margin=self.positive_margin,
            negative_margin=self.negative_margin,
            negative_weight=self.negative_weight,
            same_scene_negatives=self.same_scene_negatives,
            chunk_size=self.chunk_size,
            gather_negatives=self.gather_negatives,
            normalize=self.normalize,
            offsets0=offsets0,
            offsets1=offsets1,
        )


def _check_counts(
    num_positives_per_pair: int, num_negatives_per_pair: int, chunk_size: int
) -> None:
    for name, count in (
        ("num_positives_per_pair", num_positives_per_pair),
        ("num_negatives_per_pair", num_negatives_per_pair),
        ("chunk_size", chunk_size),
    ):
        if count < 1:
            raise InputError(f"{name} is {count}; give at least 1")


def _check_weights(positive_margin: float, negative_margin: float, negative_weight: float) -> None:
    for name, number in (
        ("positive_margin", positive_margin),
        ("negative_margin", negative_margin),
        ("negative_weight", negative_weight),
    ):
        if not number >= 0:
            raise InputError(f"{name} is {number}; give 0 or more")


def _sample_pool(
    offsets: Sequence[int],
    num_per_pair: int,
    from_each_scene: bool,
    generator: torch.Generator | None,
    device: torch.device,
) -> torch.Tensor:
    if not from_each_scene:
        return choose_rows(offsets[-1], num_per_pair * (len(offsets) - 1), generator, device)
    return torch.cat(
        [
            start + choose_rows(end - start, num_per_pair, generator, device)
            for start, end in itertools.pairwise(offsets)
        ]
    )


def contrast_with_pools(
    features0: torch.Tensor,
    features1: torch.Tensor,
    correspondences: torch.Tensor,
    positives: torch.Tensor,
    pool0: torch.Tensor,
    pool1: torch.Tensor,
    *,
    positive_margin: float = 0.1,
    negative_margin: float = 1.4,
    negative_weight: float = 1.0,
    scene_offsets: tuple[Sequence[int], Sequence[int]] | None = None,
    chunk_size: int = 1024,
    gather_negatives: bool = False,
) -> LossOutput:
    """Compute the loss for given matches and pools; the equation of this module.

    Args:
        features0: (N0, C) floating point, rows of unit length.
        features1: (N1, C), same dtype and device.
        correspondences: All true matches, (M, 2) int64: none of them counts as a negative.
        positives: Matches that take part, (P, 2) int64; P >= 1 unless negatives are gathered.
        pool0: Rows of view0 that view1 is compared with, (K0,) int64.
        pool1: Rows of view1 that view0 is compared with, (K1,) int64.
        positive_margin: Squared distance up to which a match costs nothing.
        negative_margin: Distance from which a negative costs nothing.
        negative_weight: Factor of the negative term.
        scene_offsets: Offsets of both views; if given, the hardest negative is searched in the
            row's own scene only (a row whose scene has no pool row has none).
        chunk_size: Rows whose distances to the pool are held at once.
        gather_negatives: Whether the pools of all other ranks join this rank's; all means are then
            over all ranks' rows. A row of another rank is of another pair and thus no match here.

    Returns:
        The output of :func:`hardest_contrastive`.
    """
    dtype = torch.promote_types(features0.dtype, torch.float32)
    features0, features1 = features0.to(dtype), features1.to(dtype)
    if gather_negatives:
        features0, features1, pool0, pool1 = _with_pools_of_other_ranks(
            features0, features1, pool0, pool1
        )
    rows0, rows1 = positives.unbind(1)
    offsets0, offsets1 = (None, None) if scene_offsets is None else scene_offsets
    hardest1 = hardest_negatives(
        features0, rows0, features1, pool1, offsets0, offsets1, chunk_size=chunk_size
    )
    hardest0 = hardest_negatives(
        features1, rows1, features0, pool0, offsets1, offsets0, chunk_size=chunk_size
    )
    negatives1, negatives0 = torch.stack([rows0, hardest1], 1), torch.stack([hardest0, rows1], 1)
    is_match1, is_match0 = _contains(
        correspondences, torch.cat([negatives1, negatives0]), len(features1)
    ).chunk(2)
    kept1, kept0 = (hardest1 != _NO_ROW) & ~is_match1, (hardest0 != _NO_ROW) & ~is_match0

    squared = (features0[rows0] - features1[rows1]).pow(2).sum(1)  # (P,)
    distances1 = _distances(features0, features1, negatives1[kept1])
    distances0 = _distances(features0, features1, negatives0[kept0])
    to_match = (squared.detach() + _SQUARED_DISTANCE_FLOOR).sqrt()
    farther = torch.cat([distances1 > to_match[kept1], distances0 > to_match[kept0]])
    counts = squared.new_tensor(
        [len(squared), len(distances1), len(distances0), len(farther), int(farther.sum())]
    )
    if gather_negatives:
        counts = sum_over_ranks(counts)
    num_positives, num_kept1, num_kept0, num_kept, num_farther = counts.unbind()
    mean = mean_over_ranks if gather_negatives else _mean_or_zero
    positive = mean((squared - positive_margin).relu().sum(), num_positives)
    negative = (
        mean((negative_margin - distances1).relu().pow(2).sum(), num_kept1)
        + mean((negative_margin - distances0).relu().pow(2).sum(), num_kept0)
    ) / 2
    return LossOutput(
        loss=positive + negative_weight * negative,
        terms={
            "positive": positive.detach(),
            "negative": negative.detach(),
            "accuracy": _mean_or_zero(num_farther, num_kept),
            "dropped": 1 - num_kept / (2 * num_positives).clamp(min=1),
        },
    )


def _with_pools_of_other_ranks(
    features0: torch.Tensor, features1: torch.Tensor, pool0: torch.Tensor, pool1: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Append the rows of other ranks' pools to both views, and add them to the pools."""
    sides = []
    for features, pool in ((features0, pool0), (features1, pool1)):
        joined = torch.cat([features, rows_of_other_ranks(features[pool])])
        others = torch.arange(len(features), len(joined), device=pool.device)
        sides.append((joined, torch.cat([pool, others])))
    (features0, pool0), (features1, pool1) = sides
    return features0, features1, pool0, pool1


@torch.no_grad()
def hardest_negatives(
    asking: torch.Tensor,
    rows: torch.Tensor,
    answering: torch.Tensor,
    pool: torch.Tensor,
    asking_offsets: Sequence[int] | None = None,
    answering_offsets: Sequence[int] | None = None,
    *,
    chunk_size: int = 1024,
) -> torch.Tensor:
    """Find the pool row of one view that is nearest to each of some rows of the other view.

    Args:
        asking: Features of the view that asks, (N, C).
        rows: Rows of it that ask, (P,) int64.
        answering: Features of the other view, (N', C).
        pool: Rows of it that may answer, (K,) int64.
        asking_offsets: B+1 row numbers; if given, a row is answered from its own scene only.
        answering_offsets: B+1 row numbers of the view that answers; given together.
        chunk_size: Rows whose distances are held at once.

    Returns:
        (P,) int64 rows of the answering view; -1 where no pool row may answer.
    """
    groups = [(torch.arange(len(rows), device=rows.device), pool)]
    if asking_offsets is not None and answering_offsets is not None:
        row_scenes = scene_of_rows(rows, asking_offsets)
        pool_scenes = scene_of_rows(pool, answering_offsets)
        groups = [
            ((row_scenes == scene).nonzero()[:, 0], pool[pool_scenes == scene])
            for scene in range(len(asking_offsets) - 1)
        ]
    hardest = torch.full_like(rows, _NO_ROW)
    for members, candidates in groups:
        if len(candidates) == 0:
            continue
        candidate_features = answering[candidates]
        for chunk in members.split(chunk_size):
            # differences, not the expansion by products: that cannot tell near ties apart
            distances = torch.cdist(
                asking[rows[chunk]],
                candidate_features,
                compute_mode="donot_use_mm_for_euclid_dist",
            )  # (b, K)
            hardest[chunk] = candidates[distances.argmin(1)]
    return hardest


def _distances(
    features0: torch.Tensor, features1: torch.Tensor, pairs: torch.Tensor
) -> torch.Tensor:
    squared = (features0[pairs[:, 0]] - features1[pairs[:, 1]]).pow(2).sum(1)
    return (squared + _SQUARED_DISTANCE_FLOOR).sqrt()


def _mean_or_zero(total: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    return total / count.clamp(min=1)


def _contains(correspondences: torch.Tensor, pairs: torch.Tensor, num_rows1: int) -> torch.Tensor:
    """Tell which of the (Q, 2) pairs are correspondences; exact, by one integer per pair."""
    weights = correspondences.new_tensor([num_rows1, 1])
    return torch.isin((pairs * weights).sum(1), (correspondences * weights).sum(1))
