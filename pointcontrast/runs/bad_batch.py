"""The batch at which a loss or gradient stopped being finite: saved, and its loss reproduced.

``bad_batch_step_000123.pt`` holds the batch, the weights before the step, and the key of the
step's randomness, as plain values and tensors: reading it runs no code. The command that wrote it,
with ``--reproduce FILE`` added, computes the same loss from it.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import torch

from pointcontrast.errors import InputError
from pointcontrast.files import atomic_file
from pointcontrast.runs.trained_module import TrainedModule
from pointcontrast.weights.torch_file import write_torch_file

FORMAT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class BadBatch:
    """The inputs of a loss, to compute it again.

    Attributes:
        batch: Batch of the step, on the CPU.
        key: Key of the step's randomness, see :meth:`TrainedModule.loss_of`.
        seed: Seed of the run.
        loss: Loss of the step.
        state_dict: Weights of the module before the step, on the CPU.
        architecture: See :func:`pointcontrast.runs.architecture.describe_architecture`.
    """

    batch: Any
    key: tuple[int, ...]
    seed: int
    loss: float
    state_dict: dict[str, torch.Tensor]
    architecture: dict[str, Any]


def bad_batch_path(folder: Path, step: int, rank: int, num_ranks: int) -> Path:
    """Return the file for the batch of a step."""
    suffix = f"_rank{rank}" if num_ranks > 1 else ""
    return folder / f"bad_batch_step_{step:06d}{suffix}.pt"


def write_bad_batch(path: Path, bad: BadBatch) -> None:
    """Write a bad batch, atomically."""
    with atomic_file(path) as partial:
        write_torch_file({"format_version": FORMAT_VERSION, **_plain(bad)}, partial)


def read_bad_batch(path: Path, batch_class: type) -> BadBatch:
    """Read a file of :func:`write_bad_batch`.

    Raises:
        InputError: The file is missing, damaged, or holds something else.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist")
    try:
        value = torch.load(path, map_location="cpu", weights_only=True)
        if value["format_version"] > FORMAT_VERSION:
            raise ValueError(f"format version {value['format_version']}")
        del value["format_version"]
        value["batch"] = _from_plain(batch_class, value["batch"])
        return BadBatch(**value)
    except Exception as error:  # a damaged file can fail anywhere in the reader
        raise InputError(
            f"{path} is not a batch that this command saved ({type(error).__name__}: {error})"
        ) from error


def reproduce(bad: BadBatch, module: TrainedModule) -> str:
    """Compute the loss and the gradients of a saved batch again.

    Args:
        bad: The saved batch.
        module: Module of the run's configuration, on any device; its weights and seed are
            replaced.

    Returns:
        A text with the losses then and now.
    """
    module.load_state_dict(bad.state_dict)
    module.seed = bad.seed
    module.train()
    module.zero_grad()
    loss = module.loss_of(bad.batch.to(module.device), bad.key).loss
    loss.backward()
    wrong = not_finite({name: p.grad for name, p in module.named_parameters()})
    return (
        f"step {bad.key[0]} on {', '.join(bad.batch.names)}, then: loss {bad.loss!r}\n"
        f"now: loss {loss.item()!r}, gradients not finite: {wrong or 'none'}"
    )


def not_finite(values: Mapping[str, torch.Tensor | None]) -> list[str]:
    """Return the names of the values that contain NaN or infinity."""
    return [
        name
        for name, value in values.items()
        if value is not None and value.is_floating_point() and not torch.isfinite(value).all()
    ]


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return value.detach().cpu() if isinstance(value, torch.Tensor) else value


def _from_plain(kind: Any, value: Any) -> Any:
    if is_dataclass(kind):
        # pointcontrast.types imports torch for type checkers only
        hints = typing.get_type_hints(kind, localns={"torch": torch})
        return typing.cast(type, kind)(
            **{name: _from_plain(hints[name], item) for name, item in value.items()}
        )
    if typing.get_origin(kind) is tuple:
        return tuple(_from_plain(typing.get_args(kind)[0], item) for item in value)
    return value
