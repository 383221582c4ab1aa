"""Writers of ``.pth`` files of exactly the structure that the released programs leave.

Structure: PointContrast ``pretrain/pointcontrast/lib/ddp_trainer.py`` and
``downstream/semseg/lib/utils.py checkpoint``: a dictionary with ``state_dict``, an optimiser's
state, counts, and an OmegaConf configuration.
"""

from __future__ import annotations

import re
import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from pointcontrast.backbones import Backbone
from pointcontrast.weights.kernel_order import hypercube_from_hybrid

BLOCK_KERNEL = re.compile(r"block\d+\.\d+\.conv[12]\.kernel")


def with_strong_centres(backbone: Backbone) -> Backbone:
    """Make the centre of each block kernel larger, as it is in trained ones."""
    with torch.no_grad():
        for name, kernel in backbone.named_parameters():
            if BLOCK_KERNEL.fullmatch(name) and len(kernel) == 27:
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
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.1, momentum=0.9)
    value = {
        "iteration": 60000,
        "epoch": 3,
        "arch": "Res16UNet34C",
        key: {prefix + name: tensor for name, tensor in state.items()},
        "optimizer": optimizer.state_dict(),
        "config": _config(),
    }
    _save_with_foreign_classes(value, path, legacy)


def write_checkpoint(path: Path, program: str, state: dict[str, torch.Tensor], *, legacy: bool):
    """Write what one of the four programs leaves after some steps of training.

    Sources: PointContrast ``pretrain/pointcontrast/lib/ddp_trainer.py _save_checkpoint``; CSC, the
    file of the same name; SpatioTemporalSegmentation and CSC ``lib/utils.py checkpoint``;
    DepthContrast ``utils/main_utils.py CheckpointManager``, ``models/base_ssl3d_model.py``,
    ``models/trunks/smlp.py``, ``criterions/nce_loss_moco.py``.
    """
    parameters = [torch.nn.Parameter(w.clone()) for w in state.values() if w.is_floating_point()]
    optimizer = torch.optim.SGD(parameters, lr=0.1, momentum=0.8)
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()  # the momentum buffers are in the file too
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)
    if program == "DepthContrast":
        trunk = {name: w for name, w in state.items() if not name.startswith("final.")}
        head = {
            "head.clf.0.linear.weight": torch.ones(4, 24),
            "head.clf.0.linear.bias": torch.ones(4),
        }
        model = {}
        for index, factor in ((2, 1.0), (3, 0.5)):  # what is trained, and its moving average
            for name, w in {**trunk, **head}.items():
                model[f"module.trunk.{index}.{name}"] = w * factor if w.is_floating_point() else w
        model = {"module.trunk.0.SA_modules.0.mlps.0.layer0.conv.weight": torch.ones(3, 3), **model}
        criterion = {"queue": torch.randn(4, 64), "queue_ptr": torch.zeros(1, dtype=torch.long)}
        value = {"epoch": 400, "model": model, "optimizer": optimizer.state_dict()}
        value["train_criterion"] = criterion
    elif program in ("PointContrast", "ContrastiveSceneContexts"):
        value = {
            "curr_iter": 60000,
            "state_dict": OrderedDict(state),
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
        }
        if program == "PointContrast":
            value["config"] = _config()
    else:
        value = {
            "iteration": 60000,
            "epoch": 101,
            "arch": "Res16UNet34C",
            "state_dict": OrderedDict(state),
            "optimizer": optimizer.state_dict(),
        }
        if program == "ContrastiveSceneContexts finetuning":
            value["best_val_miou"] = np.float64(73.8)
        else:
            value["best_val"] = np.float64(72.2)
        value["best_val_iter"] = 59000
    _save_with_foreign_classes(value, path, legacy)


def _config():
    module = ModuleType("omegaconf_of_the_authors")
    config_class = type("DictConfig", (), {"__module__": module.__name__})
    module.DictConfig = config_class
    sys.modules[module.__name__] = module
    config = config_class()
    config.content = {"net": {"model": "Res16UNet34C", "model_n_out": 32}}
    return config


def _save_with_foreign_classes(value: dict, path: Path, legacy: bool) -> None:
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    sys.modules.pop("omegaconf_of_the_authors", None)
