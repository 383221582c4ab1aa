"""Peak memory of a training step, each case in a process of its own."""

from __future__ import annotations

from collections.abc import Callable

import torch

from pointcontrast.backbones import Res16UNet
from pointcontrast.backbones.res16unet_variants import VariantName
from pointcontrast.process_memory import in_process_of_its_own, peak_of_process
from pointcontrast.sparse import EngineName
from tools.speed.timing import Figures

CASES: dict[str, tuple[EngineName, bool]] = {
    "native": ("native", False),
    "native_checkpointed": ("native", True),
    "minkowski": ("minkowski", False),
}


def peak_memory(coordinates: torch.Tensor, variant: VariantName, size: str) -> Figures:
    """Two training steps, the network's construction included, over what the process held before.

    Returns:
        ``<case>_peak_memory_<size>_mb`` of each case, and ``peak_memory_ratio_<size>`` (native
        over minkowski).
    """
    taken = {
        case: in_process_of_its_own(
            _peak_of_network, coordinates.numpy(), variant, engine, checkpointed
        )
        for case, (engine, checkpointed) in CASES.items()
    }
    return {
        **{f"{case}_peak_memory_{size}_mb": round(peak / 1e6) for case, peak in taken.items()},
        f"peak_memory_ratio_{size}": round(taken["native"] / taken["minkowski"], 3),
    }


def warm_up(coordinates: torch.Tensor, variant: VariantName, engine: EngineName) -> None:
    """A small training step, for what is loaded at first use; part of no peak."""
    network = Res16UNet(3, 32, variant, engine=engine, width=1e-3)
    network.encode(coordinates[:100], torch.ones(min(100, len(coordinates)), 3)).sum().backward()


def peak_of_two_steps(make_step: Callable[[], Callable[[], object]]) -> float:
    """Bytes that ``make_step`` and two calls of its step add to the process's peak."""
    before = peak_of_process()
    step = make_step()
    for _ in range(2):
        step()
    return peak_of_process() - before


def _peak_of_network(
    coordinates: object, variant: VariantName, engine: EngineName, checkpointed: bool
) -> float:
    coordinates = torch.as_tensor(coordinates)
    warm_up(coordinates, variant, engine)

    def make_step() -> Callable[[], object]:
        network = Res16UNet(3, 32, variant, engine=engine, checkpoint_activations=checkpointed)
        features = torch.ones(len(coordinates), 3)

        def step() -> None:
            network.zero_grad()
            network.encode(coordinates, features).sum().backward()

        return step

    return peak_of_two_steps(make_step)
