"""Our figures beside the reference's, measured in one run: ``tools/benchmark.py``.

Each benchmark runs ours and theirs in turn on the same input and reports medians, spread and
ratios, so that they hold when the machine's speed drifts. It is never a test.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pointcontrast.errors import InputError, run_command
from pointcontrast.files import write_json
from pointcontrast.network_input import NetworkInput
from pointcontrast.pair_dataset import PairDataset
from pointcontrast.pairs import PAIRS_FILE, read_pairs
from pointcontrast.rgbd import open_merged
from pointcontrast.types import Pair
from pointcontrast.view_store import ViewStore
from pointcontrast.views import frame_to_view

Figures = dict[str, float | int | str]


def interleaved(
    ours: Callable[[int], object], theirs: Callable[[int], object], count: int, rounds: int
) -> tuple[list[float], list[float]]:
    """Seconds of each call, ours and theirs in turn on items 0..count-1, after a warm-up."""
    ours(0)
    theirs(0)
    times: tuple[list[float], list[float]] = ([], [])
    for index in tqdm([i for _ in range(rounds) for i in range(count)], desc="rounds", unit="pair"):
        for call, taken in zip((ours, theirs), times, strict=True):
            start = time.perf_counter()
            call(index)
            taken.append(time.perf_counter() - start)
    return times


def spread(name: str, seconds: list[float]) -> Figures:
    """Median and quartiles of some times, in milliseconds."""
    low, middle, high = statistics.quantiles(seconds, n=4)
    return {
        f"{name}_ms_median": round(1e3 * middle, 3),
        f"{name}_ms_quartile_low": round(1e3 * low, 3),
        f"{name}_ms_quartile_high": round(1e3 * high, 3),
    }


def benchmark_pairs(root: Path, num_pairs: int, voxel_size: float, rounds: int) -> Figures:
    """Load training pairs: our data set against the authors' loader, on the same pairs.

    Ours: read from the view store, rotate, voxelise, match. Theirs (``tests/oracles/
    authors_loader.py``): read full-resolution ``.npz`` clouds, rotate, voxelise, match by a loop
    over points. Both on one thread, files in the page cache; writing the ``.npz`` is not timed.

    Raises:
        InputError: the frames that ``root`` was prepared from are no longer there.
    """
    from oracles import authors_loader  # on the path of tools/benchmark.py

    pairs = read_pairs(root / PAIRS_FILE)
    chosen = [pairs[i] for i in np.linspace(0, len(pairs) - 1, num_pairs).round().astype(int)]
    dataset = PairDataset(
        root, chosen, NetworkInput(voxel_size=voxel_size), match_radius=1.5, seed=0
    )
    matching: list[float] = []
    counts: dict[int, tuple[int, int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        files = [_write_full_resolution(root, pair, Path(folder)) for pair in tqdm(chosen)]

        def ours(index: int) -> None:
            counts[index] = (len(dataset[0, index].correspondences), counts.get(index, (0, 0))[1])

        def theirs(index: int) -> None:
            loaded = authors_loader.load_pair(*files[index], voxel_size, np.random.default_rng(0))
            matching.append(loaded.matching_seconds)
            counts[index] = (counts[index][0], len(loaded.correspondences))

        our_times, their_times = interleaved(ours, theirs, num_pairs, rounds)
    ratios = [b / a for a, b in zip(our_times, their_times, strict=True)]
    matching = matching[1:]  # the first is the warm-up's
    return {
        "pair_speedup": round(statistics.median(ratios), 2),
        "pair_speedup_quartile_low": round(statistics.quantiles(ratios, n=4)[0], 2),
        "pair_speedup_quartile_high": round(statistics.quantiles(ratios, n=4)[2], 2),
        # the strictest reading: all of ours against nothing but their loop over points
        "pair_speedup_over_matching_alone": round(
            statistics.median(b / a for a, b in zip(our_times, matching, strict=True)), 2
        ),
        **spread("ours", our_times),
        **spread("authors", their_times),
        **spread("authors_matching", matching),
        "correspondences_ratio": round(statistics.mean(a / b for a, b in counts.values() if b), 4),
        "num_pairs": num_pairs,
        "rounds": rounds,
        "voxel_size": voxel_size,
    }


def _write_full_resolution(root: Path, pair: Pair, folder: Path) -> tuple[Path, Path]:
    """The pair's clouds as the authors' extraction leaves them: float64 ``.npz``, key ``pcd``."""
    store = ViewStore(root / pair.scene)
    source = Path(store.meta.source["folder"])
    if not source.is_dir():
        raise InputError(
            f"{source}, which {root} was prepared from, is not there; the reference needs the "
            "frames at full resolution"
        )
    sequence = open_merged(source)  # of one folder too
    written = []
    for view in (pair.view0, pair.view1):
        path = folder / f"{pair.scene.replace('/', '_')}_{view}.npz"
        if not path.exists():
            frame = sequence.read(sequence.frame_ids.index(store.meta.frame_ids[view]))
            np.savez(path, pcd=frame_to_view(frame, storage_grid=0).points.astype(np.float64))
        written.append(path)
    return written[0], written[1]


def main(argv: list[str] | None = None) -> int:
    """Run one benchmark, print its figures, and write them as one flat JSON object."""
    parser = argparse.ArgumentParser(prog="benchmark.py", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    pairs = commands.add_parser("pairs", help="loading a training pair")
    pairs.add_argument("--root", type=Path, required=True, help="a prepared folder of real scenes")
    pairs.add_argument("--num-pairs", type=int, default=16)
    pairs.add_argument("--rounds", type=int, default=5)
    pairs.add_argument("--voxel-size", type=float, default=0.025, help="metres")
    pairs.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args(argv)

    def run() -> int:
        figures: dict[str, Any] = benchmark_pairs(
            arguments.root, arguments.num_pairs, arguments.voxel_size, arguments.rounds
        )
        print(json.dumps(figures, indent=2))
        if arguments.json is not None:
            write_json(arguments.json, figures)
        return 0

    return run_command(run)
