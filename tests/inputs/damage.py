"""Damage of valid inputs at random, as copying, downloading, editing and crashing do it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

NUMBER = re.compile(rb"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.])")
STRANGE_NUMBERS = (b"nan", b"inf", b"-inf", b"1e300", b"-1", b"1e20", b"0", b"99999999999999999999",
                   b"1,5", b"x", b"")  # fmt: skip
STRANGE_FLOATS = (np.nan, np.inf, -np.inf, 1e30, -1e20, 0.0)
Damage = Callable[[np.random.Generator, Path], str]
"""Damages one file below a folder, chosen at random; returns what it did, with the file's path."""


def damage_once(rng: np.random.Generator, folder: Path) -> str:
    """Damage a folder of valid input in one way; return a description that names the file."""
    return DAMAGES[rng.integers(len(DAMAGES))](rng, folder)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _any(rng: np.random.Generator, paths: list[Path]) -> Path:
    """Choose by kind of file first, or the many frames would leave no turn to the one list."""
    kinds = sorted({re.sub(r"\d+", "", path.name) for path in paths})
    kind = kinds[rng.integers(len(kinds))]
    some = [path for path in paths if re.sub(r"\d+", "", path.name) == kind]
    return some[rng.integers(len(some))]


def _is_text(path: Path) -> bool:
    return not re.search(rb"[^\x09\x0a\x0d\x20-\x7e]", path.read_bytes())


def _text(rng: np.random.Generator, folder: Path) -> Path:
    """A text file where there is one, else any."""
    files = _files(folder)
    return _any(rng, [path for path in files if _is_text(path)] or files)


def _named(what: str, path: Path, folder: Path) -> str:
    return f"{what}: {path.relative_to(folder).as_posix()}"


def cut(rng: np.random.Generator, folder: Path) -> str:
    """Cut a file short, as a download that ended early."""
    path = _any(rng, _files(folder))
    size = path.stat().st_size
    os.truncate(path, int(size * rng.random()))
    return _named("cut", path, folder)


def flip(rng: np.random.Generator, folder: Path) -> str:
    """Change some bytes, as a bad disk."""
    path = _any(rng, _files(folder))
    data = bytearray(path.read_bytes())
    for _ in range(int(rng.integers(1, 9)) if data else 0):
        data[rng.integers(len(data))] = rng.integers(256)
    path.write_bytes(bytes(data))
    return _named("bytes flipped", path, folder)


def flip_early(rng: np.random.Generator, folder: Path) -> str:
    """Change a byte among the first, where headers are."""
    path = _any(rng, _files(folder))
    data = bytearray(path.read_bytes())
    if data:
        data[rng.integers(min(len(data), 200))] = rng.integers(256)
    path.write_bytes(bytes(data))
    return _named("header flipped", path, folder)


def append(rng: np.random.Generator, folder: Path) -> str:
    """Add bytes at the end, as a copy into a longer file."""
    path = _any(rng, _files(folder))
    with open(path, "ab") as file:
        file.write(rng.bytes(int(rng.integers(1, 40))))
    return _named("bytes appended", path, folder)


def zero_block(rng: np.random.Generator, folder: Path) -> str:
    """Overwrite a block by zeros, as a file system after a crash."""
    path = _any(rng, _files(folder))
    data = bytearray(path.read_bytes())
    start = int(rng.integers(len(data) + 1))
    end = min(len(data), start + int(rng.integers(1, 4096)))
    data[start:end] = bytes(end - start)
    path.write_bytes(bytes(data))
    return _named("block of zeros", path, folder)


def empty(rng: np.random.Generator, folder: Path) -> str:
    """Leave a file without content."""
    path = _any(rng, _files(folder))
    path.write_bytes(b"")
    return _named("emptied", path, folder)


def delete(rng: np.random.Generator, folder: Path) -> str:
    """Remove a file."""
    path = _any(rng, _files(folder))
    path.unlink()
    return _named("deleted", path, folder)


def rename(rng: np.random.Generator, folder: Path) -> str:
    """Give a file another name."""
    path = _any(rng, _files(folder))
    names = (f"{path.stem} (1){path.suffix}", f"x{path.name}", f"{path.name}.orig",
             f"{path.stem}{path.suffix.upper()}", f"{path.stem} 2{path.suffix}",
             path.name.replace("0", "", 1))  # fmt: skip
    path.rename(path.with_name(names[rng.integers(len(names))] or "renamed"))
    return _named("renamed", path, folder)


def duplicate(rng: np.random.Generator, folder: Path) -> str:
    """Copy a file beside itself, as file managers and editors do."""
    path = _any(rng, _files(folder))
    names = (f"{path.stem} - Copy{path.suffix}", f"{path.stem} (copy){path.suffix}",
             f"{path.name}~", f"._{path.name}", f"{path.stem}_backup{path.suffix}",
             f"{path.name}.bak")  # fmt: skip
    shutil.copy(path, path.with_name(names[rng.integers(len(names))]))
    return _named("duplicated", path, folder)


def swap(rng: np.random.Generator, folder: Path) -> str:
    """Exchange the contents of two files."""
    one, two = _any(rng, _files(folder)), _any(rng, _files(folder))
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    return _named(f"swapped with {two.name}", one, folder)


def folder_for_file(rng: np.random.Generator, folder: Path) -> str:
    """Put a folder in the place of a file."""
    path = _any(rng, _files(folder))
    path.unlink()
    path.mkdir()
    return _named("folder in its place", path, folder)


def file_for_folder(rng: np.random.Generator, folder: Path) -> str:
    """Put a file in the place of a folder."""
    folders = sorted(path for path in folder.rglob("*") if path.is_dir())
    if not folders:
        return empty(rng, folder)
    path = folders[rng.integers(len(folders))]
    shutil.rmtree(path)
    path.write_bytes(b"not a folder\n")
    return _named("file in its place", path, folder)


def dangling_link(rng: np.random.Generator, folder: Path) -> str:
    """Replace a file by a link to a place that is not mounted."""
    path = _any(rng, _files(folder))
    path.unlink()
    path.symlink_to("/nowhere/at/all")
    return _named("link to nowhere", path, folder)


def strange_number(rng: np.random.Generator, folder: Path) -> str:
    """Replace a number of a text file by one that makes no sense."""
    path = _text(rng, folder)
    data = path.read_bytes()
    found = list(NUMBER.finditer(data))
    if not found:
        return cut(rng, folder)
    place = found[rng.integers(len(found))]
    word = STRANGE_NUMBERS[rng.integers(len(STRANGE_NUMBERS))]
    path.write_bytes(data[: place.start()] + word + data[place.end() :])
    return _named(f"number {word.decode()!r}", path, folder)


def strange_float(rng: np.random.Generator, folder: Path) -> str:
    """Overwrite four aligned bytes by a float that makes no sense."""
    path = _any(rng, _files(folder))
    data = bytearray(path.read_bytes())
    if len(data) < 8:
        return flip(rng, folder)
    place = int(rng.integers(len(data) // 4 - 1)) * 4
    value = STRANGE_FLOATS[rng.integers(len(STRANGE_FLOATS))]
    data[place : place + 4] = np.float32(value).tobytes()
    path.write_bytes(bytes(data))
    return _named(f"float {value}", path, folder)


def reorder_lines(rng: np.random.Generator, folder: Path) -> str:
    """Shuffle the lines of a text file."""
    path = _text(rng, folder)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[i] for i in rng.permutation(len(lines))))
    return _named("lines shuffled", path, folder)


def drop_line(rng: np.random.Generator, folder: Path) -> str:
    """Remove a line of a text file."""
    path = _text(rng, folder)
    lines = path.read_bytes().splitlines(keepends=True)
    if lines:
        del lines[rng.integers(len(lines))]
    path.write_bytes(b"".join(lines))
    return _named("line dropped", path, folder)


def re_encode(rng: np.random.Generator, folder: Path) -> str:
    """Save a text file as editors of other systems do: BOM, CRLF, UTF-16, blank lines."""
    path = _text(rng, folder)
    data = path.read_bytes()
    how = ("BOM", "CRLF", "UTF-16", "blank lines", "CR", "tabs")[rng.integers(6)]
    if how == "BOM":
        data = b"\xef\xbb\xbf" + data
    elif how == "CRLF":
        data = data.replace(b"\n", b"\r\n")
    elif how == "UTF-16":
        data = data.decode("latin-1").encode("utf-16")
    elif how == "blank lines":
        data = b"\n" + data + b"\n\n  \n"
    elif how == "CR":
        data = data.replace(b"\n", b"\r")
    else:
        data = data.replace(b" ", b"\t")
    path.write_bytes(data)
    return _named(how, path, folder)


DAMAGES: tuple[Damage, ...] = (
    cut, flip, flip_early, append, zero_block, empty, delete, rename, duplicate, swap,
    folder_for_file, file_for_folder, dangling_link, strange_number, strange_number, strange_float,
    reorder_lines, drop_line, re_encode,
)  # fmt: skip
