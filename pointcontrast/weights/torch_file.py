"""Reader of both file formats of ``torch.save`` that does not run code from the file; a writer.

The newer format is a zip archive with a pickle and one record per storage. The older one, of torch
before 1.6, is a sequence of pickles followed by the bytes of the storages (torch
``serialization.py``, ``_save`` and ``_legacy_save``). ``torch.load`` is not used: with any pickle
module it passes some files on to readers of TorchScript and of tar archives, and it allocates as
much memory as a file claims to need. This reader allocates no more than the file is long.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import torch

from pointcontrast.errors import InputError
from pointcontrast.weights.inert_pickle import InertUnpickler, StandIn, Storage

Container = Literal["zip", "legacy"]

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
"""First pickle of a file in the older format."""
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"


@dataclass(frozen=True)
class TorchFile:
    """Content of a file.

    Attributes:
        value: Tensors, containers, numbers, strings; ``StandIn`` for everything else.
        container: Format of the file.
    """

    value: Any
    container: Container


def write_torch_file(value: Any, path: Path) -> None:
    """Write what ``torch.save`` makes of a value.

    The bytes are made first: PyTorch's own writer hides the reason where a disk is full.
    """
    content = io.BytesIO()
    torch.save(value, content)
    path.write_bytes(content.getbuffer())


def read_torch_file(path: Path) -> TorchFile:
    """Read a file of ``torch.save``, with tensors on the CPU.

    Raises:
        InputError: The file is absent, empty, truncated or damaged, claims to hold more than it
            does, or has another format; the message says which.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; give a file of weights")
    try:
        with open(path, "rb") as file:
            start = file.read(512)
            file.seek(0)
            if start.startswith(_ZIP):
                return TorchFile(_read_zip(file), "zip")
            if start.startswith(_PICKLE):
                return TorchFile(_read_legacy(file), "legacy")
    except OSError as error:
        if error.errno is not None:  # an error of the file system
            raise
        raise _incomplete(path, error) from error
    except Exception as error:  # a damaged file can fail anywhere in the reader
        raise _incomplete(path, error) from error
    raise _incomplete(path, ValueError(_other_kind(start)))


def _incomplete(path: Path, error: Exception) -> InputError:
    reason = f"{error}" or type(error).__name__
    return InputError(f"{path} is not a complete .pth file ({reason:.300}); download it again")


def _other_kind(start: bytes) -> str:
    """Describe the format of a file by its first bytes."""
    if not start:
        return "it is empty"
    text = start.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "it is a web page: the address is that of a page about the file, not of the file"
    if text.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer: fetch the file with git lfs pull"
    return "neither of the two formats of torch.save"


class _Allowance:
    """Number of bytes that storages may still take, at most the length of the file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._left = os.fstat(file.fileno()).st_size

    def take(self, num_bytes: int) -> None:
        self._left -= num_bytes
        if num_bytes < 0 or self._left < 0:
            raise ValueError("it claims to hold more numbers than fit into the file")


class _Bounded:
    """File that limits reads to its length: the reader allocates the size it asks for."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._size = os.fstat(file.fileno()).st_size

    def read(self, size: int) -> bytes:
        return self._file.read(min(size, self._size - self._file.tell()))

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer)  # pyright: ignore[reportAttributeAccessIssue]

    def readline(self) -> bytes:
        return self._file.readline()


def _storage_id(pid: Any) -> tuple[torch.dtype, str, int, Any] | None:
    """(dtype, key, size, view) of a persistent id; None if it is not one of a storage."""
    if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] not in ("storage", b"storage"):
        return None
    dtype, key, size = pid[1], pid[2], pid[4]
    if not isinstance(dtype, torch.dtype):
        return None
    if not isinstance(key, str) or type(size) is not int or size < 0:
        raise ValueError(f"a storage in it has the id {pid[2:]!r:.60}")
    return dtype, key, size, pid[5] if len(pid) > 5 else None


def _read_zip(file: IO[bytes]) -> Any:
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        pickles = [name for name in names if name.split("/")[1:] == ["data.pkl"]]
        if len(pickles) != 1:
            raise ValueError("an archive without a data.pkl")
        folder = pickles[0].split("/")[0]
        if f"{folder}/constants.pkl" in names:
            raise ValueError("a TorchScript program; save the state_dict of the network in it")
        allowance = _Allowance(file)
        order = f"{folder}/byteorder"
        if order in names and _record(archive, order, allowance).strip() != b"little":
            raise ValueError("its numbers are big-endian")
        storages: dict[str, bytearray] = {}

        def storage_of(pid: Any) -> Any:
            known = _storage_id(pid)
            if known is None:
                return StandIn()
            dtype, key, size, _ = known
            if key not in storages:
                storages[key] = bytearray(_record(archive, f"{folder}/data/{key}", allowance))
            if len(storages[key]) != size * dtype.itemsize:
                raise ValueError(
                    f"storage {key} has {len(storages[key])} bytes and claims {size} numbers"
                )
            return Storage(dtype, storages[key])

        return _unpickle(io.BytesIO(_record(archive, pickles[0], allowance)), storage_of)


def _record(archive: zipfile.ZipFile, name: str, allowance: _Allowance) -> bytes:
    try:
        information = archive.getinfo(name)
    except KeyError:
        raise ValueError(f"{name} is not in the archive") from None
    if information.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed, which torch never does")
    allowance.take(information.file_size)
    return archive.read(information)


def _unpickle(stream: Any, storage_of: Callable[[Any], Any]) -> Any:
    return InertUnpickler(stream, storage_of).load()


def _read_legacy(file: IO[bytes]) -> Any:
    stream, allowance = _Bounded(file), _Allowance(file)

    def nothing(pid: Any) -> Any:
        raise ValueError("a storage before the tensors")

    if _unpickle(stream, nothing) != MAGIC_NUMBER:
        raise ValueError("a pickle, but not one of torch.save")
    _unpickle(stream, nothing)  # protocol version, always the same
    system = _unpickle(stream, nothing)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("its numbers are big-endian")
    storages: dict[str, Storage] = {}

    def storage_of(pid: Any) -> Any:
        known = _storage_id(pid)
        if known is None:
            return StandIn()
        dtype, key, size, view = known
        if key not in storages:
            allowance.take(size * dtype.itemsize)
            storages[key] = Storage(dtype, bytearray(size * dtype.itemsize))
        return storages[key] if view is None else _view(storages[key], view)

    value = _unpickle(stream, storage_of)
    for key in _unpickle(stream, nothing):
        count = int.from_bytes(stream.read(8), "little")
        storage = storages.pop(key, None)
        if storage is None or count != storage.size:
            raise ValueError(f"storage {key!r:.40} does not match the tensors")
        if stream.readinto(storage.buffer) != len(storage.buffer):
            raise ValueError("it ends in the middle of the weights")
    if storages:
        raise ValueError("it ends before the last weights")
    return value


def _view(storage: Storage, view: Any) -> Storage:
    """Part of a storage as torch before 0.4 wrote it, (key, first element, size)."""
    _, start, size = view
    whole = storage.tensor(start, (size,), (1,))
    return Storage(storage.dtype, storage.buffer, start=start, size=len(whole))
