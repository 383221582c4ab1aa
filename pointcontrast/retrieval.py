"""Does pretraining work? Label-free checks on pairs of views that were held out.

A good feature finds the same place again in another view. Three figures follow the registration
literature (feature-match recall: Deng et al., PPFNet, CVPR 2018; the protocol with sampled points
is that of FCGF, ICCV 2019); the effective rank (Roy and Vetterli, EUSIPCO 2007) shows a collapse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

SCORES = {
    "top1_accuracy": "top-1 match accuracy",
    "feature_match_recall": "feature-match recall",
    "inlier_ratio": "inlier ratio",
    "positive_similarity": "similarity of matches",
    "negative_similarity": "similarity of others",
    "effective_rank": "effective rank",
}
"""What a run scores, and its titles."""


@dataclass(frozen=True)
class RetrievalScores:
    """Figures of one pair of views, each a fraction or a cosine.

    Attributes:
        top1_accuracy: how often a query's most similar candidate is its own match.
        inlier_ratio: how often the nearest feature of the whole other view lies near the query
            in the world.
        matched: 1 if the inlier ratio is above the threshold, else 0; its mean over many pairs
            is the feature-match recall.
        positive_similarity: mean cosine of true matches.
        negative_similarity: mean cosine of random pairs of places.
    """

    top1_accuracy: float
    inlier_ratio: float
    matched: float
    positive_similarity: float
    negative_similarity: float


def score_pair(
    features0: torch.Tensor,
    features1: torch.Tensor,
    points0: torch.Tensor,
    points1: torch.Tensor,
    correspondences: torch.Tensor,
    generator: torch.Generator,
    *,
    num_candidates: int = 1000,
    inlier_distance: float = 0.1,
    inlier_threshold: float = 0.05,
) -> RetrievalScores:
    """Score the features of one pair of views.

    Top-1 accuracy: up to half of ``num_candidates`` rows of view0 that have a match are the
    queries, each with one match drawn at random. Candidates are ``num_candidates`` rows of view1:
    all these matches, and other rows drawn at random (all rows where the view has no more).
    Candidates that are further true matches of a query are neither right nor wrong: they are left
    out for it.

    Args:
        features0: (N0, C).
        features1: (N1, C).
        points0: (N0, 3) world metres.
        points1: (N1, 3) world metres.
        correspondences: (M, 2) int64, M >= 1.
        generator: source of randomness, on the CPU.
        num_candidates: see above.
        inlier_distance: metres; a nearest feature this close in the world is an inlier.
        inlier_threshold: a pair with a larger inlier ratio counts as matched.

    Returns:
        The scores.
    """
    with torch.autocast(features0.device.type, enabled=False):  # float32 also in mixed precision
        features0 = torch.nn.functional.normalize(features0.float(), dim=1)
        features1 = torch.nn.functional.normalize(features1.float(), dim=1)
        queries, matches = _draw_queries(correspondences, num_candidates // 2, generator)
        candidates = _draw_candidates(matches, len(features1), num_candidates, generator)

        similarity = features0[queries] @ features1[candidates].t()  # (Q, K)
        is_true = _true_matches(correspondences, queries, candidates, len(features1))  # (Q, K)
        is_own = candidates[None, :] == matches[:, None]  # (Q, K)
        best = similarity.masked_fill(is_true & ~is_own, -torch.inf).argmax(dim=1)

        sampled = _draw(len(features0), num_candidates, generator).to(features0.device)
        nearest = _nearest(features0[sampled], features1)
        distance = (points0[sampled] - points1[nearest]).norm(dim=1)
        inlier_ratio = (distance < inlier_distance).float().mean().item()
        return RetrievalScores(
            top1_accuracy=(candidates[best] == matches).float().mean().item(),
            inlier_ratio=inlier_ratio,
            matched=float(inlier_ratio > inlier_threshold),
            positive_similarity=similarity[is_own].mean().item(),
            negative_similarity=similarity[~is_true].mean().item() if (~is_true).any() else 0.0,
        )


def effective_rank(features: torch.Tensor) -> float:
    """How many directions the features fill: exp of the entropy of their normalised spectrum.

    Args:
        features: (N, C), N >= 2.

    Returns:
        1 (all on one line) to C (equal variance in all directions); 1 if all rows are equal.
    """
    centred = features.double() - features.double().mean(dim=0)
    variance = torch.linalg.svdvals(centred).square()
    total = variance.sum()
    if not total > 0:
        return 1.0
    share = variance / total
    return torch.special.entr(share).sum().exp().item()


def collapse_problem(rank: float, num_channels: int, negative_similarity: float) -> str | None:
    """Say what is wrong where the features have collapsed, else None.

    A network whose features fill fewer than two directions, or whose features of random places
    are all but parallel, tells nothing apart, however small the loss.
    """
    if negative_similarity > 0.98:
        return (
            f"features of random places have a mean cosine of {negative_similarity:.3f}: all "
            "places look alike to the network"
        )
    if rank < 2:
        return f"the features' effective rank is {rank:.2f} of {num_channels} channels"
    return None


def mean_scores(scores: Sequence[RetrievalScores]) -> dict[str, float]:
    """Means over pairs, under the names that runs report; ``matched`` becomes a recall."""
    count = len(scores)
    return {
        "top1_accuracy": sum(s.top1_accuracy for s in scores) / count,
        "feature_match_recall": sum(s.matched for s in scores) / count,
        "inlier_ratio": sum(s.inlier_ratio for s in scores) / count,
        "positive_similarity": sum(s.positive_similarity for s in scores) / count,
        "negative_similarity": sum(s.negative_similarity for s in scores) / count,
    }


def _draw(population: int, count: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randperm(population, generator=generator)[:count]


def _draw_queries(
    correspondences: torch.Tensor, count: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Distinct rows of view0 and for each a match: shuffled, the first of each row's matches."""
    shuffled = correspondences[
        _draw(len(correspondences), len(correspondences), generator).to(correspondences.device)
    ]
    order = torch.argsort(shuffled[:, 0], stable=True)
    rows = shuffled[order, 0]
    first = torch.ones_like(rows, dtype=torch.bool)
    first[1:] = rows[1:] != rows[:-1]
    chosen = shuffled[order[first]]
    kept = _draw(len(chosen), count, generator).to(chosen.device)
    return chosen[kept, 0], chosen[kept, 1]


def _draw_candidates(
    matches: torch.Tensor, num_rows: int, count: int, generator: torch.Generator
) -> torch.Tensor:
    """All matches, topped up with other rows to ``count``."""
    wanted = torch.unique(matches)
    is_wanted = torch.zeros(num_rows, dtype=torch.bool, device=matches.device)
    is_wanted[wanted] = True
    others = torch.nonzero(~is_wanted).squeeze(1)
    extra = others[_draw(len(others), max(0, count - len(wanted)), generator).to(matches.device)]
    return torch.cat([wanted, extra])


def _true_matches(
    correspondences: torch.Tensor, queries: torch.Tensor, candidates: torch.Tensor, num_rows: int
) -> torch.Tensor:
    """(Q, K) bool: which candidates are true matches of which queries."""
    keys = correspondences[:, 0] * num_rows + correspondences[:, 1]
    return torch.isin(queries[:, None] * num_rows + candidates[None, :], keys)


def _nearest(queries: torch.Tensor, features: torch.Tensor, chunk: int = 1024) -> torch.Tensor:
    """Row of the most similar feature for each query."""
    return torch.cat([(part @ features.t()).argmax(dim=1) for part in queries.split(chunk)])
