"""Which of Lightning's precisions an engine can train in."""

from __future__ import annotations

from torch import nn

from pointcontrast.backbones import Backbone
from pointcontrast.errors import InputError

FULL = ("32-true", "32", "None")
MIXED = ("bf16-mixed", "16-mixed")


def check_precision(model: nn.Module, precision: str) -> None:
    """Check that a model's backbones can be trained in a precision.

    In mixed precision weights, batch norm, losses and scores stay float32; what autocast rounds
    are the products of the native engine's convolutions. MinkowskiEngine's know no autocast.

    Args:
        model: with its backbones.
        precision: Lightning's word for it, as ``trainer.precision`` has it.

    Raises:
        InputError: they cannot; the message names the engine and what it can.
    """
    if precision in FULL:
        return
    engines = {part.engine_name for part in model.modules() if isinstance(part, Backbone)}
    if "minkowski" in engines:
        raise InputError(
            f"trainer.precision {precision}: MinkowskiEngine computes in float32 alone; set "
            "model.backbone.engine to native, or trainer.precision to 32-true"
        )
    if precision not in MIXED:
        raise InputError(
            f"trainer.precision {precision}: sparse networks train in 32-true, bf16-mixed or "
            "16-mixed (weights stay float32)"
        )
