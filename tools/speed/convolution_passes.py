"""Every convolution pass of a network by itself, as a fraction of the processor's peak."""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch

from pointcontrast.backbones import Res16UNet
from pointcontrast.backbones.res16unet_variants import VariantName
from pointcontrast.sparse import compiled_convolution as compiled
from pointcontrast.sparse import kernel_library, native
from pointcontrast.sparse.kernel_map import KernelMap
from tools.speed.timing import Figures, repeated, seconds_of

WIDE_CHANNELS, MANY_ROWS = 64, 2000
"""A pass counts as wide from these numbers of channels and rows on, on both sides."""
Layers = dict[tuple[str, int, int], KernelMap]
"""The distinct convolutions of a network by name, input channels and output channels."""


def measure_passes(
    coordinates: torch.Tensor, variant: VariantName, rounds: int, size: str
) -> Figures:
    """Time each pass of each distinct convolution of a Res16UNet, and the peak between them.

    Args:
        coordinates: (N, 1+D) int32.
        variant: Variant of the network.
        rounds: Rounds of all passes in turn, after one that is not counted.
        size: Part of the figures' names.

    Returns:
        ``fraction_<wide|narrow>_<size>_<layer>_<in>_<out>_<pass>``: operations per second of the
        median pass over the median peak; a wide pass has :data:`WIDE_CHANNELS` and
        :data:`MANY_ROWS` or more. The passes are forward, grad_input and grad_kernel.
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

    def measure() -> dict[str, float]:
        peaks.append(kernel_library.peak(0.2))
        return {name: seconds_of(call) for name, (call, _) in passes.items()}

    times = repeated(measure, rounds, f"{size} voxels, passes")
    peak = statistics.median(peaks)
    return {
        name: round(operations / statistics.median(times[name]) / peak, 3)
        for name, (_, operations) in passes.items()
    }


def _layers(coordinates: torch.Tensor, variant: VariantName) -> Layers:
    """The convolutions of the network that have a kernel map, each distinct one once."""
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
