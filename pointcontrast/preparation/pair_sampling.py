"""Sampling of the pairs of many scenes, an equal share per scene.

The authors' ScanNet list has 843 thousand pairs, and their README recommends training on about
20,000 of them. Views of one scene are similar, so every scene contributes the same number of pairs,
and larger scenes make up for scenes that have fewer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pointcontrast.errors import InputError

MAX_PAIRS = 20_000


def check_sampling(max_pairs: int, seed: int) -> None:
    """Check the settings of :func:`sample_pairs`.

    Raises:
        InputError: One of them is negative.
    """
    for option, value in (("--max-pairs", max_pairs), ("--seed", seed)):
        if value < 0:
            raise InputError(f"{option} must be at least 0; got {value}")


def sample_pairs(tables: Mapping[str, pa.Table], max_pairs: int, seed: int) -> pa.Table:
    """Sample pairs of many scenes at random.

    The choice within a scene depends only on the seed, the name and the share of the scene; a
    larger share contains the pairs of a smaller one.

    Args:
        tables: Scene -> its pairs (:func:`pointcontrast.scenes.pairs.read_pair_table`), at least
            one scene.
        max_pairs: Largest number of pairs; 0 takes all.
        seed: Seed of the choice.

    Returns:
        The chosen pairs, scene by scene in the order of their names, in the given order within a
        scene.
    """
    scenes = sorted(tables)
    shares = share_out({scene: len(tables[scene]) for scene in scenes}, max_pairs, seed)
    chosen = []
    for scene in scenes:
        table, share = tables[scene], shares[scene]
        if share < len(table):
            rng = np.random.default_rng([seed, _number_of(scene)])
            table = table.take(np.sort(rng.permutation(len(table))[:share]))
        chosen.append(table)
    return pa.concat_tables(chosen)


def share_out(num_pairs: Mapping[str, int], max_pairs: int, seed: int) -> dict[str, int]:
    """Compute the number of pairs that each scene contributes: the same for all, or all it has.

    Args:
        num_pairs: Scene -> its number of pairs.
        max_pairs: Largest sum; 0 is no limit.
        seed: Seed of the draw of scenes that contribute one more, for the sum to be reached.

    Returns:
        Scene -> its share.
    """
    counts = np.array(list(num_pairs.values()), dtype=np.int64)
    if max_pairs == 0 or counts.sum() <= max_pairs:
        return dict(num_pairs)
    shares = np.minimum(counts, _level(counts, max_pairs))
    able = [
        (_number_of(f"{seed} {s}"), i) for i, s in enumerate(num_pairs) if shares[i] < counts[i]
    ]
    for _, index in sorted(able)[: max_pairs - int(shares.sum())]:
        shares[index] += 1
    return dict(zip(num_pairs, shares.tolist(), strict=True))


def _level(counts: NDArray[np.int64], total: int) -> int:
    """Return the largest number with ``minimum(counts, number).sum() <= total``."""
    ordered = np.sort(counts)
    below = np.concatenate([[0], np.cumsum(ordered)[:-1]])  # sum of the smaller ones
    standing = np.arange(len(ordered), 0, -1)  # number of those that reach the level
    overflows = below + ordered * standing > total
    first = int(np.argmax(overflows))
    return int((total - below[first]) // standing[first])


def _number_of(text: str) -> int:
    """Hash a text to a number, the same on every machine (unlike ``hash``)."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
