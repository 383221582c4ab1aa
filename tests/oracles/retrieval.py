"""Retrieval figures by loops over queries and candidates."""

from __future__ import annotations

import torch


def top1_accuracy(
    features0: torch.Tensor,
    features1: torch.Tensor,
    correspondences: torch.Tensor,
    queries: list[tuple[int, int]],
    candidates: list[int],
) -> float:
    """How often a query's own match beats every candidate that is not a true match of it."""
    truth = {(i, j) for i, j in correspondences.tolist()}
    right = 0
    for query, match in queries:
        best, best_similarity = -1, -2.0
        for candidate in candidates:
            if candidate != match and (query, candidate) in truth:
                continue
            similarity = torch.nn.functional.cosine_similarity(
                features0[query], features1[candidate], dim=0
            ).item()
            if similarity > best_similarity:
                best, best_similarity = candidate, similarity
        right += best == match
    return right / len(queries)
