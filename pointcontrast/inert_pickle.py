"""Old checkpoints read without running anything that is in them.

A ``.pth`` file is a pickle, and a pickle may call any function when it is read. The unpickler
here builds tensors and plain containers; every other class becomes a stand-in that holds what it
was given and does nothing. The released files hold an OmegaConf configuration beside the weights,
which ``torch.load(weights_only=True)`` refuses.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from typing import Any

import torch


class StandIn:
    """What a class or function in a file becomes: it takes anything and does nothing."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        """Forget what was given."""

    def __call__(self, *arguments: Any, **more: Any) -> StandIn:
        """Another one."""
        return StandIn()

    def __setstate__(self, state: Any) -> None:
        """Forget what was given."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """Forget what was given."""

    def append(self, value: Any) -> None:
        """Forget what was given."""

    def extend(self, values: Any) -> None:
        """Forget what was given."""


_ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): torch._utils._rebuild_tensor,  # pyright: ignore[reportAttributeAccessIssue]
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,  # pyright: ignore[reportAttributeAccessIssue]
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,  # pyright: ignore[reportAttributeAccessIssue]
    ("torch", "Size"): torch.Size,
} | {
    ("torch", name): getattr(torch, name)
    for name in (
        "FloatStorage",
        "DoubleStorage",
        "HalfStorage",
        "LongStorage",
        "IntStorage",
        "ShortStorage",
        "CharStorage",
        "ByteStorage",
        "BoolStorage",
    )
}


class InertUnpickler(pickle.Unpickler):
    """Builds what is allowed, and stand-ins for all else."""

    def find_class(self, module: str, name: str) -> Any:
        """The class or function of that name if it is harmless."""
        return _ALLOWED.get((module, name), _stand_in(module, name))


def _stand_in(module: str, name: str) -> type[StandIn]:
    return type(name, (StandIn,), {"__module__": f"stand_in.{module}"})


def _inert_pickle() -> ModuleType:
    """What ``torch.load`` takes for a pickle module."""
    module = ModuleType("inert_pickle")
    module.Unpickler = InertUnpickler  # pyright: ignore[reportAttributeAccessIssue]
    module.load = lambda file, **options: InertUnpickler(file, **options).load()  # pyright: ignore[reportAttributeAccessIssue]
    return module


def read_inert(path: Path) -> Any:
    """What a ``torch.save`` file of any age holds, with stand-ins for strange classes.

    Raises:
        Exception: of any kind, where the file is damaged or is no such file.
    """
    return torch.load(path, map_location="cpu", pickle_module=_inert_pickle(), weights_only=False)
