"""The native engine beside MinkowskiEngine: a training step of Res16UNet, its parts, its memory."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import cast

import torch
from tqdm import tqdm

from pointcontrast.backbones import Res16UNet
from pointcontrast.backbones.res16unet_variants import VariantName
from pointcontrast.errors import InputError
from pointcontrast.sparse import EngineName, get_engine, kernel_library
from tools.speed.convolution_passes import measure_passes
from tools.speed.peak_memory import peak_memory
from tools.speed.timing import Figures, spread
from tools.speed.voxelized_views import batch_of_voxels

ENGINES: tuple[EngineName, ...] = ("native", "minkowski")
IN_CHANNELS, OUT_CHANNELS = 3, 32
Times = dict[str, list[float]]
"""Seconds by part of a step: maps, forward, backward, optimizer, step (all of them), evaluation."""


def benchmark_engine(
    frames: list[Path] | None,
    num_voxels: list[int],
    voxel_size: float,
    rounds: int,
    variant: VariantName,
) -> Figures:
    """Measure both engines in turn, in one process, on the same voxels and weights.

    Everything is float32. A step is what training does: a sparse tensor of new coordinates, the
    forward pass with its kernel maps, the backward pass of a random gradient, SGD with momentum.
    ``maps`` is the part of the forward pass that a second one on the same coordinates saves,
    measured on a network of the same maps with 8 channels throughout.

    Args:
        frames: folders of posed RGB-D frames, or None; see :func:`batch_of_voxels`.
        num_voxels: the sizes.
        voxel_size: metres.
        rounds: of both engines in turn, after one that is not counted; at least 2.
        variant: of the network.

    Returns:
        By size ``<N>k``: medians and quartiles of each part for each engine in milliseconds,
        ``<part>_speedup_<N>k`` (theirs over ours), ``peak_memory_ratio_<N>k`` (ours over theirs)
        and the fractions of the processor's peak that the convolution passes reach.

    Raises:
        InputError: MinkowskiEngine or the compiled kernels are missing, or ``frames`` is wrong.
    """
    if not kernel_library.available():
        raise InputError("the compiled kernels are not there; `pip install -e .` builds them")
    if rounds < 2:
        raise InputError(f"--rounds {rounds} must be 2 or more, for medians and quartiles")
    for engine in ENGINES:
        get_engine(engine)
    fastest = kernel_library.instruction_set()
    figures: Figures = {
        "instruction_set": fastest,
        "num_threads": torch.get_num_threads(),
        "rounds": rounds,
        "variant": variant,
        "voxel_size": voxel_size,
        "peak_gflops": round(kernel_library.peak() / 1e9, 1),
    }
    fractions: Figures = {}
    for count in num_voxels:
        size = f"{count // 1000}k"
        coordinates, figures["views"] = batch_of_voxels(frames, count, voxel_size)
        figures[f"num_views_{size}"] = int(coordinates[:, 0].max()) + 1
        times = _measure_steps(coordinates, variant, rounds, f"{size} voxels")
        figures |= _compared(times, size)
        fractions |= measure_passes(coordinates, variant, rounds, size)
        figures |= peak_memory(coordinates, variant, size)
        if count == 40_000 and "avx2" in kernel_library.instruction_sets():
            kernel_library.choose_instruction_set("avx2")
            try:
                avx2 = _measure_steps(
                    coordinates, variant, rounds, f"{size} voxels, avx2", ("step",)
                )
            finally:
                kernel_library.choose_instruction_set(fastest)
            figures |= {f"{k}_avx2": v for k, v in _compared(avx2, size).items() if "step" in k}
    wide = [value for name, value in fractions.items() if name.startswith("fraction_wide")]
    if wide:
        figures["kernel_peak_fraction_min"] = min(cast(list[float], wide))
    first, last = (f"native_step_{n // 1000}k_ms_median" for n in (num_voxels[0], num_voxels[-1]))
    figures["step_time_a_voxel_last_over_first"] = round(
        cast(float, figures[last]) / cast(float, figures[first]) * num_voxels[0] / num_voxels[-1], 3
    )
    return figures | fractions


def _measure_steps(
    coordinates: torch.Tensor,
    variant: VariantName,
    rounds: int,
    title: str,
    parts: Iterable[str] = ("maps", "step", "evaluation"),
) -> dict[EngineName, Times]:
    """Rounds of both engines in turn, the first not counted."""
    features = torch.rand(len(coordinates), IN_CHANNELS)
    grad = torch.randn(len(coordinates), OUT_CHANNELS) / len(coordinates)
    nets: dict[EngineName, tuple[Res16UNet, torch.optim.Optimizer, Res16UNet]] = {}
    for engine in ENGINES:
        torch.manual_seed(0)
        net = Res16UNet(IN_CHANNELS, OUT_CHANNELS, variant, engine=engine)
        optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
        nets[engine] = net, optimizer, _narrow_net(variant, engine)
    times: dict[EngineName, Times] = {engine: defaultdict(list) for engine in ENGINES}
    for index in tqdm(range(rounds + 1), desc=title, unit="round"):
        for engine, (net, optimizer, mapped) in nets.items():
            taken: dict[str, float] = {}
            if "maps" in parts:
                taken["maps"] = _time_maps(mapped, coordinates)
            taken |= _time_step(net, optimizer, coordinates, features, grad)
            if "evaluation" in parts:
                taken["evaluation"] = _time_evaluation(net, coordinates, features)
            if index:
                for part, seconds in taken.items():
                    times[engine][part].append(seconds)
    return times


def _time_step(
    net: Res16UNet,
    optimizer: torch.optim.Optimizer,
    coordinates: torch.Tensor,
    features: torch.Tensor,
    grad: torch.Tensor,
) -> dict[str, float]:
    net.train()
    marks = [time.perf_counter()]
    optimizer.zero_grad()
    out = net.encode(coordinates, features)
    marks.append(time.perf_counter())
    out.backward(grad)
    del out
    marks.append(time.perf_counter())
    optimizer.step()
    marks.append(time.perf_counter())
    seconds = [b - a for a, b in pairwise(marks)]
    return {**dict(zip(("forward", "backward", "optimizer"), seconds, strict=True)),
            "step": sum(seconds)}  # fmt: skip


@torch.inference_mode()
def _time_evaluation(net: Res16UNet, coordinates: torch.Tensor, features: torch.Tensor) -> float:
    net.eval()
    start = time.perf_counter()
    net.encode(coordinates, features)
    return time.perf_counter() - start


@torch.inference_mode()
def _time_maps(net: Res16UNet, coordinates: torch.Tensor) -> float:
    """The first pass over new coordinates less the second over the same."""
    x = net.engine.sparse_tensor(coordinates, torch.ones(len(coordinates), 1))
    marks = [time.perf_counter()]
    for _ in range(2):
        net(x)
        marks.append(time.perf_counter())
    return (marks[1] - marks[0]) - (marks[2] - marks[1])


def _narrow_net(variant: VariantName, engine: EngineName) -> Res16UNet:
    """The same maps and next to no arithmetic: 8 channels everywhere."""
    return Res16UNet(1, 1, variant, engine=engine, width=1e-3).eval()


def _compared(times: dict[EngineName, Times], size: str) -> Figures:
    figures: Figures = {}
    for part in times["native"]:
        ours, theirs = times["native"][part], times["minkowski"][part]
        for engine, seconds in (("native", ours), ("minkowski", theirs)):
            figures |= spread(f"{engine}_{part}_{size}", seconds)
        figures[f"{part}_speedup_{size}"] = round(
            statistics.median(theirs) / statistics.median(ours), 2
        )
    return figures
