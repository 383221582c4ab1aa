"""Which program wrote a checkpoint, as far as its keys tell.

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
OURS = "this project"
UNKNOWN = "not known"

NORMALIZES_OUTPUT = (POINTCONTRAST, SCENE_CONTEXTS)
"""Their features have unit length: the pretraining of both sets ``normalize_feature``."""


def program_of(
    value: Any, prefix: str, weights: Mapping[str, torch.Tensor], *, ours: bool, spconv: bool
) -> str:
    """The program, in words.

    Args:
        value: all that is in the file.
        prefix: of the network's weights.
        weights: without the prefix.
        ours: the file has the header of this project.
        spconv: the weights have SpUNet's names.
    """
    if ours:
        return OURS
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
