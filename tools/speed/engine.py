"""The native engine and MinkowskiEngine: a training step of Res16UNet, its parts, its memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import torch

from pointcontrast.backbones import Res16UNet
from pointcontrast.backbones.res16unet_variants import VariantName
from pointcontrast.errors import InputError
from pointcontrast.sparse import EngineName, get_engine, kernel_library
from tools.speed.convolution_passes import measure_passes
from tools.speed.peak_memory import peak_memory
from tools.speed.recorded_data import Rooms
from tools.speed.timing import (
    Figures,
    Times,
    parts_between,
    repeated,
    require_rounds,
    seconds_of,
    spread,
)
from tools.speed.voxelized_views import batch_of_voxels

ENGINES: tuple[EngineName, ...] = ("native", "minkowski")
IN_CHANNELS, OUT_CHANNELS = 3, 32


def benchmark_engine(
    frames: list[Path] | None,
    num_voxels: list[int],
    voxel_size: float,
    rounds: int,
    variant: VariantName,
    generated_rooms: int = 4,
    generated_frames: int = 40,
) -> Figures:
    """Measure both engines in turn, in one process, on the same voxels and weights.

    Everything is float32. A step is what training does: a sparse tensor of new coordinates, the
    forward pass with its kernel maps, the backward pass of a random gradient, SGD with momentum.
    ``maps`` is the part of the forward pass that a second one on the same coordinates saves,
    measured on a network of the same maps with 8 channels throughout.

    Args:
        frames: Folders of posed RGB-D frames, or None; see :func:`batch_of_voxels`.
        num_voxels: Batch sizes to measure.
        voxel_size: Metres.
        rounds: Rounds of both engines in turn, after one that is not counted; at least 2.
        variant: Variant of the network.
        generated_rooms: Rooms to generate where there are no recorded scans.
        generated_frames: Frames per room.

    Returns:
        By size ``<N>k``: medians and quartiles of each part for each engine in milliseconds. The
        parts are maps, forward, backward, optimizer, step (the last three) and evaluation.
        ``<part>_speedup_<N>k`` (minkowski over native), ``peak_memory_ratio_<N>k`` (native over
        minkowski), and the fractions of the processor's peak that the convolution passes reach.

    Raises:
        InputError: MinkowskiEngine or the compiled kernels are missing, or ``frames`` has none to
            read.
    """
    if not kernel_library.available():
        raise InputError("the compiled kernels are missing; `pip install -e .` builds them")
    require_rounds("rounds", rounds)
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
        coordinates, figures["views"] = batch_of_voxels(
            frames, count, voxel_size, Rooms(generated_rooms, generated_frames)
        )
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
) -> Times:
    """Seconds of ``<engine>_<part>``, both engines in turn."""
    features = torch.rand(len(coordinates), IN_CHANNELS)
    grad = torch.randn(len(coordinates), OUT_CHANNELS) / len(coordinates)
    nets: dict[EngineName, tuple[Res16UNet, torch.optim.Optimizer, Res16UNet]] = {}
    for engine in ENGINES:
        torch.manual_seed(0)
        net = Res16UNet(IN_CHANNELS, OUT_CHANNELS, variant, engine=engine)
        optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
        nets[engine] = net, optimizer, _narrow_net(variant, engine)

    def measure() -> dict[str, float]:
        taken: dict[str, float] = {}
        for engine, (net, optimizer, mapped) in nets.items():
            if "maps" in parts:
                taken[f"{engine}_maps"] = _time_maps(mapped, coordinates)
            for part, seconds in _time_step(net, optimizer, coordinates, features, grad).items():
                taken[f"{engine}_{part}"] = seconds
            if "evaluation" in parts:
                taken[f"{engine}_evaluation"] = _time_evaluation(net, coordinates, features)
        return taken

    return repeated(measure, rounds, title)


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
    seconds = parts_between(marks)
    return {**dict(zip(("forward", "backward", "optimizer"), seconds, strict=True)),
            "step": sum(seconds)}  # fmt: skip


@torch.inference_mode()
def _time_evaluation(net: Res16UNet, coordinates: torch.Tensor, features: torch.Tensor) -> float:
    net.eval()
    return seconds_of(lambda: net.encode(coordinates, features))


@torch.inference_mode()
def _time_maps(net: Res16UNet, coordinates: torch.Tensor) -> float:
    """The first pass over new coordinates minus the second over the same."""
    x = net.engine.sparse_tensor(coordinates, torch.ones(len(coordinates), 1))
    return seconds_of(lambda: net(x)) - seconds_of(lambda: net(x))


def _narrow_net(variant: VariantName, engine: EngineName) -> Res16UNet:
    """The same maps and little arithmetic: 8 channels everywhere."""
    return Res16UNet(1, 1, variant, engine=engine, width=1e-3).eval()


def _compared(times: Times, size: str) -> Figures:
    figures: Figures = {}
    for name, native in times.items():
        engine, part = name.split("_")
        if engine == "native":
            minkowski = times[f"minkowski_{part}"]
            figures |= spread(f"native_{part}_{size}", native)
            figures |= spread(f"minkowski_{part}_{size}", minkowski)
            speedup = statistics.median(minkowski) / statistics.median(native)
            figures[f"{part}_speedup_{size}"] = round(speedup, 2)
    return figures
