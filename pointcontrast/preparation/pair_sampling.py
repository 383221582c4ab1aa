"""At most so many pairs for the list of all scenes, an equal share from each.

The authors' ScanNet list has 843 thousand pairs, and their README recommends training on about
20,000 of them. Views of one scene are much alike, so what is left out is best spread over the
scenes: each gives the same number, and what small scenes cannot give is shared by the others.
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
        InputError: one of them is negative.
    """
    for option, value in (("--max-pairs", max_pairs), ("--seed", seed)):
        if value < 0:
            raise InputError(f"{option} must be at least 0; got {value}")


def sample_pairs(tables: Mapping[str, pa.Table], max_pairs: int, seed: int) -> pa.Table:
    """Choose at random from the pairs of many scenes.

    Which pairs of a scene are taken depends on the seed, its name and its share alone; a larger
    share takes the same pairs and more.

    Args:
        tables: scene -> its pairs (:func:`pointcontrast.scenes.pairs.read_pair_table`); at least
            one.
        max_pairs: at most this many; 0 takes all.
        seed: of the choice.

    Returns:
        The chosen pairs, scene by scene in the order of their names, and in a scene as given.
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
    """How many pairs each scene gives: one number for all, or all that it has where that is less.

    Args:
        num_pairs: scene -> how many it has.
        max_pairs: in all; 0 is no limit.
        seed: draws the scenes that give one more, so that it comes out even.
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
    """The largest number with ``minimum(counts, number).sum() <= total``: water in a vessel."""
    ordered = np.sort(counts)
    below = np.concatenate([[0], np.cumsum(ordered)[:-1]])  # what the smaller ones give in all
    standing = np.arange(len(ordered), 0, -1)  # they and the larger ones give the level
    overflows = below + ordered * standing > total
    first = int(np.argmax(overflows))
    return int((total - below[first]) // standing[first])


def _number_of(text: str) -> int:
    """A number that belongs to a text on every machine (``hash`` is another in each process)."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
