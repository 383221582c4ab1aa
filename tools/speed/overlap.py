"""The overlaps of all pairs of a scene's views: ours and the authors' loop."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pointcontrast.errors import InputError
from pointcontrast.scenes.overlap import RADIUS_IN_VOXELS, OverlapMode, Overlaps
from pointcontrast.types import OVERLAP_THRESHOLD, OVERLAP_VOXEL_SIZE
from tools.speed.overlap_scene import SHIFT, TURN, read_scene
from tools.speed.recorded_data import kitchen_or_room
from tools.speed.store_size import store_disk_ratio
from tools.speed.timing import Figures, Times

NEAR = 0.05  # distance from the threshold of the pairs that are hard to decide
Clouds = list[NDArray[np.float32]]
Pairs = NDArray[np.int64]


def benchmark_overlap(
    frames: list[Path] | None,
    views: int,
    sample_pairs: int,
    rounds: int,
    generated_frames: int = 100,
) -> Figures:
    """From points in memory to the overlap matrix, ours and the authors', on one thread.

    The authors' (``tests/oracles/overlap.py``) is timed in parts, in turn with ours: the
    down-sampling and the KD-tree of sampled views, once per view as in their code, and the loop
    over points of sampled pairs, in both directions. The median per view and the mean per pair
    are scaled by the numbers of views and pairs. Reading and writing files is left out on both
    sides.

    Args:
        frames: Folders of posed RGB-D frames in one world frame; None takes
            :func:`kitchen_or_room`.
        views: Number of views.
        sample_pairs: Number of pairs that the authors' loop is timed and compared on.
        rounds: Rounds of ours, fast and exact; the authors' pairs are spread over them.
        generated_frames: Frames of the generated room, where it is used.

    Returns:
        ``overlap_speedup`` (fast), ``overlap_speedup_exact``;
        ``overlap_speedup_without_downsampling`` and ``.._exact_..``, the strictest reading:
        the authors' loops alone over all of ours; ``overlap_exact_max_error`` over the sampled
        pairs; ``overlap_fast_agreement``, the share of all pairs on the same side of the
        threshold as the exact overlap, also of those within 0.05 of it; errors of the fast mode
        over all pairs; seconds of each; the figures of :func:`store_disk_ratio`.

    Raises:
        InputError: ``frames`` has no frames to read, or a number is too small.
    """
    for name, value, least in (
        ("views", views, 2), ("sample-pairs", sample_pairs, 1), ("rounds", rounds, 1),
    ):  # fmt: skip
        if value < least:
            raise InputError(f"--{name} {value} must be {least} or more")
    with tempfile.TemporaryDirectory() as folder:
        frames = frames or [kitchen_or_room(Path(folder), generated_frames)]
        return _measure_scene(frames, views, sample_pairs, rounds)


def _measure_scene(frames: list[Path], views: int, sample_pairs: int, rounds: int) -> Figures:
    clouds, sequences = read_scene(frames, views)
    pairs = np.stack(np.triu_indices(views, 1), axis=1)
    sampled = np.random.default_rng(0).permutation(pairs)[:sample_pairs]
    times, matrices, authors = _measure(clouds, sampled, rounds)
    fast, exact = (matrices[mode][tuple(pairs.T)] for mode in ("fast", "exact"))
    figures = _speedups(times, views, len(pairs))
    errors = matrices["exact"][tuple(sampled.T)] - np.array(authors, np.float32)
    return {
        **figures,
        "overlap_exact_max_error": float(np.abs(errors).max()),
        **_agreement(fast, exact),
        "num_views": views,
        "num_points": sum(map(len, clouds)),
        "num_pairs": len(pairs),
        "num_sampled_pairs": len(sampled),
        "rounds": rounds,
        "scene": ", ".join(sequence.name for sequence in sequences),
        "num_frames": sum(map(len, sequences)),
        "repeated_frames_shift_m": SHIFT,
        "repeated_frames_turn_degrees": TURN,
        **store_disk_ratio(sequences[0]),
    }


def _measure(
    clouds: Clouds, sampled: Pairs, rounds: int
) -> tuple[Times, dict[str, NDArray[np.float32]], list[float]]:
    """Seconds of each part, our matrices, and the authors' overlaps of the sampled pairs."""
    times: Times = defaultdict(list)
    matrices: dict[str, NDArray[np.float32]] = {}
    authors: list[float] = []
    _overlaps(clouds[:2], "fast", defaultdict(list))  # a warm-up
    for part in tqdm(np.array_split(sampled, rounds), desc="rounds", unit="round"):
        for mode in ("fast", "exact"):
            matrices[mode] = _overlaps(clouds, mode, times)
        authors += [_authors_overlap(clouds[i], clouds[j], times) for i, j in part]
    return times, matrices, authors


def _overlaps(clouds: Clouds, mode: OverlapMode, times: Times) -> NDArray[np.float32]:
    start = time.perf_counter()
    overlaps = Overlaps(mode)
    for cloud in clouds:
        overlaps.add(cloud)
    middle = time.perf_counter()
    matrix = overlaps.matrix()
    end = time.perf_counter()
    times["downsampling"].append(middle - start)
    times[mode].append(end - start)
    return matrix


def _authors_overlap(
    points0: NDArray[np.float32], points1: NDArray[np.float32], times: Times
) -> float:
    from tests.oracles import overlap as authors

    radius = RADIUS_IN_VOXELS * OVERLAP_VOXEL_SIZE
    down, trees = [], []
    for points in (points0, points1):
        full = np.ascontiguousarray(points, dtype=np.float64)  # as their files hold them
        start = time.perf_counter()
        down.append(authors.down_sample(full, OVERLAP_VOXEL_SIZE))
        trees.append(authors.make_tree(down[-1]))
        times["authors_view"].append(time.perf_counter() - start)
    start = time.perf_counter()
    shares = [authors.matched_share(down[k], trees[1 - k], radius) for k in range(2)]
    times["authors_pair"].append(time.perf_counter() - start)
    return max(shares)


def _speedups(times: Times, num_views: int, num_pairs: int) -> Figures:
    # The mean, not the median: the figure wanted is the sum over all pairs.
    loops = num_pairs * statistics.mean(times["authors_pair"])
    whole = loops + num_views * statistics.median(times["authors_view"])
    figures: Figures = {}
    for mode, suffix in (("fast", ""), ("exact", "_exact")):
        seconds = statistics.median(times[mode])
        figures |= {
            f"overlap_speedup{suffix}": round(whole / seconds, 1),
            f"overlap_speedup{suffix}_without_downsampling": round(loops / seconds, 1),
            f"{mode}_seconds": round(seconds, 4),
            f"{mode}_seconds_min": round(min(times[mode]), 4),
            f"{mode}_seconds_max": round(max(times[mode]), 4),
        }
    if len(times["authors_pair"]) > 1:
        error = statistics.stdev(times["authors_pair"]) / len(times["authors_pair"]) ** 0.5
        figures["authors_pair_ms_standard_error"] = round(1e3 * error, 3)
    return {
        **figures,
        "downsampling_seconds": round(statistics.median(times["downsampling"]), 4),
        "authors_seconds": round(whole, 1),
        "authors_pair_ms_mean": round(1e3 * statistics.mean(times["authors_pair"]), 3),
        "authors_view_ms_median": round(1e3 * statistics.median(times["authors_view"]), 3),
    }


def _agreement(fast: NDArray[np.float32], exact: NDArray[np.float32]) -> Figures:
    same = (fast >= OVERLAP_THRESHOLD) == (exact >= OVERLAP_THRESHOLD)
    near = np.abs(exact - OVERLAP_THRESHOLD) < NEAR
    error = fast - exact
    return {
        "overlap_fast_agreement": round(float(same.mean()), 6),
        "overlap_fast_agreement_near_threshold": round(float(same[near].mean()), 6)
        if near.any()
        else 1.0,
        "num_pairs_near_threshold": int(near.sum()),
        "share_of_pairs_at_threshold": round(float((exact >= OVERLAP_THRESHOLD).mean()), 4),
        "overlap_fast_mean_error": round(float(np.abs(error).mean()), 6),
        "overlap_fast_bias": round(float(error.mean()), 6),
        "overlap_fast_error_99_percent": round(float(np.quantile(np.abs(error), 0.99)), 6),
        "overlap_fast_max_error": round(float(np.abs(error).max()), 6),
    }
