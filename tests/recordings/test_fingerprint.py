"""Fingerprints of source files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pointcontrast.recordings.fingerprint import fingerprint, is_same_source, relative_names


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    small, large = tmp_path / "small.txt", tmp_path / "large.bin"
    small.write_text("1 2 3\n")
    large.write_bytes(bytes(range(256)) * 1024)
    return [small, large]


def of(files: list[Path]) -> str:
    return fingerprint((path.name, path) for path in files)


@pytest.mark.parametrize(("file", "position"), [(0, 0), (0, 4), (1, 0), (1, 256 * 1024 - 1)])
def test_one_changed_byte_is_another_source(files, file, position):
    before = of(files)
    data = bytearray(files[file].read_bytes())
    data[position] ^= 1
    files[file].write_bytes(data)
    assert of(files) != before


def test_an_absent_file_is_another_source(files):
    before = of(files)
    files[0].unlink()
    assert of(files) != before


def test_a_moved_folder_is_the_same_source(files, tmp_path):
    before = fingerprint(relative_names(files, tmp_path))
    other = tmp_path.parent / "elsewhere" / tmp_path.name
    other.mkdir(parents=True)
    moved = [Path(path.rename(other / path.name)) for path in files]
    assert fingerprint(relative_names(moved, other)) == before


def test_scenes_of_earlier_releases_hold_names_and_sizes(files):
    old = hashlib.sha256()
    for path in files:
        old.update(f"{path.name} {path.stat().st_size}\n".encode())
    assert is_same_source(old.hexdigest(), of(files))
    files[0].write_text("1 2 3 4\n")
    assert not is_same_source(old.hexdigest(), of(files))
    assert not is_same_source(None, of(files))
