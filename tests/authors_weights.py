"""Writers of ``.pth`` files of exactly the structure that the released programs leave.

Structure: PointContrast ``pretrain/pointcontrast/lib/ddp_trainer.py`` and
``downstream/semseg/lib/utils.py checkpoint``: a dictionary with ``state_dict``, an optimiser's
state, counts, and an OmegaConf configuration.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import torch

from pointcontrast.backbones import Backbone
from pointcontrast.foreign_weights import hypercube_from_hybrid

BLOCK_KERNEL = re.compile(r"block\d+\.\d+\.conv[12]\.kernel")


def with_strong_centres(backbone: Backbone) -> Backbone:
    """Make the centre of each block kernel larger, as it is in trained ones."""
    with torch.no_grad():
        for name, kernel in backbone.named_parameters():
            if BLOCK_KERNEL.fullmatch(name):
                kernel[13] *= 3
    return backbone


def in_hybrid_order(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state dict of ours as MinkowskiEngine 0.4 would have stored it."""
    places = torch.tensor(hypercube_from_hybrid())
    old = {}
    for name, tensor in state.items():
        old[name] = tensor.clone()
        if BLOCK_KERNEL.fullmatch(name):
            old[name][places] = tensor
    return old


def write_authors_file(
    path: Path,
    state: dict[str, torch.Tensor],
    *,
    prefix: str = "module.",
    key: str = "state_dict",
    legacy: bool = True,
) -> None:
    """Write a checkpoint with a configuration object of a class that is not installed here."""
    module = ModuleType("omegaconf_of_the_authors")
    config_class = type("DictConfig", (), {"__module__": module.__name__})
    module.DictConfig = config_class
    sys.modules[module.__name__] = module
    config = config_class()
    config.content = {"net": {"model": "Res16UNet34C"}}
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.1, momentum=0.9)
    value = {
        "iteration": 60000,
        "epoch": 3,
        "arch": "Res16UNet34C",
        key: {prefix + name: tensor for name, tensor in state.items()},
        "optimizer": optimizer.state_dict(),
        "config": config,
    }
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    del sys.modules[module.__name__]
