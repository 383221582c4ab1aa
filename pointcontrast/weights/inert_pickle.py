"""Reader of pickles that does not run code from them.

A ``.pth`` file is a pickle, and a pickle may call any function when it is read. The unpickler
here builds tensors and plain containers; every other class or function becomes a stand-in that
accepts everything and does nothing. The released files hold an OmegaConf configuration in addition
to the weights, which ``torch.load(weights_only=True)`` refuses.

It derives from Python's unpickler in Python. The one in C allocates as much memory as a pickle of a
few bytes asks for (an index of its memo, ``LONG_BINPUT``).
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
"""Data type of each class of storages that becomes tensors."""


class StandIn:
    """Stand-in for a class or function in a file: accepts everything and does nothing."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        """Ignore the arguments."""

    def __call__(self, *arguments: Any, **more: Any) -> StandIn:
        """Return another stand-in."""
        return StandIn()

    def __setitem__(self, key: Any, value: Any) -> None:
        """Ignore the arguments."""

    def append(self, value: Any) -> None:
        """Ignore the arguments."""

    def extend(self, values: Any) -> None:
        """Ignore the arguments."""

    def add(self, value: Any) -> None:
        """Ignore the arguments."""


class Storage:
    """Memory of one or more tensors, which may be filled later.

    Attributes:
        dtype: Data type of the elements.
        buffer: Bytes of the elements.
        start: Index of the first element in ``buffer``; 0 except for views.
        size: Number of elements.
    """

    def __init__(
        self, dtype: torch.dtype, buffer: bytearray, *, start: int = 0, size: int | None = None
    ) -> None:
        """Take the buffer; without ``size`` all of it."""
        self.dtype = dtype
        self.buffer = buffer
        self.start = start
        self.size = len(buffer) // dtype.itemsize if size is None else size

    def tensor(self, offset: Any, size: Any, stride: Any) -> torch.Tensor:
        """Return a tensor on this memory.

        Raises:
            ValueError: The tensor would exceed the storage.
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
        raise ValueError(f"{values!r:.40} is not a shape, stride or offset of a tensor")
    return tuple(values)


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_more: Any) -> Any:
    """Replace ``torch._utils._rebuild_tensor`` and ``_rebuild_tensor_v2``."""
    return storage.tensor(offset, size, stride) if isinstance(storage, Storage) else StandIn()


def _parameter(data: Any, *_more: Any) -> Any:
    """Replace ``torch._utils._rebuild_parameter`` by its tensor."""
    return data


def _size(values: Any = ()) -> tuple[int, ...]:
    """Replace ``torch.Size``."""
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
    """Unpickler of tensors and plain containers, with stand-ins for everything else.

    Args:
        file: File at the start of a pickle.
        storage_of: Function from the persistent id of a storage to the storage.
    """

    def __init__(self, file: IO[bytes], storage_of: Callable[[Any], Any]) -> None:
        """Read from ``file``."""
        super().__init__(file, encoding="utf-8")
        self._storage_of = storage_of

    def find_class(self, module: str, name: str) -> Any:
        """Return the replacement of a class or function."""
        return _KNOWN.get((module, name)) or type(
            name, (StandIn,), {"__module__": f"stand_in.{module}"}
        )

    def persistent_load(self, pid: Any) -> Any:
        """Return the storage of a persistent id."""
        return self._storage_of(pid)

    def get_extension(self, code: int) -> None:
        """Refuse extension codes, which this process may map to any class.

        Raises:
            UnpicklingError: Always.
        """
        raise pickle.UnpicklingError(f"the extension code {code}")

    def _ignore_state(self) -> None:
        """Ignore the attributes of an object."""
        self.stack.pop()  # pyright: ignore[reportAttributeAccessIssue]

    # without the opcode that allocates as many bytes as the pickle claims
    dispatch: ClassVar[dict[int, Any]] = {
        code: read
        for code, read in pickle._Unpickler.dispatch.items()  # pyright: ignore[reportAttributeAccessIssue]
        if code != pickle.BYTEARRAY8[0]
    } | {pickle.BUILD[0]: _ignore_state}
