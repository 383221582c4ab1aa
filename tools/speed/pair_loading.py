"""Loading a training pair: ours and the authors' loader."""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pointcontrast.data.network_input import NetworkInput
from pointcontrast.data.pair_dataset import PairDataset
from pointcontrast.errors import InputError
from pointcontrast.recordings.layouts import open_merged
from pointcontrast.scenes.pairs import PAIRS_FILE, read_pairs
from pointcontrast.scenes.recorded_views import to_view
from pointcontrast.scenes.view_store import ViewStore
from pointcontrast.types import Pair
from tools.speed.recorded_data import Rooms, prepared_pairs
from tools.speed.timing import Figures, interleaved, ratios, require_rounds, spread


def benchmark_pairs(
    root: Path | None,
    num_pairs: int,
    voxel_size: float,
    rounds: int,
    generated_rooms: int = 4,
    generated_frames: int = 40,
) -> Figures:
    """Load training pairs: our dataset and the authors' loader, on the same pairs.

    Ours: read from the view store, rotate, voxelise, match. The authors' (``tests/oracles/
    authors_loader.py``): read full-resolution ``.npz`` clouds, rotate, voxelise, match by a loop
    over points. Both on one thread, files in the page cache; writing the ``.npz`` is not timed.

    Args:
        root: Prepared folder, or None; see :func:`prepared_pairs`.
        num_pairs: Number of pairs, evenly spaced in the folder's list.
        voxel_size: Metres.
        rounds: Times that each pair is loaded; at least 2.
        generated_rooms: Rooms to generate where there are no recorded scans.
        generated_frames: Frames per room.

    Raises:
        InputError: There are too few rounds, or the frames that ``root`` was prepared from are
            no longer there.
    """
    require_rounds("rounds", rounds)
    with prepared_pairs(root, Rooms(generated_rooms, generated_frames)) as folder:
        return _measure(folder, num_pairs, voxel_size, rounds)


def _measure(root: Path, num_pairs: int, voxel_size: float, rounds: int) -> Figures:
    from tests.oracles import authors_loader

    pairs = read_pairs(root / PAIRS_FILE)
    chosen = [pairs[i] for i in np.linspace(0, len(pairs) - 1, num_pairs).round().astype(int)]
    dataset = PairDataset(
        root, chosen, NetworkInput(voxel_size=voxel_size), match_radius=1.5, seed=0
    )
    matching: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        files = [_write_full_resolution(root, pair, Path(folder)) for pair in tqdm(chosen)]

        def authors(index: int) -> int:
            rng = np.random.default_rng([0, 0, index])  # as in the dataset
            loaded = authors_loader.load_pair(*files[index], voxel_size, rng)
            matching.append(loaded.matching_seconds)
            return len(loaded.correspondences)

        our_times, authors_times = interleaved(lambda i: dataset[0, i], authors, num_pairs, rounds)
        # Without noise both draw the same rotations, and only the points may differ.
        quiet = replace(dataset.network_input, feature_noise=0)
        silent = PairDataset(root, chosen, quiet, match_radius=1.5, seed=0)
        counts = [(len(silent[0, i].correspondences), authors(i)) for i in range(num_pairs)]
    matching = matching[1 : 1 + len(our_times)]  # without those of the warm-up and the counts
    return {
        **ratios("pair_speedup", authors_times, our_times),
        # the strictest reading: all of ours against the authors' loop over points alone
        "pair_speedup_over_matching_alone": round(
            statistics.median(b / a for a, b in zip(our_times, matching, strict=True)), 2
        ),
        **spread("ours", our_times),
        **spread("authors", authors_times),
        **spread("authors_matching", matching),
        "correspondences_ratio": round(statistics.mean(a / b for a, b in counts if b), 4),
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
            np.savez(path, pcd=to_view(frame).cloud.points.astype(np.float64))
        written.append(path)
    return written[0], written[1]
