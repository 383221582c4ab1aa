"""Pickles read without running anything that is in them.

A ``.pth`` file is a pickle, and a pickle may call any function when it is read. The unpickler
here builds tensors and plain containers; every other class or function becomes a stand-in that
takes anything and does nothing. The released files hold an OmegaConf configuration beside the
weights, which ``torch.load(weights_only=True)`` refuses.

It derives from the unpickler that Python has in Python: the one in C sets aside as much memory as
a pickle of a few bytes asks for (an index of its memo, ``LONG_BINPUT``).
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import IO, Any, ClassVar

import torch

STORAGES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
"""The classes of storages that become tensors, and what is in them."""


class StandIn:
    """What a class or function in a file becomes: it takes anything and does nothing."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        """Forget what was given."""

    def __call__(self, *arguments: Any, **more: Any) -> StandIn:
        """Another one."""
        return StandIn()

    def __setitem__(self, key: Any, value: Any) -> None:
        """Forget what was given."""

    def append(self, value: Any) -> None:
        """Forget what was given."""

    def extend(self, values: Any) -> None:
        """Forget what was given."""

    def add(self, value: Any) -> None:
        """Forget what was given."""


class Storage:
    """The numbers of one or more tensors, in memory that may be filled later.

    Attributes:
        dtype: of the numbers.
        buffer: as many bytes as they take.
        start: the number in ``buffer`` that is this storage's first; 0 but for views.
        size: how many numbers.
    """

    def __init__(
        self, dtype: torch.dtype, buffer: bytearray, *, start: int = 0, size: int | None = None
    ) -> None:
        """Hold the buffer; without ``size`` all of it."""
        self.dtype = dtype
        self.buffer = buffer
        self.start = start
        self.size = len(buffer) // dtype.itemsize if size is None else size

    def tensor(self, offset: Any, size: Any, stride: Any) -> torch.Tensor:
        """A view of it.

        Raises:
            ValueError: it would reach beyond the storage, or hold more numbers than it.
        """
        shape, steps = _numbers(size), _numbers(stride)
        (begin,) = _numbers((offset,))
        count, last = 1, begin
        for length, step in zip(shape, steps, strict=True):
            count *= length
            last += (length - 1) * step
        if count and (last >= self.size or count > self.size):
            raise ValueError(
                f"a tensor of shape {shape} at {begin} is larger than its storage of {self.size}"
            )
        if count == 0:
            return torch.empty(shape, dtype=self.dtype)
        flat = torch.frombuffer(self.buffer, dtype=self.dtype)
        return torch.as_strided(flat, shape, steps, self.start + begin)


def _numbers(values: Any) -> tuple[int, ...]:
    if not isinstance(values, (tuple, list)) or not all(type(v) is int and v >= 0 for v in values):
        raise ValueError(f"{values!r:.40} is no shape, stride or offset of a tensor")
    return tuple(values)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_more: Any) -> Any:
    """In place of ``torch._utils._rebuild_tensor`` and ``_rebuild_tensor_v2``."""
    return storage.tensor(offset, size, stride) if isinstance(storage, Storage) else StandIn()


def _parameter(data: Any, *_more: Any) -> Any:
    """In place of ``torch._utils._rebuild_parameter``: the tensor in it."""
    return data


def _size(values: Any = ()) -> tuple[int, ...]:
    """In place of ``torch.Size``."""
    return _numbers(values)


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    ("torch", "Size"): _size,
} | {("torch", name): dtype for name, dtype in STORAGES.items()}


class InertUnpickler(pickle._Unpickler):  # pyright: ignore[reportAttributeAccessIssue]
    """Builds what is known, and stand-ins for all else.

    Args:
        file: at the start of a pickle.
        storage_of: from the persistent id of a tensor's storage to it.
    """

    def __init__(self, file: IO[bytes], storage_of: Callable[[Any], Any]) -> None:
        """Read from ``file``."""
        super().__init__(file, encoding="utf-8")
        self._storage_of = storage_of

    def find_class(self, module: str, name: str) -> Any:
        """What stands for the class or function of that name."""
        return _KNOWN.get((module, name)) or type(
            name, (StandIn,), {"__module__": f"stand_in.{module}"}
        )

    def persistent_load(self, pid: Any) -> Any:
        """The storage of that id."""
        return self._storage_of(pid)

    def get_extension(self, code: int) -> None:
        """Refuse the shorthands that this process has for classes.

        Raises:
            UnpicklingError: always.
        """
        raise pickle.UnpicklingError(f"the extension code {code}")

    def _forget_state(self) -> None:
        """Drop an object's attributes: not even those of what is known are set."""
        self.stack.pop()  # pyright: ignore[reportAttributeAccessIssue]

    # Without the opcode that sets aside as many bytes as it is told to
    dispatch: ClassVar[dict[int, Any]] = {
        code: read
        for code, read in pickle._Unpickler.dispatch.items()  # pyright: ignore[reportAttributeAccessIssue]
        if code != pickle.BYTEARRAY8[0]
    } | {pickle.BUILD[0]: _forget_state}
