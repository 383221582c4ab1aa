"""The two losses written out loop by loop in plain Python, and small batches to try them on."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Batch:
    """Unit features of two views, their matches (within scenes, many to many), the scenes' rows."""

    features0: torch.Tensor
    features1: torch.Tensor
    correspondences: torch.Tensor
    offsets0: tuple[int, ...]
    offsets1: tuple[int, ...]


def random_batch(
    seed: int,
    sizes0: tuple[int, ...] = (30, 20, 25),
    sizes1: tuple[int, ...] = (28, 24, 22),
    num_channels: int = 8,
    match_probability: float = 0.1,
    dtype: torch.dtype = torch.float64,
) -> Batch:
    rng = np.random.default_rng(seed)
    offsets0 = (0, *np.cumsum(sizes0).tolist())
    offsets1 = (0, *np.cumsum(sizes1).tolist())
    pairs = [
        (row0, row1)
        for scene in range(len(sizes0))
        for row0 in range(offsets0[scene], offsets0[scene + 1])
        for row1 in rng.permutation(np.arange(offsets1[scene], offsets1[scene + 1]))
        if rng.random() < match_probability
    ]
    return Batch(
        unit_rows(rng, offsets0[-1], num_channels).to(dtype),
        unit_rows(rng, offsets1[-1], num_channels).to(dtype),
        torch.tensor(np.array(pairs), dtype=torch.int64),
        offsets0,
        offsets1,
    )


def unit_rows(rng: np.random.Generator, num_rows: int, num_channels: int) -> torch.Tensor:
    rows = rng.normal(size=(num_rows, num_channels))
    return torch.from_numpy(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def point_info_nce(queries, keys, temperature, scenes=None) -> float:
    queries, keys = queries.tolist(), keys.tolist()
    total = 0.0
    for i, query in enumerate(queries):
        denominator = 0.0
        for j, key in enumerate(keys):
            if scenes is not None and scenes[i] != scenes[j]:
                continue
            product = 0.0
            for a, b in zip(query, key, strict=True):
                product += a * b
            denominator += math.exp(product / temperature)
            if i == j:
                numerator = math.exp(product / temperature)
        total -= math.log(numerator / denominator)
    return total / len(queries)


def hardest_contrastive(
    features0,
    features1,
    correspondences,
    positives,
    pool0,
    pool1,
    positive_margin=0.1,
    negative_margin=1.4,
    negative_weight=1.0,
    scene_offsets=None,
) -> dict[str, float]:
    features0, features1 = features0.tolist(), features1.tolist()
    true_pairs = {tuple(pair) for pair in correspondences.tolist()}
    positive_total = 0.0
    hinges = {"view0": [], "view1": []}
    for i, j in positives.tolist():
        positive_total += max(0.0, _squared(features0[i], features1[j]) - positive_margin)
        # view0's row asks among pool1, then view1's row among pool0
        best, best_distance = None, math.inf
        for candidate in pool1.tolist():
            if scene_offsets and _scene(i, scene_offsets[0]) != _scene(candidate, scene_offsets[1]):
                continue
            distance = math.sqrt(_squared(features0[i], features1[candidate]) + 1e-7)
            if distance < best_distance:
                best, best_distance = candidate, distance
        if best is not None and (i, best) not in true_pairs:
            hinges["view0"].append(max(0.0, negative_margin - best_distance) ** 2)
        best, best_distance = None, math.inf
        for candidate in pool0.tolist():
            if scene_offsets and _scene(j, scene_offsets[1]) != _scene(candidate, scene_offsets[0]):
                continue
            distance = math.sqrt(_squared(features0[candidate], features1[j]) + 1e-7)
            if distance < best_distance:
                best, best_distance = candidate, distance
        if best is not None and (best, j) not in true_pairs:
            hinges["view1"].append(max(0.0, negative_margin - best_distance) ** 2)
    positive = positive_total / len(positives)
    means = [sum(values) / len(values) if values else 0.0 for values in hinges.values()]
    negative = (means[0] + means[1]) / 2
    num_kept = len(hinges["view0"]) + len(hinges["view1"])
    return {
        "loss": positive + negative_weight * negative,
        "positive": positive,
        "negative": negative,
        "dropped": 1 - num_kept / (2 * len(positives)),
    }


def _squared(a: list[float], b: list[float]) -> float:
    total = 0.0
    for x, y in zip(a, b, strict=True):
        total += (x - y) ** 2
    return total


def _scene(row: int, offsets: tuple[int, ...]) -> int:
    return bisect_right(offsets, row) - 1
