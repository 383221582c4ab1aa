"""What a checkpoint's weights are of, and whether a run that goes on from it has the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from pointcontrast.errors import InputError
from pointcontrast.runs.checkpoints import read_state_dict

DECIDING = (
    "data.features",
    "model.backbone",
    "model.head",
    "model.mode",
    "model.loss.class_path",
    "model.loss.init_args.learn_temperature",
    "model.optimizer.class_path",
)
"""Configuration keys that decide, alone or with those below them, what a checkpoint holds."""

FREE = ("engine", "checkpoint_activations", "batch_norm_momentum")
"""Arguments of a backbone that may change from one start of a run to the next."""

_SHOWN = 3


def describe_architecture(config: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a resolved configuration that decide what a checkpoint holds, by key.

    Args:
        config: nested mappings of JSON values.
    """
    plain = json.loads(json.dumps(config, default=str))
    return {
        key: value
        for key, value in flat(plain).items()
        if any(key == chosen or key.startswith(f"{chosen}.") for chosen in DECIDING)
        and key.rpartition(".")[2] not in FREE
    }


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested configuration as one value for each dotted key."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def check_same_architecture(
    path: Path, theirs: Mapping[str, Any] | None, ours: Mapping[str, Any]
) -> None:
    """Check that what was saved in ``path`` is of the network that this run has.

    Args:
        path: the file, for the message.
        theirs: what it says; None, as in older checkpoints, is not compared.
        ours: of this run's configuration.

    Raises:
        InputError: they differ; the message names the keys and both values.
    """
    if theirs is None:
        return
    differences = _differences(theirs, ours, repr)
    if differences:
        raise InputError(
            f"{path} is of another network or optimiser: it has {differences}; give its values, "
            "or start a run anew"
        )


def check_same_weights(checkpoint: Path, model: torch.nn.Module) -> None:
    """Check that a checkpoint's weights are those of ``model`` in name and shape.

    Raises:
        InputError: they are not; the message names an entry and both shapes.
    """
    theirs, ours = (
        {name: tuple(value.shape) for name, value in weights.items()}
        for weights in (read_state_dict(checkpoint), model.state_dict())
    )
    differences = _differences(
        theirs, ours, lambda shape: str(shape) if shape is not None else "not at all"
    )
    if differences:
        raise InputError(
            f"{checkpoint} is of another network: it has {differences}; give the configuration "
            "that it was made with, or start a run anew"
        )


def _differences(
    theirs: Mapping[str, Any], ours: Mapping[str, Any], said: Callable[[Any], str]
) -> str:
    """The first few keys whose values differ, with both; empty where there is none."""
    found = [
        f"{key} {said(theirs.get(key))}, here {said(ours.get(key))}"
        for key in dict.fromkeys([*theirs, *ours])
        if theirs.get(key) != ours.get(key)
    ]
    more = len(found) - _SHOWN
    return "; ".join(found[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
