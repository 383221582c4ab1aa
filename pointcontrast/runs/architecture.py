"""The architecture that a checkpoint's weights belong to, compared with that of a resumed run."""

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
"""Configuration keys that decide, alone or with the keys below them, the contents of a
checkpoint."""

FREE = ("engine", "checkpoint_activations", "batch_norm_momentum")
"""Arguments of a backbone that may change from one start of a run to the next."""

_SHOWN = 3


def describe_architecture(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a configuration that decide the contents of a checkpoint, by key.

    Args:
        config: Resolved configuration, nested mappings of JSON values.
    """
    plain = json.loads(json.dumps(config, default=str))
    return {
        key: value
        for key, value in flat(plain).items()
        if any(key == chosen or key.startswith(f"{chosen}.") for chosen in DECIDING)
        and key.rpartition(".")[2] not in FREE
    }


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten a nested configuration to one value per dotted key."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def check_same_architecture(
    path: Path, saved: Mapping[str, Any] | None, current: Mapping[str, Any]
) -> None:
    """Check that a file was saved by a run of the same architecture.

    Args:
        path: The file, for the message.
        saved: Architecture in the file; None, as in older checkpoints, is not compared.
        current: Architecture of this run's configuration.

    Raises:
        InputError: They differ; the message names the keys and both values.
    """
    differences = "" if saved is None else _differences(saved, current, repr)
    if differences:
        raise InputError(
            f"{path} is of another network or optimiser: it has {differences}; give its values, "
            "or start a new run"
        )


def check_same_weights(checkpoint: Path, model: torch.nn.Module) -> None:
    """Check that a checkpoint's weights have the names and shapes of the model's.

    Raises:
        InputError: They differ; the message names entries and both shapes.
    """
    saved, current = (
        {name: tuple(value.shape) for name, value in weights.items()}
        for weights in (read_state_dict(checkpoint), model.state_dict())
    )
    differences = _differences(
        saved, current, lambda shape: str(shape) if shape is not None else "not at all"
    )
    if differences:
        raise InputError(
            f"{checkpoint} is of another network: it has {differences}; give the configuration "
            "that it was made with, or start a new run"
        )


def _differences(
    saved: Mapping[str, Any], current: Mapping[str, Any], described: Callable[[Any], str]
) -> str:
    """Describe the first few keys whose values differ; empty where none does."""
    found = [
        f"{key} {described(saved.get(key))}, here {described(current.get(key))}"
        for key in dict.fromkeys([*saved, *current])
        if saved.get(key) != current.get(key)
    ]
    more = len(found) - _SHOWN
    return "; ".join(found[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
