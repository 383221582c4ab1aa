"""The precisions of Lightning that an engine can train in."""

from __future__ import annotations

from torch import nn

from pointcontrast.backbones import Backbone
from pointcontrast.errors import InputError

FULL = ("32-true", "32", "None")
MIXED = ("bf16-mixed", "16-mixed")


def check_precision(model: nn.Module, precision: str) -> None:
    """Check that a model's backbones can be trained in a precision.

    In mixed precision weights, batch norm, losses and scores stay float32; autocast rounds the
    products of the native engine's convolutions. MinkowskiEngine's have no autocast.

    Args:
        model: Model with one or more backbones.
        precision: Value of ``trainer.precision``.

    Raises:
        InputError: They cannot; the message names the engine and its precisions.
    """
    if precision in FULL:
        return
    engines = {part.engine_name for part in model.modules() if isinstance(part, Backbone)}
    if "minkowski" in engines:
        raise InputError(
            f"trainer.precision {precision}: MinkowskiEngine computes in float32 only; set "
            "model.backbone.engine to native, or trainer.precision to 32-true"
        )
    if precision not in MIXED:
        raise InputError(
            f"trainer.precision {precision}: sparse networks train in 32-true, bf16-mixed or "
            "16-mixed (weights stay float32)"
        )
