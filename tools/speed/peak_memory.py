"""Peak memory of a training step, each engine in a process of its own."""

from __future__ import annotations

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
    """Two training steps from the network's making on, over what the process held before.

    Returns:
        ``<case>_peak_memory_<size>_mb`` of each case, and ``peak_memory_ratio_<size>`` (ours over
        theirs).
    """
    taken = {
        case: in_process_of_its_own(
            _peak_of_two_steps, coordinates.numpy(), variant, engine, checkpointed
        )
        for case, (engine, checkpointed) in CASES.items()
    }
    return {
        **{f"{case}_peak_memory_{size}_mb": round(bytes_ / 1e6) for case, bytes_ in taken.items()},
        f"peak_memory_ratio_{size}": round(taken["native"] / taken["minkowski"], 3),
    }


def _peak_of_two_steps(
    coordinates: object, variant: VariantName, engine: EngineName, checkpointed: bool
) -> float:
    coordinates = torch.as_tensor(coordinates)
    # Once small, for what is loaded when it is first needed.
    warm_up = Res16UNet(3, 32, variant, engine=engine, width=1e-3)
    warm_up.encode(coordinates[:100], torch.ones(100, 3)).sum().backward()
    before = peak_of_process()
    net = Res16UNet(3, 32, variant, engine=engine, checkpoint_activations=checkpointed)
    features = torch.ones(len(coordinates), 3)
    for _ in range(2):
        net.zero_grad()
        net.encode(coordinates, features).sum().backward()
    return peak_of_process() - before
