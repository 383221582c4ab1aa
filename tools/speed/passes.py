"""A large batch on one device: at once, in passes, and as accumulated parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from pointcontrast.backbones import Res16UNet
from pointcontrast.backbones.res16unet_variants import VariantName
from pointcontrast.data.collate import collate_pairs
from pointcontrast.data.module import PairDataModule
from pointcontrast.errors import InputError
from pointcontrast.losses import PointInfoNCE
from pointcontrast.pretrain import PointContrast
from pointcontrast.process_memory import in_process_of_its_own
from pointcontrast.sparse import EngineName, get_engine
from pointcontrast.types import PairBatch, PairSample
from tools.speed.peak_memory import peak_of_two_steps, warm_up
from tools.speed.recorded_data import Rooms, prepared_pairs
from tools.speed.timing import Figures, ratios, repeated, require_rounds, seconds_of, spread

Step = Callable[[], object]


def benchmark_passes(
    root: Path | None,
    num_pairs: int,
    pairs_a_pass: int,
    rounds: int,
    voxel_size: float,
    variant: VariantName,
    engines: list[EngineName],
    generated_rooms: int = 4,
    generated_frames: int = 40,
) -> Figures:
    """Time and memory of a training step's loss and gradient on one batch, in three ways.

    ``whole`` encodes the batch at once; ``passes`` is model.pairs_a_pass, with the same negatives;
    ``parts`` is what trainer.accumulate_grad_batches does, each part with its own negatives. The
    loss is PointInfoNCE as released. Times are measured in turn in one process. Peaks are those of
    two steps in a process of their own, over what it held with the batch and the network.

    Args:
        root: Prepared folder, or None; see :func:`prepared_pairs`.
        num_pairs: Pairs in the batch, evenly spaced in the folder's list.
        pairs_a_pass: Pairs per pass, and per part.
        rounds: Rounds of all ways in turn, after one that is not counted; at least 2.
        voxel_size: Metres.
        variant: Variant of Res16UNet.
        engines: Engines to measure.
        generated_rooms: Rooms to generate where there are no recorded scans.
        generated_frames: Frames per room.

    Returns:
        For each engine and way ``<engine>_<way>_ms_*`` and ``<engine>_<way>_peak_mb``; and for each
        engine ``<engine>_passes_time_ratio`` and ``<engine>_passes_memory_ratio`` (passes over
        whole).

    Raises:
        InputError: A number is out of range, or an engine is missing.
    """
    require_rounds("rounds", rounds)
    if not 1 <= pairs_a_pass <= num_pairs:
        raise InputError(f"--pairs-a-pass {pairs_a_pass} must be in 1..{num_pairs} (--num-pairs)")
    for engine in engines:
        get_engine(engine)
    with prepared_pairs(root, Rooms(generated_rooms, generated_frames)) as folder:
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
    """The settings that the three ways share."""

    engine: EngineName
    variant: VariantName
    pairs_a_pass: int

    def steps(self, samples: list[PairSample]) -> dict[str, Step]:
        """The step of each way: the loss and the gradients of one network."""
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
    seconds = repeated(
        lambda: {way: seconds_of(step) for way, step in steps.items()}, rounds, engine
    )
    figures: Figures = {}
    for way, taken in seconds.items():
        figures |= spread(f"{engine}_{way}", taken)
    name = f"{engine}_passes_time_ratio"
    return figures | ratios(name, seconds["passes"], seconds["whole"], digits=3)


def _peaks(samples: list[PairSample], recipe: _Recipe) -> Figures:
    ways = ("whole", "passes", "parts")
    peaks = {way: in_process_of_its_own(_peak_of_way, samples, recipe, way) for way in ways}
    engine = recipe.engine
    return {
        **{f"{engine}_{way}_peak_mb": round(peak / 1e6) for way, peak in peaks.items()},
        f"{engine}_passes_memory_ratio": round(peaks["passes"] / peaks["whole"], 3),
    }


def _peak_of_way(samples: list[PairSample], recipe: _Recipe, way: str) -> float:
    warm_up(collate_pairs(samples[:1]).view0.coordinates, recipe.variant, recipe.engine)
    step = recipe.steps(samples)[way]
    return peak_of_two_steps(lambda: step)
