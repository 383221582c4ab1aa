from __future__ import annotations

import io
import os
import pickle
import struct
import sys
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch

from pointcontrast.errors import InputError
from pointcontrast.weights.inert_pickle import StandIn
from pointcontrast.weights.torch_file import MAGIC_NUMBER, read_torch_file


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "ran"


class Runs:
    """Runs a command when it is unpickled by pickle."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


class Holder(list):
    """Accepts arguments, state, items and keys."""

    def __setitem__(self, key, value) -> None:
        pass


class RunsWithin:
    """The trap as an argument, an item of a list, a value of a dictionary and a state."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        inner = Runs(self.path)
        return Holder, ([inner],), {"state": inner}, iter([inner]), iter([("k", inner)])


@pytest.mark.parametrize("legacy", [False, True])
def test_everything_that_torch_saves_comes_back(tmp_path: Path, legacy: bool) -> None:
    base = torch.randn(3, 4, 5)
    value = {
        "transposed": base.transpose(0, 2),
        "shared": base[1],
        "scalar": torch.tensor(3),
        "none": torch.empty(0, 3),
        "parameter": torch.nn.Parameter(torch.randn(2)),
        "layers": torch.nn.Linear(3, 2).state_dict(),
        "numbers": [1, 2.5, None, True, "text", (1, 2)],
        **{
            str(dtype): torch.ones(3).to(dtype)
            for dtype in (
                torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32,
                torch.int16, torch.int8, torch.uint8, torch.bool,
            )
        },
    }  # fmt: skip
    path = tmp_path / "w.pth"
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    found = read_torch_file(path)
    assert found.container == ("legacy" if legacy else "zip")
    expected = torch.load(path, weights_only=True)
    assert list(found.value) == list(expected)
    assert found.value["numbers"] == expected["numbers"]
    for name, tensor in [*expected.items(), *expected["layers"].items()]:
        if torch.is_tensor(tensor):
            read = found.value[name] if name in found.value else found.value["layers"][name]
            assert read.dtype == tensor.dtype
            torch.testing.assert_close(read, tensor.detach(), rtol=0, atol=0)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("kind", [Runs, RunsWithin])
def test_nothing_in_a_file_runs(tmp_path: Path, marker: Path, kind: type, legacy: bool) -> None:
    path = tmp_path / "evil.pth"
    value = {"w": torch.ones(2), "config": kind(marker), "best": np.float64(1.5)}
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    found = read_torch_file(path).value
    assert not marker.exists()
    assert isinstance(found["best"], StandIn)
    torch.testing.assert_close(found["w"], torch.ones(2))
    torch.load(path, weights_only=False)  # the trap works
    assert marker.exists()


def zipped(path: Path, pickled: bytes, **records: bytes) -> Path:
    """Write a file in the newer format with a given pickle."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        for name, data in records.items():
            archive.writestr(f"archive/data/{name.strip('_')}", data)
    return path


def old(path: Path, pickled: bytes, keys: list, rest: bytes = b"") -> Path:
    """Write a file in the older format with a given pickle."""
    head = [MAGIC_NUMBER, 1001, {"protocol_version": 1001, "little_endian": True}]
    parts = [pickle.dumps(part, 2) for part in head] + [pickled, pickle.dumps(keys, 2), rest]
    path.write_bytes(b"".join(parts))
    return path


def text(value: str) -> bytes:
    return pickle.BINUNICODE + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    if value < 2**31:
        return pickle.BININT + struct.pack("<i", value)
    return pickle.LONG1 + b"\x09" + value.to_bytes(9, "little")


def storage(key: bytes, size: int, kind: bytes = b"ctorch\nFloatStorage\n") -> bytes:
    """Opcodes of a storage's persistent id."""
    return b"(" + text("storage") + kind + key + text("cpu") + number(size) + b"tQ"


def tensor(store: bytes, offset: bytes, size: bytes, stride: bytes) -> bytes:
    """Opcodes of a tensor in that storage."""
    more = b"\x89" + b"ccollections\nOrderedDict\n)R"
    arguments = b"(" + store + offset + size + stride + more + b"t"
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R."


def triple(*values: int) -> bytes:
    return b"(" + b"".join(number(value) for value in values) + b"t"


def test_the_opcodes_above_make_a_tensor(tmp_path: Path) -> None:
    pickled = tensor(storage(text("0"), 4), number(1), triple(3), triple(1))
    data = struct.pack("<4f", 1, 2, 3, 4)
    for path in (
        zipped(tmp_path / "new.pth", pickled, _0=data),
        old(tmp_path / "old.pth", pickled, ["0"], struct.pack("<q", 4) + data),
    ):
        torch.testing.assert_close(read_torch_file(path).value, torch.tensor([2.0, 3.0, 4.0]))


def test_a_persistent_id_that_calls_a_function(tmp_path: Path, marker: Path) -> None:
    command = b"cos\nsystem\n(" + text(f"touch {marker}") + b"tR"
    for number_of, kind, key in (
        (0, b"ctorch\nFloatStorage\n", command),  # as the storage's key
        (1, command, text("0")),  # as its class
        (2, b"cos\nsystem\n", text(f"touch {marker}")),  # a class that is a function
    ):
        pickled = tensor(storage(key, 4, kind), number(0), triple(4), triple(1))
        path = zipped(tmp_path / f"{number_of}.pth", pickled, _0=bytes(16))
        with suppress(InputError):  # refused, or inert
            assert isinstance(read_torch_file(path).value, StandIn)
        assert not marker.exists()
    old(tmp_path / "o.pth", b"\x80\x02" + command + b"Q.", [])
    assert isinstance(read_torch_file(tmp_path / "o.pth").value, StandIn)
    assert not marker.exists()


@pytest.mark.parametrize("opcodes", [
    b"ios\nsystem\n",  # INST
    b"cos\nsystem\no",  # OBJ
    b"tcos\nsystem\n\x85\x81",  # NEWOBJ with nonsense
    b"l\x93",  # STACK_GLOBAL without names
    b"tcos\nsystem\nb",  # BUILD
])  # fmt: skip
def test_other_opcodes_that_make_objects(tmp_path: Path, marker: Path, opcodes: bytes) -> None:
    pickled = b"\x80\x02(" + text(f"touch {marker}") + opcodes + b"."
    path = zipped(tmp_path / "w.pth", pickled)
    with suppress(InputError):  # refused, or inert
        read_torch_file(path)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (number(0), triple(5), triple(1)),  # larger than its storage
        (number(2), triple(3), triple(1)),
        (number(0), triple(2, 2), triple(4, 1)),
        (number(0), triple(10**12), triple(0)),  # one number, declared as very many
        (number(0), triple(4), triple()),
        (number(0), b"K\x04", triple(1)),  # not a tuple
        (number(0), b"(" + text("four") + b"t", triple(1)),
        (number(0), triple(-1 + 2**31), triple(1)),
        (b"N", triple(4), triple(1)),
        (b"ccollections\nOrderedDict\n)R", triple(4), triple(1)),
    ],
)
def test_tensors_with_odd_arguments(
    tmp_path: Path, offset: bytes, size: bytes, stride: bytes
) -> None:
    pickled = tensor(storage(text("0"), 4), offset, size, stride)
    path = zipped(tmp_path / "w.pth", pickled, _0=bytes(16))
    with pytest.raises(InputError, match=r"w\.pth is not a complete .pth file"):
        read_torch_file(path)


def peak_memory_of(action) -> int:
    import tracemalloc

    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [10**12, 10**9, 10**6, 5])
def test_storages_that_claim_more_than_the_file_holds(tmp_path: Path, size: int) -> None:
    pickled = tensor(storage(text("0"), size), number(0), triple(4), triple(1))
    data = bytes(16)
    paths = [
        zipped(tmp_path / "new.pth", pickled, _0=data),
        old(tmp_path / "old.pth", pickled, ["0"], struct.pack("<q", size) + data),
    ]

    def refused() -> None:
        for path in paths:
            with pytest.raises(InputError, match=f"{path.name} is not a complete .pth file"):
                read_torch_file(path)

    assert peak_memory_of(refused) < 10_000_000


def test_pickles_that_ask_for_memory(tmp_path: Path) -> None:
    huge = struct.pack("<Q", 10**13)
    for opcodes in (
        pickle.BYTEARRAY8 + huge,
        pickle.BINBYTES8 + huge,
        pickle.BINUNICODE8 + huge,
        pickle.FRAME + huge,
        b"N" + pickle.LONG_BINPUT + struct.pack("<I", 2**32 - 1) + b"0",  # 32 GB in C
        pickle.LONG4 + struct.pack("<i", 2**31 - 1),
    ):
        for path in (
            zipped(tmp_path / "new.pth", b"\x80\x05" + opcodes + b"N."),
            old(tmp_path / "old.pth", b"\x80\x05" + opcodes + b"N.", []),
        ):

            def read(path: Path = path) -> None:
                with suppress(InputError):
                    read_torch_file(path)

            assert peak_memory_of(read) < 10_000_000


def test_a_compressed_record_is_refused(tmp_path: Path) -> None:
    """A few bytes could become gigabytes."""
    pickled = tensor(storage(text("0"), 2**20), number(0), triple(4), triple(1))
    with zipfile.ZipFile(tmp_path / "w.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/data/0", bytes(2**22))
    with pytest.raises(InputError, match="compressed"):
        read_torch_file(tmp_path / "w.pth")


def test_dictionaries_that_hold_themselves_end(tmp_path: Path) -> None:
    from pointcontrast.weights.foreign import read_foreign_weights

    value: dict = {}
    for key in range(2000):
        value[str(key)] = value
    torch.save(value, tmp_path / "w.pth")
    with pytest.raises(InputError, match="no sparse residual U-Net"):
        read_foreign_weights(tmp_path / "w.pth")


@pytest.mark.parametrize("legacy", [False, True])
def test_cut_anywhere(tmp_path: Path, legacy: bool) -> None:
    buffer = io.BytesIO()
    value = {"a": torch.randn(300), "b": torch.ones(7), "c": "text"}
    torch.save(value, buffer, _use_new_zipfile_serialization=not legacy)
    whole = buffer.getvalue()
    path = tmp_path / "cut.pth"
    for size in [*range(0, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"cut\.pth is not a complete .pth file \(.+\); down"):
            read_torch_file(path)


def test_a_flipped_bit_of_the_weights_is_seen(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(1000)}, tmp_path / "w.pth")
    damaged = bytearray((tmp_path / "w.pth").read_bytes())
    damaged[damaged.index(struct.pack("<8f", *[1.0] * 8)) + 100] ^= 1
    (tmp_path / "w.pth").write_bytes(damaged)
    with pytest.raises(InputError, match="Bad CRC-32"):
        read_torch_file(tmp_path / "w.pth")


def test_other_formats_are_named(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    scripted = tmp_path / "scripted.pth"
    with zipfile.ZipFile(scripted, "w") as archive:
        archive.writestr("net/data.pkl", pickle.dumps({}, 2))
        archive.writestr("net/constants.pkl", pickle.dumps((), 2))
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("photo.txt", "a photo")
    for content, message in (
        (b"", "it is empty"),
        (b"<!DOCTYPE html>\n<html><title>Dropbox</title>", "it is a web page"),
        (b"\n  <html>not found</html>", "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer"),
        (b"ply\nformat ascii 1.0", "neither of the two formats"),
        (pickle.dumps([1, 2]), "a pickle, but not one of torch.save"),
        (scripted.read_bytes(), "TorchScript"),
        ((tmp_path / "photos.zip").read_bytes(), "without a data.pkl"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_torch_file(path)
    with pytest.raises(InputError, match="does not exist"):
        read_torch_file(tmp_path / "none.pth")


def test_nothing_is_imported_for_a_file(tmp_path: Path) -> None:
    zipped(tmp_path / "w.pth", b"\x80\x02cantigravity\ngeohash\n.")
    assert issubclass(read_torch_file(tmp_path / "w.pth").value, StandIn)
    assert "antigravity" not in sys.modules
