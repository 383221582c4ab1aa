"""Does pretraining work? Label-free checks on held-out pairs of views.

A good feature finds the same place again in another view. Three figures follow the registration
literature (feature-match recall: Deng et al., PPFNet, CVPR 2018; the protocol with sampled points
is that of FCGF, ICCV 2019); the effective rank (Roy and Vetterli, EUSIPCO 2007) shows a collapse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from pointcontrast.errors import InputError

SCORES = {
    "top1_accuracy": "top-1 match accuracy",
    "feature_match_recall": "feature-match recall",
    "inlier_ratio": "inlier ratio",
    "positive_similarity": "similarity of matches",
    "negative_similarity": "similarity of others",
    "effective_rank": "effective rank",
}
"""Figures of a validation, and their titles."""

NUM_CANDIDATES = 1000
"""Candidates among which validation seeks a match, where a view has as many rows."""

INLIER_DISTANCE = 0.1
"""Metres; that of PPFNet and FCGF, whose voxels measure 2.5 to 5 cm."""


def inlier_distance_at(voxel_size: float) -> float:
    """Return the distance within which a nearest feature is an inlier, for a voxel size, in metres.

    The literature's 0.1 m or two voxels, whichever is larger. FCGF counts inliers within 0.1 m at
    voxels of up to 5 cm, which is two voxels there. A voxel stands for one of its points, so places
    two voxels apart cannot be told apart at any size: within a fixed 0.1 m even perfect features
    would score 0.4 at voxels of 0.3 m.

    Args:
        voxel_size: Edge of a voxel, metres.
    """
    return max(INLIER_DISTANCE, 2 * voxel_size)


def score_titles(scores: Mapping[str, float]) -> dict[str, str]:
    """Return the titles of :data:`SCORES`; that of the inlier ratio has its distance, if known."""
    if "inlier_distance" not in scores:
        return SCORES
    return SCORES | {"inlier_ratio": f"inlier ratio ({scores['inlier_distance']:.3g} m)"}


def candidates_note(scores: Mapping[str, float]) -> str | None:
    """Say among how few candidates top-1 accuracy was measured; None if there were 1,000 or more.

    Among fewer candidates a match is easier to find: with one, every network is right.

    Args:
        scores: Figures of a validation; older ones do not have the number of candidates.
    """
    count = scores.get("num_candidates", NUM_CANDIDATES)
    if count >= NUM_CANDIDATES:
        return None
    return (
        f"top-1 match accuracy is among {count:,.0f} candidates (mean over pairs), not "
        f"{NUM_CANDIDATES:,}: chance is 1 in {max(count, 1):,.0f}, and it cannot be compared with "
        f"accuracy among {NUM_CANDIDATES:,}. Smaller voxels give views more rows"
    )


@dataclass(frozen=True)
class RetrievalScores:
    """Figures of one pair of views, each a fraction or a cosine.

    Attributes:
        top1_accuracy: Fraction of queries whose most similar candidate is their own match.
        inlier_ratio: Fraction of queries whose nearest feature in the whole other view lies near
            them in the world.
        matched: 1 if the inlier ratio is above the threshold, else 0; its mean over many pairs
            is the feature-match recall.
        positive_similarity: Mean cosine of true matches.
        negative_similarity: Mean cosine of random pairs of places.
        num_candidates: Candidates among which the matches were sought.
    """

    top1_accuracy: float
    inlier_ratio: float
    matched: float
    positive_similarity: float
    negative_similarity: float
    num_candidates: int


def score_pair(
    features0: torch.Tensor,
    features1: torch.Tensor,
    points0: torch.Tensor,
    points1: torch.Tensor,
    correspondences: torch.Tensor,
    generator: torch.Generator,
    *,
    num_candidates: int = NUM_CANDIDATES,
    inlier_distance: float = INLIER_DISTANCE,
    inlier_threshold: float = 0.05,
) -> RetrievalScores:
    """Score the features of one pair of views.

    Top-1 accuracy: up to half of ``num_candidates`` rows of view0 that have a match are the
    queries, each with one match drawn at random. Candidates are ``num_candidates`` rows of view1:
    all these matches, and other rows drawn at random (all rows where the view has no more).
    Candidates that are further true matches of a query are neither right nor wrong: they are left
    out for it.

    Args:
        features0: Features of view0, (N0, C), rows of any length.
        features1: Features of view1, (N1, C).
        points0: World points of view0, (N0, 3) metres.
        points1: World points of view1, (N1, 3) metres.
        correspondences: (M, 2) int64, M >= 1.
        generator: Source of randomness, on the CPU.
        num_candidates: Number of candidates, 2 or more.
        inlier_distance: Distance in the world below which a nearest feature is an inlier, metres;
            :func:`inlier_distance_at` gives it for a voxel size.
        inlier_threshold: Inlier ratio above which a pair counts as matched.

    Returns:
        The scores.

    Raises:
        InputError: ``num_candidates`` is less than 2.
    """
    check_num_candidates(num_candidates)
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
            num_candidates=len(candidates),
        )


def check_num_candidates(num_candidates: int) -> None:
    """Refuse fewer than 2 candidates, of which none would be a query's.

    Raises:
        InputError: There are fewer.
    """
    if num_candidates < 2:
        raise InputError(
            f"num_candidates is {num_candidates}; give at least 2: half of them are the matches of "
            "queries"
        )


def effective_rank(features: torch.Tensor) -> float:
    """Return the number of directions that features fill: exp of their spectrum's entropy.

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
    """Describe a collapse of the features, or return None.

    A network whose features fill fewer than two directions, or whose features of random places
    are nearly parallel, tells no places apart, however small the loss.

    Args:
        rank: Effective rank of the features.
        num_channels: Channels of the features.
        negative_similarity: Mean cosine of random pairs of places.
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
    """Average over pairs: :data:`SCORES` (``matched`` becomes a recall) and ``num_candidates``."""
    count = len(scores)
    return {
        "top1_accuracy": sum(s.top1_accuracy for s in scores) / count,
        "feature_match_recall": sum(s.matched for s in scores) / count,
        "inlier_ratio": sum(s.inlier_ratio for s in scores) / count,
        "positive_similarity": sum(s.positive_similarity for s in scores) / count,
        "negative_similarity": sum(s.negative_similarity for s in scores) / count,
        "num_candidates": sum(s.num_candidates for s in scores) / count,
    }


def _draw(population: int, count: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randperm(population, generator=generator)[:count]


def _draw_queries(
    correspondences: torch.Tensor, count: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw distinct rows of view0 and one match of each: the first after shuffling."""
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
    """Return all matches, and other rows up to ``count``."""
    wanted = torch.unique(matches)
    is_wanted = torch.zeros(num_rows, dtype=torch.bool, device=matches.device)
    is_wanted[wanted] = True
    others = torch.nonzero(~is_wanted).squeeze(1)
    extra = others[_draw(len(others), max(0, count - len(wanted)), generator).to(matches.device)]
    return torch.cat([wanted, extra])


def _true_matches(
    correspondences: torch.Tensor, queries: torch.Tensor, candidates: torch.Tensor, num_rows: int
) -> torch.Tensor:
    """Tell which candidates are true matches of which queries, (Q, K) bool."""
    keys = correspondences[:, 0] * num_rows + correspondences[:, 1]
    return torch.isin(queries[:, None] * num_rows + candidates[None, :], keys)


def _nearest(queries: torch.Tensor, features: torch.Tensor, chunk: int = 1024) -> torch.Tensor:
    """Return the row of the most similar feature for each query."""
    return torch.cat([(part @ features.t()).argmax(dim=1) for part in queries.split(chunk)])
