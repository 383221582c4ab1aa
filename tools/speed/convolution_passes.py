"""Every convolution pass of a network by itself, as a fraction of what the processor can do."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from tqdm import tqdm

from pointcontrast.backbones import Res16UNet
from pointcontrast.backbones.res16unet_variants import VariantName
from pointcontrast.sparse import compiled_convolution as compiled
from pointcontrast.sparse import kernel_library, native
from pointcontrast.sparse.kernel_map import KernelMap
from tools.speed.timing import Figures

WIDE_CHANNELS, MANY_ROWS = 64, 2000
"""From so many channels on both sides and rows on both sides a pass counts as wide."""
Layers = dict[tuple[str, int, int], KernelMap]
"""The different convolutions of a network by name, channels in and channels out."""


def measure_passes(
    coordinates: torch.Tensor, variant: VariantName, rounds: int, size: str
) -> Figures:
    """Time each pass of each different convolution of a Res16UNet, and the peak between them.

    Args:
        coordinates: (N, 1+D) int32.
        variant: of the network.
        rounds: of all passes in turn, after one that is not counted.
        size: for the names.

    Returns:
        ``fraction_<wide|narrow>_<size>_<layer>_<in>_<out>_<pass>``: the median pass's operations
        a second over the median peak; wide are :data:`WIDE_CHANNELS` and :data:`MANY_ROWS` or
        more. The passes: forward, grad_input, grad_kernel.
    """
    passes: dict[str, tuple[Callable[[], object], int]] = {}
    for (layer, inputs, outputs), kernel_map in _layers(coordinates, variant).items():
        rows = min(kernel_map.inputs.num_rows, kernel_map.outputs.num_rows)
        is_wide = min(inputs, outputs) >= WIDE_CHANNELS and rows >= MANY_ROWS
        name = f"{'wide' if is_wide else 'narrow'}_{size}_{layer}_{inputs}_{outputs}"
        operations = 2 * int(kernel_map.tap_starts[-1]) * inputs * outputs
        for kind, call in _calls(kernel_map, inputs, outputs).items():
            passes[f"fraction_{name}_{kind}"] = call, operations
    peaks: list[float] = []
    times: dict[str, list[float]] = {name: [] for name in passes}
    for index in tqdm(range(rounds + 1), desc=f"{size} voxels, passes", unit="round"):
        peaks.append(kernel_library.peak(0.2))
        for name, (call, _) in passes.items():
            start = time.perf_counter()
            call()
            if index:
                times[name].append(time.perf_counter() - start)
    peak = statistics.median(peaks)
    return {
        name: round(operations / statistics.median(times[name]) / peak, 3)
        for name, (_, operations) in passes.items()
    }


def _layers(coordinates: torch.Tensor, variant: VariantName) -> Layers:
    """The convolutions of the network that have a kernel map, each shape once."""
    net = Res16UNet(3, 32, variant, engine="native").eval()
    layers: Layers = {}

    def note(module: torch.nn.Module, inputs: tuple[native.NativeSparseTensor], _: object) -> None:
        assert isinstance(module, native.Convolution)
        if not module.is_linear:
            kernel_map, _ = module.kernel_map(inputs[0])
            is_up = isinstance(module, native.ConvolutionTranspose)
            kind = "up" if is_up else "down" if max(module.stride) > 1 else "same"
            rows = kernel_map.outputs.num_rows
            layers[f"{kind}{rows}", module.in_channels, module.out_channels] = kernel_map

    for module in net.modules():
        if isinstance(module, native.Convolution):
            module.register_forward_hook(note)
    with torch.inference_mode():
        net.encode(coordinates, torch.ones(len(coordinates), 3))
    return layers


def _calls(kernel_map: KernelMap, inputs: int, outputs: int) -> dict[str, Callable[[], object]]:
    features = torch.randn(kernel_map.inputs.num_rows, inputs)
    grad = torch.randn(kernel_map.outputs.num_rows, outputs)
    kernel = torch.randn(len(kernel_map.tap_starts) - 1, inputs, outputs)
    forward = kernel_map.entries()
    backward = kernel_map.transposed().entries()
    return {
        "forward": lambda: compiled.convolve(features, kernel, forward),
        "grad_input": lambda: compiled.convolve(grad, kernel, backward, transposed=True),
        "grad_kernel": lambda: compiled.kernel_gradient(features, grad, forward),
    }
