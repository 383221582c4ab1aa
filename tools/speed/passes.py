"""A large batch on one device: at once, in passes, and as accumulated parts."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from pointcontrast.backbones import Res16UNet
from pointcontrast.backbones.res16unet_variants import VariantName
from pointcontrast.data.collate import collate_pairs
from pointcontrast.data.module import PairDataModule
from pointcontrast.errors import InputError
from pointcontrast.losses import PointInfoNCE
from pointcontrast.pretrain import PointContrast
from pointcontrast.process_memory import in_process_of_its_own, peak_of_process
from pointcontrast.sparse import EngineName, get_engine
from pointcontrast.types import PairBatch, PairSample
from tools.speed.prepared_pairs import prepared_or_made
from tools.speed.timing import Figures, spread

Step = Callable[[], object]


def benchmark_passes(
    root: Path | None,
    num_pairs: int,
    pairs_a_pass: int,
    rounds: int,
    voxel_size: float,
    variant: VariantName,
    engines: list[EngineName],
) -> Figures:
    """Time and memory of a training step's loss and gradient on one batch, in three ways.

    ``whole`` encodes the batch at once; ``passes`` is model.pairs_a_pass, with the same negatives;
    ``parts`` is what trainer.accumulate_grad_batches does, each part with its own negatives. The
    loss is PointInfoNCE as released. Times are of all ways in turn in one process; peaks are of a
    process each, of two steps, over what it held with the batch and the network.

    Args:
        root: a prepared folder; None prepares the real scans beside the checkout, or else
            generated rooms, for the time of the benchmark.
        num_pairs: of the batch, at even distances in the list.
        pairs_a_pass: and a part.
        rounds: of all ways in turn, after one that is not counted; at least 2.
        voxel_size: metres.
        variant: of Res16UNet.
        engines: to measure.

    Returns:
        For each engine and way ``<engine>_<way>_ms_*`` and ``<engine>_<way>_peak_mb``; and for each
        engine ``<engine>_passes_time_ratio`` and ``<engine>_passes_memory_ratio`` (passes over
        whole).

    Raises:
        InputError: a number is out of range, or an engine is missing.
    """
    if rounds < 2:
        raise InputError(f"--rounds {rounds} must be 2 or more, for medians and quartiles")
    if not 1 <= pairs_a_pass <= num_pairs:
        raise InputError(f"--pairs-a-pass {pairs_a_pass} must be in 1..{num_pairs} (--num-pairs)")
    for engine in engines:
        get_engine(engine)
    with prepared_or_made(root) as folder:
        samples = _samples(folder, num_pairs, voxel_size)
        figures: Figures = {
            "num_pairs": num_pairs,
            "pairs_a_pass": pairs_a_pass,
            "num_voxels": sum(len(s.view0.coordinates) + len(s.view1.coordinates) for s in samples),
            "voxel_size": voxel_size,
            "variant": variant,
            "num_threads": torch.get_num_threads(),
            "rounds": rounds,
        }
        for engine in engines:
            recipe = _Recipe(engine, variant, pairs_a_pass)
            figures |= _times(samples, recipe, rounds)
            figures |= _peaks(samples, recipe)
    return figures


@dataclass(frozen=True)
class _Recipe:
    """What the three ways have in common."""

    engine: EngineName
    variant: VariantName
    pairs_a_pass: int

    def steps(self, samples: list[PairSample]) -> dict[str, Step]:
        """What each way runs on them: the loss and the gradients of one network."""
        torch.manual_seed(0)
        backbone = Res16UNet(3, 32, self.variant, engine=self.engine, normalize_output=True)
        whole = PointContrast(backbone, PointInfoNCE())
        passes = PointContrast(backbone, PointInfoNCE(), pairs_a_pass=self.pairs_a_pass)
        batch = [collate_pairs(samples)]
        parts = [
            collate_pairs(samples[first : first + self.pairs_a_pass])
            for first in range(0, len(samples), self.pairs_a_pass)
        ]
        return {
            "whole": partial(_step, whole, batch),
            "passes": partial(_step, passes, batch),
            "parts": partial(_step, whole, parts),
        }


def _step(model: PointContrast, batches: list[PairBatch]) -> None:
    model.zero_grad()
    for batch in batches:
        (model.loss_of(batch, (0, 0, 0)).loss / len(batches)).backward()


def _samples(root: Path, num_pairs: int, voxel_size: float) -> list[PairSample]:
    data = PairDataModule(str(root), voxel_size=voxel_size, holdout_fraction=0)
    data.setup("fit")
    dataset = data.train_dataset
    if len(dataset) < num_pairs:
        raise InputError(f"{root} has {len(dataset)} pairs, too few for --num-pairs {num_pairs}")
    return [dataset[0, i * len(dataset) // num_pairs] for i in range(num_pairs)]


def _times(samples: list[PairSample], recipe: _Recipe, rounds: int) -> Figures:
    engine = recipe.engine
    steps = recipe.steps(samples)
    seconds: dict[str, list[float]] = defaultdict(list)
    for index in tqdm(range(rounds + 1), desc=engine, unit="round"):
        for way, step in steps.items():
            start = time.perf_counter()
            step()
            if index:
                seconds[way].append(time.perf_counter() - start)
    figures: Figures = {}
    for way, taken in seconds.items():
        figures |= spread(f"{engine}_{way}", taken)
    ratios = [a / b for a, b in zip(seconds["passes"], seconds["whole"], strict=True)]
    return {**figures, f"{engine}_passes_time_ratio": round(statistics.median(ratios), 3)}


def _peaks(samples: list[PairSample], recipe: _Recipe) -> Figures:
    ways = ("whole", "passes", "parts")
    peaks = {way: in_process_of_its_own(_peak_of_two_steps, samples, recipe, way) for way in ways}
    engine = recipe.engine
    return {
        **{f"{engine}_{way}_peak_mb": round(peak / 1e6) for way, peak in peaks.items()},
        f"{engine}_passes_memory_ratio": round(peaks["passes"] / peaks["whole"], 3),
    }


def _peak_of_two_steps(samples: list[PairSample], recipe: _Recipe, way: str) -> float:
    # Once small, for what is loaded when it is first needed.
    warm_up = Res16UNet(3, 32, recipe.variant, engine=recipe.engine, width=1e-3)
    view = collate_pairs(samples[:1]).view0
    warm_up.encode(view.coordinates[:100], view.features[:100]).sum().backward()
    step = recipe.steps(samples)[way]
    before = peak_of_process()
    for _ in range(2):
        step()
    return peak_of_process() - before
