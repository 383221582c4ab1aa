"""Files that ``torch.save`` wrote, of either kind, read without running what is in them.

The newer kind is a zip archive of a pickle and one record a storage; the older one, of versions
before 1.6, is a row of pickles and then the storages' bytes (torch ``serialization.py``, ``_save``
and ``_legacy_save``). ``torch.load`` is not used: whatever is given to it as a pickle module, it
hands some files on to readers of TorchScript and of tar archives, and it sets aside as much memory
as a file claims to need. Here nothing is taken that the file is not long enough for.
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
"""The first pickle of a file of the older kind."""
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"


@dataclass(frozen=True)
class TorchFile:
    """What was in a file.

    Attributes:
        value: tensors, containers, numbers, strings; ``StandIn`` for everything else.
        container: the kind of file.
    """

    value: Any
    container: Container


def read_torch_file(path: Path) -> TorchFile:
    """Read a file of ``torch.save``; tensors come to the CPU.

    Raises:
        InputError: it is absent, empty, cut short, damaged, claims to hold more than it does, or
            is no such file; the message says which.
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
        if error.errno is not None:  # of the file system, not of the content
            raise
        raise _not_whole(path, error) from error
    except Exception as error:  # a damaged file can fail anywhere in the reader
        raise _not_whole(path, error) from error
    raise _not_whole(path, ValueError(_other_kind(start)))


def _not_whole(path: Path, error: Exception) -> InputError:
    reason = f"{error}" or type(error).__name__
    return InputError(f"{path} is no whole file of weights ({reason:.300}); download it again")


def _other_kind(start: bytes) -> str:
    """What a file is that begins so."""
    if not start:
        return "it is empty"
    text = start.lstrip(b"\xef\xbb\xbf \r\n\t").lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "it is a web page: the address was of a page about the file, not of the file"
    if text.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer: fetch the file with git lfs pull"
    return "neither of the two kinds that torch.save writes"


class _Allowance:
    """How many bytes of storages a file can hold: no more than it is long."""

    def __init__(self, file: IO[bytes]) -> None:
        self._left = os.fstat(file.fileno()).st_size

    def take(self, num_bytes: int) -> None:
        self._left -= num_bytes
        if num_bytes < 0 or self._left < 0:
            raise ValueError("it claims to hold more numbers than the file is long")


class _Bounded:
    """A file that no reader can ask for more than it has, which would be set aside in advance."""

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
    """(dtype, key, numbers, view) of a persistent id; None where it is of a strange kind."""
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
    _unpickle(stream, nothing)  # the protocol's version, the same for all
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
            raise ValueError(f"storage {key!r:.40} is not the one that the tensors need")
        if stream.readinto(storage.buffer) != len(storage.buffer):
            raise ValueError("it ends in the middle of the weights")
    if storages:
        raise ValueError("it ends before the last weights")
    return value


def _view(storage: Storage, view: Any) -> Storage:
    """Part of a storage, as torch before 0.4 wrote it: (key, first number, how many)."""
    _, start, size = view
    whole = storage.tensor(start, (size,), (1,))
    return Storage(storage.dtype, storage.buffer, start=start, size=len(whole))
