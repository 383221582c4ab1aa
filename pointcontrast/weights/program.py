"""Program that wrote a ``.pth`` file, inferred from its keys.

Sources: PointContrast ``pretrain/pointcontrast/lib/ddp_trainer.py _save_checkpoint`` and
``downstream/semseg/lib/utils.py checkpoint``; ContrastiveSceneContexts, the files of the same
names; SpatioTemporalSegmentation ``lib/utils.py checkpoint``; DepthContrast
``utils/main_utils.py CheckpointManager``; Pointcept's SpUNet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from pointcontrast.weights.architecture import STEM

POINTCONTRAST = "PointContrast pretraining"
SCENE_CONTEXTS = "ContrastiveSceneContexts pretraining"
DEPTH_CONTRAST = "DepthContrast"
SCENE_CONTEXTS_FINETUNED = "ContrastiveSceneContexts finetuning"
SEGMENTATION = "SpatioTemporalSegmentation"
FINETUNED = "SpatioTemporalSegmentation, or PointContrast finetuning"
SPUNET = "Pointcept SpUNet"
THIS_PROJECT = "this project"
UNKNOWN = "unknown"

NORMALIZES_OUTPUT = (POINTCONTRAST, SCENE_CONTEXTS)
"""Programs whose features have unit length: both pretrainings set ``normalize_feature``."""


def program_of(
    value: Any, prefix: str, weights: Mapping[str, torch.Tensor], *, own: bool, spconv: bool
) -> str:
    """Identify the program that wrote a file.

    Args:
        value: Content of the file.
        prefix: Prefix of the network's weights.
        weights: Weights by name, without the prefix.
        own: Whether the file has the header of this project.
        spconv: Whether the weights have SpUNet's names.

    Returns:
        One of the names above.
    """
    if own:
        return THIS_PROJECT
    if spconv:
        return SPUNET
    keys = set(value) if isinstance(value, Mapping) else set()
    if "train_criterion" in keys or "trunk." in prefix:
        return DEPTH_CONTRAST
    if {"curr_iter", "state_dict", "scheduler"} <= keys:
        return POINTCONTRAST if "config" in keys else SCENE_CONTEXTS
    if "best_val_miou" in keys:
        return SCENE_CONTEXTS_FINETUNED
    if {"iteration", "epoch", "arch", "state_dict"} <= keys:
        stem = weights[STEM]
        return SEGMENTATION if stem.ndim > 2 and len(stem) == 125 else FINETUNED
    return UNKNOWN
